"""Noise and what follows a hit."""

from dataclasses import replace

import numpy as np
import pytest

from muonscope.detector import Detector, shipped_detector
from muonscope.simulation.background import add_noise, afterpulses, rates_hz
from muonscope.simulation.profiles import PROFILES, HotCell, Noise, Secondaries
from muonscope.simulation.signals import MARK, Origin, Signals


def test_channels_differ_by_the_spread(legnaro: Detector) -> None:
    rates = rates_hz(legnaro, Noise(hot_share=0.0))
    assert np.exp(np.log(rates).mean()) == pytest.approx(3.6, rel=0.04)
    assert np.log(rates).std() == pytest.approx(0.15, rel=0.15)


def test_warm_and_hot_channels_are_the_same_in_every_run(legnaro: Detector) -> None:
    noise = PROFILES["legnaro"].noise
    rates = rates_hz(legnaro, noise)
    assert np.array_equal(rates, rates_hz(legnaro, noise))
    assert (rates[61], rates[128]) == (240.0, 85.0)
    assert np.count_nonzero((rates >= 20) & (rates < 30)) == round(0.02 * 256)
    more = noise.chamber_hz[1]
    usual = np.median(rates[64:128]) - np.median(rates[192:256])
    assert usual == pytest.approx(more, abs=0.3)


def test_hot_cells_that_a_detector_does_not_have_are_left_out() -> None:
    noise = Noise(
        hot_cells=(HotCell(chamber=3, pin=1, hz=99.0), HotCell(chamber=0, pin=64, hz=99.0))
    )
    assert rates_hz(shipped_detector("bologna2"), noise).max() < 99


def test_noise_comes_at_its_rate_evenly_and_in_order() -> None:
    hz = np.array([5.0, 0.0, 50.0])
    noise = add_noise(np.random.default_rng(1), hz, 3e9, 1003e9)
    assert (np.diff(noise.ns) >= 0).all()
    counts = np.bincount(noise.address, minlength=3)
    assert counts[0] == pytest.approx(5000, abs=5 * 71)
    assert counts[1] == 0
    assert counts[2] == pytest.approx(50_000, abs=5 * 224)
    share = (noise.ns[noise.address == 2] - 3e9) / 1000e9
    assert 0 <= share.min() <= share.max() <= 1
    evenly, _ = np.histogram(share, np.linspace(0, 1, 11))
    assert np.abs(evenly - 5000).max() < 5 * 71
    assert set(noise.marks.view(MARK)["origin"].tolist()) == {Origin.NOISE}


def test_noise_of_no_time_is_none() -> None:
    assert len(add_noise(np.random.default_rng(1), np.array([50.0]), 5.0, 5.0)) == 0


def test_afterpulses_come_in_the_same_cells_and_at_the_measured_times() -> None:
    hits = Signals.plain(np.arange(200_000.0) * 1e4, np.arange(200_000) % 200, Origin.NOISE)
    secondaries = Secondaries(afterpulse_share=0.5)
    after, parent = afterpulses(np.random.default_rng(2), hits, secondaries)
    assert len(after) == pytest.approx(200_000 * (0.5 + 0.5 * 0.25), rel=0.01)
    assert np.array_equal(after.address, hits.address[parent])
    first = slice(99_000)  # of hits themselves, not of after-pulses
    gap = after.ns[first] - hits.ns[parent[first]]
    assert gap.min() >= 0
    counts, _ = np.histogram(gap, np.arange(0, 751, 50))
    assert counts.argmax() in (3, 4)  # a broad maximum around 190 ns
    assert counts[7] > counts[6]  # the bump at 380-400 ns
    late = gap[gap > 450]
    assert (late - 450).mean() == pytest.approx(75, abs=10)


def test_no_share_no_afterpulses() -> None:
    hits = Signals.plain(np.zeros(100), np.zeros(100, np.int64), Origin.NOISE)
    none = replace(PROFILES["quiet"].secondaries, afterpulse_share=0.0)
    after, parent = afterpulses(np.random.default_rng(3), hits, none)
    assert len(after) == len(parent) == 0
