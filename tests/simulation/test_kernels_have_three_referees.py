"""Compiled kernels, the same as plain Python, and an oracle that shares no code: one answer."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from helpers.collected import simulated_run
from muonscope.detector import Detector, shipped_detector
from muonscope.simulation import _crossing, _writing, chambers, daq
from muonscope.simulation.chambers import cross
from muonscope.simulation.geometry import geometry_of
from muonscope.simulation.muons import make_muons
from muonscope.simulation.profiles import PROFILES
from oracles.slow_telescope import cells_of, lanes_of

KERNELS: list[tuple[str, Callable[[Any], Any]]] = [
    ("compiled", lambda kernel: kernel),
    ("plain", lambda kernel: kernel.py_func),
]


@pytest.mark.parametrize(("name", "form"), KERNELS)
@pytest.mark.parametrize("setup", ["legnaro", "run001213"])
def test_muons_reach_the_cells_that_the_oracle_finds(
    name: str, form: Callable[[Any], Any], setup: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chambers, "cross_cells", form(_crossing.cross_cells))
    detector, profile = shipped_detector(setup), PROFILES["quiet"]
    place = geometry_of(detector, profile)
    muons = make_muons(np.random.default_rng(9), place, profile.muons, 1e9, 1.0)
    crossings, reached = cross(muons, place, profile)
    ours: dict[int, dict[tuple[int, int, int], tuple[float, int]]] = {}
    for row, layer, wire, side, r in zip(
        reached.crossing.tolist(), reached.layer.tolist(), reached.wire.tolist(),
        reached.side.tolist(), reached.r_mm.tolist(), strict=True,
    ):  # fmt: skip
        muon, chamber = int(crossings.muon[row]), int(crossings.chamber[row])
        ours.setdefault(muon, {})[chamber, layer % 4, wire] = (r, side)
    assert len(ours) > 100
    places = [(c.z_mm, c.view, c.offset_mm, c.tilt_rad) for c in detector.chambers]
    for muon in range(len(muons)):
        x, y, slope_x, slope_y = (float(column[muon]) for column in muons.columns()[1:])
        theirs = cells_of(
            x, y, slope_x, slope_y, place.middle_mm, places, profile.cell.half_width_mm
        )
        mine = ours.get(muon, {})
        assert mine.keys() == theirs.keys(), muon
        for cell, (r, side) in theirs.items():
            assert mine[cell][0] == pytest.approx(r, abs=1e-6)
            assert mine[cell][1] == side


@pytest.mark.parametrize(("name", "form"), KERNELS)
def test_hits_are_written_as_the_oracle_has_it(name: str, form: Callable[[Any], Any]) -> None:
    rng = np.random.default_rng(10)
    n, per_orbit = 3000, 106_920
    tick = np.sort(rng.integers(10 * per_orbit, 40 * per_orbit, n))
    tick[1::3] = tick[::3] + rng.integers(0, 300, n // 3)  # many close ones
    tick.sort()
    address, jitter = rng.integers(0, 12, n), rng.integers(0, 480, n)
    lane_of = np.array([0, 1] * 6)
    base = (np.arange(12).astype(np.uint64) << np.uint64(49)) | np.uint64(2 << 61)
    rows, leaves, words = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
    ends, until = np.empty(2, np.int64), np.zeros(12, np.int64)
    clock = (96, 30, 1, per_orbit, 2**32 - 20, 11)
    begin = [0, n // 2, n]
    for first, last in pairwise(begin):  # state goes on between calls
        part = slice(first, last)
        form(_writing.write_hits)(
            tick[part], address[part], jitter[part], np.empty(0, np.int64), until, lane_of, base,
            clock, rows[part], words[part], leaves[part], ends,
        )  # fmt: skip
        whole = lanes_of(
            zip(tick[:last].tolist(), address[:last].tolist(), jitter[:last].tolist(), strict=True),
            lane_of.tolist(), 96, per_orbit,
        )  # fmt: skip
        place = 0
        for lane, expected in enumerate(whole):
            mine = [(at, number) for at, number in expected if number >= first]
            end = int(ends[lane])
            got = list(
                zip(
                    leaves[part][place:end].tolist(),
                    (rows[part][place:end] + first).tolist(),
                    strict=True,
                )
            )
            assert sorted(got) == mine
            assert [at for at, _ in got] == [at for at, _ in mine]
            for word, (_, number) in zip(words[part][place:end].tolist(), got, strict=True):
                orbit, rest = divmod(int(tick[number]), per_orbit)
                assert word >> 61 == 2
                assert word >> 49 & 511 == address[number]
                assert word >> 17 & 0xFFFFFFFF == (orbit + 2**32 - 20) % 2**32
                assert word >> 5 & 4095 == rest // 30
                assert word & 31 == (1 if address[number] == 11 else rest % 30 + 1)
            place = end


def test_a_whole_run_is_the_same_with_plain_python_kernels(
    legnaro: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = simulated_run("quiet", 0.2, faults=("desync:fpga1@0.1s-0.15s",))
    monkeypatch.setattr(chambers, "cross_cells", _crossing.cross_cells.py_func)
    monkeypatch.setattr(daq, "write_hits", _writing.write_hits.py_func)
    plain = simulated_run("quiet", 0.2, faults=("desync:fpga1@0.1s-0.15s",))
    assert np.array_equal(compiled.words, plain.words)
    assert np.array_equal(compiled.muon, plain.muon)
