"""What a morning report says of simulated nights: each fault, with its times, and nothing else."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

import muonscope
from helpers.nights import EVENING, archive_night
from muonscope.archiving.archive import Archive
from muonscope.archiving.good_windows import sign
from muonscope.archiving.notes import Note, add_note
from muonscope.archiving.upkeep import thin
from muonscope.detector import shipped_detector
from muonscope.errors import SourceNotFoundError
from muonscope.processing.report import MorningReport, chamber_rows, integrity_of, velocity_of
from muonscope.processing.report_course import Course, Moment
from muonscope.processing.report_gathering import morning_report
from muonscope.processing.report_problems import Problem, Span, grouped
from muonscope.processing.report_words import TITLES, place_text
from muonscope.quality.advice import ADVICE
from muonscope.quality.profile import parse_profiles
from muonscope.quality.verdict import State

HOUR, DAY = 3600.0, 86_400.0
MORNING = EVENING + HOUR


def report(
    archive: Path, since: float = EVENING - HOUR, until: float = MORNING, runs: Sequence[str] = ()
) -> MorningReport:
    with Archive(archive) as opened:
        return morning_report(opened, since, until, runs)


def named(found: MorningReport) -> set[tuple[str, str]]:
    return {(problem.check, problem.target) for problem in found.problems}


def of(found: MorningReport, check: str, target: str) -> Problem:
    (problem,) = [p for p in found.problems if (p.check, p.target) == (check, target)]
    return problem


FAULTS = {
    "hv-off:ch1@60s-120s": {("chamber_rate", "ch1")},
    "low-gain:ch2@60s-120s": {("chamber_rate", "ch2")},
    "noisy:ch0:20@60s-120s": {("cell_rate", "ch0:20")},
    "dead:ch2:20@60s-120s": {("cell_dead", "ch2:20")},
    "silent:fpga0@60s-120s": {("fpga_silent", "fpga0")},
    "desync:fpga1:100@60s-120s": {("scintillator_in_time", f"ch{c}") for c in (0, 1)},
    "dead-scintillator@60s-120s": {("scintillator", "scintillator")},
    "duplicate@60s-120s": {("integrity", "repeated")},
    "corrupt@60s-120s": {("integrity", kind) for kind in ("invalid", "late", "unmapped")},
    "burst@60s-120s": {("telescope_rate", "telescope")},
    "gas@60s-120s": {("drift_box", f"ch{c}") for c in range(4)},
    "shift:ch3@60s-120s": {("drift_box", "ch3")},
}
"""What is named of a fault."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_times_and_nothing_else_is(fault: str, tmp_path: Path) -> None:
    archive_night(tmp_path / "a", "N1", 220, [fault])
    found = report(tmp_path / "a")
    assert named(found) == FAULTS[fault] or (fault.startswith("gas") and named(found))
    assert named(found) <= FAULTS[fault]
    for problem in found.problems:
        (span,) = problem.spans
        assert 60 < span.begin.run_s < 62 + 60
        assert 120 < span.end.run_s < 122 + 90
        assert span.begin.at == pytest.approx(EVENING + span.begin.run_s, abs=1.5)
        assert problem.new
        assert not problem.open
        assert problem.check in ADVICE
    counted = len(found.problems)
    assert f"; {counted} new problem{'s' if counted > 1 else ''}; " in found.sentence


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night with five faults, the last of which stays."""
    path = tmp_path_factory.mktemp("night") / "archive"
    archive_night(path, "N1", 540, [
        "hv-off:ch1@60s-120s", "noisy:ch0:20@180s-240s", "dead-scintillator@300s-340s",
        "silent:fpga0@400s-420s", "dead:ch2:20@480s-",
    ])  # fmt: skip
    return path


def test_all_faults_of_a_night_are_named(night: Path) -> None:
    found = report(night)
    assert named(found) == {
        ("chamber_rate", "ch1"), ("cell_rate", "ch0:20"), ("scintillator", "scintillator"),
        ("fpga_silent", "fpga0"), ("cell_dead", "ch2:20"),
    }  # fmt: skip
    assert "; 5 new problems; 2 things wait for you." in found.sentence
    assert found.waiting[0] == "dead cell, chamber 2 channel 20 (layer 4, wire 6), is BAD"
    assert found.problems[0].check == "cell_dead"
    assert found.problems[0].open
    assert [p.check for p in found.problems[0].follows] == ["chamber_cells"]
    assert found.live_s == pytest.approx(539, abs=2)
    good, judged = found.good
    assert 0 < good < judged <= 540


def test_a_calm_night_says_so_in_one_line(tmp_path: Path) -> None:
    archive_night(tmp_path / "a", "N1", 240)
    calm = "All calm: 3 min 59 s of data in 2 h, all good; no problems;"
    assert (
        report(tmp_path / "a").sentence
        == f"{calm} 1 thing waits for you: run N1 to be signed as good."
    )
    with Archive(tmp_path / "a") as archive:
        sign(archive["N1"], "Ada", EVENING + 300)
    found = report(tmp_path / "a")
    assert found.sentence == f"{calm} nothing waits for you."
    assert found.runs[0].signed
    assert found.runs[0].signed.who == "Ada"


def test_times_without_data_are_told_in_runs_and_between_them(tmp_path: Path) -> None:
    path = tmp_path / "a"
    archive_night(path, "N1", 200, without=[range(50, 90), range(120, 125)])
    archive_night(path, "N2", 100, begun_at=EVENING + 500)
    found = report(path)
    within, between = found.holes
    assert (within.run, within.within, between.run, between.within) == ("N1", True, "N2", False)
    assert within.seconds == pytest.approx(40, abs=0.1)
    assert within.begin == pytest.approx(EVENING + 50, abs=1.1)
    assert within.end == pytest.approx(EVENING + 91, abs=1.1)
    assert between.seconds == pytest.approx(501 - 199, abs=2.1)
    assert found.sentence.startswith("4 min 1")
    assert " of data in 2 h (2 holes), " in found.sentence
    assert named(found) == {("data", "telescope")}


def test_only_what_came_in_the_period_counts(night: Path) -> None:
    found = report(night, EVENING + 150, EVENING + 270)
    assert named(found) == {("cell_rate", "ch0:20")}
    assert found.live_s == pytest.approx(120, abs=60)
    assert not report(night, EVENING + 800, EVENING + 900).runs
    assert not report(night, EVENING - 900, EVENING - 800).problems


def test_what_was_there_the_days_before_is_not_new(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    archive_night(
        path, "N2", 200, ["hv-off:ch1@60s-120s", "hv-off:ch3@140s-160s"], begun_at=EVENING + DAY
    )
    found = report(path, EVENING + DAY - HOUR, EVENING + DAY + HOUR)
    assert not of(found, "chamber_rate", "ch1").new
    assert of(found, "chamber_rate", "ch3").new
    assert "1 new problem, 1 old; " in found.sentence
    both = report(path, EVENING - HOUR, EVENING + DAY + HOUR)
    assert [span.run for span in of(both, "chamber_rate", "ch1").spans] == ["N1", "N2"]
    assert not of(both, "cell_dead", "ch2:20").open  # the next run begins without it
    assert of(both, "cell_dead", "ch2:20").spans[0].ended
    week_later = report(path, EVENING + DAY - HOUR + 7 * DAY, EVENING + DAY + HOUR + 7 * DAY)
    assert not week_later.runs


def test_a_week_ago_is_the_same_hours_of_that_day(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    archive_night(path, "N2", 100, begun_at=EVENING + 7 * DAY)
    found = report(path, EVENING - HOUR + 7 * DAY, MORNING + 7 * DAY)
    (told,) = found.telescopes
    assert told.week_ago
    with Archive(path) as archive:
        assert told.week_ago.total_hits == archive["N1"].total().total_hits
    rows = chamber_rows(told)
    assert all(row.hz == pytest.approx(row.week_ago_hz, rel=0.2) for row in rows)
    assert rows[1].week_ago_hz < 0.95 * rows[1].hz  # an eighth of that night it was off
    assert np.isnan(rows[0].efficiency)
    assert np.isnan(velocity_of(told.total, told.detector)[0])


def test_chambers_stand_beside_the_signed_run(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    assert report(path).telescopes[0].reference is None
    assert report(path).telescopes[0].reference_told.startswith("none: no run to compare N1 with")
    archive_night(path, "N0", 240, begun_at=EVENING - 2 * DAY)
    with Archive(path) as archive:
        sign(archive["N0"], "Ada", EVENING)
    (told,) = report(path).telescopes
    assert told.reference
    assert told.reference_told.startswith("run N0: the newest run signed as good (by Ada)")


def test_a_run_that_is_still_written_is_told_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    archive_night(path, "N1", 120, ["hv-off:ch1@60s-"], ended=False)
    soon = report(path, until=EVENING + 200)
    assert soon.waiting == ("rate of the chamber, chamber 1, is BAD",)
    assert soon.sentence.endswith("1 thing waits for you: rate of the chamber, chamber 1, is BAD.")
    assert soon.problems[0].open
    assert not soon.problems[0].spans[0].ended
    late = report(path, until=EVENING + 130 + 5 * HOUR)
    assert "run N1 has not ended, and nothing came for 5 h" in late.waiting


def test_what_is_damaged_is_told_and_the_rest_shown(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    archive_night(path, "N2", 120, ["hv-off:ch3@60s-90s"], begun_at=EVENING + 1000)
    (part,) = (path / "runs" / "N1" / "windows").glob("*.parquet")
    data = bytearray(part.read_bytes())
    data[-20:] = bytes(20)
    part.write_bytes(data)
    found = report(path)
    assert any(str(part) in text for text in found.damaged)
    assert "the archive is damaged" in found.waiting
    assert [run.name for run in found.runs] == ["N2"]
    assert named(found) == {("chamber_rate", "ch3")}


def test_a_damaged_hour_leaves_the_others_of_its_run(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    faults = ["noisy:ch0:20@20s-60s", "hv-off:ch1@140s-170s"]
    archive_night(path, "N1", 220, faults, reset_at=100)
    whole = report(path)
    assert named(whole) == {("cell_rate", "ch0:20"), ("chamber_rate", "ch1")}
    begin = of(whole, "chamber_rate", "ch1").spans[0].begin
    assert 140 < begin.run_s < 145  # epochs follow one another
    assert begin.at == pytest.approx(EVENING + begin.run_s, abs=1.5)
    part = path / "runs" / "N1" / "windows" / "E001-H0000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    found = report(path)
    assert named(found) == {("cell_rate", "ch0:20")}
    assert any(str(part) in text for text in found.damaged)
    assert found.live_s == pytest.approx(100, abs=1)
    assert found.telescopes[0].total.live_s == found.live_s


@pytest.mark.parametrize("name", ["notes.jsonl", "good.jsonl"])
def test_damaged_notes_are_told_and_the_run_shown(night: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    (path / "runs" / "N1" / name).write_text("no note\n{}\n", "utf-8")
    found = report(path)
    assert any(name in text for text in found.damaged)
    assert len(found.problems) == 5


def test_damaged_minutes_cost_only_the_rates_against_time(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    for minutes in (path / "runs" / "N1" / "minutes").iterdir():
        minutes.write_bytes(b"no minutes")
    found = report(path)
    assert found.runs[0].trend is None
    assert len(found.damaged) == 1
    assert len(found.problems) == 5


def test_a_known_problem_is_told_and_does_not_count(tmp_path: Path) -> None:
    text = '[[known]]\ntarget = "ch1"\nuntil = 2099-01-01\nwhy = "no gas"\n'
    known = parse_profiles(text, where="known.toml")
    archive_night(tmp_path / "a", "N1", 200, ["hv-off:ch1@60s-120s"], profiles=known)
    found = report(tmp_path / "a")
    assert "all good; 1 known problem; " in found.sentence
    assert found.problems[0].known == f"no gas (until {date(2099, 1, 1)})"
    assert found.worst is State.GOOD


def test_without_data_the_first_line_is_loud(night: Path) -> None:
    found = report(night, EVENING + 10 * DAY, EVENING + 11 * DAY)
    assert found.sentence == (
        "NO DATA CAME in the last 24 h: see whether the DAQ runs, and what archives it; nothing"
        " waits for you."
    )
    for nothing in (found.runs, found.problems, found.holes, found.telescopes):
        assert not nothing


def test_only_named_runs_are_told_and_must_be_there(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    archive_night(path, "N2", 100, begun_at=EVENING + 600)
    assert [run.name for run in report(path, runs=["N2"]).runs] == ["N2"]
    assert [run.name for run in report(path).runs] == ["N1", "N2"]
    with pytest.raises(SourceNotFoundError, match="has no run 'N3'"):
        report(path, runs=["N3"])


def test_notes_of_the_period_are_told(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    with Archive(path) as archive:
        for at in (EVENING - DAY, EVENING + 100):
            add_note(archive["N1"].folder, Note(at=at, who="Ben", text="gas bottle changed"))
    assert [note.at for note in report(path).runs[0].notes] == [EVENING + 100]


def test_a_run_that_was_read_afterwards_tells_its_own_time(tmp_path: Path) -> None:
    muonscope.process(
        "sim:quiet?seconds=800&seed=5&fault=hv-off:ch1@700s-760s", to=tmp_path / "r.jsonl",
        run="R1", archive=tmp_path / "a", without=["tracking"],
    )  # fmt: skip
    with Archive(tmp_path / "a") as archive:
        now = archive["R1"].last_at + 1
        found = morning_report(archive, now - DAY, now)
    assert named(found) == {("chamber_rate", "ch1")}
    (span,) = found.problems[0].spans
    assert not span.live
    assert 700 < span.begin.run_s < 705
    assert 760 < span.end.run_s < 790


def test_hours_that_were_thinned_say_the_same(night: Path, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    shutil.copytree(night, path)
    before = report(path)
    for by_hour in (False, True):
        with Archive(path) as archive:
            thin(archive["N1"], next(iter(archive["N1"].parts)), by_hour=by_hour)
        after = report(path)
        assert named(after) == named(before)
        assert after.live_s == before.live_s
        assert after.good == before.good
        assert not after.holes


def test_rates_against_time_are_those_of_the_minutes(night: Path) -> None:
    (run,) = report(night).runs
    assert run.trend
    assert run.trend.hz.shape == (4, len(run.trend.run_s))
    off = np.argmin(run.trend.hz[1])
    assert 0 <= run.trend.run_s[off] <= 120
    assert np.median(run.trend.hz[1]) == pytest.approx(500, rel=0.1)
    assert integrity_of(report(night).telescopes[0])["repeated"] == 0


SPAN = Span(
    run="R", begin=Moment(100.0, 100.0), end=Moment(200.0, 200.0), over=True, worst=State.BAD,
    last=State.BAD, live=True,
)  # fmt: skip
ROOT = Problem(
    detector="legnaro", check="chamber_rate", target="ch1", place="chamber 1", spans=(SPAN,),
    text="", value=0.0, expected=0.0, unit="", score=1.0, known="", new=True,
    chambers=frozenset({1}),
)  # fmt: skip


def at(begin: float, end: float, problem: Problem, run: str = "R") -> Problem:
    span = replace(SPAN, begin=Moment(begin, begin), end=Moment(end, end), run=run)
    return replace(problem, spans=(span,))


CELL = replace(ROOT, check="cell_dead", target="ch1:70")


@pytest.mark.parametrize(
    ("other", "explained"),
    [
        (at(110, 190, CELL), True),
        (at(85, 280, CELL), True),
        (at(70, 190, CELL), False),
        (at(110, 300, CELL), False),
        (at(110, 190, CELL, run="S"), False),
        (replace(CELL, chambers=frozenset({2}), target="ch2:5"), False),
        (replace(CELL, detector="bologna"), False),
        (replace(CELL, check="integrity", target="late"), False),
        (replace(CELL, spans=(*CELL.spans, *at(900, 910, CELL).spans)), False),
    ],
)
def test_a_greater_problem_explains_what_comes_and_goes_with_it(
    other: Problem, explained: bool
) -> None:
    found = grouped([other, ROOT])
    assert len(found) == (1 if explained else 2)
    assert sum(len(problem.follows) for problem in found) == explained


def test_many_dead_cells_are_one_problem_and_one_is_that_cell() -> None:
    cells = [replace(CELL, target=f"ch1:{n}") for n in range(64, 74)]
    whole = replace(ROOT, check="chamber_cells")
    warned = replace(whole, spans=(replace(SPAN, worst=State.WARN),))
    (many,) = grouped([*cells, whole])
    assert (many.check, len(many.follows)) == ("chamber_cells", 10)
    (one,) = grouped([cells[0], warned])
    assert (one.check, one.follows[0].check) == ("cell_dead", "chamber_cells")


def test_a_chain_of_causes_is_told_at_its_beginning() -> None:
    silent = replace(ROOT, check="fpga_silent", target="fpga0", chambers=frozenset({0, 1}))
    (found,) = grouped([CELL, ROOT, silent])
    assert found.check == "fpga_silent"
    assert len(found.follows) == 2


def test_a_known_problem_hides_no_other_one() -> None:
    assert len(grouped([replace(ROOT, known="no gas"), CELL])) == 2
    assert len(grouped([replace(ROOT, known="no gas"), replace(CELL, known="no gas")])) == 1


def test_every_check_has_a_title_and_every_target_a_name() -> None:
    assert TITLES.keys() == ADVICE.keys()
    legnaro = shipped_detector("legnaro")
    assert place_text("telescope", legnaro) == "telescope"
    assert place_text("ch0:0", legnaro).startswith("chamber 0 channel 0 (layer ")


def test_epochs_follow_one_another_in_the_time_of_a_run() -> None:
    course = Course(
        epoch=np.array([0, 0, 1]), window=np.array([5, 6, 2]), begin_s=np.array([0.0, 1.0, 2.0]),
        end_s=np.array([1.0, 2.0, 3.0]), at=np.array([10.0, 11.0, 100.0]),
        state=np.zeros(3, np.int64), windows=np.ones(3, np.int64),
        zero={0: 0, 1: 0}, window_orbits=11_223,
    )  # fmt: skip
    (hole,) = course.holes("R", 0.0, 1e3)
    assert (hole.begin, hole.end, hole.seconds) == (11.0, 100.0, 89.0)
    assert course.came(11.0, 100.0).tolist() == [False, True, False]
    assert msgspec.to_builtins(hole)["within"]
