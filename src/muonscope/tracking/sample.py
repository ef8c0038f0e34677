"""A few events as they were, for people to look at: lines, and hits with their sides.

Everything is a whole number, in one row an event, so that rows of many panes can be merged:
the first events by time are kept.
"""

from dataclasses import dataclass

import numpy as np

from muonscope.tracking import _segments
from muonscope.tracking.layout import Reals, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import Reconstructed

__all__ = [
    "EVENTS", "HIT", "HITS", "LINE", "LINES", "ROW", "SampledEvent", "drift_mm", "earliest",
    "sampled",
]  # fmt: skip

EVENTS, LINES, HITS = 8, 4, 32
"""Most events of a sample, lines of an event, and hits of an event."""

LINE = ("view", "chambers", "x_um", "z_um", "slope_ppm", "t0_ps", "chi2_milli")
"""Of a line: x at z, dx/dz in millionths, t0 since the first hit, chi2 in thousandths."""

HIT = ("cell", "time_100ps", "line", "side")
"""Of a hit: time since the first hit, tenths of a nanosecond, the number of its line or -1, and
the side of the wire or 0."""

_HEAD = 5
ROW = _HEAD + LINES * len(LINE) + HITS * len(HIT)
"""Numbers in the row of an event: lines + 1 or 0 for none, orbit and tick of its first hit, hits
of the event and how many of them are here, then lines and hits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledEvent:
    """One event of a sample."""

    orbit: int
    tick: int
    """Of the first hit in its orbit."""
    all_hits: int
    """Of the event; more than ``hits`` has only where these are too many."""
    lines: Wholes
    """Shape (n, 7), columns as :data:`LINE`."""
    hits: Wholes
    """Shape (n, 4), columns as :data:`HIT`, in the order of time."""

    @classmethod
    def of(cls, row: Wholes) -> "SampledEvent | None":
        """Return what a row tells; None of one that is empty."""
        n_lines, orbit, tick, all_hits, n_hits = row[:_HEAD].tolist()
        if n_lines == 0:
            return None
        cut = _HEAD + LINES * len(LINE)
        lines, hits = row[_HEAD:cut].reshape(LINES, -1), row[cut:].reshape(HITS, -1)
        return cls(
            orbit=orbit, tick=tick, all_hits=all_hits, lines=lines[: n_lines - 1],
            hits=hits[:n_hits],
        )  # fmt: skip

    def row(self) -> Wholes:
        """Return the event as a row of :data:`ROW` numbers."""
        made = np.zeros(ROW, np.int64)
        n_lines, n_hits = len(self.lines), len(self.hits)
        made[:_HEAD] = n_lines + 1, self.orbit, self.tick, self.all_hits, n_hits
        cut = _HEAD + LINES * len(LINE)
        made[_HEAD : _HEAD + self.lines.size] = self.lines.ravel()
        made[cut : cut + self.hits.size] = self.hits.ravel()
        return made


def sampled(
    layout: TrackingLayout, found: Reconstructed, event: int, orbit: int, tick: int
) -> SampledEvent:
    """Return an event of ``found``, whose first hit is at a ``tick`` of an ``orbit``."""
    begin, end = np.searchsorted(found.event, [event, event + 1])
    rows = begin + np.argsort(-found.chambers[begin:end], kind="stable")[:LINES]
    scaled = (
        (found.view, 1.0), (found.chambers, 1.0), (found.x_mm, 1e3), (found.z_mm, 1e3),
        (found.slope, 1e6), (found.t0_ns, 1e3), (found.chi2, 1e3),
    )  # fmt: skip
    lines = np.rint(np.array([column[rows] * unit for column, unit in scaled]).T).astype(np.int64)
    mine = found.order[_part(found.event_ends, event)]
    line, side = np.full(len(mine), -1), np.zeros(len(mine), np.int64)
    place = {hit: at for at, hit in enumerate(mine.tolist())}
    for number, row in enumerate(rows.tolist()):
        part = _part(found.ends, row)
        at = [place[hit] for hit in found.hit[part].tolist()]
        line[at], side[at] = number, found.side[part]
    since = np.rint((found.corrected[mine] - found.corrected[mine[0]]) * (layout.tick_ns / 100))
    hits = np.stack([found.cell[mine], since.astype(np.int64), line, side], axis=1)
    kept = np.sort(np.argsort(line < 0, kind="stable")[:HITS])
    return SampledEvent(orbit=orbit, tick=tick, all_hits=len(mine), lines=lines, hits=hits[kept])


def _part(ends: Wholes, i: int) -> slice:
    return slice(int(ends[i - 1]) if i else 0, int(ends[i]))


def earliest(rows: Wholes) -> Wholes:
    """Return the first :data:`EVENTS` events of ``rows``, shape (n, EVENTS, ROW), by time."""
    flat = rows.reshape(-1, ROW)
    flat = flat[flat[:, 0] > 0]
    kept = flat[np.lexsort((flat[:, 2], flat[:, 1]))[:EVENTS]]
    made = np.zeros((EVENTS, ROW), np.int64)
    made[: len(kept)] = kept
    return made


def drift_mm(drift_ns: Reals, slope: Reals, layout: TrackingLayout) -> Reals:
    """Return the distances from the wire after drift times on tracks of a slope, mm."""
    return np.array(
        [
            _segments.radius(t, *_segments.bend(m, layout.cell), layout.cell)
            for t, m in zip(drift_ns.tolist(), slope.tolist(), strict=True)
        ],
        np.float64,
    )
