"""Tracks beside the truth of a simulation: who made which, and how far off."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import muonscope
from muonscope.api import Simulated
from muonscope.detector import Detector
from muonscope.tracking.layout import TrackingLayout, layout_of
from muonscope.tracking.reconstruct import Reconstructed, reconstruct
from muonscope.words.layout import unpack

__all__ = ["Matched", "hits_in", "matched", "width"]

Reals = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]


def width(values: Reals) -> float:
    """Return the half-width that holds 68 % of values around their median."""
    return float(np.percentile(np.abs(values - np.median(values)), 68))


def hits_in(
    words: npt.NDArray[np.uint64], detector: Detector, near: int | None = None
) -> tuple[Wholes, Wholes, Wholes]:
    """Return time in ticks, cell and row of words on cells, of orbits ``near`` one.

    By default that of most of the words, so that what the buffer held at first is left out.
    """
    readout, cells = detector.readout, detector.cells()
    fields = unpack(words, readout.version, readout.hit_head)
    table = np.full(8 * 512, -1)
    table[cells.fpga * 512 + cells.channel] = np.arange(detector.n_cells)
    cell = table[fields.fpga.astype(np.int64) * 512 + fields.channel]
    orbit = fields.orbit.astype(np.int64)
    valid = (fields.head == detector.readout.hit_head) & (fields.bx < 3564) & (cell >= 0)
    middle = np.median(orbit[valid]) if near is None else near
    valid &= np.abs(orbit - middle) < 1 << 24
    rows = np.flatnonzero(valid)
    ticks = detector.readout.ticks_per_bx
    bx, tdc = fields.bx[rows].astype(np.int64), fields.tdc[rows].astype(np.int64)
    time = (orbit[rows] * 3564 + bx) * ticks + tdc
    return time, cell[rows], rows


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Rows of a reconstruction, and the muon that most of the hits of each are of."""

    layout: TrackingLayout
    found: Reconstructed
    row: Wholes
    """Row of each hit of ``found``."""
    owner: Wholes
    """Muon of each row, -1 where none has half of its hits."""
    right: npt.NDArray[np.bool_]
    """Of each hit: whether its side is that of the muon."""
    judged: npt.NDArray[np.bool_]
    """Of each hit: whether it is of the muon of its row, beyond 1 mm of the wire."""
    findable: dict[str, set[int]]
    """Muons with three hits of their own in two chambers of a view."""
    muons: dict[str, Any]
    """x, y, slopes and time of each muon by its number; NaN where the truth has none."""

    def rows(self, view: str, *, over: bool = True) -> Wholes:
        """Return the rows of tracks of a view, or of segments."""
        mine = self.found.view == self.layout.views.index(view)
        return np.flatnonzero(mine & ((self.found.chambers > 1) == over))

    def efficiency(self, view: str) -> float:
        """Return the share of findable muons that have a track."""
        found = set(self.owner[self.rows(view)].tolist())
        return len(found & self.findable[view]) / len(self.findable[view])

    def off(self, rows: Wholes) -> tuple[Reals, Reals, Reals]:
        """Return how far slope, place (mm) and t0 (ns, but for a constant) are off."""
        rows = rows[self.owner[rows] >= 0]
        who = self.owner[rows]
        x = np.array(self.found.view[rows] == self.layout.views.index("phi"))
        slope = np.where(x, self.muons["slope_x"][who], self.muons["slope_y"][who])
        place = np.where(x, self.muons["x_mm"][who], self.muons["y_mm"][who])
        known = np.isfinite(slope)
        t0 = self.found.base[rows] / 1000 * self.layout.tick_ns + self.found.t0_ns[rows]
        late = t0 - self.muons["time_ns"][who]
        place = place + slope * self.found.z_mm[rows]
        return (
            (self.found.slope[rows] - slope)[known], (self.found.x_mm[rows] - place)[known],
            late[known],
        )  # fmt: skip


def matched(run: Simulated, detector: Detector) -> Matched:
    """Reconstruct a simulated run, and match it with its truth."""
    layout = layout_of(detector)
    time, cell, rows = hits_in(run.words, detector)
    found = reconstruct(layout, time, cell)
    truth = run.hits
    muon = np.full(len(run.words), -1)
    side, drift = np.zeros(len(run.words)), np.zeros(len(run.words))
    own = np.array(truth["origin"].to_pylist()) == "muon"
    muon[:] = truth["muon"].fill_null(-1).to_numpy()
    side[:] = truth["side"].fill_null(0).to_numpy()
    drift[:] = truth["drift_mm"].fill_null(0.0).to_numpy()
    size = np.diff(found.ends, prepend=0)
    row, word = np.repeat(np.arange(len(size)), size), rows[found.hit]
    n = int(muon.max()) + 2
    pairs, counts = np.unique(row * n + muon[word] + 1, return_counts=True)
    owner, share = np.full(len(size), -1), np.zeros(len(size))
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        at, who = pair // n, pair % n - 1
        if who >= 0 and count >= 0.5 * size[at] and count > share[at]:
            owner[at], share[at] = who, count
    chamber, layer = layout.chamber[cell], layout.layer[cell]
    findable: dict[str, set[int]] = {}
    for v, view in enumerate(layout.views):
        good = np.zeros(n, np.int64)
        for c in np.flatnonzero(layout.view == v):
            mine = own[rows] & (chamber == c) & (muon[rows] >= 0)
            good += np.bincount(np.unique(muon[rows][mine] * 4 + layer[mine]) // 4, minlength=n) > 2
        findable[view] = set(np.flatnonzero(good > 1).tolist())
    return Matched(
        layout=layout, found=found, row=row, owner=owner, right=found.side == side[word],
        judged=own[word] & (drift[word] > 1) & (side[word] != 0) & (muon[word] == owner[row]),
        findable=findable, muons=_muons(run, n),
    )  # fmt: skip


def _muons(run: Simulated, n: int) -> dict[str, Any]:
    table = run.muons
    number = table["muon"].to_numpy()
    told = {}
    for name in ("x_mm", "y_mm", "slope_x", "slope_y"):
        told[name] = np.full(n + int(number.max(initial=0)), np.nan)
        told[name][number] = table[name].to_numpy()
    told["time_ns"] = np.full_like(told["x_mm"], np.nan)
    told["time_ns"][number] = (
        table["orbit"].to_numpy().astype(float) * 89_100.0 + table["ns"].to_numpy()
    )
    return told


def simulated(profile: str, seconds: float, seed: int, **options: Any) -> Simulated:
    """Return a simulated run."""
    return muonscope.simulate(profile, seconds=seconds, seed=seed, **options)
