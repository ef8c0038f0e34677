"""What the inspection finds, beyond what the command shows."""

from pathlib import Path

import numpy as np
import pytest

from helpers.simulated import simulated_words
from muonscope.counting.fitting import best_detector
from muonscope.detector import Detector, shipped_detector
from muonscope.inspection import inspect_bytes
from muonscope.transports.memory import MemorySource
from muonscope.units import ORBIT_S
from muonscope.words.layout import Words, pack_hits


def steady(first: int, n: int, step: int = 4, fpga: int = 0) -> Words:
    """Return hits at a steady rate, a hit each ``step`` orbits, in groups of four."""
    return pack_hits(2, fpga, np.arange(n) % 64, first + np.arange(n) // 4 * 4 * step, 7, 8)


@pytest.mark.parametrize("chunk", [999, 1 << 20])
def test_the_report_does_not_depend_on_the_pieces(legnaro: Detector, chunk: int) -> None:
    data = simulated_words(5000).tobytes() + b"cut"
    reports = [
        inspect_bytes(MemorySource({"a": data}, size), legnaro).as_json() for size in (chunk, 4096)
    ]
    for report in reports:
        del report["odd_words"]  # repeats are only looked for within a piece
    assert reports[0] == reports[1]


def test_the_account_is_closed(legnaro: Detector) -> None:
    words = simulated_words(5000)
    report = inspect_bytes(MemorySource({"a": words.tobytes() + b"cut"}), legnaro)
    assert report.total.accounting.words_in == len(words)
    assert report.rejects.bytes_rejected == 3
    assert sum(report.words_by_head.values()) == len(words)
    assert sum(report.words_by_fpga.values()) == len(words)


def test_live_time_leaves_holes_out(legnaro: Detector) -> None:
    words = np.concatenate([steady(1000, 20_000), steady(2_000_000, 20_000)])
    report = inspect_bytes(MemorySource({"a": words.tobytes()}), legnaro)
    (epoch,) = report.epochs
    hole = 2_000_000 - (1000 + 79_984)
    assert epoch.hole_s == pytest.approx(hole * ORBIT_S)
    assert epoch.live_s == pytest.approx(2 * 80_000 * ORBIT_S, rel=0.01)
    assert epoch.hits == 40_000
    rate = report.as_json()["chambers"][0]["rate_hz"]
    assert rate == pytest.approx(1 / (4 * ORBIT_S), rel=0.01)


def test_rare_hits_are_no_holes(legnaro: Detector) -> None:
    words = steady(1000, 400, step=3000)
    report = inspect_bytes(MemorySource({"a": words.tobytes()}), legnaro)
    assert [epoch.hole_s for epoch in report.epochs] == [0.0]


def test_each_reset_is_an_epoch(legnaro: Detector) -> None:
    words = np.concatenate([steady(3_000_000, 400), steady(1000, 400), steady(10, 400)])
    report = inspect_bytes(MemorySource({"a": words.tobytes()}), legnaro)
    assert [epoch.hits for epoch in report.epochs] == [400, 400, 400] or (
        [epoch.hits for epoch in report.epochs] == [400, 800]  # 1000 orbits back may be late
    )
    assert report.epochs[0].first_orbit == 3_000_000


def test_the_detector_that_maps_most_is_chosen(realdata: Path) -> None:
    text = (realdata / "run000591_data_000000.txt").read_bytes()[: 1 << 16]
    detector, share = best_detector(text)
    assert (detector.name, share > 0.99) == ("run000591", True)
    sample = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    assert best_detector(sample)[0].name == "legnaro"


@pytest.mark.parametrize("first", [b"", b"\0", b"<html>", b"HEAD,FPGA\n1,2\n", b"PAR1"])
def test_the_default_is_chosen_where_none_fits(first: bytes) -> None:
    detector, share = best_detector(first)
    assert detector == shipped_detector()
    assert share == 0


def test_nothing_at_all_can_be_inspected() -> None:
    report = inspect_bytes(MemorySource({}))
    assert report.total.accounting.words_in == 0
    assert report.as_json()["live_s"] == 0
    assert report.streams == []


def test_only_the_first_notes_are_kept(legnaro: Detector) -> None:
    parts = [steady(1_000_000 * (n % 2 + 1), 40) for n in range(300)]
    report = inspect_bytes(MemorySource({"a": np.concatenate(parts).tobytes()}), legnaro)
    assert len(report.notes) <= 100
    assert report.total.accounting.words_in == 12_000
