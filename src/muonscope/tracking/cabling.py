"""Which cell each channel carries, from nothing but which channels fire together.

How often two channels fire within the longest drift time is counted. The cabling is the
assignment of channels to cells that makes these counts most likely, and most hits part of tracks.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from muonscope.detector import Chamber, Detector
from muonscope.tracking.assignment import LEAST_GAIN, Assignment, from_counts, groups_of
from muonscope.tracking.coincidences import coincidences
from muonscope.tracking.layout import TrackingLayout, Wholes, layout_of
from muonscope.tracking.reconstruct import reconstruct

__all__ = ["Cabling", "cabling_of", "corrected"]

_LEAST_COINCIDENCES, _LEAST_PART = 50, 0.1
"""A channel that fires less often together with others, or less than this part of the median,
tells nothing of its place."""
_TRIED_HITS = 200_000
_AS_MANY = 0.99
_MOST_NAMED = 12
"""Channels that are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cabling:
    """What the coincidences of a recording tell of its cables."""

    place: Wholes
    """Shape (n_cells,): the cell whose signals the channel of each cell carries."""
    problems: tuple[str, ...]
    """What differs from the detector file, in words."""
    unsure: int
    """Channels that fired too little to tell."""
    gain: float
    """Logarithm of the likelihood ratio to the detector file's cabling, for each coincidence."""

    @property
    def as_told(self) -> bool:
        """Whether the cables are as the detector file says."""
        return not self.problems


def cabling_of(detector: Detector, time: Wholes, cell: Wholes) -> Cabling:
    """Return which cell each channel carries.

    Parameters
    ----------
    detector
        The telescope, with the cabling as its file has it.
    time, cell
        Of hits, as :func:`~muonscope.tracking.reconstruct.reconstruct` takes them.
    """
    layout = layout_of(detector)
    counts = coincidences(layout, time, cell)
    often = counts.sum(axis=1)
    unsure = often < max(_LEAST_COINCIDENCES, _LEAST_PART * np.median(often))
    counts[unsure] = counts[:, unsure] = 0
    problem = Assignment(detector, counts)
    told = np.arange(len(layout.chamber))
    tried = [told, problem.climbed(told)]
    if problem.poor(tried[-1]) and (start := from_counts(layout, problem)) is not None:
        tried.append(problem.climbed(start))
    place = _best(layout, time, cell, problem, tried)
    gain = problem.score(place) - problem.score(told)
    return Cabling(
        place=place, problems=tuple(_in_words(detector, place)),
        unsure=int(np.count_nonzero(unsure)),
        gain=gain / max(1, int(counts.sum()) // 2),
    )  # fmt: skip


def _best(
    layout: TrackingLayout, time: Wholes, cell: Wholes, problem: Assignment, tried: list[Wholes]
) -> Wholes:
    """Return the assignment that makes most hits part of tracks; of equal ones the likeliest.

    A chamber that is turned round has nearly the same coincidences, and no tracks.
    """
    hits = np.array([_hits_on_tracks(layout, time, place[cell]) for place in tried])
    scores = np.array([problem.score(place) for place in tried])
    scores[0] += LEAST_GAIN / 2  # what the file says, unless another one is better
    return tried[int(np.argmax(np.where(hits >= _AS_MANY * hits.max(), scores, -np.inf)))]


def _hits_on_tracks(layout: TrackingLayout, time: Wholes, cell: Wholes) -> int:
    """Return how many hits of the first ones make tracks over two chambers."""
    found = reconstruct(layout, time[:_TRIED_HITS], cell[:_TRIED_HITS])
    return int(found.size[found.chambers > 1].sum())


def _in_words(detector: Detector, place: Wholes) -> Iterator[str]:
    """Yield what differs from the cabling of the detector file, the largest parts first."""
    place = place.copy()
    cells, told = detector.cells(), np.arange(len(place))
    names = [f"ch{c}:{n}" for c, n in zip(cells.chamber, cells.channel, strict=True)]
    pairs = list(groups_of(detector))
    for one, other in pairs:
        if (place[one] == other).all() and (place[other] == one).all():
            yield f"{_group(detector, one)} and {_group(detector, other)} are swapped"
            place[one], place[other] = one, other
    moved = np.flatnonzero(place != told)
    for i in moved.tolist():
        k = int(place[i])
        if place[k] == i and i < k and len(moved) <= _MOST_NAMED:
            yield f"channels {names[i]} and {names[k]} are swapped"
            place[[i, k]] = i, k
    moved = np.flatnonzero(place != told)
    if len(moved):
        some = [f"{names[i]} carries {names[place[i]]}" for i in moved[:_MOST_NAMED].tolist()]
        more = f", ... ({len(moved)} in all)" if len(moved) > len(some) else ""
        yield f"channels carry other cells: {', '.join(some)}{more}"


def corrected(detector: Detector, place: Wholes) -> Detector | None:
    """Return the telescope with cables as they are; None where no detector file can say so.

    A file can say which channels a chamber has, and in which order, but not that its channels are
    those of several others.
    """
    whole = np.array([detector.first_cell(c) for c in range(detector.n_chambers)])
    sizes = np.array([chamber.n_channels for chamber in detector.chambers])
    chambers: list[Chamber] = list(detector.chambers)
    for old, chamber in enumerate(detector.chambers):
        mine = place[whole[old] : whole[old] + sizes[old]]
        new = int(np.searchsorted(whole, mine[0], side="right")) - 1
        inside = mine - whole[new]
        if sizes[new] != sizes[old] or inside.min() < 0 or inside.max() >= sizes[new]:
            return None
        own = np.arange(sizes[old])
        # what the file said before, followed by what was found
        carries = dict(detector.chambers[new].recabled)
        cells = [carries.get(c, c) for c in (inside + detector.chambers[new].first_channel)]
        moved = np.array(cells) - detector.chambers[new].first_channel
        recabled = tuple(
            (int(i) + chamber.first_channel, int(moved[i]) + chamber.first_channel)
            for i in own[moved != own]
        )
        chambers[new] = replace(
            detector.chambers[new], fpga=chamber.fpga, first_channel=chamber.first_channel,
            last_channel=chamber.last_channel, recabled=recabled,
        )  # fmt: skip
    return replace(detector, chambers=tuple(chambers))


def _group(detector: Detector, channels: Wholes) -> str:
    """Name a chamber, or a connector by its channels."""
    cells = detector.cells()
    chamber = int(cells.chamber[channels[0]])
    if len(channels) == detector.chambers[chamber].n_channels:
        return f"chamber {chamber}"
    first, last = cells.channel[channels[0]], cells.channel[channels[-1]]
    return f"connector {first}-{last} of chamber {chamber}"
