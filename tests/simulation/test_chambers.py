"""Cells: which are reached, how long the electrons drift, how wide the time box is."""

from dataclasses import replace

import numpy as np
import pytest

from muonscope.detector import shipped_detector
from muonscope.simulation.chambers import chamber_delays_ns, cross, drift_ns, respond, shower
from muonscope.simulation.geometry import Geometry, geometry_of
from muonscope.simulation.muons import Muons, make_muons
from muonscope.simulation.profiles import (
    LINEAR_CELL,
    PROFILES,
    REALISTIC_CELL,
    Cell,
    Profile,
    Secondaries,
)

BARE = Secondaries(delta_share=0.0, afterpulse_share=0.0, shower_share=0.0, half_shower_share=0.0)


def profile_with(cell: Cell) -> Profile:
    return replace(PROFILES["quiet"], cell=cell, secondaries=BARE)


def muon(x: float, y: float = 5.0, slope_x: float = 0.0, slope_y: float = 0.0) -> Muons:
    """Return one muon, given where it is at the middle height."""
    return Muons(*(np.array([value]) for value in (0.0, x, y, slope_x, slope_y)))


def geometry(detector: str = "legnaro", cell: Cell = REALISTIC_CELL) -> Geometry:
    return geometry_of(shipped_detector(detector), profile_with(cell))


def box_width_ns(cell: Cell) -> float:
    """Return the width at half height of the box of cosmic muons, each in its own cell."""
    profile, place = profile_with(cell), geometry(cell=cell)
    rng = np.random.default_rng(11)
    muons = make_muons(rng, place, profile.muons, 1500e9, 1.0)
    crossings, reached = cross(muons, place, profile)
    reached = reached.take(reached.layer < 4)
    signals, seen = respond(rng, crossings, reached, np.arange(len(muons)), place, profile, (), 0.0)
    along_wire = (cell.half_length_mm + seen.along_mm) / cell.signal_mm_per_ns
    drift = signals.ns - crossings.ns[seen.crossing] - along_wire
    counts, edges = np.histogram(drift, np.arange(-50, 451))
    middles = (edges[:-1] + edges[1:]) / 2
    half = np.median(counts[(middles > 100) & (middles < 300)]) / 2
    first, last = np.flatnonzero(counts > half)[[0, -1]]
    rising = np.interp(half, counts[first - 1 : first + 1], middles[first - 1 : first + 1])
    falling = np.interp(half, counts[[last + 1, last]], middles[[last + 1, last]])
    return float(falling - rising)


@pytest.mark.parametrize(
    ("angle_deg", "times_ns"),
    [
        (0.0, [5.9, 13.9, 31.2, 68.3, 142.0, 215.5, 289.4, 363.3, 372.6]),
        (30.0, [4.6, 11.4, 26.3, 59.1, 135.8, 208.1, 280.0, 357.6, 366.3]),
    ],
)
def test_drift_times_are_those_tabulated(angle_deg: float, times_ns: list[float]) -> None:
    # the table is GARFIELD's parametrisation, the relation a fit to it over the whole cell
    distance = np.array([0.5, 1, 2, 4, 8, 12, 16, 20, 20.5])
    slope = np.full(len(distance), np.tan(np.radians(angle_deg)))
    rest = drift_ns(REALISTIC_CELL, distance, slope) - times_ns
    assert np.sqrt((rest**2).mean()) < (0.35 if angle_deg == 0 else 2.4)


def test_drift_in_the_linear_cell_is_the_distance_over_the_velocity() -> None:
    drift = drift_ns(LINEAR_CELL, np.array([0.0, 10.5, 21.0]), np.array([0.0, 0.5, -1.0]))
    assert drift == pytest.approx([0, 194.99, 389.97], abs=0.01)


def test_steep_tracks_still_have_times_that_grow_with_the_distance() -> None:
    for slope in (1.0, 3.0, -10.0):
        drift = drift_ns(REALISTIC_CELL, np.linspace(0, 20.5, 400), np.full(400, slope))
        assert drift.min() > -12  # the near-wire term wins below a millimetre, as fitted
        assert (np.diff(drift[40:]) > 0).all()


def test_the_time_box_of_the_linear_cell_is_390_ns_wide() -> None:
    assert box_width_ns(LINEAR_CELL) == pytest.approx(390.0, abs=0.3)


def test_the_time_box_of_the_realistic_cell_is_367_to_370_ns_wide() -> None:
    # real chambers: 370.5 and 366.7 (Bologna), about 365 (Run 617)
    assert 367 <= box_width_ns(REALISTIC_CELL) <= 370


def test_a_vertical_muon_reaches_the_cells_around_it_in_every_layer() -> None:
    place = geometry()
    for x in (-310.0, -160.0, 3.0, 250.0):
        crossings, reached = cross(muon(x), place, profile_with(LINEAR_CELL))
        mine = reached.take(crossings.chamber[reached.crossing] == 0)
        assert sorted(mine.layer.tolist()) == [0, 1, 2, 3]
        for layer, wire, r, side in zip(mine.layer, mine.wire, mine.r_mm, mine.side, strict=True):
            at = 42 * wire + {0: -294, 1: -315, 2: -294, 3: -315}[int(layer)]
            assert x == pytest.approx(at + side * r)


def test_a_theta_chamber_measures_y() -> None:
    crossings, reached = cross(muon(100.0, -50.0), geometry(), profile_with(LINEAR_CELL))
    places = dict(zip(crossings.chamber.tolist(), crossings.x_mm.tolist(), strict=True))
    assert places == {0: 100.0, 1: -50.0, 2: 100.0, 3: 100.0}
    along = reached.along_mm[crossings.chamber[reached.crossing] == 1]
    assert (along == 100.0).all()


def test_a_slanted_muon_reaches_a_second_cell_as_often_as_its_slope_says() -> None:
    n, slope = 40_000, 0.5
    rng = np.random.default_rng(5)
    muons = Muons(
        np.zeros(n), rng.uniform(-210, 210, n), np.zeros(n), np.full(n, slope), np.zeros(n)
    )
    crossings, reached = cross(muons, geometry(), profile_with(REALISTIC_CELL))
    mine = reached.take(crossings.chamber[reached.crossing] == 2)
    second = mine.layer >= 4
    share = second.sum() / (~second).sum()
    wall = 2 * (21 - REALISTIC_CELL.half_width_mm)
    assert share == pytest.approx((slope * 11.5 - wall) / 42, abs=0.004)
    assert mine.r_mm[second].min() >= 21  # at the height of its wire it is next door
    assert mine.r_mm[second].max() <= REALISTIC_CELL.half_width_mm + slope * 11.5 / 2


def test_drift_times_do_not_jump_at_the_wall_and_end_with_the_gas() -> None:
    cell = replace(REALISTIC_CELL, smear_ns=0.0, corner_efficiency=1.0)
    profile = profile_with(cell)
    for slope in (0.2, 0.36, 0.7):
        x = np.linspace(-294 + 15, -294 + 27, 1200)  # across a wall of layers 1 and 3
        muons = Muons(np.zeros(1200), x, np.full(1200, 5.0), np.full(1200, slope), np.zeros(1200))
        up = geometry().z_mm[0] - geometry().middle_mm
        muons = replace(muons, x_mm=x - slope * (up - 19.5))  # there at the lowest layer
        crossings, reached = cross(muons, geometry(), profile)
        rng, place = np.random.default_rng(1), geometry()
        signals, seen = respond(rng, crossings, reached, np.arange(1200), place, profile, (), 0.0)
        mine = (seen.layer % 4 == 0) & (crossings.chamber[seen.crossing] == 0)
        drift = signals.ns - crossings.ns[seen.crossing] - (350 + seen.along_mm) / 244
        for wire in (0, 1):
            times = drift[mine & (seen.wire == wire)]
            assert len(times) > 100
            assert np.abs(np.diff(times)).max() < 2, (slope, wire)
            assert times.max() <= 20.35 / 0.0542 - 5.4


def test_a_corner_of_the_gas_gives_a_hit_only_now_and_then() -> None:
    cell = replace(REALISTIC_CELL, efficiency=1.0)
    n, slope = 20_000, 0.5
    rng = np.random.default_rng(6)
    x, y = rng.uniform(-210, 210, (2, n))
    muons = Muons(np.zeros(n), x, y, np.full(n, slope), np.zeros(n))
    crossings, reached = cross(muons, geometry(), profile_with(cell))
    _, seen = respond(
        rng, crossings, reached, np.arange(n), geometry(), profile_with(cell), (), 0.0
    )
    corner = [(r.r_mm > cell.half_width_mm).sum() for r in (seen, reached)]
    assert corner[0] / corner[1] == pytest.approx(cell.corner_efficiency / 2, abs=0.01)
    assert (seen.r_mm <= cell.half_width_mm).sum() == (reached.r_mm <= cell.half_width_mm).sum()


def test_a_muon_beyond_the_gas_or_the_wires_gives_no_hit() -> None:
    profile = profile_with(REALISTIC_CELL)
    wall = -315 + 21  # between two cells of layers 2 and 4, on a wire of 1 and 3
    crossings, reached = cross(muon(wall + 0.3), geometry(), profile)
    measuring_x = crossings.chamber[reached.crossing] != 1
    assert {0, 2} == set(reached.layer[measuring_x].tolist())
    for outside in (muon(-345.0), muon(0.0, 355.0)):
        crossings, reached = cross(outside, geometry(), profile)
        assert 0 not in crossings.chamber[crossings.layers > 0].tolist() or not len(reached)


def test_a_chamber_that_is_shifted_and_tilted_sees_the_muon_in_its_own_frame() -> None:
    place = geometry("run001213")
    assert place.offset_mm[0] == 2.5
    assert place.tilt_rad[0] == pytest.approx(0.013)
    crossings, _ = cross(muon(0.0, slope_x=0.1), place, profile_with(LINEAR_CELL))
    chamber_0 = crossings.take(crossings.chamber == 0)
    along = 0.1 * (place.z_mm[0] - place.middle_mm) - 2.5
    angle = np.arctan(0.1)
    assert np.arctan(chamber_0.slope[0]) == pytest.approx(angle + 0.013)
    # the chamber's plane, turned about its centre, meets the line where geometry says
    expected = along * np.cos(angle) / np.cos(angle + 0.013)
    assert chamber_0.x_mm[0] == pytest.approx(expected)


def test_measured_drift_times_of_vertical_muons_are_the_true_ones() -> None:
    detector = shipped_detector("legnaro")
    profile = profile_with(replace(LINEAR_CELL, smear_ns=0.0))
    place = geometry_of(detector, profile)
    muons = muon(10.0)
    crossings, reached = cross(muons, place, profile)
    signals, seen = respond(
        np.random.default_rng(1), crossings, reached, np.zeros(1, np.int64), place, profile, (), 0.0
    )
    offsets = np.array([c.drift_offset_ns for c in detector.chambers])
    chamber = crossings.chamber[seen.crossing]
    measured = signals.ns - profile.scintillator.delay_ns + offsets[chamber]
    along_wire = seen.along_mm / profile.cell.signal_mm_per_ns  # from the middle of the wire
    assert measured == pytest.approx(seen.r_mm / 0.05385 + along_wire, abs=1e-6)


def test_delays_follow_the_offsets_of_the_detector() -> None:
    delays = chamber_delays_ns(geometry(), PROFILES["quiet"])
    flight = (1019.8 - np.array([219.8, 977.3, 1035.6, 1819.8])) / 299.792458
    assert delays == pytest.approx(95 - np.array([93.9, 101.4, 95.5, 92.4]) - flight - 350 / 244)


def test_a_part_of_the_hits_is_made_early_by_delta_rays() -> None:
    cell = replace(LINEAR_CELL, smear_ns=0.0, efficiency=1.0)
    profile = replace(profile_with(cell), secondaries=replace(BARE, delta_share=0.25))
    place = geometry_of(shipped_detector("legnaro"), profile)
    n = 20_000
    muons = Muons(np.zeros(n), np.full(n, 5.0), np.full(n, 5.0), *np.zeros((2, n)))
    crossings, reached = cross(muons, place, profile)
    rng = np.random.default_rng(2)
    signals, seen = respond(rng, crossings, reached, np.arange(n), place, profile, (), 0.0)
    whole = seen.r_mm / 0.05385
    along_wire = (350 + seen.along_mm) / 244
    share = (signals.ns - crossings.ns[seen.crossing] - along_wire) / whole
    early = share < 1 - 1e-6
    assert early.mean() == pytest.approx(0.25, abs=0.01)
    assert share[early].mean() == pytest.approx(0.5, abs=0.02)


def test_cells_miss_hits_as_often_as_their_efficiency_says() -> None:
    profile = profile_with(replace(LINEAR_CELL, efficiency=0.6))
    place = geometry_of(shipped_detector("legnaro"), profile)
    n = 10_000
    muons = Muons(np.zeros(n), np.full(n, 5.0), np.full(n, 5.0), *np.zeros((2, n)))
    crossings, reached = cross(muons, place, profile)
    _, seen = respond(
        np.random.default_rng(3), crossings, reached, np.arange(n), place, profile, (), 0.0
    )
    assert len(reached) == 16 * n
    assert len(seen) / len(reached) == pytest.approx(0.6, abs=0.005)


def test_showers_fill_chambers_with_early_hits() -> None:
    secondaries = replace(BARE, shower_share=1.0)
    profile = replace(profile_with(REALISTIC_CELL), secondaries=secondaries)
    place = geometry_of(shipped_detector("legnaro"), profile)
    n = 500
    muons = Muons(np.zeros(n), np.zeros(n), *np.zeros((3, n)))
    crossings, _ = cross(muons, place, profile)
    signals = shower(np.random.default_rng(4), crossings, np.arange(n), place, profile)
    assert len(signals) / (4 * n) == pytest.approx(secondaries.shower_hits, rel=0.03)
    assert len(set(signals.address.tolist())) == 256
    delays = chamber_delays_ns(place, profile).mean()
    assert np.median(signals.ns - delays) == pytest.approx(secondaries.shower_ns * np.log(2), abs=4)


def test_a_muon_through_one_chamber_makes_no_shower() -> None:
    profile = replace(profile_with(REALISTIC_CELL), secondaries=replace(BARE, shower_share=1.0))
    place = geometry_of(shipped_detector("legnaro"), profile)
    steep = muon(1500.0, slope_x=1.9)  # only chamber 0
    crossings, _ = cross(steep, place, profile)
    assert crossings.chamber[crossings.layers >= 3].tolist() == [0]
    none = shower(np.random.default_rng(5), crossings, np.arange(1), place, profile)
    assert len(none) == 0
