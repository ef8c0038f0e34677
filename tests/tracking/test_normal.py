"""Normal equations of tracks: beside derivatives by small steps, and the same however divided."""

from dataclasses import replace

import numpy as np
import pytest

import muonscope
from muonscope.detector import Detector
from muonscope.tracking.layout import Reals, TrackingLayout, Wholes, layout_of
from muonscope.tracking.normal import CUT_MM, KINDS, equations, normal_sums, units_of
from muonscope.tracking.reconstruct import Reconstructed, reconstruct
from tracking.constants import wrong
from tracking.matched import hits_in
from tracking.test_segments import EXACT

STEP = 1e-5
DETECTOR = wrong(EXACT, 53.0)


@pytest.fixture(scope="module")
def found() -> Reconstructed:
    run = muonscope.simulate("legnaro", seconds=20.0, seed=31)
    time, cell, _ = hits_in(run.words, DETECTOR)
    return reconstruct(layout_of(DETECTOR), time, cell)


def moved(kind: int, chamber: int, step: float) -> Detector:
    """Return the telescope with one constant changed by a step of its unit."""
    if kind < 0:
        velocity = DETECTOR.drift_velocity_um_per_ns * (1 + step * units_of(1)[0])
        return replace(DETECTOR, drift_velocity_um_per_ns=velocity)
    name = ("drift_offset_ns", "offset_mm", "tilt_rad")[kind]
    change = step * units_of(1)[1 + kind] * (-1 if kind == 0 else 1)
    chambers = list(DETECTOR.chambers)
    value = getattr(chambers[chamber], name) + change
    chambers[chamber] = replace(chambers[chamber], **{name: value})
    return replace(DETECTOR, chambers=tuple(chambers))


def places(layout: TrackingLayout, cell: Wholes, side: Reals, drift: Reals, late: Reals) -> Reals:
    """Return where a muon was that drifted for so long, and how high."""
    distance = layout.cell[0] * (drift + late[layout.chamber[cell]])
    return np.stack([layout.x_mm[cell] + side * distance, layout.z_mm[cell]])


def by_steps(found: Reconstructed, track: int) -> tuple[Reals, Reals] | None:
    """Return the equations of a track, by least squares and small steps; in the same units."""
    layout = layout_of(DETECTOR)
    hit = slice(found.ends[track] - found.size[track], found.ends[track])
    kept = np.abs(found.residual_mm[hit]) < CUT_MM
    cell, side = found.cell[found.hit[hit]][kept], found.side[hit][kept].astype(float)
    residual = found.residual_mm[hit][kept]
    if len(cell) < 6:
        return None
    z = layout.z_mm[cell]
    slope = found.slope[track]
    fitted = found.x_mm[track] + slope * (z - found.z_mm[track])
    drift = side * (fitted - layout.x_mm[cell]) / layout.cell[0]
    chambers = len(layout.view)
    none = np.zeros(chambers)
    at = places(layout, cell, side, drift, none)
    columns = []
    for kind in (-1, *range(len(KINDS))):
        for chamber in range(1 if kind < 0 else chambers):
            there = layout_of(moved(kind, chamber, STEP))
            # a chamber that is corrected to be earlier: only differences count in a layout
            first = [DETECTOR.first_cell(c) for c in range(chambers)]
            delay = (there.delay - layout.delay)[first] * 1e-3 * layout.tick_ns
            change = delay if kind == 0 else none
            late = none.copy()
            if kind == 0:
                late[chamber] = -STEP * units_of(1)[1]
                assert np.abs(change - late + late.mean()).max() < 2e-3
            x, up = places(there, cell, side, drift, late)
            columns.append(((x - at[0]) - slope * (up - at[1])) / STEP)
    moves = np.stack(columns, axis=1)
    own = np.stack([np.ones(len(z)), z - z.mean(), side], axis=1)
    free = np.eye(len(z)) - own @ np.linalg.pinv(own)
    return moves.T @ free @ moves, -moves.T @ free @ residual


def test_equations_are_those_of_derivatives_by_small_steps(found: Reconstructed) -> None:
    layout = layout_of(DETECTOR)
    tracks = np.flatnonzero(found.chambers > 1)[:60]
    group = np.full(len(found.size), -1)
    group[tracks] = np.arange(len(tracks))
    sums, used = normal_sums(layout, found, group, len(tracks))
    compared = 0
    for i, track in enumerate(tracks.tolist()):
        expected = by_steps(found, track)
        assert used[i] == (expected is not None)
        if expected is None:
            continue
        normal, right = expected
        size = max(1.0, float(np.abs(normal).max()))
        assert np.abs(sums[i, :, :-1] / 1000 - normal).max() < 2e-3 * size
        assert np.abs(sums[i, :, -1] / 1000 - right).max() < 2e-3 * size
        compared += 1
    assert compared > 50


def test_any_division_gives_the_same_sums(found: Reconstructed) -> None:
    layout = layout_of(DETECTOR)
    whole, used = normal_sums(layout, found, np.zeros(len(found.size), np.int64), 1)
    parts = np.arange(len(found.size)) % 7
    several, counts = normal_sums(layout, found, parts, 7)
    assert np.array_equal(several.sum(axis=0), whole[0])
    assert counts.sum() == used[0] > 200
    one = np.flatnonzero(found.chambers > 1)[5]
    alone = np.full(len(found.size), -1)
    alone[one] = 0
    single, _ = normal_sums(layout, found, alone, 1)
    each = np.arange(len(found.size))
    every, _ = normal_sums(layout, found, each, len(each))
    assert np.array_equal(every[one], single[0])
    assert not every[found.chambers == 1].any()


def test_what_is_wrong_comes_out_of_the_sums(found: Reconstructed) -> None:
    run = muonscope.simulate("legnaro", seconds=60.0, seed=32)
    time, cell, _ = hits_in(run.words, EXACT)
    late = replace(EXACT.chambers[2], drift_offset_ns=EXACT.chambers[2].drift_offset_ns + 5.0)
    shifted = replace(EXACT, chambers=(*EXACT.chambers[:2], late, *EXACT.chambers[3:]))
    layout = layout_of(shifted)
    seen = reconstruct(layout, time, cell)
    sums, _ = normal_sums(layout, seen, np.zeros(len(seen.size), np.int64), 1)
    normal, right = equations(sums[0])
    third = 1 + 2
    assert right[third] / normal[third, third] == pytest.approx(5.0, abs=0.6)
