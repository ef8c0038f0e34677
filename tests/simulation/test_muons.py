"""Muons: their directions and rates, against theory and against the plain way to make them."""

from dataclasses import replace

import numpy as np
import pytest

from muonscope.detector import shipped_detector
from muonscope.simulation.geometry import Geometry, geometry_of
from muonscope.simulation.muons import (
    LIGHT_MM_PER_NS,
    Muons,
    cross_pair,
    flight_ns_per_mm,
    make_muons,
)
from muonscope.simulation.profiles import PROFILES, MuonFlux

FLUX = MuonFlux(partner_share=0.0)
PROFILE = replace(PROFILES["quiet"], muons=FLUX)
SECONDS = 400.0


def geometry(detector: str = "legnaro") -> Geometry:
    return geometry_of(shipped_detector(detector), PROFILE)


Lines = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Places and slopes of muons at height 1000 mm."""


def plain_muons(rng: np.random.Generator, area_mm: float, seconds: float) -> Lines:
    """Make muons on one big square at height 1000 mm by throwing away: no formula inverted."""
    n = rng.poisson(FLUX.per_m2_s * area_mm**2 * 1e-6 * seconds)
    cosine = np.empty(0)
    while len(cosine) < n:
        c = rng.random(4 * n)
        cosine = np.concatenate([cosine, c[rng.random(4 * n) < c**3]])
    cosine = cosine[:n]
    azimuth = rng.uniform(0, 2 * np.pi, n)
    tangent = np.tan(np.arccos(cosine))
    x, y = rng.uniform(-area_mm / 2, area_mm / 2, (2, n))
    return x, y, tangent * np.cos(azimuth), tangent * np.sin(azimuth)


def through(lines: Lines, z: float) -> np.ndarray:
    """Tell which muons go through the middle of a chamber at ``z``."""
    x, y, slope_x, slope_y = lines
    up = z - 1000.0
    inside: np.ndarray = (np.abs(x + slope_x * up) < 300) & (np.abs(y + slope_y * up) < 300)
    return inside


def lines_of(muons: Muons, place: Geometry) -> Lines:
    x, y = muons.at(1000.0, place.middle_mm)
    return x, y, muons.slope_x, muons.slope_y


def test_directions_follow_cos_squared() -> None:
    place = geometry()
    muons = make_muons(np.random.default_rng(1), place, FLUX, SECONDS * 1e9, 1.0)
    x, y = muons.at(float(place.z_mm[2]), place.middle_mm)
    mine = muons.take((np.abs(x) < 300) & (np.abs(y) < 300))  # all muons through a square
    cosine = 1 / np.sqrt(1 + mine.slope_x**2 + mine.slope_y**2)
    assert cosine.mean() == pytest.approx(4 / 5, abs=0.004)  # of the density 4 c^3
    assert np.var(cosine) == pytest.approx(4 / 6 - 16 / 25, abs=0.002)
    azimuth = np.arctan2(mine.slope_y, mine.slope_x)
    assert np.abs(np.exp(1j * azimuth).mean()) < 0.02
    assert len(mine) / SECONDS == pytest.approx(140 * 0.36, rel=0.025)


def test_muons_come_at_random_times() -> None:
    muons = make_muons(np.random.default_rng(2), geometry(), FLUX, SECONDS * 1e9, 1.0)
    assert (np.diff(muons.ns) >= 0).all()
    per_second = np.bincount((muons.ns * 1e-9).astype(int), minlength=int(SECONDS))
    assert np.var(per_second) / per_second.mean() == pytest.approx(1, abs=0.25)


def test_making_them_on_each_plane_in_turn_is_as_making_them_on_one_big_plane() -> None:
    place, heights = geometry(), (219.8, 977.3, 1035.6, 1819.8)
    muons = make_muons(np.random.default_rng(3), place, FLUX, SECONDS * 1e9, 1.0)
    ours = [through(lines_of(muons, place), z) for z in heights]
    seconds = 120.0
    plain = plain_muons(np.random.default_rng(4), 12_000.0, seconds)
    theirs = [through(plain, z) for z in heights]
    for a in range(4):
        for b in range(a, 4):
            n, m = (ours[a] & ours[b]).sum() / SECONDS, (theirs[a] & theirs[b]).sum() / seconds
            error = (n / SECONDS + m / seconds) ** 0.5
            assert abs(n - m) < 4 * error, (a, b, n, m)


def test_muons_through_both_scintillators_are_neither_lost_nor_made_twice() -> None:
    wide = replace(PROFILE.scintillator, side_mm=1500.0)
    profile = replace(PROFILE, scintillator=wide)
    place = geometry_of(shipped_detector("bologna2"), profile)
    muons = make_muons(np.random.default_rng(5), place, FLUX, SECONDS * 1e9, 1.0)
    fired = cross_pair(muons, place, 1500.0).sum() / SECONDS
    x, y, sx, sy = plain_muons(np.random.default_rng(6), 12_000.0, 60.0)
    both = np.ones(len(x), np.bool_)
    for z in place.scintillator_z_mm:
        both &= np.abs(x + sx * (z - 1000)) < 750
        both &= np.abs(y + sy * (z - 1000)) < 750
    assert fired == pytest.approx(both.sum() / 60.0, rel=0.025)


def test_some_muons_bring_a_parallel_one_along() -> None:
    flux = replace(FLUX, partner_share=0.5)
    muons = make_muons(np.random.default_rng(7), geometry(), flux, 20e9, 1.0)
    _, counts = np.unique(muons.ns, return_counts=True)
    assert (counts == 2).mean() == pytest.approx(0.5, abs=0.05)
    twin = np.flatnonzero(np.diff(muons.ns) == 0)
    assert np.array_equal(muons.slope_x[twin], muons.slope_x[twin + 1])
    assert np.abs(muons.x_mm[twin] - muons.x_mm[twin + 1]).max() <= flux.partner_mm


def test_the_projected_angles_spread_as_computed_for_cos_squared() -> None:
    # PHYSICS: 28 deg unrestricted, 8.9 deg inside chambers 0, 2 and 3
    place = geometry()
    muons = make_muons(np.random.default_rng(8), place, FLUX, SECONDS * 1e9, 1.0)
    inside = [through(lines_of(muons, place), z) for z in (219.8, 1035.6, 1819.8)]
    angle = np.degrees(np.arctan(muons.slope_x))
    assert np.std(angle[inside[1]]) == pytest.approx(28, abs=1.5)
    assert np.std(angle[inside[0] & inside[1] & inside[2]]) == pytest.approx(8.9, abs=1.0)


def test_a_slanted_muon_takes_longer_for_a_millimetre_of_height() -> None:
    slopes = np.array([0.0, 1.0, 0.0, -1.0]), np.array([0.0, 0.0, 2.0, 1.0])
    none = np.zeros(4)
    path_mm = np.sqrt([1.0, 2.0, 5.0, 3.0])
    found = flight_ns_per_mm(Muons(none, none, none, *slopes))
    assert found * LIGHT_MM_PER_NS == pytest.approx(path_mm)
