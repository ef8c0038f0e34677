"""Efficiencies of cells against what was injected, and against a count of their own."""

import numpy as np
import pytest

import muonscope
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.efficiency import MARGIN_MM, cells_asked
from muonscope.tracking.layout import layout_of
from muonscope.tracking.reconstruct import Reconstructed, reconstruct
from muonscope.units import CELL_WIDTH_MM
from tracking.matched import hits_in
from tracking.test_segments import EXACT

LAYOUT = layout_of(EXACT)


def asked_of(
    seconds: float, seed: int, *faults: str
) -> tuple[Reconstructed, list[tuple[int, int]]]:
    """Return tracks of a simulation, and of each chamber the muons expected, and seen."""
    run = muonscope.simulate("legnaro", seconds=seconds, seed=seed, faults=faults)
    time, cell, _ = hits_in(run.words, EXACT)
    found = reconstruct(LAYOUT, time, cell)
    expected, seen = cells_asked(LAYOUT, found, np.zeros(len(found.event), np.int64), 1)
    assert (seen <= expected).all()
    totals = [
        (int(expected[0, LAYOUT.chamber == c].sum()), int(seen[0, LAYOUT.chamber == c].sum()))
        for c in range(4)
    ]
    return found, totals


@pytest.mark.slow
def test_what_was_injected_is_found() -> None:
    _, plain = asked_of(400.0, 41)
    _, weak = asked_of(400.0, 42, "low-gain:ch2:0.9")
    assert plain[1] == weak[1] == (0, 0)  # the only chamber of its view: no track asks it
    for chamber, injected in ((0, 1.0), (2, 1.0), (3, 1.0)):
        n, seen = plain[chamber]
        assert n > 5000
        assert seen / n == pytest.approx(injected * REALISTIC_CELL.efficiency, abs=0.004)
    n, seen = weak[2]
    error = (0.9 * 0.1 / n) ** 0.5
    assert seen / n == pytest.approx(0.9 * REALISTIC_CELL.efficiency, abs=0.004 + 2 * error)


def test_cells_are_asked_by_other_chambers_one_by_one() -> None:
    """Every track, chamber and layer with NumPy's own fit."""
    found, totals = asked_of(8.0, 43)
    wanted = np.zeros((4, 2), np.int64)
    ends = np.append(0, found.ends)
    events = np.append(0, found.event_ends)
    for row in np.flatnonzero(found.chambers > 1).tolist():
        mine = slice(ends[row], ends[row + 1])
        cell = found.cell[found.hit[mine]]
        chamber, layer, z = LAYOUT.chamber[cell], LAYOUT.layer[cell], LAYOUT.z_mm[cell]
        x = found.x_mm[row] + found.slope[row] * (z - found.z_mm[row]) + found.residual_mm[mine]
        in_event = found.order[events[found.event[row]] : events[found.event[row] + 1]]
        there = set(found.cell[in_event].tolist())
        for c in np.flatnonzero(LAYOUT.view == found.view[row]).tolist():
            full = [k for k in set(chamber.tolist()) if k != c and (chamber == k).sum() > 2]
            if len(full) < 2:
                continue
            others = chamber != c
            slope, at = np.polyfit(z[others], x[others], 1)
            for k in range(4):
                if ((chamber == c) & (layer != k)).sum() < 3:
                    continue
                wires = np.flatnonzero((LAYOUT.chamber == c) & (LAYOUT.layer == k))
                away = np.abs(at + slope * LAYOUT.z_mm[wires] - LAYOUT.x_mm[wires])
                if away.min() < CELL_WIDTH_MM / 2 - MARGIN_MM:
                    wanted[c] += 1, int(wires[np.argmin(away)]) in there
    assert wanted.sum() > 300
    assert [tuple(row) for row in wanted.tolist()] == totals
