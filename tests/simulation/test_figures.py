"""The simulation against published figures; sources in docs/explanation/simulation.md.

Runs are long enough that the tolerances are several standard deviations of the counts,
and narrow enough that a change of the model shows.
"""

import numpy as np
import pytest

from helpers.collected import Run
from muonscope.simulation.signals import Origin
from muonscope.units import ORBIT_S

pytestmark = pytest.mark.slow


def good_chambers(run: Run) -> set[tuple[int, int]]:
    """Return (muon, chamber) for all with hits in at least three layers."""
    cells = run.detector.cells()
    rows = run.is_hit & (run.muon >= 0)
    address = run.address[rows]
    keys = run.muon[rows] * 16 + cells.chamber[address] * 4 + cells.layer[address] - 1
    chambers, layers = np.unique(np.unique(keys) // 4, return_counts=True)
    return {(int(c) // 4, int(c) % 4) for c in chambers[layers >= 3]}


def muons_of(good: set[tuple[int, int]], chamber: int) -> set[int]:
    return {muon for muon, c in good if c == chamber}


def distinct_channels(run: Run) -> np.ndarray:
    """Return the number of distinct channels with a hit in each occupied orbit."""
    rows = run.is_hit
    pairs = np.unique(run.fields.orbit[rows] * 512 + run.address[rows])
    return np.unique(pairs // 512, return_counts=True)[1]


def test_the_rate_of_each_chamber_with_three_layers_is_between_48_and_76_hz(
    legnaro_run: Run,
) -> None:
    good = good_chambers(legnaro_run)
    for chamber in range(4):
        assert 48 < len(muons_of(good, chamber)) / legnaro_run.length_s < 76


def test_neighbours_see_the_same_muons_as_often_as_measured(legnaro_run: Run) -> None:
    good = good_chambers(legnaro_run)
    in_0, in_2, in_3 = (muons_of(good, chamber) for chamber in (0, 2, 3))
    assert len(in_3 & in_2) / len(in_2) == pytest.approx(0.28, abs=0.01)
    assert len(in_0 & in_2) / len(in_2) == pytest.approx(0.27, abs=0.01)
    assert len(in_0 & in_2 & in_3) / len(in_2) == pytest.approx(0.097, abs=0.006)


def test_the_scintillator_fires_at_1_55_hz(legnaro_run: Run) -> None:
    # 2,790 signals: 0.03 Hz is one standard deviation
    fired = legnaro_run.origin == Origin.SCINTILLATOR
    assert legnaro_run.hz(fired) == pytest.approx(1.55, abs=0.09)


def test_all_channels_together_give_2_7_to_3_0_khz(legnaro_run: Run) -> None:
    assert 2700 < legnaro_run.hz(legnaro_run.is_hit) < 3000


def test_the_hot_cells_are_those_of_the_published_batch(legnaro_run: Run) -> None:
    rates = np.bincount(legnaro_run.address[legnaro_run.is_hit], minlength=256) / 1800
    hottest = np.argsort(rates)[-2:]
    assert hottest.tolist() == [128, 61]  # chamber 2 channel 0, chamber 0 channel 61
    assert rates[61] == pytest.approx(250, abs=15)
    assert rates[128] == pytest.approx(92, abs=8)


def test_orbits_with_4_8_and_16_channels_are_as_frequent_as_in_the_recordings(
    legnaro_run: Run,
) -> None:
    channels = distinct_channels(legnaro_run)
    for least, hz in ((4, 155), (8, 59), (16, 4.6)):
        assert (channels >= least).sum() / 1800 == pytest.approx(hz, rel=0.08), least


def test_14_percent_of_the_orbits_are_occupied(legnaro_run: Run) -> None:
    occupied = len(distinct_channels(legnaro_run)) / (1800 / ORBIT_S)
    assert occupied == pytest.approx(0.14, abs=0.004)


@pytest.mark.parametrize("run_name", ["legnaro_run", "quiet_run"])
def test_4_1_percent_of_the_hits_have_a_second_one_and_none_within_the_dead_time(
    run_name: str, request: pytest.FixtureRequest
) -> None:
    run: Run = request.getfixturevalue(run_name)
    rows = run.is_hit
    order = np.lexsort((run.ticks[rows], run.address[rows]))
    address, ticks = run.address[rows][order], run.ticks[rows][order]
    gaps_ns = np.diff(ticks)[np.diff(address) == 0] / 1.2
    assert gaps_ns.min() >= 80
    later = gaps_ns[gaps_ns < 750]
    assert len(later) / rows.sum() == pytest.approx(0.041, abs=0.002)
    counts, _ = np.histogram(later, np.arange(50, 751, 50))
    assert counts.argmax() in (2, 3)  # broad maximum at 150-250 ns
    assert counts[6] > 1.3 * counts[5]  # bump at 380-400 ns


def test_after_the_start_the_hit_head_is_on_86_to_93_percent_of_the_words(
    legnaro_run: Run,
) -> None:
    steady = legnaro_run.fields.head[legnaro_run.seconds > 10]
    assert 0.86 < (steady == 2).mean() < 0.93


def test_each_fpga_is_in_order_and_the_merged_stream_steps_back_by_tens_of_orbits(
    legnaro_run: Run,
) -> None:
    hits = (legnaro_run.fields.head == 2) & (legnaro_run.origin != Origin.STALE)
    orbit, fpga = legnaro_run.fields.orbit[hits], legnaro_run.fields.fpga[hits]
    for number in (0, 1):
        assert (np.diff(orbit[fpga == number]) >= 0).all()
    back = np.maximum.accumulate(orbit) - orbit
    assert 10 < np.percentile(back, 99) < 200
    assert 100 < back.max() < 1122  # the recorded sample: 606; the default lateness: 1122


def test_bologna_has_its_rates(bologna_run: Run) -> None:
    chamber = bologna_run.detector.cells().chamber[bologna_run.address[bologna_run.is_hit]]
    first, second = np.bincount(chamber) / 600
    assert first == pytest.approx(540.7, rel=0.03)
    assert second == pytest.approx(524.4, rel=0.03)
    fired = bologna_run.origin == Origin.SCINTILLATOR
    assert bologna_run.hz(fired) == pytest.approx(86.9, rel=0.03)
    assert bologna_run.hz(bologna_run.words > 0) == pytest.approx(1152, rel=0.02)


def test_at_bologna_36_percent_of_the_hits_are_in_orbits_with_a_scintillator(
    bologna_run: Run,
) -> None:
    orbit, hit = bologna_run.fields.orbit, bologna_run.is_hit
    with_signal = np.isin(orbit[hit], orbit[bologna_run.origin == Origin.SCINTILLATOR])
    assert with_signal.mean() == pytest.approx(0.36, abs=0.015)


def test_a_second_muon_is_in_the_same_orbit_as_often_as_chance_has_it(quiet_run: Run) -> None:
    # 0.7 % of the muons in a chamber have another in their orbit: 64 Hz x 89.1 us, and pairs
    muons = quiet_run.muons
    ns = muons.ns[muons.layers[:, 2] >= 3]
    share = 1 - len(np.unique(ns // 89_100)) / len(ns)
    assert 0.002 < share < 0.012
