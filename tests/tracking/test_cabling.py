"""Cables from coincidences: what was exchanged is named, and nothing where nothing was."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import muonscope
from muonscope.counting.geometry_fit import GeometryFit
from muonscope.detector import Detector, parse_detector, shipped_detector
from muonscope.detector.write import detector_toml
from muonscope.errors import OptionError
from muonscope.simulation.cabling import channel_of_cells
from muonscope.tracking.cabling import Cabling, cabling_of, corrected
from muonscope.tracking.coincidences import coincidences
from muonscope.tracking.layout import layout_of
from tracking.matched import hits_in

LEGNARO = shipped_detector("legnaro")


def found(
    cabling: Sequence[str] = (), seconds: float = 60.0, seed: int = 3, profile: str = "legnaro",
    faults: Sequence[str] = (), detector: Detector = LEGNARO,
) -> Cabling:  # fmt: skip
    run = muonscope.simulate(profile, seconds=seconds, seed=seed, cabling=cabling, faults=faults)
    time, cell, _ = hits_in(run.words, detector)
    return cabling_of(detector, time, cell)


def test_coincidences_are_pairs_of_hits_within_400_ns() -> None:
    time = np.array([0, 100, 479, 481, 5000, 5001, 5001])
    cell = np.array([3, 7, 9, 11, 3, 7, 3])
    counts = coincidences(layout_of(LEGNARO), time, cell)
    pairs = [
        (a, b) for i, a in enumerate(cell) for j, b in enumerate(cell)
        if i != j and abs(time[i] - time[j]) * 25 / 30 <= 400 and a != b
    ]  # fmt: skip
    expected = np.zeros_like(counts)
    np.add.at(expected, tuple(np.array(pairs).T), 1)
    assert np.array_equal(counts, expected)
    assert counts.sum() == 14


@pytest.mark.parametrize(
    ("cabling", "problem"),
    [
        (["ch0=ch3"], "chamber 0 and chamber 3 are swapped"),
        (["ch1=ch2"], "chamber 1 and chamber 2 are swapped"),
        (["ch0.1=ch2.3"], "connector 16-31 of chamber 0 and connector 48-63 of chamber 2 are swap"),
        (["ch3.0=ch3.1"], "connector 64-79 of chamber 3 and connector 80-95 of chamber 3 are swap"),
        (["ch0:5=ch0:6"], "channels ch0:5 and ch0:6 are swapped"),
        (["ch0:20=ch3:100"], "channels ch0:20 and ch3:100 are swapped"),
    ],
)
def test_what_is_exchanged_is_named_within_a_minute(cabling: list[str], problem: str) -> None:
    told = found(cabling)
    assert len(told.problems) == 1
    assert told.problems[0].startswith(problem)
    assert np.array_equal(told.place, np.argsort(channel_of_cells(cabling, LEGNARO)))
    assert told.gain > 0


def test_any_two_connectors_are_put_right() -> None:
    run = muonscope.simulate("legnaro", seconds=30.0, seed=4)
    time, cell, _ = hits_in(run.words, LEGNARO)
    for one in range(0, 16, 3):
        for other in range(one):
            spec = f"ch{one // 4}.{one % 4}=ch{other // 4}.{other % 4}"
            read_on = channel_of_cells([spec], LEGNARO)
            told = cabling_of(LEGNARO, time, read_on[cell])
            assert np.array_equal(told.place, np.argsort(read_on)), spec


@pytest.mark.parametrize("profile", ["legnaro", "trains", "bologna"])
def test_cables_that_are_right_are_told_to_be(profile: str) -> None:
    detector = shipped_detector("bologna2") if profile == "bologna" else LEGNARO
    for seed in range(5):
        told = found(seconds=20.0, seed=seed, profile=profile, detector=detector)
        assert told.as_told
        assert told.gain == 0.0


@pytest.mark.parametrize(
    "fault", ["hv-off:ch0", "hv-off:ch1", "low-gain:ch2:0.5", "noisy:ch0:20:2000", "gas:50"]
)
def test_faults_are_not_taken_for_cables(fault: str) -> None:
    assert found(faults=[fault], seconds=30.0).as_told


def test_a_chamber_that_is_nearly_dead_does_not_hide_cables_that_are_exchanged() -> None:
    for seed in (1, 3):
        told = found(["ch0.1=ch2.3"], faults=["low-gain:ch1:0.02"], seed=seed)
        assert len(told.problems) == 1
        assert told.problems[0].startswith("connector 16-31 of chamber 0")
        assert told.unsure > 55


def test_all_channels_in_any_order_are_put_right() -> None:
    for seed in (1, 2):
        cabling = [f"shuffle:{seed}"]
        told = found(cabling, seconds=300.0)
        right = np.argsort(channel_of_cells(cabling, LEGNARO))
        assert (told.place == right).mean() >= 0.99
        assert "(25" in told.problems[-1]  # of 256 hardly one stays where it is
        assert corrected(LEGNARO, told.place) is None


def test_silence_tells_nothing() -> None:
    none = np.empty(0, np.int64)
    told = cabling_of(LEGNARO, none, none)
    assert told.as_told
    assert told.unsure == 256


def test_a_detector_file_says_what_was_found() -> None:
    for cabling in (["ch0=ch2"], ["ch1:70=ch1:81"], ["ch1=ch3", "ch0:5=ch0:50"]):
        told = found(cabling)
        right = corrected(LEGNARO, told.place)
        assert right is not None
        again = parse_detector(detector_toml(right, ()))
        assert again.cells().layer.tolist() == right.cells().layer.tolist()
        assert again.fingerprint == right.fingerprint != LEGNARO.fingerprint
        run = muonscope.simulate("legnaro", seconds=60.0, seed=9, cabling=cabling)
        time, cell, _ = hits_in(run.words, again)
        assert cabling_of(again, time, cell).as_told


def test_published_words_have_two_pairs_of_wires_exchanged(realdata: Path) -> None:
    detector = shipped_detector("run000591")
    time, cell, _ = hits_in(np.fromfile(realdata / "run000591_data_000000.dat", "<u8"), detector)
    told = cabling_of(detector, time, cell)
    assert told.problems == (
        "channels ch1:108 and ch1:110 are swapped", "channels ch1:109 and ch1:111 are swapped",
    )  # fmt: skip


def test_the_geometry_that_fits_is_named() -> None:
    for name in ("run001228", "run001231", "legnaro"):
        words = muonscope.simulate(
            "legnaro", seconds=10.0, seed=4, detector=shipped_detector(name)
        ).words
        for read_as in ("legnaro", "run001228", "run001231"):
            fit = GeometryFit(shipped_detector(read_as))
            fit.take(words)
            assert fit.better() == ("" if read_as == name else name)
    quiet = GeometryFit(LEGNARO)
    quiet.take(words[:100])
    assert quiet.better() == ""


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("ch0", "expected chN=chM"),
        ("ch0=ch9", "found 'ch9'"),
        ("ch0=ch1.2", "found 64 and 16 channels"),
        ("ch0.7=ch1.2", "chamber 0 has no 'ch0.7'"),
        ("ch0:64=ch0:1", "chamber 0 has no 'ch0:64'"),
        ("shuffle:x", "expected chN=chM"),
        ("ch0=ch1=ch2", "found 'ch1=ch2'"),
    ],
)
def test_cables_that_there_are_not_are_refused(spec: str, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        muonscope.simulate("legnaro", seconds=1.0, cabling=[spec])
