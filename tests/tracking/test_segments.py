"""Segments: exact lines come back, the kernels have referees, a real muon is as published."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.streams import CSV, read_words
from muonscope._jit import Kernel
from muonscope.detector import shipped_detector
from muonscope.simulation.chambers import drift_ns
from muonscope.simulation.profiles import LINEAR_CELL, REALISTIC_CELL
from muonscope.tracking import _segments, _tracks
from muonscope.tracking.layout import layout_of
from muonscope.tracking.reconstruct import reconstruct
from tracking.matched import hits_in, matched, simulated

ORBIT = 3_387_200_973
EXACT = replace(shipped_detector(), drift_velocity_um_per_ns=REALISTIC_CELL.velocity_um_per_ns)


def line_hits(place: float, slope: float, t0_ns: float, chamber: int) -> list[tuple[float, int]]:
    """Return (time, cell) where an exact line crosses each layer of a chamber."""
    layout, cells = layout_of(EXACT), EXACT.cells()
    hits = []
    for layer in range(4):
        mine = np.flatnonzero((layout.chamber == chamber) & (layout.layer == layer))
        at = place + slope * layout.height_mm[layer]
        nearest = mine[np.argmin(np.abs(cells.x_mm[mine] - at))]
        distance = abs(at - cells.x_mm[nearest])
        if distance > 20.5:
            return []
        drift = drift_ns(REALISTIC_CELL, np.array([distance]), np.array([slope]))[0]
        hits.append((t0_ns + float(drift), int(nearest)))
    return hits


@given(
    place=st.floats(-200, 200), slope=st.floats(-0.6, 0.6), t0=st.floats(500, 900),
    chamber=st.integers(0, 3),
)  # fmt: skip
@example(place=149.875, slope=0.46875, t0=600.0, chamber=0)  # near a wire
@example(place=-32.61504251976177, slope=0.5866920226673585, t0=781.1953, chamber=0)
@example(place=157.63300126, slope=-0.5590754787, t0=888.1940563, chamber=0)
@examples(60)
def test_an_exact_line_comes_back(place: float, slope: float, t0: float, chamber: int) -> None:
    hits = line_hits(place, slope, t0, chamber)
    assume(hits)
    assume(sorted(hits)[1][0] - t0 > 1.5)  # within 0.1 mm of two wires, two lines fit
    layout = layout_of(EXACT)
    found = run_segments(layout, hits)
    assume(len(found))
    near = [
        f for f in found
        if abs(f[0] - place) < 0.05 and abs(f[1] - slope) < 0.004 and abs(f[2] - t0) < 1.5
    ]  # fmt: skip
    sides = [
        place + slope * layout.height_mm[layout.layer[c]] > layout.place_mm[c] for _, c in hits
    ]
    if len(set(sides)) > 1:  # all on one side tells nothing of t0
        assert near
        assert min(f[3] for f in near) < 0.01


def run_segments(layout: Any, hits: list[tuple[float, int]]) -> list[tuple[float, ...]]:
    """Return (place, slope, t0, rss) of all segments of hits that are one event."""
    hits = sorted(hits)
    time, cell = np.array([t for t, _ in hits]), np.array([c for _, c in hits])
    whole, found = np.empty((9, 100), np.int64), np.empty((4, 100))
    n = _segments.find_segments(
        time, layout.chamber[cell], layout.layer[cell], np.array([len(hits)]),
        layout.place_mm[cell], layout.height_mm, layout.solve, layout.check, layout.cell, False,
        (4.0, 1.5, 2.0, 2.0, 2.0), whole, found,
    )  # fmt: skip
    return [tuple(row) for row in found[:, :n].T.tolist()]


def test_the_kernels_compiled_and_as_plain_python_find_the_same() -> None:
    run = simulated("legnaro", 1.2, 5)
    compiled = matched(run, EXACT)
    assert len(compiled.found.event) > 150
    kernels = [k for m in (_segments, _tracks) for k in vars(m).values() if isinstance(k, Kernel)]
    assert len(kernels) == 3
    with pytest.MonkeyPatch.context() as patch:
        for module in (_segments, _tracks):
            for name, kernel in list(vars(module).items()):
                if isinstance(kernel, Kernel):
                    patch.setattr(module, name, kernel.py_func)
        plain = matched(run, EXACT)
    for name in ("event", "view", "chambers", "partner", "ends", "hit", "side", "ambiguous"):
        assert np.array_equal(getattr(plain.found, name), getattr(compiled.found, name)), name
    for name in ("x_mm", "slope", "t0_ns", "chi2", "residual_mm"):
        found, wanted = getattr(plain.found, name), getattr(compiled.found, name)
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-9), name


def test_a_track_is_the_least_squares_of_its_hits() -> None:
    """The third referee: NumPy fits line and t0 to the hits that the kernel has chosen."""
    here = matched(simulated("legnaro", 4.0, 6), EXACT)
    found, layout = here.found, here.layout
    time, cell, _ = hits_in(simulated("legnaro", 4.0, 6).words, EXACT)
    corrected = (time * 1000 + layout.delay[cell]) * (layout.tick_ns / 1000)
    rows = here.rows("phi")
    assert len(rows) > 80
    for row in rows.tolist():
        mine = slice(found.ends[row - 1] if row else 0, found.ends[row])
        hit, side = found.hit[mine], found.side[mine]
        x, z = layout.x_mm[cell[hit]], layout.z_mm[cell[hit]]
        drifts = corrected[hit] - found.base[row] * (layout.tick_ns / 1000)
        slope, t0 = found.slope[row], found.t0_ns[row]
        r = np.array([_radius(t - t0, slope, layout.cell) for t in drifts])
        v = layout.cell[0]
        equations = np.stack([np.ones(len(hit)), z, side * v], axis=1)
        (at, fitted, later), *_ = np.linalg.lstsq(equations, x + side * r, rcond=None)
        assert fitted == pytest.approx(slope, abs=8e-5)
        assert at + fitted * found.z_mm[row] == pytest.approx(found.x_mm[row], abs=0.02)
        assert abs(later) < 0.6  # nothing is left to be gained


def _radius(t: float, slope: float, cell: Any) -> float:
    """Invert the drift relation by bisection."""
    tilt = min(math.degrees(math.atan(abs(slope))) / 45, 1)
    d, length = cell[1] + cell[2] * tilt**2.2, cell[3] + cell[4] * tilt**1.6
    if t <= 0:
        return float(cell[0] * t)
    low, high = 0.0, 60.0
    for _ in range(60):
        r = (low + high) / 2
        low, high = (r, high) if r / cell[0] - d * (1 - math.exp(-r / length)) < t else (low, r)
    return low


def test_the_muon_of_the_recording_is_as_published(realdata: Path) -> None:
    detector = shipped_detector()
    words = read_words(realdata / CSV, detector)
    time, cell, _ = hits_in(words, detector, near=ORBIT)
    mine = time // (3564 * 30) == ORBIT
    layout = layout_of(detector)
    linear = layout.cell.copy()
    linear[1:3] = 0.0, 0.0
    linear[3:5] = LINEAR_CELL.length_mm, 0.0
    for chamber, t0, slope, chi2 in ((2, 11_884.3, -0.215, 0.39), (3, 11_882.2, -0.212, 0.75)):
        here = mine & (layout.chamber[cell] == chamber)
        raw = (time[here] - ORBIT * 3564 * 30) * layout.tick_ns
        hits = list(zip(raw.tolist(), cell[here].tolist(), strict=True))
        found = min(run_segments(replace(layout, cell=linear), hits), key=lambda f: f[3])
        assert found[2] == pytest.approx(t0, abs=0.1)
        assert found[1] == pytest.approx(slope, abs=0.001)
        assert found[3] / 0.25**2 == pytest.approx(chi2, abs=0.02)
    track = reconstruct(replace(layout, cell=linear), time[mine], cell[mine])
    over = np.flatnonzero(track.chambers > 1)
    assert len(over) == 1
    assert track.slope[over[0]] == pytest.approx(-0.2235, abs=0.001)


def test_times_of_layers_are_added_to_those_of_their_hits() -> None:
    run = simulated("quiet", 10.0, 12)
    time, cell, _ = hits_in(run.words, EXACT)
    times, ticks = (0.0, 25.0, -12.5, 5.0), np.array([0, 30, -15, 6])
    chambers = tuple(replace(chamber, layer_times_ns=times) for chamber in EXACT.chambers)
    layout = layout_of(replace(EXACT, chambers=chambers))
    moved = reconstruct(layout_of(EXACT), time + ticks[layout.layer[cell]], cell)
    found = reconstruct(layout, time, cell)
    assert len(found.event) > 100
    for name in ("event", "base", "slope", "t0_ns", "hit", "side"):
        assert np.array_equal(getattr(found, name), getattr(moved, name)), name
