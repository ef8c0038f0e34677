"""Trains of pulses scatter as recorded ones do; pressure and temperature wander as asked."""

import numpy as np
import pytest

import muonscope
from muonscope.simulation.profiles import PROFILES, Weather
from muonscope.simulation.weather import air_at

HOUR = 3600.0


def scatter(counts: np.ndarray) -> list[float]:
    """Return the median, the ninth decile and the most of variance by mean of the cells."""
    ratio = counts.var(axis=0) / counts.mean(axis=0)
    return [float(np.percentile(ratio, part)) for part in (50, 90, 100)]


@pytest.mark.slow
def test_hits_of_cells_scatter_as_recorded_and_occupied_milliseconds_as_by_chance() -> None:
    """Recorded: hits 1.2, 12, 115; blocks 0.95, 1.4, 2.1 (windows of a second)."""
    run = muonscope.simulate("trains", seconds=300.0, seed=2).summarise()
    middle = slice(4, -2)  # between another run's words and the end
    hits = run.class_words[middle, :256]
    median, decile, most = scatter(hits)
    assert 1.1 < median < 1.5
    assert 4 < decile < 12
    assert 15 < most < 115
    median, decile, most = scatter(run.columns["occupied"][middle])
    assert 0.9 < median < 1.1
    assert decile < 1.4
    assert most < 2.1


@pytest.mark.slow
def test_trains_are_part_of_the_rate_and_not_beside_it() -> None:
    runs = [muonscope.simulate(name, seconds=120.0, seed=5) for name in ("trains", "legnaro")]
    with_trains, without = (len(run.words) for run in runs)
    assert with_trains == pytest.approx(without, rel=0.08)


@pytest.mark.slow
def test_the_shares_of_data_000000_are_those_of_its_profile() -> None:
    hits = muonscope.simulate("data000", seconds=120.0).summarise().total().hits_per_chamber
    assert hits / hits.sum() == pytest.approx([0.17, 0.36, 0.25, 0.22], abs=0.01)


def test_pressure_and_temperature_have_the_size_that_is_asked_for() -> None:
    weather = PROFILES["trains"].weather
    air = [air_at(weather, seed, hour * HOUR) for seed in range(20) for hour in range(0, 168, 3)]
    flux = np.array([a.flux for a in air])
    assert flux.mean() == pytest.approx(1, abs=0.003)
    assert flux.std() == pytest.approx(0.0015 * 8, rel=0.1)
    density = np.array([(a.velocity - 1) / weather.velocity_per_density for a in air])
    expected = np.hypot(8 / 1013.25, 2 / 293.15)
    assert density.std() == pytest.approx(expected, rel=0.1)


def test_the_air_changes_slowly_and_depends_on_the_seed() -> None:
    weather = Weather(pressure_hpa=8.0)
    flux = [air_at(weather, 1, 60.0 * n).flux for n in range(500)]
    assert np.abs(np.diff(flux)).max() < 2e-4
    assert air_at(weather, 2, 0.0).flux != flux[0]


def test_more_pressure_means_fewer_muons_more_gas_less_noise_and_slower_drift() -> None:
    weather = Weather(pressure_hpa=8.0)
    air = [air_at(weather, 3, HOUR * n) for n in range(100)]
    lowest = min(air, key=lambda a: a.flux)
    assert lowest.noise < 1
    assert lowest.velocity < 1


def test_the_drift_velocity_follows_the_air() -> None:
    heavy = Weather(pressure_hpa=1.0, velocity_per_density=-60.0, flux_per_hpa=0.0)
    assert air_at(heavy, 1, 0.0).velocity != pytest.approx(1.0, abs=1e-3)
