"""Constants from tracks: what was put wrong comes back, within errors, and nothing else moves."""

import numpy as np
import pytest

import muonscope
from muonscope.detector import Detector
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.calibration import LEAST_TRACKS, Calibration, calibrated
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
    told = [constant.error for a in answers for constant in a.constants if constant.chamber is None]
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


def test_too_few_tracks_are_counted_and_nothing_is_fitted() -> None:
    run = muonscope.simulate("legnaro", seconds=3.0, seed=7)
    time, cell, _ = hits_in(run.words, EXACT)
    found = calibrated(EXACT, time, cell)
    assert isinstance(found, int)
    assert 10 < found < LEAST_TRACKS
