"""Constants from tracks: what was put wrong comes back, within errors, and nothing else moves."""

from dataclasses import replace

import numpy as np
import pytest

import muonscope
from muonscope.detector import Detector
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.calibration import KNOTS, LEAST_TRACKS, Calibration, calibrated
from muonscope.tracking.layout import Reals, layout_of
from muonscope.tracking.reconstruct import reconstruct
from muonscope.words.layout import unpack
from tracking.constants import off, wrong
from tracking.matched import hits_in
from tracking.test_segments import EXACT

TRUE = REALISTIC_CELL.velocity_um_per_ns


def fitted(seconds: float, seed: int, start: Detector, profile: str = "legnaro") -> Calibration:
    run = muonscope.simulate(profile, seconds=seconds, seed=seed)
    time, cell, _ = hits_in(run.words, start)
    found = calibrated(start, time, cell)
    assert isinstance(found, Calibration)
    return found


@pytest.mark.slow
def test_after_ten_minutes_constants_are_as_good_as_asked() -> None:
    found = fitted(600.0, 4, wrong(EXACT, 53.0))
    assert found.tracks > 15_000
    assert found.detector.drift_velocity_um_per_ns == pytest.approx(TRUE, rel=1e-3)
    apart = off(found)
    assert np.abs(apart["times"]).max() < 0.1
    assert np.abs(apart["places"]).max() < 0.03
    assert np.abs(apart["tilts"]).max() < 0.3e-3
    best = fitted(60.0, 4, EXACT).sigma_mm[0]
    assert found.sigma_mm[1] == pytest.approx(best, abs=0.008)
    assert found.sigma_mm[0] > best + 0.015


def test_after_twenty_seconds_they_are_good_enough_to_go_on() -> None:
    found = fitted(20.0, 5, wrong(EXACT, 57.5, seed=2))
    assert found.detector.drift_velocity_um_per_ns == pytest.approx(TRUE, rel=5e-3)
    apart = off(found)
    assert np.abs(apart["places"]).max() < 0.1
    assert np.abs(apart["tilts"]).max() < 1.5e-3
    assert np.abs(apart["times"]).max() < 0.6


def test_errors_are_those_by_which_answers_scatter() -> None:
    answers = [fitted(25.0, seed, EXACT) for seed in range(50, 62)]
    velocity = np.array([a.detector.drift_velocity_um_per_ns for a in answers])
    told = [a.constants[0].error for a in answers]
    mean = float(np.mean([error for error in told if error]))
    assert len(told) == 12
    assert 0.5 < velocity.std(ddof=1) / mean < 1.7
    places = np.array([a.detector.chambers[2].offset_mm for a in answers])
    error = next(
        constant.error for constant in answers[0].constants
        if constant.name == "offset_mm" and constant.chamber == 2
    )  # fmt: skip
    assert error is not None
    assert 0.5 < places.std(ddof=1) / error < 1.7


def test_what_no_track_tells_is_left_and_said() -> None:
    start = wrong(EXACT, 54.2)
    found = fitted(20.0, 6, start)
    told = {(c.name, c.chamber): c for c in found.constants}
    for name in ("offset_mm", "tilt_rad"):  # the only chamber of its view
        assert told[name, 1].error is None
        assert told[name, 1].after == told[name, 1].before
    assert told["drift_offset_ns", 1].error is not None  # by the t0 of the same muons
    assert np.abs(off(found)["times"]).max() < 0.7
    before, after = (
        np.array([d.chambers[c].offset_mm for c in (0, 2, 3)]) for d in (start, found.detector)
    )
    z = np.array([EXACT.chambers[c].z_mm for c in (0, 2, 3)])
    assert np.polyfit(z, after - before, 1) == pytest.approx([0, 0], abs=1e-5)
    assert len(found.correlations) == sum(c.error is not None for c in found.constants)
    assert np.diag(found.correlations) == pytest.approx(1.0)


def test_times_of_layers_come_back() -> None:
    late = {0: (3.0, -1.0, 0.0, -2.0), 3: (-0.5, 0.5, 0.5, -0.5)}
    start = replace(
        EXACT,
        chambers=tuple(
            replace(chamber, layer_times_ns=late.get(c, ()))
            for c, chamber in enumerate(EXACT.chambers)
        ),
    )
    found = fitted(40.0, 9, start)
    constants = [c for c in found.constants if c.name == "layer_times_ns"]
    assert len(constants) == 16
    assert [c.before for c in constants[:4]] == list(late[0])
    for chamber in (0, 2, 3):
        assert found.detector.chambers[chamber].layer_times_ns == pytest.approx([0] * 4, abs=0.5)
    assert found.detector.chambers[1].layer_times_ns == ()  # alone in its view
    errors = [c.error for c in constants if c.chamber != 1]
    assert all(error is not None and 0.05 < error < 0.3 for error in errors)


def test_the_drift_relation_is_corrected_by_what_is_left_of_residuals() -> None:
    k = np.linspace(0, 2 * np.pi, 5)
    starts = (EXACT, replace(EXACT, rt_corrections_um=tuple((200 * np.sin(k)).tolist())))
    plain, again = (fitted(40.0, 9, start) for start in starts)
    assert again.detector.rt_corrections_um == plain.detector.rt_corrections_um
    assert len(plain.detector.rt_corrections_um) == KNOTS
    assert again.detector.drift_velocity_um_per_ns == plain.detector.drift_velocity_um_per_ns
    told = [c for c in again.constants if c.name == "rt_corrections_um"]
    assert [c.before for c in told[::3]] == pytest.approx((200 * np.sin(k)).tolist(), abs=1e-9)
    before, after = (
        mean_by_drift_time(replace(plain.detector, rt_corrections_um=table))
        for table in ((), plain.detector.rt_corrections_um)
    )
    assert np.abs(before[:-1]).max() > 0.04  # the last one is of hits beyond the wall
    assert np.abs(after[:-1]).max() < 0.02


def mean_by_drift_time(detector: Detector) -> Reals:
    """Return the mean of residuals away from the wire, mm, in parts of the longest drift time."""
    run = muonscope.simulate("legnaro", seconds=40.0, seed=9)
    time, cell, _ = hits_in(run.words, detector)
    layout = layout_of(detector)
    found = reconstruct(layout, time, cell)
    over = (found.chambers > 1)[found.row]
    part = found.drift_ns(layout.tick_ns)[over] / layout.cell[5]
    place = np.clip((part * 12).astype(np.int64), 0, 11)
    away = (found.side * found.residual_mm)[over]
    mean: Reals = np.bincount(place, away, 12) / np.bincount(place, minlength=12)
    return mean


def test_the_common_time_is_that_of_the_scintillators() -> None:
    late = tuple(
        replace(chamber, drift_offset_ns=chamber.drift_offset_ns + 25.0)
        for chamber in EXACT.chambers
    )
    run = muonscope.simulate("legnaro", seconds=120.0, seed=9)
    start = replace(EXACT, chambers=late)
    time, cell, _ = hits_in(run.words, start)
    fields = unpack(run.words, 2, start.readout.hit_head)
    flash = (fields.head == start.readout.hit_head) & (fields.bx < 3564)
    flash &= fields.channel == start.scintillators[0].channel
    orbit, bx, tdc = (
        column[flash].astype(np.int64) for column in (fields.orbit, fields.bx, fields.tdc)
    )
    found = calibrated(start, time, cell, (orbit * 3564 + bx) * 30 + tdc)
    assert isinstance(found, Calibration)
    common = next(c for c in found.constants if c.name == "mean_drift_offset_ns")
    true = np.mean([chamber.drift_offset_ns for chamber in EXACT.chambers])
    assert common.before == pytest.approx(true + 25.0)
    assert common.error is not None
    assert abs(common.after - true) < 4 * common.error < 8.0
    without = calibrated(start, time, cell)
    assert isinstance(without, Calibration)
    assert [c.error for c in without.constants if c.name == "mean_drift_offset_ns"] == [None]


def test_too_few_tracks_are_counted_and_nothing_is_fitted() -> None:
    run = muonscope.simulate("legnaro", seconds=3.0, seed=7)
    time, cell, _ = hits_in(run.words, EXACT)
    found = calibrated(EXACT, time, cell)
    assert isinstance(found, int)
    assert 10 < found < LEAST_TRACKS
