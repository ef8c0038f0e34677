"""Channels assigned to cells, so that what fires together is most likely.

A quadratic assignment, climbed by swaps of chambers, connectors and channels from where the
detector file begins, or from an order that the counts tell by themselves, so that it makes no
difference how many cables are wrong:

1. Channels whose strongest partners are each other's are of one chamber.
2. The second eigenvector of a chamber's normalised counts orders its cells along x (spectral
   seriation; Atkins, Boman, Hendrickson, SIAM J. Comput. 28, 1998).
3. Of two cells at the same x, that of an outer layer fires less with its neighbours.
4. Chambers and their directions are tried in all orders.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.tracking.coincidences import likely_together
from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes

__all__ = ["CONNECTOR", "LEAST_GAIN", "Assignment", "from_counts", "groups_of"]

CONNECTOR = 16
"""Channels of a connector: four wires of each layer."""

LEAST_GAIN = 25.0
"""Logarithm of the likelihood ratio by which a swap must be better."""

_POOR = 0.25
"""Part of the likelihood that the geometry lets expect below which counts fit badly."""
_HALF = 0.5
_MOST_CHAMBERS = 5
_STRONGEST = (6, 5, 7, 4, 8, 10)
"""Partners of a channel that are looked at to tell chambers apart: the first that does."""


class Assignment:
    """Channels to be assigned to cells: ``place[i]`` is the cell of channel i.

    Those without counts stay where they are.
    """

    def __init__(self, detector: Detector, counts: Wholes) -> None:
        self.counts = counts.astype(np.float64)
        likely = likely_together(detector)
        # given how often each channel fires at all, which efficiencies and noise change
        self._alone = np.log(np.exp(likely).sum(axis=1))
        self._likely = likely - self._alone - self._alone[:, None]
        told = np.asarray(self.counts.any(axis=1))
        self._silent = np.flatnonzero(~told)
        self._groups = [
            (one, other) for one, other in groups_of(detector)
            if min(told[one].mean(), told[other].mean()) > _HALF
        ]  # fmt: skip

    def score(self, place: Wholes) -> float:
        """Return the logarithm of the likelihood, but for a constant."""
        return float((self.counts * self._likely[np.ix_(place, place)]).sum() / 2)

    def poor(self, place: Wholes) -> bool:
        """Tell whether coincidences are far from what the geometry lets expect."""
        share = np.exp(self._likely + self._alone + self._alone[:, None])
        expected = self.counts.sum() / 2 * float((share * self._likely).sum() / share.sum())
        return bool(self.score(place) < _POOR * expected)

    def climbed(self, place: Wholes) -> Wholes:
        """Return what swaps lead to, each the best there is: groups first, then channels."""
        while True:
            before, place = place, self._pairs_climbed(self._groups_climbed(place))
            if (place == before).all():
                return place

    def _groups_climbed(self, place: Wholes) -> Wholes:
        score = self.score(place)
        while True:
            best, gain = place, LEAST_GAIN
            for one, other in self._groups:
                swapped = _swapped(place, one, other)
                if (more := self.score(swapped) - score) > gain:
                    best, gain = swapped, more
            if best is place:
                return place
            place, score = best, score + gain

    def _pairs_climbed(self, place: Wholes) -> Wholes:
        while True:
            i, k, gain = self._best_pair(place)
            if gain <= LEAST_GAIN:
                return place
            place = _swapped(place, i, k)

    def _best_pair(self, place: Wholes) -> tuple[int, int, float]:
        """Return the two channels to swap that give most, and how much."""
        there = self._likely[:, place]
        at = self.counts @ there.T  # of channel i, if it were at cell c
        own = at[np.arange(len(place)), place]
        pair = there[place]
        gain = at[:, place] + at[:, place].T - own[:, None] - own
        gain -= self.counts * (np.diag(pair) + np.diag(pair)[:, None] - 2 * pair)
        np.fill_diagonal(gain, -np.inf)
        gain[self._silent] = gain[:, self._silent] = -np.inf
        i, k = divmod(int(np.argmax(gain)), len(place))
        return i, k, float(gain[i, k])


def _swapped(place: Wholes, one: Any, other: Any) -> Wholes:
    swapped = place.copy()
    swapped[one], swapped[other] = place[other], place[one]
    return swapped


def groups_of(detector: Detector) -> Iterator[tuple[Wholes, Wholes]]:
    """Yield pairs of chambers, then of connectors, as channels that may be swapped at once."""
    chambers = [
        detector.first_cell(c) + np.arange(chamber.n_channels)
        for c, chamber in enumerate(detector.chambers)
    ]
    connectors = [
        part for chamber in chambers
        for part in np.split(chamber, np.arange(CONNECTOR, len(chamber), CONNECTOR))
    ]  # fmt: skip
    for kind in (chambers, connectors):
        for one, other in itertools.combinations(kind, 2):
            if len(one) == len(other):
                yield one, other


def from_counts(layout: TrackingLayout, problem: Assignment) -> Wholes | None:
    """Return an assignment that the counts tell by themselves; None where they do not."""
    chambers, n = len(layout.view), len(layout.chamber)
    size = np.bincount(layout.chamber)
    if chambers > _MOST_CHAMBERS or (size != size[0]).any() or size[0] % 2:
        return None
    parts = _partners(problem.counts, chambers, int(size[0]))
    if parts is None:
        return None
    orders = [_along(problem.counts, part) for part in parts]
    cells = [_by_place(layout, chamber) for chamber in range(chambers)]
    best, most = None, -np.inf
    for chosen in itertools.permutations(range(chambers)):
        for turned in itertools.product((False, True), repeat=chambers):
            place = np.empty(n, np.int64)
            for order, chamber, turn in zip(orders, chosen, turned, strict=True):
                way = order.reshape(-1, 2)[::-1].ravel() if turn else order
                place[way] = cells[chamber]
            if (score := problem.score(place)) > most:
                best, most = place, score
    return best


def _partners(counts: Reals, chambers: int, size: int) -> list[Wholes] | None:
    """Return the channels of each chamber: those that are among each other's strongest.

    Channels that hardly fire are put last where one lacks.
    """
    for strongest in _STRONGEST:
        label = _joined(_near(counts, strongest))
        names, numbers = np.unique(label, return_counts=True)
        large = names[(numbers > size / 2) & (numbers <= size)]
        if len(large) == chambers and numbers[np.isin(names, large)].sum() > 0.9 * len(counts):
            break
    else:
        return None
    left = np.flatnonzero(~np.isin(label, large)).tolist()
    parts = []
    for name in large.tolist():
        mine = np.flatnonzero(label == name)
        lacks = size - len(mine)
        parts.append(np.append(mine, np.array(left[:lacks], np.int64)))
        left = left[lacks:]
    return parts


def _near(counts: Reals, strongest: int) -> npt.NDArray[np.bool_]:
    """Tell which channels are among each other's strongest partners."""
    top = np.argsort(-_normal(counts), axis=1, kind="stable")[:, :strongest]
    near = np.zeros(counts.shape, np.bool_)
    np.put_along_axis(near, top, values=True, axis=1)
    near &= near.T & (counts > 0)
    return near


def _joined(near: npt.NDArray[np.bool_]) -> Wholes:
    """Return the lowest number of all that each one is joined with, step by step."""
    label = np.arange(len(near))
    while True:
        lower = np.minimum(label, np.where(near, label, len(label)).min(axis=1))
        if (lower == label).all():
            return label
        label = lower


def _along(counts: Reals, channels: Wholes) -> Wholes:
    """Return the channels of a chamber by place: two at each, that of an inner layer first."""
    mine = counts[np.ix_(channels, channels)]
    close = np.where(_near(mine, _STRONGEST[0]), mine, 0.0)
    _, vectors = np.linalg.eigh(_normal(close))
    order = np.argsort(vectors[:, -2] / np.sqrt(np.maximum(close.sum(axis=1), 1.0)))
    pairs = order.reshape(-1, 2)
    share = mine / np.sqrt(np.maximum(mine.sum(axis=1), 1.0))[:, None]
    for k in range(len(pairs)):
        beside = np.concatenate([pairs[j] for j in (k - 1, k + 1) if 0 <= j < len(pairs)])
        if share[pairs[k, 0], beside].sum() < share[pairs[k, 1], beside].sum():
            pairs[k] = pairs[k, ::-1]
    found: Wholes = channels[pairs.ravel()]
    return found


def _normal(counts: Reals) -> Reals:
    """Return counts, divided by the root of those of both channels."""
    root = np.sqrt(np.maximum(counts.sum(axis=1), 1.0))
    normal: Reals = counts / np.outer(root, root)
    return normal


def _by_place(layout: TrackingLayout, chamber: int) -> Wholes:
    """Return the cells of a chamber by place: two at each, that of an inner layer first."""
    mine = np.flatnonzero(layout.chamber == chamber)
    outer = (layout.layer[mine] == 0) | (layout.layer[mine] == LAYERS - 1)
    return mine[np.lexsort((outer, np.rint(layout.place_mm[mine])))]
