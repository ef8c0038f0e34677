"""Tracks beside the truth: efficiency, fakes, sides, t0, slopes, places; and noise alone.

The bars are those of the issue, but for the room that the fewer seconds here need.
"""

from dataclasses import replace

import numpy as np
import pytest

from muonscope.detector import shipped_detector
from muonscope.simulation.options import detector_of
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.layout import layout_of
from muonscope.tracking.reconstruct import reconstruct
from tracking.matched import Matched, matched, simulated, width

VELOCITY = REALISTIC_CELL.velocity_um_per_ns


def told(profile: str, seconds: float, seed: int = 11, scale: float = 1.0) -> Matched:
    """Reconstruct a simulated run with the drift velocity that it was made with."""
    detector = replace(detector_of(profile), drift_velocity_um_per_ns=VELOCITY)
    return matched(simulated(profile, seconds, seed, rate_scale=scale), detector)


@pytest.fixture(scope="module")
def legnaro() -> Matched:
    """Half a minute at Legnaro, some 850 tracks."""
    return told("legnaro", 30.0)


@pytest.fixture(scope="module")
def quiet() -> Matched:
    """The same with little noise and good chambers."""
    return told("quiet", 30.0)


def test_nearly_all_muons_have_a_track_and_nearly_all_tracks_a_muon(legnaro: Matched) -> None:
    assert len(legnaro.findable["phi"]) > 700
    assert legnaro.efficiency("phi") >= 0.99
    assert (legnaro.owner[legnaro.rows("phi")] < 0).mean() <= 0.01


@pytest.mark.slow
def test_so_it_is_at_a_hundred_times_the_rate() -> None:
    busy = told("legnaro", 0.4, scale=100.0)
    assert len(busy.findable["phi"]) > 700
    assert busy.efficiency("phi") >= 0.98
    assert (busy.owner[busy.rows("phi")] < 0).mean() <= 0.01


def test_the_sides_of_hits_are_right(legnaro: Matched, quiet: Matched) -> None:
    over = np.isin(legnaro.row, legnaro.rows("phi"))
    assert legnaro.right[over & legnaro.judged].mean() >= 0.997
    flat = quiet.rows("phi", over=False)
    flat = flat[np.abs(quiet.found.slope[flat]) < 0.58]
    alone = np.isin(quiet.row, flat)
    assert quiet.right[alone & quiet.judged].mean() >= 0.965


def test_slopes_places_and_times_are_as_sharp_as_the_chambers_allow(legnaro: Matched) -> None:
    rows = legnaro.rows("phi")
    for chambers, slope, place in ((3, 0.18e-3, 0.12), (2, 0.35e-3, 0.15)):
        some = rows[legnaro.found.chambers[rows] == chambers]
        off = legnaro.off(some)
        assert len(off[0]) > 100
        assert width(off[0]) <= slope * 1.1
        assert width(off[1]) <= place * 1.1
        assert width(off[2]) <= 2.7
    _, _, late = legnaro.off(rows)
    near = late[np.abs(late - np.median(late)) < 20]
    assert abs(near.mean() - np.median(late)) <= 0.5


def test_lone_segments_of_good_chambers_are_sharp(quiet: Matched) -> None:
    rows = quiet.rows("phi", over=False)
    size = np.diff(quiet.found.ends, prepend=0)
    rows = rows[(size[rows] == 4) & (np.abs(quiet.found.slope[rows]) < 0.58)]
    slope, _, late = quiet.off(rows)
    assert len(slope) > 500
    assert width(slope) <= 9.2e-3
    assert width(late) <= 2.8


def test_residuals_are_those_of_the_drift_times(legnaro: Matched) -> None:
    over = np.isin(legnaro.row, legnaro.rows("phi")) & legnaro.judged
    assert 0.25 < legnaro.found.residual_mm[over].std() < 0.31
    size = np.diff(legnaro.found.ends, prepend=0)
    rows = legnaro.rows("phi")
    assert 0.7 < np.median(legnaro.found.chi2[rows] / (size[rows] - 3)) < 1.1


def test_a_view_of_one_chamber_is_joined_by_the_time_of_a_track(legnaro: Matched) -> None:
    found = legnaro.found
    rows = np.flatnonzero(found.partner >= 0)
    assert len(rows) > 500
    other = found.partner[rows]
    assert (found.event[rows] == found.event[other]).all()
    assert (found.view[rows] != found.view[other]).all()
    assert (found.chambers[other] > 1).all()
    known = (legnaro.owner[rows] >= 0) & (legnaro.owner[other] >= 0)
    assert (legnaro.owner[rows] == legnaro.owner[other])[known].mean() > 0.995


def test_noise_alone_makes_next_to_nothing() -> None:
    chance = np.random.default_rng(3)
    detector = shipped_detector()
    n = 3_000 * 200
    time = np.sort(chance.integers(0, 200 * 1_200_000_000, n))
    found = reconstruct(layout_of(detector), time, chance.integers(0, 256, n))
    assert len(found.event) == 0


@pytest.mark.parametrize("hits", [0, 1, 2, 3])
def test_a_few_hits_are_no_track(hits: int) -> None:
    layout = layout_of(shipped_detector())
    found = reconstruct(layout, np.arange(hits) * 40, np.arange(hits))
    assert (found.chambers < 2).all()
    assert len(found.ends) == len(found.event)


def test_an_event_of_too_many_hits_is_skipped_and_counted() -> None:
    chance = np.random.default_rng(4)
    layout = layout_of(shipped_detector())
    flood = reconstruct(layout, np.arange(5000), chance.integers(0, 256, 5000))
    assert (flood.skipped.tolist(), len(flood.event)) == ([True], 0)
    crowded = reconstruct(layout, np.arange(60), np.repeat(np.arange(4), 15))
    assert crowded.skipped.tolist() == [True]
