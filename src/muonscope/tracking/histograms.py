"""Histograms of tracks: whole numbers that add up, so that every division gives the same sums."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import SAME_NS, Reconstructed

__all__ = [
    "HISTOGRAMS", "PER_CHAMBER", "PER_VIEW", "RESIDUAL", "SKY", "TrackAxis", "counted",
    "histograms", "sky_map",
]  # fmt: skip

PER_VIEW, PER_CHAMBER = "view", "chamber"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackAxis:
    """The bins of a histogram: ``bins`` of them from ``low`` on, one below, and one above."""

    name: str
    label: str
    per: str
    """What it has a row of: each view, or each chamber."""
    low: float
    width: float
    bins: int

    def places(self, values: Reals) -> Wholes:
        """Return the bin of each value: 0 below, 1 .. bins, bins + 1 above."""
        inside = np.floor((values - self.low) / self.width) + 1
        places: Wholes = np.clip(inside, 0, self.bins + 1).astype(np.int64)
        return places

    def half_width(self, counts: Wholes) -> float:
        """Return the distance from 0, in the middle of the axis, within which 68 % of entries are.

        ``counts`` has shape (bins + 2,).
        """
        middle = len(counts) // 2
        within = np.cumsum(counts[middle:] + counts[:middle][::-1])
        whole = np.append(0, within)
        return float(np.interp(0.68 * whole[-1], whole, self.width * np.arange(len(whole))))

    def rows(self, chambers: int, views: int) -> int:
        """Return how many rows it has."""
        return views if self.per == PER_VIEW else chambers


def _axis(name: str, label: str, per: str, low: float, width: float, bins: int) -> TrackAxis:
    return TrackAxis(name=name, label=label, per=per, low=low, width=width, bins=bins)


RESIDUAL = _axis("residual", "residual [mm]", PER_CHAMBER, -1.5, 0.05, 60)

HISTOGRAMS = (
    _axis("slope", "slope [1]", PER_VIEW, -1.5, 0.05, 60),
    _axis("place", "place [mm]", PER_VIEW, -420.0, 21.0, 40),
    _axis("chi2", "chi2 per degree of freedom [1]", PER_VIEW, 0.0, 0.25, 48),
    RESIDUAL,
    _axis("late", "chamber later than the track [ns]", PER_CHAMBER, -15.0, 0.5, 60),
    _axis("drift", "drift time from tracks [ns]", PER_CHAMBER, -50.0, 5.0, 100),
)
"""Slopes and places are also of lone segments; the others of tracks over chambers alone."""


SKY = _axis("sky", "slope", PER_VIEW, -1.0, 0.1, 20)
"""Of either view in the map of slopes, which leaves out what lies outside."""


def histograms(
    layout: TrackingLayout, found: Reconstructed, group: Wholes, groups: int
) -> dict[str, Wholes]:
    """Return the histograms by name, shape (groups, rows, bins + 2).

    ``group`` is that of each track, or -1 for those that are not counted.
    """
    over = found.chambers > 1
    size, n_chambers = found.size, len(layout.view)
    track = found.row
    hit = over[track]
    of, chamber = track[hit], layout.chamber[found.cell[found.hit[hit]]]
    shift_of, shift_in, shift = _shifts(layout, of, chamber, found, hit)
    chi2 = found.chi2 / np.maximum(size - (LAYERS - 1), 1)
    every = np.arange(len(size))
    filled = {
        "slope": (every, found.view, found.slope),
        "place": (every, found.view, found.x_mm),
        "chi2": (every[over], found.view[over], chi2[over]),
        "residual": (of, chamber, found.residual_mm[hit]),
        "late": (shift_of, shift_in, shift),
        "drift": (of, chamber, found.drift_ns(layout.tick_ns)[hit]),
    }
    made = {}
    for axis in HISTOGRAMS:
        tracks, rows, values = filled[axis.name]
        shape = (groups, axis.rows(n_chambers, len(layout.views)), axis.bins + 2)
        made[axis.name] = counted((group[tracks], rows, axis.places(values)), shape)
    return made


def sky_map(found: Reconstructed, group: Wholes, groups: int) -> Wholes:
    """Return the map of muons seen in both views: slope in the first, then in the second one.

    Shape (groups, bins, bins). A muon is seen so if tracks of two views have the same t0, or a
    segment was chosen by the t0 of a track.
    """
    shape = (groups, SKY.bins + 2, SKY.bins + 2)
    one = np.flatnonzero(found.partner >= 0)
    pairs = np.concatenate([_same_muon(found), np.stack([one, found.partner[one]])], axis=1)
    one, other = pairs[:, group[pairs[0]] >= 0]
    first = found.view[one] < found.view[other]
    x = np.where(first, found.slope[one], found.slope[other])
    y = np.where(first, found.slope[other], found.slope[one])
    return counted((group[one], SKY.places(x), SKY.places(y)), shape)[:, 1:-1, 1:-1]


def _same_muon(found: Reconstructed) -> Wholes:
    """Return pairs of tracks of two views that are closest to each other in time, shape (2, n)."""
    rows = np.flatnonzero(found.chambers > 1)  # by event, and by t0 in each
    one, other = rows[:-1], rows[1:]
    apart = np.where(
        (found.event[one] == found.event[other]) & (found.view[one] != found.view[other]),
        np.abs(found.t0_ns[other] - found.t0_ns[one]), np.inf,
    )  # fmt: skip
    before, after = np.append(np.inf, apart[:-1]), np.append(apart[1:], np.inf)
    pair = (apart < SAME_NS) & (apart < before) & (apart <= after)
    return np.stack([one[pair], other[pair]])


def _shifts(
    layout: TrackingLayout, of: Wholes, chamber: Wholes, found: Reconstructed,
    hit: npt.NDArray[np.bool_],
) -> tuple[Wholes, Wholes, Reals]:  # fmt: skip
    """Return the track, the chamber, and by how much its hits are late, ns.

    Hits that are late lie too far from their wires, on both sides: the mean over three or four
    hits of a chamber, which the fit has taken for the place of the track in part.
    """
    n_chambers = len(layout.view)
    key = of * n_chambers + chamber
    outward = found.side[hit] * found.residual_mm[hit]
    length = int(key.max(initial=-1)) + 1
    count, total = np.bincount(key, minlength=length), np.bincount(key, outward, length)
    there = np.flatnonzero(count >= LAYERS - 1)
    return there // n_chambers, there % n_chambers, total[there] / count[there] / layout.cell[0]


def counted(places: tuple[Wholes, ...], shape: tuple[int, ...]) -> Wholes:
    """Return how often each place of an array comes; the first of -1 is left out."""
    inside = places[0] >= 0
    flat = np.ravel_multi_index(tuple(index[inside] for index in places), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
