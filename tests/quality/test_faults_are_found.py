"""Every fault of the simulator ends in the right verdict, of the right target, in words."""

import re

import pytest

from helpers.judged import FAULT_S, judged, problems, reference, windows
from muonscope.quality.advice import ADVICE
from muonscope.quality.verdict import State

pytestmark = pytest.mark.slow

FAULTS = {
    "dead:ch0:5": ("cell_dead", "ch0:5", State.BAD, r"cell ch0 channel 5 .*: 0 occupied ms in "),
    "noisy:ch1:70:200": ("cell_rate", "ch1:70", State.BAD, r"channel 70 .*: \d+ occupied ms"),
    "hv-off:ch1": ("chamber_rate", "ch1", State.BAD, r"chamber 1: 0 orbits with hits in 1\.0 s"),
    "low-gain:ch2:0.5": ("chamber_rate", "ch2", State.BAD, r"chamber 2: \d+ orbits with hits"),
    "low-gain:ch2:0.9": ("chamber_rate", "ch2", State.WARN, r"taken for 0\.9 times that"),
    "gas:50": ("drift_box", "ch", State.BAD, r"fit a box that is (7|10)% longer than the"),
    "shift:ch1:20": ("drift_box", "ch1", State.BAD, r"chamber 1: .* 20 ns later than"),
    "dead-scintillator": (
        "scintillator", "scintillator", State.BAD, r"\d orbits with the scintillator in 1\d\.0 s"
    ),
    "silent:fpga1": ("fpga_silent", "fpga1", State.BAD, r"FPGA 1: 0 words in 1\.0 s, expected"),
    "desync:fpga1:100": (
        "chambers_together", "ch", State.BAD, r"chambers \d and \d \(FPGAs 0 and 1\): \d+ orbits"
    ),
    "duplicate:0.01": ("integrity", "repeated", State.BAD, r"repeated words in \d+ s, 0\.\d+% of"),
    "corrupt:0.01": ("integrity", "invalid", State.BAD, r"invalid words in \d+ s"),
    "burst:10": ("telescope_rate", "telescope", State.BAD, r"taken for 2 times that"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_target_measure_and_expectation(fault: str) -> None:
    check, target, state, text = FAULTS[fault]
    some = windows("quiet", 200.0, 7, f"{fault}@{FAULT_S:g}s-")
    judge, changes = judged(some, known=reference())
    worse = problems(changes)
    assert all(c.verdict.since_s > FAULT_S for c in worse)
    right = [
        c.verdict for c in worse
        if c.verdict.check == check and c.verdict.target.startswith(target)
        and c.verdict.state == state
    ]  # fmt: skip
    assert right, [c.verdict for c in worse]
    assert any(re.search(text, verdict.text) for verdict in right), [v.text for v in right]
    assert judge.judged.state >= state
    assert ADVICE[check]


def test_a_sound_run_is_good_and_says_so() -> None:
    judge, changes = judged(windows("quiet", 600.0, 8), known=reference())
    assert problems(changes) == []
    assert judge.judged.state == State.GOOD
    assert judge.judged.reason == "nothing is wrong"


@pytest.mark.parametrize("profile", ["legnaro", "trains", "bologna"])
def test_sound_runs_of_other_telescopes_are_good(profile: str) -> None:
    _, changes = judged(windows(profile, 600.0, 8), known=reference(profile))
    assert problems(changes) == []


def test_a_dead_fpga_is_one_problem() -> None:
    some = windows("quiet", 120.0, 7, f"silent:fpga0@{FAULT_S:g}s-")
    judge, changes = judged(some, known=reference())
    assert {c.verdict.check for c in problems(changes)} == {"fpga_silent"}
    assert [v.target for v in judge.judged.problems] == ["fpga0"]


def test_a_dead_chamber_is_not_its_64_cells() -> None:
    some = windows("quiet", 120.0, 7, f"hv-off:ch3@{FAULT_S:g}s-")
    _, changes = judged(some, known=reference())
    assert {(c.verdict.check, c.verdict.target) for c in problems(changes)} == {
        ("chamber_rate", "ch3")
    }


def test_a_fault_that_ends_is_cleared() -> None:
    some = windows("quiet", 200.0, 7, f"hv-off:ch1@{FAULT_S:g}s-80s")
    judge, changes = judged(some, known=reference())
    assert judge.judged.problems == []
    back = changes[-1].verdict
    assert (back.state, back.target) == (State.GOOD, "ch1")
    assert 83 <= back.since_s < 100
    assert "as many orbits with hits as expected" in back.text


def test_a_hot_cell_does_not_make_its_chamber_doubtful() -> None:
    some = windows("quiet", 120.0, 7, f"noisy:ch1:70:200@{FAULT_S:g}s-")
    _, changes = judged(some, known=reference())
    assert {c.verdict.check for c in problems(changes)} == {"cell_rate"}
