"""The judge: what it says without a reference, of gaps, of known problems, and of old results."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

import muonscope
from helpers.judged import FAULT_S, judged, problems, reference, windows
from helpers.window_messages import as_version_1, lines_of
from muonscope.counting.summary import Summary
from muonscope.detector import shipped_detector
from muonscope.quality.judge import AUTO_S, Judge
from muonscope.quality.profile import parse_profiles
from muonscope.quality.reference import ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import State
from muonscope.results.message import ByteAccounting
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.simulation.options import detector_of

QUIET = detector_of("quiet")


def test_nothing_is_said_before_the_first_window() -> None:
    judge = Judge(QUIET)
    assert judge.judged.state == State.NOT_ENOUGH
    assert judge.judged.reason == "no window has come yet"


def test_without_a_reference_the_rest_says_so() -> None:
    judge, changes = judged(windows("quiet", 60.0))
    assert problems(changes) == []
    assert judge.judged.unjudged == [
        "telescope_rate", "chambers_together", "scintillator", "scintillator_in_time",
        "drift_box", "cell_trains",
    ]  # fmt: skip
    assert "without a reference 6 checks do not judge" in judge.judged.reason


@pytest.mark.parametrize(
    ("fault", "check", "target"),
    [
        ("dead:ch0:5", "cell_dead", "ch0:5"),
        ("hv-off:ch1", "chamber_rate", "ch1"),
        ("silent:fpga1", "fpga_silent", "fpga1"),
        ("noisy:ch2:10:500", "cell_rate", "ch2:10"),
        ("duplicate:0.01", "integrity", "repeated"),
    ],
)
def test_what_a_run_tells_by_itself_is_judged_without_a_reference(
    fault: str, check: str, target: str
) -> None:
    _, changes = judged(windows("quiet", 80.0, 7, f"{fault}@{FAULT_S:g}s-"))
    first = problems(changes)[0].verdict
    assert (first.check, first.target) == (check, target)
    assert FAULT_S < first.since_s < FAULT_S + 15


def test_a_hot_cell_of_old_is_told_without_a_reference_and_not_with_one() -> None:
    """The simulated Legnaro has a cell of 240 Hz."""
    some = windows("legnaro", 60.0)
    _, alone = judged(some)
    assert "ch0:61" in {c.verdict.target for c in problems(alone)}
    _, compared = judged(some, known=reference("legnaro"))
    assert problems(compared) == []


@pytest.mark.slow
def test_ten_calm_minutes_become_the_reference() -> None:
    judge, changes = judged(windows("quiet", 700.0, 7, "dead-scintillator@660s-"), auto=True)
    assert judge.reference
    assert judge.reference.live_s == pytest.approx(AUTO_S, abs=2)
    (found,) = problems(changes)
    assert (found.verdict.check, found.verdict.state) == ("scintillator", State.BAD)
    assert 660 < found.verdict.since_s < 680


@pytest.mark.slow
def test_what_the_learnt_reference_explains_is_told_to_be_over() -> None:
    judge, changes = judged(windows("legnaro", 640.0), auto=True)
    assert judge.reference
    told: dict[tuple[str, str], State] = {}
    for change in changes:
        key = change.verdict.check, change.verdict.target
        before = told.get(key, State.GOOD)
        assert change.before == before or max(change.before, before) <= State.NOT_ENOUGH
        told[key] = change.verdict.state
    assert ("cell_rate", "ch0:61") in told
    stand = {key: verdict.state for key, verdict in judge.judged.verdicts.items()}
    wrong = {key for key, state in told.items() if state > State.NOT_ENOUGH}
    assert wrong == {key for key, state in stand.items() if state > State.NOT_ENOUGH}


@pytest.mark.slow
def test_time_that_is_bad_is_no_reference() -> None:
    judge, _ = judged(windows("quiet", 700.0, 7, "hv-off:ch1@300s-310s"), auto=True)
    assert judge.reference is None


def test_a_time_without_windows_is_told_and_is_over() -> None:
    some = windows("quiet", 90.0)
    _, changes = judged([*some[:30], *some[60:]], known=reference())
    gone, back = changes
    assert (gone.verdict.check, gone.verdict.state) == ("data", State.NO_DATA)
    assert "no window from 30 s to 60 s in the run" in gone.verdict.text
    assert (back.verdict.state, back.before) == (State.GOOD, State.NO_DATA)


def test_a_known_problem_is_shown_and_does_not_count_until_it_expires() -> None:
    text = """
[[known]]
target = "ch0:5"
until = 2026-12-31
why = "wire is cut"
"""
    profiles = parse_profiles(text, where="mine.toml")
    some = windows("quiet", 80.0, 7, "dead:ch0:5")
    for today, state in ((date(2026, 12, 31), State.WARN), (date(2027, 1, 1), State.BAD)):
        judge = Judge(QUIET, profiles=profiles, reference=reference(), today=today)
        for window in some:
            judge.take(window)
        assert judge.judged.state == state  # of chamber 0 with a dead cell it is still told
        (cell,) = [v for v in judge.judged.problems if v.target == "ch0:5"]
        assert cell.state == State.BAD
        assert bool(cell.known) == (today.year == 2026)
        assert "wire is cut" in cell.known or today.year == 2027


def test_the_profile_is_that_of_the_conditions() -> None:
    text = """
[profile.off]
when = {hv = "0"}
check.cell_dead.enabled = false
"""
    some = [replace(w, conditions={"hv": "0"}) for w in windows("quiet", 80.0, 7, "dead:ch0:5")]
    judge, _ = judged(some, known=reference(), profiles=parse_profiles(text, where="p"))
    assert judge.profile.name == "off"
    assert "cell_dead" not in {check for check, _ in judge.judged.verdicts}


def test_results_of_version_1_are_judged_by_what_they_tell() -> None:
    words = np.concatenate([np.empty(0, np.uint64), _words("hv-off:ch1@20s-")])
    old = [read_result(as_version_1(line), QUIET) for line in lines_of(words, detector=QUIET)]
    rows = [w for w in old if isinstance(w, WindowResult)]
    assert {w.version for w in rows} == {1}
    judge, changes = judged(rows)
    assert {(c.verdict.check, c.verdict.target) for c in problems(changes)} == {
        ("chamber_rate", "ch1")
    }
    assert ("cell_dead", "ch0:5") in judge.judged.verdicts
    assert judge.judged.verdicts["cell_dead", "ch0:5"].state == State.NOT_ENOUGH


def _words(fault: str) -> np.ndarray:
    return muonscope.simulate("quiet", seconds=40.0, seed=7, faults=[fault]).words


def test_a_reference_of_version_1_makes_no_problems_of_what_it_does_not_tell() -> None:
    old = ReferenceBuilder(QUIET)
    for line in lines_of(muonscope.simulate("quiet", seconds=60.0, seed=9).words, detector=QUIET):
        told = read_result(as_version_1(line), QUIET)
        assert isinstance(told, WindowResult)
        old.add(Seen.of(told))
    _, sound = judged(windows("quiet", 60.0), known=old.build("old"))
    assert problems(sound) == []
    _, bad = judged(windows("quiet", 80.0, 7, "hv-off:ch1@40s-"), known=old.build("old"))
    assert {c.verdict.target for c in problems(bad)} == {"ch1"}


def test_what_could_not_be_decoded_is_judged_at_the_end() -> None:
    judge = Judge(QUIET)
    account = ByteAccounting(
        bytes_in=1000, bytes_decoded=900, bytes_rejected=100, rejects={"BAD_NUMBER": 4}
    )
    summary = Summary.empty(QUIET).condensed()
    (change,) = judge.end(Remainder(run="r", summary=summary, bytes=account))
    assert change.verdict.state == State.BAD
    assert change.verdict.text == "100 of 1,000 bytes could not be decoded: BAD_NUMBER 4"


def test_an_fpga_that_ends_a_little_before_the_other_is_not_silent() -> None:
    """The last window has a few words of one FPGA and none of the other."""
    words = muonscope.simulate("quiet", seconds=40.0, seed=7).words
    orbits, fpga = (
        words >> np.uint64(17) & np.uint64(0xFFFFFFFF),
        words >> np.uint64(58) & np.uint64(7),
    )
    hits = words >> np.uint64(61) == np.uint64(2)
    last = orbits[hits].max()
    window = last - last % np.uint64(1122)  # the last 0.1 s that has begun
    words = words[~(hits & (fpga == 1) & (orbits >= window))]
    for length in (0.1, 0.01, 1.0):
        rows = muonscope.summarise(words, QUIET, window=length)
        _, changes = judged([WindowResult.of(row, "r") for row in rows], known=reference())
        assert problems(changes) == [], length


def test_a_reference_may_be_of_other_windows() -> None:
    words = muonscope.simulate("quiet", seconds=40.0, seed=7, faults=["hv-off:ch1@20s-"]).words
    for length in (0.25, 4.0):
        rows = muonscope.summarise(words, QUIET, window=length)
        _, changes = judged([WindowResult.of(row, "r") for row in rows], known=reference())
        assert {c.verdict.target for c in problems(changes)} == {"ch1"}


def test_an_epoch_that_begins_changes_no_verdict() -> None:
    some = windows("quiet", 90.0)
    later = [replace(w, epoch=1) for w in some[45:]]
    judge, changes = judged([*some[:45], *later], known=reference())
    assert problems(changes) == []
    assert judge.windows == len(some)


def test_a_detector_of_one_chamber_is_judged() -> None:
    text_free = shipped_detector("legnaro")
    one = replace(text_free, chambers=text_free.chambers[:1], scintillators=())
    judge = Judge(one)
    assert judge.judged.problems == []
