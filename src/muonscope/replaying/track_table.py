"""Tracks of closed panes, as a table."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from muonscope.counting.hits import Hits, hits_of
from muonscope.counting.pane_tracks import PaneTracks, tracks_of
from muonscope.counting.panes import Panes
from muonscope.counting.word_classes import ClassTable
from muonscope.detector import Detector
from muonscope.tracking.layout import layout_of
from muonscope.units import BX_PER_ORBIT, ORBIT_NS, ORBIT_S

Beside = Callable[[pa.Table, npt.NDArray[np.int64], npt.NDArray[np.int64]], pa.Table]

__all__ = ["SCHEMA", "Tracker", "column"]


def column(name: str, kind: pa.DataType, about: str, unit: str = "") -> pa.Field:
    """Return a column that tells what it holds, and in which unit."""
    return pa.field(name, kind, metadata={"about": about} | ({"unit": unit} if unit else {}))


SCHEMA = pa.schema(
    [
        column("epoch", pa.int64(), "number of the epoch"),
        column("orbit", pa.int64(), "orbit of t0"),
        column("t0_ns", pa.float64(), "when the muon passed, in its orbit", "ns"),
        column("time_s", pa.float64(), "detector time, from orbit 0", "s"),
        column("event", pa.int64(), "number of the event in the table"),
        column("view", pa.string(), "phi measures x, theta y"),
        column("chamber", pa.int16(), "of a segment; null for a track over chambers"),
        column("chambers", pa.int16(), "number of chambers with hits"),
        column("hits", pa.int16(), "number of hits"),
        column("x_mm", pa.float64(), "place along the measured axis at z_mm", "mm"),
        column("z_mm", pa.float64(), "height at which x is known best", "mm"),
        column("slope", pa.float64(), "dx/dz"),
        column("chi2", pa.float64(), "of hits - 3 degrees of freedom, at 0.33 mm"),
        column("partner", pa.int64(), "row of the track whose t0 chose the segment, or null"),
        column("ambiguous", pa.bool_(), "another solution is nearly as good"),
        column("cells", pa.list_(pa.int32()), "cell of each hit, as the detector numbers them"),
        column("channels", pa.list_(pa.int32()), "TDC channel of each hit"),
        column("side", pa.list_(pa.int8()), "-1: left of the wire, 1: right"),
        column("residual_mm", pa.list_(pa.float32()), "measured less fitted place", "mm"),
    ]
)
"""One row a track, or segment of one chamber; units stand beside each column."""


class Tracker:
    """Finds the tracks of closed panes, which come in order; counts what it has seen."""

    def __init__(self, detector: Detector, table: ClassTable, beside: Beside | None = None) -> None:
        """Begin; ``table`` tells what words are, ``beside`` adds columns to rows.

        It gets the rows, and times and cells of their hits, one after the other.
        """
        self.detector, self._table, self._layout = detector, table, layout_of(detector)
        self._cells, self._beside = detector.cells(), beside
        self.events = self.skipped = self.rows = 0
        """Events with three hits or more; those that have too many; rows given."""
        self._event = 0

    def take(self, panes: Panes) -> pa.Table:
        """Return the tracks of some panes; there must be a halo."""
        hits = hits_of(panes, self.detector, self._table)
        made = tracks_of(self._layout, hits)
        self.events += int(np.count_nonzero(made.wanted))
        self.skipped += int(np.count_nonzero(made.wanted & made.found.skipped))
        return self._table_of(panes.epoch, made, hits)

    def _table_of(self, epoch: npt.NDArray[np.int64], made: PaneTracks, hits: Hits) -> pa.Table:
        """Return the rows of the events that belong to the panes."""
        found = made.found
        own = made.own[found.event]
        kept = np.flatnonzero(own)
        size = found.size
        hit_kept = np.repeat(own, size)
        place = np.full(len(own) + 1, -1)
        place[kept] = np.arange(len(kept)) + self.rows
        ticks_per_orbit = BX_PER_ORBIT * self.detector.readout.ticks_per_bx
        base = found.base[kept] - made.moved[found.event[kept]] * 1000
        orbit, rest = np.divmod(base, ticks_per_orbit * 1000)
        t0 = rest * (self._layout.tick_ns / 1000) + found.t0_ns[kept]
        turns = np.floor(t0 / ORBIT_NS).astype(np.int64)
        orbit, t0 = orbit + turns, t0 - turns * ORBIT_NS
        cells = hits.cell[found.hit[hit_kept]]
        ends = np.append(0, np.cumsum(size[kept])).astype(np.int32)
        single, partner = found.chambers[kept] == 1, place[found.partner[kept]]
        events, event = np.unique(found.event[kept], return_inverse=True)
        first_hit = ends[:-1]
        columns: dict[str, Any] = {
            "epoch": epoch[made.pane[found.event[kept]]],
            "orbit": orbit,
            "t0_ns": t0,
            "time_s": orbit * ORBIT_S + t0 * 1e-9,
            "event": event + self._event,
            "view": np.array(self._layout.views)[found.view[kept]],
            "chamber": pa.array(
                self._layout.chamber[cells[first_hit]] if len(kept) else [], pa.int16(),
                mask=~single,
            ),
            "chambers": found.chambers[kept],
            "hits": size[kept],
            "x_mm": found.x_mm[kept],
            "z_mm": found.z_mm[kept],
            "slope": found.slope[kept],
            "chi2": found.chi2[kept],
            "partner": pa.array(partner, pa.int64(), mask=partner < 0),
            "ambiguous": found.ambiguous[kept],
            "cells": _lists(ends, cells, pa.int32()),
            "channels": _lists(ends, self._cells.channel[cells], pa.int32()),
            "side": _lists(ends, found.side[hit_kept], pa.int8()),
            "residual_mm": _lists(ends, found.residual_mm[hit_kept], pa.float32()),
        }  # fmt: skip
        self._event += len(events)
        self.rows += len(kept)
        arrays = [pa.array(columns[f.name]).cast(f.type) for f in SCHEMA]
        rows = pa.Table.from_arrays(arrays, schema=SCHEMA)
        return self._beside(rows, hits.time[found.hit[hit_kept]], cells) if self._beside else rows


def _lists(ends: npt.NDArray[np.int32], values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values).cast(kind))
