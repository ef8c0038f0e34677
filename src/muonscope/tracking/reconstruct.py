"""From hits with times to tracks: events, segments in chambers, tracks over chambers.

1. Hits of all chambers are put in the order of their corrected times; a gap of more than 429 ns
   (1.1 times the longest drift) begins a new event. Orbits, windows and panes cut nothing.
2. In each chamber with hits in three or four layers all combinations of neighbours and all
   patterns of sides are tried, with t0 free: segments.
3. Pairs of segments of two chambers of a view are seeds of tracks; hits near the line are gathered
   and fitted together.
4. Where two chambers have three layers and no track was found, three hits are tried wherever they
   are, also in place of four that fit by chance.
5. What is left over: in views without a track, the segment whose t0 is that of a track; else
   segments of four hits.

It is the procedure tried for the miniDT telescopes at Legnaro; the patterns are those of the
generalised mean-timer (CMS NOTE 2007/034), the drift relation is a fit to GARFIELD.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from muonscope.tracking import _segments, _tracks
from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes

__all__ = ["ALONE", "GAP_NS", "MOST_HITS", "SAME_NS", "SIGMA_MM", "Reconstructed", "reconstruct"]

GAP_NS = 429.0
"""A longer time without a hit ends an event."""

MOST_HITS = 200
"""An event of more hits is skipped: no muon makes so many, and each costs the others time."""

ALONE = -1
"""Stands for a track where there is none."""

_SEGMENT_CUTS = (4.0, 1.5, 2.0, 2.0, 2.0)
"""See ``find_segments``: mm, mm2, slope, solutions kept, slope of neighbours."""
_TRACK_CUTS = (40.0, 0.12, 12.0, 0.33)
"""See ``find_tracks``: ns, slope, chi2 per degree of freedom, mm."""
SAME_NS = 25.0
"""Tracks of two views, or a segment and a track, whose t0 differ by less are of one muon."""
_STEEPEST_ALONE = 1.2
SIGMA_MM = 0.33
"""Resolution of a hit."""
_AMBIGUOUS = 4.0
"""A second solution whose chi2 is no worse than this makes the first one doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstructed:
    """Tracks and lone segments, in the order of events; n of them, made of h hits."""

    event: Wholes
    """Shape (n,): number of the event."""
    base: Wholes
    """Shape (n,): corrected time of its first hit, from which ``t0_ns`` counts, thousandths of a
    tick."""
    view: Wholes
    chambers: Wholes
    """Number of chambers; 1 for a segment."""
    partner: Wholes
    """Row of the track whose t0 chose a segment; -1 if there is none."""
    x_mm: Reals
    """At the height ``z_mm``, the mean of the hits, where it is known best."""
    z_mm: Reals
    slope: Reals
    t0_ns: Reals
    chi2: Reals
    ambiguous: npt.NDArray[np.bool_]
    """Whether another solution of the segment is nearly as good."""
    ends: Wholes
    """Shape (n,): row i has the hits ``ends[i - 1]`` up to ``ends[i]``."""
    hit: Wholes
    """Shape (h,): index of the hit, as it was given."""
    side: Wholes
    """Shape (h,): -1 if the muon passed left of the wire, else 1."""
    residual_mm: Reals
    """Shape (h,): measured less fitted place."""
    cell: Wholes
    """Cell of each hit, as it was given."""
    corrected: Wholes
    """Corrected time of each hit, as it was given, thousandths of a tick."""
    order: Wholes
    """Indices of all hits in the order of their corrected times, event by event."""
    event_ends: Wholes
    """Event i has the hits ``order[event_ends[i - 1] : event_ends[i]]``."""
    skipped: npt.NDArray[np.bool_]
    """Of each event: whether it has too many hits."""

    @property
    def size(self) -> Wholes:
        """Number of hits of each row."""
        return np.diff(self.ends, prepend=0)

    @property
    def row(self) -> Wholes:
        """Row of each hit, shape (h,)."""
        return np.repeat(np.arange(len(self.ends)), self.size)

    def drift_ns(self, tick_ns: float) -> Reals:
        """Return the drift time of each hit of each row, shape (h,)."""
        row = self.row
        since = (self.corrected[self.hit] - self.base[row]) * (tick_ns / 1000)
        drift: Reals = since - self.t0_ns[row]
        return drift

    @property
    def event_first(self) -> Wholes:
        """Index of the first hit of each event, as it was given."""
        first: Wholes = self.order[self.event_ends - self.event_size]
        return first

    @property
    def event_size(self) -> Wholes:
        """Number of hits of each event."""
        return np.diff(self.event_ends, prepend=0)


_NONE, _REAL = np.empty(0, np.int64), np.empty(0)
_NOTHING = Reconstructed(
    event=_NONE, base=_NONE, view=_NONE, chambers=_NONE, partner=_NONE, x_mm=_REAL, z_mm=_REAL,
    slope=_REAL, t0_ns=_REAL, chi2=_REAL, ambiguous=_NONE.astype(np.bool_), ends=_NONE, hit=_NONE,
    side=_NONE, residual_mm=_REAL, cell=_NONE, corrected=_NONE, order=_NONE, event_ends=_NONE,
    skipped=_NONE.astype(np.bool_),
)  # fmt: skip


class _Hits(NamedTuple):
    """Hits of events, in order; arrays of shape (n,), but for ``ends``."""

    time: Reals
    """From the first hit of the event, ns."""
    chamber: Wholes
    layer: Wholes
    place: Reals
    x: Reals
    z: Reals
    ends: Wholes

    @property
    def event(self) -> Wholes:
        """The event of each hit."""
        return np.repeat(np.arange(len(self.ends)), np.diff(self.ends, prepend=0))

    def take(self, rows: Wholes) -> tuple["_Hits", Wholes]:
        """Return some hits, in their order, and the events that they are of."""
        event = self.event[rows]
        ends = np.append(np.flatnonzero(np.diff(event)) + 1, len(event))
        columns = {name: getattr(self, name)[rows] for name in _Hits._fields[:-1]}
        return _Hits(**columns, ends=ends), event[ends - 1]


class _Pass(NamedTuple):
    """What one pass over events has found; see the kernels."""

    segment: Wholes
    line: Reals
    track: Wholes
    fit: Reals
    of: Wholes
    side: Wholes
    miss: Reals


def reconstruct(layout: TrackingLayout, time: Wholes, cell: Wholes) -> Reconstructed:
    """Return the tracks of hits.

    Parameters
    ----------
    layout
        The telescope.
    time
        Shape (n,): time of each hit in TDC ticks from any moment, in about their order.
    cell
        Shape (n,): its cell.
    """
    corrected = time * 1000 + layout.delay[cell]
    order = np.argsort(corrected, kind="stable")
    whole: dict[str, Any] = {"cell": cell, "corrected": corrected, "order": order}
    corrected, cell = corrected[order], cell[order]
    gap = GAP_NS / layout.tick_ns * 1000
    ends = np.append(np.flatnonzero(np.diff(corrected) > gap) + 1, len(corrected))
    ends = ends[ends > 0]
    size = np.diff(ends, prepend=0)
    event = np.repeat(np.arange(len(ends)), size)
    able, crowded = _judged(layout, event, cell, size)
    rows = np.flatnonzero((able & ~crowded)[event])
    whole |= {"event_ends": ends, "skipped": crowded}
    if len(rows) == 0:
        return replace(_NOTHING, **whole)
    base = corrected[ends - size][event]
    every = _Hits(
        time=(corrected - base) * (layout.tick_ns / 1000), chamber=layout.chamber[cell],
        layer=layout.layer[cell], place=layout.place_mm[cell], x=layout.x_mm[cell],
        z=layout.z_mm[cell], ends=ends,
    )  # fmt: skip
    hits, events = every.take(rows)
    found = _twice(layout, hits)
    made = _gathered(layout, hits, found)
    first = np.append(0, hits.ends[:-1])
    return replace(
        made,
        event=events[made.event],
        base=base[rows][first[made.event]],
        hit=order[rows][made.hit],
        **whole,
    )


def _judged(
    layout: TrackingLayout, event: Wholes, cell: Wholes, size: Wholes
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Tell which events have three layers in a chamber, and which have too many hits."""
    able, crowded = np.zeros(len(size), np.bool_), size > MOST_HITS
    some = (size >= LAYERS - 1) & ~crowded
    n, chambers, mine = int(some.sum()), len(layout.view), some[event]
    number, cell = (np.cumsum(some) - 1)[event[mine]], cell[mine]
    key = (number * chambers + layout.chamber[cell]) * LAYERS + layout.layer[cell]
    hits = np.bincount(key, minlength=n * chambers * LAYERS).reshape(n, chambers, LAYERS)
    able[some] = (np.count_nonzero(hits, axis=2) >= LAYERS - 1).any(axis=1)
    crowded[some] = hits.max(axis=(1, 2), initial=0) > _segments.MOST_IN_LAYER
    return able, crowded


def _twice(layout: TrackingLayout, hits: _Hits) -> _Pass:
    """Return what two passes find; the second one looks where the first found no track."""
    first = _once(layout, hits, every=False)
    n_events, event = len(hits.ends), hits.event
    layers = np.zeros((n_events, len(layout.view), LAYERS), np.bool_)
    layers[event, hits.chamber, hits.layer] = True
    able = layers.sum(axis=2) >= LAYERS - 1
    again = np.zeros(n_events, np.bool_)
    for view in range(len(layout.views)):
        has = np.zeros(n_events, np.bool_)
        has[first.track[0, first.track[1] == view]] = True
        again |= (able[:, layout.view == view].sum(axis=1) > 1) & ~has
    rows = np.flatnonzero(again[event] & (first.of == ALONE))
    if len(rows) == 0:
        return first
    some, events = hits.take(rows)
    second = _once(layout, some, every=True)
    track = second.track.copy()
    track[0] = events[track[0]]
    mine = second.of != ALONE
    of, side, miss = first.of.copy(), first.side.copy(), first.miss.copy()
    of[rows[mine]] = second.of[mine] + first.track.shape[1]
    side[rows[mine]], miss[rows[mine]] = second.side[mine], second.miss[mine]
    return first._replace(
        track=np.concatenate([first.track, track], axis=1),
        fit=np.concatenate([first.fit, second.fit], axis=1), of=of, side=side, miss=miss,
    )  # fmt: skip


def _once(layout: TrackingLayout, hits: _Hits, *, every: bool) -> _Pass:
    """Find segments, and tracks of them."""
    n, room = len(hits.time), max(1_000, 2 * len(hits.time))
    while True:
        whole, real = np.empty((9, room), np.int64), np.empty((4, room))
        count = _segments.find_segments(
            hits.time, hits.chamber, hits.layer, hits.ends, hits.place, layout.height_mm,
            layout.solve, layout.check, layout.cell, every, _SEGMENT_CUTS, whole, real,
        )  # fmt: skip
        if count >= 0:
            break
        room *= 2
    segment = np.ascontiguousarray(whole[:, :count])
    line = _in_space(layout, segment[1], real[:, :count])
    track, fit = np.empty((4, n // 6 + 1), np.int64), np.empty((4, n // 6 + 1))
    of, side, miss = np.empty(n, np.int64), np.zeros(n, np.int64), np.zeros(n)
    count = _tracks.find_tracks(
        hits.time, hits.chamber, hits.layer, hits.ends, hits.x, hits.z, layout.view,
        layout.tilt_rad, segment, line, layout.cell, _TRACK_CUTS, track, fit, of, side, miss,
    )  # fmt: skip
    return _Pass(segment, line, track[:, :count], fit[:, :count], of, side, miss)


def _in_space(layout: TrackingLayout, chamber: Wholes, real: Reals) -> Reals:
    """Return segments in the frame of the telescope: x, z, slope, t0, rss; shape (5, n)."""
    place, slope, t0, rss = real
    cos, sin = np.cos(layout.tilt_rad[chamber]), np.sin(layout.tilt_rad[chamber])
    return np.stack(
        [
            layout.offset_mm[chamber] + place * cos, layout.centre_mm[chamber] + place * sin,
            (slope * cos - sin) / (cos + slope * sin), t0, rss,
        ]
    )  # fmt: skip


def _gathered(layout: TrackingLayout, hits: _Hits, found: _Pass) -> Reconstructed:
    """Return tracks and what is left over, events numbered as in ``hits``."""
    rows, partner = _left_over(layout, found)
    n_tracks = found.track.shape[1]
    segment, line = found.segment[:, rows], found.line[:, rows]
    mine = np.flatnonzero(found.of != ALONE)
    mine = mine[np.argsort(found.of[mine], kind="stable")]
    of_segments = segment[LAYERS : 2 * LAYERS]
    there = of_segments.T >= 0
    hit = np.concatenate([mine, of_segments.T[there]])
    sides = np.where(segment[3][:, None] >> np.arange(LAYERS) & 1, 1, -1)
    counts = np.concatenate([np.bincount(found.of[mine], minlength=n_tracks), there.sum(axis=1)])
    place = np.repeat(np.arange(len(rows)), there.sum(axis=1))
    lone = hit[len(mine) :]
    residual = _residuals(layout, hits, lone, sides[there], line[:, place])
    z = np.bincount(np.repeat(np.arange(len(counts)), counts), hits.z[hit], len(counts)) / counts
    slope = np.concatenate([found.fit[1], line[2]])
    at, height = np.concatenate([found.fit[0], line[0]]), np.append(np.zeros(n_tracks), line[1])
    made = {
        "event": np.concatenate([found.track[0], segment[0]]),
        "base": np.zeros(len(counts), np.int64),
        "view": np.concatenate([found.track[1], layout.view[segment[1]]]),
        "chambers": np.append(found.track[3], np.ones(len(rows), np.int64)),
        "partner": np.append(np.full(n_tracks, ALONE), partner),
        "x_mm": at + slope * (z - height),
        "z_mm": z,
        "slope": slope,
        "t0_ns": np.concatenate([found.fit[2], line[3]]),
        "chi2": np.concatenate([found.fit[3], line[4] / SIGMA_MM**2]),
        "ambiguous": np.append(np.zeros(n_tracks, np.bool_), _doubtful(found, rows)),
    }
    order = np.lexsort((made["t0_ns"], made["event"]))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    partnered = made["partner"] != ALONE
    made["partner"][partnered] = place[made["partner"][partnered]]
    starts = np.cumsum(counts) - counts
    taken = np.repeat(starts[order] - np.append(0, np.cumsum(counts[order])[:-1]), counts[order])
    taken += np.arange(len(hit))
    return Reconstructed(
        **{name: column[order] for name, column in made.items()},
        ends=np.cumsum(counts[order]),
        hit=hit[taken],
        side=np.concatenate([found.side[mine], sides[there]])[taken],
        residual_mm=np.concatenate([found.miss[mine], residual])[taken],
        cell=_NONE,
        corrected=_NONE,
        order=_NONE,
        event_ends=_NONE,
        skipped=_NONE.astype(np.bool_),
    )


def _left_over(layout: TrackingLayout, found: _Pass) -> tuple[Wholes, Wholes]:
    """Return the segments that no track has, at most one a chamber and event, and their tracks."""
    segment, line = found.segment, found.line
    owners = np.where(segment[LAYERS : 2 * LAYERS] >= 0, segment[LAYERS : 2 * LAYERS], 0)
    taken = (found.of[owners] != ALONE) & (segment[LAYERS : 2 * LAYERS] >= 0)
    free = np.flatnonzero(~taken.any(axis=0)) if segment.shape[1] else np.empty(0, np.int64)
    event, view = segment[0, free], layout.view[segment[1, free]]
    partner, apart = np.full(len(free), ALONE), np.full(len(free), np.inf)
    by_event = np.argsort(found.track[0], kind="stable")
    begin, end = (np.searchsorted(found.track[0, by_event], event, s) for s in ("left", "right"))
    for nth in range(int((end - begin).max(initial=0))):
        there = begin + nth < end
        track = by_event[np.minimum(begin + nth, len(by_event) - 1)]
        distance = np.abs(found.fit[2, track] - line[3, free])
        better = there & (found.track[1, track] != view) & (distance < np.minimum(apart, SAME_NS))
        partner[better], apart[better] = track[better], distance[better]
    alone = (segment[2, free] == LAYERS) & (segment[8, free] == 0)
    alone &= np.abs(line[2, free]) < _STEEPEST_ALONE
    kept = np.flatnonzero((partner != ALONE) | alone)
    worth = np.lexsort(
        (line[4, free[kept]], -segment[2, free[kept]], partner[kept] == ALONE,
         segment[1, free[kept]], event[kept])
    )  # fmt: skip
    kept = kept[worth]
    key = event[kept] * len(layout.view) + segment[1, free[kept]]
    best = np.append(True, np.diff(key) != 0)[: len(key)]
    return free[kept[best]], partner[kept[best]]


def _doubtful(found: _Pass, rows: Wholes) -> npt.NDArray[np.bool_]:
    """Tell of which segments the next solution of the same hits is nearly as good."""
    following = np.minimum(rows + 1, max(0, found.segment.shape[1] - 1))
    second = (found.segment[8, following] == 1) & (found.segment[8, rows] == 0)
    second &= (found.segment[:8, following] == found.segment[:8, rows])[[0, 1, 4, 5, 6, 7]].all(0)
    closer: npt.NDArray[np.bool_] = second & (
        found.line[4, following] - found.line[4, rows] < _AMBIGUOUS * SIGMA_MM**2
    )
    return closer


def _residuals(
    layout: TrackingLayout, hits: _Hits, hit: Wholes, side: Wholes, line: Reals
) -> Reals:
    """Return measured less fitted places of hits on lines, mm."""
    if len(hit) == 0:
        return np.empty(0)
    out = np.empty(len(hit))
    _segments.residuals(
        hits.time[hit], hits.x[hit], hits.z[hit], layout.tilt_rad[hits.chamber[hit]], side,
        np.ascontiguousarray(line), layout.cell, out,
    )  # fmt: skip
    return out
