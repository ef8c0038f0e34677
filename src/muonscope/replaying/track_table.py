"""Tracks of closed panes, as a table."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from muonscope.counting.hits import hits_of
from muonscope.counting.pane_tracks import PaneTracks, tracks_of
from muonscope.counting.panes import Panes
from muonscope.counting.word_classes import ClassTable
from muonscope.detector import Detector
from muonscope.tracking.layout import layout_of
from muonscope.units import BX_PER_ORBIT, ORBIT_NS, ORBIT_S

__all__ = ["SCHEMA", "Tracker"]


def _column(name: str, kind: pa.DataType, about: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={"about": about} | ({"unit": unit} if unit else {}))


SCHEMA = pa.schema(
    [
        _column("epoch", pa.int64(), "number of the epoch"),
        _column("orbit", pa.int64(), "orbit of t0"),
        _column("t0_ns", pa.float64(), "when the muon passed, in its orbit", "ns"),
        _column("time_s", pa.float64(), "detector time, from orbit 0", "s"),
        _column("event", pa.int64(), "number of the event in the table"),
        _column("view", pa.string(), "phi measures x, theta y"),
        _column("chamber", pa.int16(), "of a segment; null for a track over chambers"),
        _column("chambers", pa.int16(), "number of chambers with hits"),
        _column("hits", pa.int16(), "number of hits"),
        _column("x_mm", pa.float64(), "place along the measured axis at z_mm", "mm"),
        _column("z_mm", pa.float64(), "height at which x is known best", "mm"),
        _column("slope", pa.float64(), "dx/dz"),
        _column("chi2", pa.float64(), "of hits - 3 degrees of freedom, at 0.33 mm"),
        _column("partner", pa.int64(), "row of the track whose t0 chose the segment, or null"),
        _column("ambiguous", pa.bool_(), "another solution is nearly as good"),
        _column("cells", pa.list_(pa.int32()), "cell of each hit, as the detector numbers them"),
        _column("channels", pa.list_(pa.int32()), "TDC channel of each hit"),
        _column("side", pa.list_(pa.int8()), "-1: left of the wire, 1: right"),
        _column("residual_mm", pa.list_(pa.float32()), "measured less fitted place", "mm"),
    ]
)
"""One row a track, or segment of one chamber; units stand beside each column."""


class Tracker:
    """Finds the tracks of closed panes, which come in order; counts what it has seen."""

    def __init__(self, detector: Detector, table: ClassTable) -> None:
        """Begin; ``table`` tells what words are."""
        self.detector, self._table, self._layout = detector, table, layout_of(detector)
        self._cells = detector.cells()
        self.events = self.skipped = self.rows = 0
        """Events with three hits or more; those that have too many; rows given."""
        self._event = 0

    def take(self, panes: Panes) -> pa.Table:
        """Return the tracks of some panes; there must be a halo."""
        hits = hits_of(panes, self.detector, self._table)
        made = tracks_of(self._layout, hits)
        self.events += int(np.count_nonzero(made.wanted))
        self.skipped += int(np.count_nonzero(made.wanted & made.found.skipped))
        return self._table_of(panes.epoch, made, hits.cell)

    def _table_of(
        self, epoch: npt.NDArray[np.int64], made: PaneTracks, cell: npt.NDArray[np.int64]
    ) -> pa.Table:
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
        cells = cell[found.hit[hit_kept]]
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
        return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _lists(ends: npt.NDArray[np.int32], values: npt.NDArray[Any], kind: pa.DataType) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values).cast(kind))
