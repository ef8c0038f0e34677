"""The truth: a row for every word, and what it says agrees with the words and with itself."""

import numpy as np
import pyarrow as pa
import pytest

import muonscope
from muonscope.api import Simulated, rows_of
from muonscope.simulation.chambers import drift_ns
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.signals import Origin
from muonscope.simulation.truth import TRUTH_COLUMNS
from muonscope.words.layout import unpack


@pytest.fixture(scope="module")
def run() -> Simulated:
    return muonscope.simulate(
        "legnaro", seconds=20.0, seed=5, faults=["duplicate:0.02@5s-9s", "corrupt:0.01@10s-12s"]
    )


def column(table: pa.Table, name: str, null: float = -1) -> np.ndarray:
    values = table[name].to_pylist()
    return np.array([null if value is None else value for value in values])


def test_every_word_has_a_row(run: Simulated) -> None:
    assert column(run.hits, "word").tolist() == list(range(len(run.words)))
    origins = set(run.hits["origin"].to_pylist())
    assert origins == {origin.name.lower() for origin in Origin}


def test_rows_name_the_channel_that_the_word_shows(run: Simulated) -> None:
    origin = np.array(run.hits["origin"].to_pylist())
    sound = (origin != "corrupt") & (column(run.hits, "channel") >= 0)
    fields = unpack(run.words, 2, 2)
    assert np.array_equal(column(run.hits, "channel")[sound], fields.channel[sound])
    assert np.array_equal(column(run.hits, "fpga"), fields.fpga)
    cells = run.detector.cells()
    in_cell = np.flatnonzero(sound & (column(run.hits, "layer") > 0))
    chamber = column(run.hits, "chamber")[in_cell].astype(int)
    cell = chamber * 64 + fields.channel[in_cell] % 64
    for name in ("chamber", "layer", "wire"):
        assert np.array_equal(column(run.hits, name)[in_cell], getattr(cells, name)[cell])


def test_ancillary_words_have_no_channel_and_scintillators_no_layer(run: Simulated) -> None:
    origin = np.array(run.hits["origin"].to_pylist())
    assert (column(run.hits, "channel")[origin == "ancillary"] == -1).all()
    scintillator = origin == "scintillator"
    assert (column(run.hits, "channel")[scintillator] == 128).all()
    assert (column(run.hits, "layer")[scintillator] == -1).all()


def test_distance_and_side_are_those_of_the_muons_line(run: Simulated) -> None:
    origin = np.array(run.hits["origin"].to_pylist())
    number = column(run.muons, "muon")
    of_muon = column(run.hits, "muon").astype(int)
    rows = np.flatnonzero((origin == "muon") & np.isin(of_muon, number))
    assert len(rows) > 15_000
    muon = np.searchsorted(number, of_muon[rows])
    cells, chambers = run.detector.cells(), run.detector.chambers
    chamber = column(run.hits, "chamber")[rows].astype(int)
    cell = chamber * 64 + column(run.hits, "channel")[rows].astype(int) % 64
    z = np.array([c.z_mm for c in chambers])[chamber] + cells.z_mm[cell]
    phi = np.array([c.view == "phi" for c in chambers])[chamber]
    x = column(run.muons, "x_mm")[muon] + column(run.muons, "slope_x")[muon] * z
    y = column(run.muons, "y_mm")[muon] + column(run.muons, "slope_y")[muon] * z
    offset = np.where(phi, x, y) - cells.x_mm[cell]
    told = column(run.hits, "drift_mm")[rows]
    side = column(run.hits, "side")[rows]
    assert told == pytest.approx(np.abs(offset), abs=1e-4)
    assert np.array_equal(side, np.sign(offset))
    next_door = np.abs(offset) > 21
    assert 0.002 < next_door.mean() < 0.05


def test_times_are_the_muons_plus_the_drift(run: Simulated) -> None:
    fields = unpack(run.words, 2, 2)
    origin = np.array(run.hits["origin"].to_pylist())
    number = column(run.muons, "muon")
    of_muon = column(run.hits, "muon").astype(int)
    rows = np.flatnonzero((origin == "muon") & np.isin(of_muon, number))
    muon = np.searchsorted(number, of_muon[rows])
    orbit = column(run.muons, "orbit")[muon]
    ns = 25 * (fields.bx[rows] + fields.tdc[rows] / 30) + 89_100.0 * (fields.orbit[rows] - orbit)
    since = ns - column(run.muons, "ns")[muon]
    chamber = column(run.hits, "chamber")[rows].astype(int)
    phi = np.array([c.view == "phi" for c in run.detector.chambers])[chamber]
    slope = np.where(phi, column(run.muons, "slope_x")[muon], column(run.muons, "slope_y")[muon])
    cell = PROFILES["legnaro"].cell
    expected = drift_ns(cell, column(run.hits, "drift_mm")[rows].astype(float), slope)
    rest = since - expected
    near = column(run.hits, "drift_mm")[rows] < 20
    for place in range(4):
        mine = rest[near & (chamber == place)]
        assert np.std(mine) == pytest.approx(cell.smear_ns, abs=0.8)
        assert abs(np.mean(mine)) < 15


def test_measured_drift_times_are_unbiased_in_every_chamber() -> None:
    run = muonscope.simulate("bologna", seconds=60.0, seed=2)
    fields = unpack(run.words, 2, 2)
    ns = (fields.orbit * 3564 + fields.bx + fields.tdc / 30) * 25
    origin = np.array(run.hits["origin"].to_pylist())
    of_muon, r = column(run.hits, "muon").astype(int), column(run.hits, "drift_mm")
    fired = np.flatnonzero(origin == "scintillator")
    rows = np.flatnonzero((origin == "muon") & (r < 20) & np.isin(of_muon, of_muon[fired]))
    signal = fired[np.searchsorted(of_muon[fired], of_muon[rows])]
    chamber = column(run.hits, "chamber")[rows].astype(int)
    offset = np.array([c.drift_offset_ns for c in run.detector.chambers])[chamber]
    muon = np.searchsorted(column(run.muons, "muon"), of_muon[rows])
    slope = column(run.muons, "slope_x")[muon]
    rest = ns[rows] - ns[signal] + offset - drift_ns(PROFILES["bologna"].cell, r[rows], slope)
    for place in (0, 1):
        mine = rest[chamber == place]
        assert len(mine) > 1500
        assert abs(mine.mean()) < 0.6  # 6.4 ns of jitter and smearing in each
        assert mine.std() == pytest.approx((4**2 + 5**2) ** 0.5, abs=1)


def test_times_of_muons_go_on_from_slab_to_slab() -> None:
    run = muonscope.simulate("legnaro", seconds=100.0, seed=3)
    times_s = column(run.muons, "time_s")
    assert (np.diff(times_s) >= 0).all()
    assert times_s[-1] > 99.0
    per_ten_seconds = np.histogram(times_s, bins=10, range=(0, 100))[0]
    assert per_ten_seconds.min() > 0.8 * per_ten_seconds.max()


def test_layers_of_a_muon_are_where_its_line_goes(run: Simulated) -> None:
    muons = run.muons
    layers = np.array(muons["layers"].to_pylist())
    assert layers.shape == (len(muons), 4)
    assert layers.max() == 4
    assert (layers.sum(axis=1) > 0).mean() > 0.95
    both = column(muons, "scintillator", null=0).astype(bool)
    assert (layers[both] >= 3).all()
    expected = 1.55 * 20
    assert both.sum() == pytest.approx(expected, abs=5 * expected**0.5)


def test_faults_are_told(run: Simulated) -> None:
    faults = rows_of(run.truth, "fault").to_pylist()
    assert faults == [
        {"fault": "duplicate:0.02@5s-9s", "start_s": 5.0, "end_s": 9.0},
        {"fault": "corrupt:0.01@10s-12s", "start_s": 10.0, "end_s": 12.0},
    ]


def test_the_columns_are_those_documented(run: Simulated) -> None:
    assert run.truth.column_names == list(TRUTH_COLUMNS)
    assert rows_of(run.truth, "muon").column_names == [
        "muon", "time_s", "orbit", "ns", "x_mm", "y_mm", "slope_x", "slope_y", "layers",
        "scintillator",
    ]  # fmt: skip
    assert len(rows_of(muonscope.simulate(seconds=0.5).truth, "fault")) == 0
