"""The page, the mail and the fields of a morning report: whole, escaped, and without scripts."""

import re
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from helpers.nights import EVENING, archive_night
from muonscope.archiving.archive import Archive
from muonscope.archiving.good_windows import sign
from muonscope.archiving.notes import Note, add_note
from muonscope.errors import MuonscopeError, OptionError, SinkExistsError, VerdictError
from muonscope.processing.report import MorningReport
from muonscope.processing.report_clock import Clock, zone_named
from muonscope.processing.report_gathering import morning_report
from muonscope.processing.report_options import ReportOptions
from muonscope.processing.report_page import report_page
from muonscope.processing.report_text import report_fields, report_text
from muonscope.processing.reporting import report_with
from muonscope.quality.advice import ADVICE

HOUR = 3600.0
UTC = Clock(zone=zone_named("UTC"), since=EVENING - HOUR, until=EVENING + HOUR)
EVIL = "<b>&\"'</b>"
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Balance(HTMLParser):
    """Checks that every element that is opened is closed, and keeps names and texts."""

    def __init__(self) -> None:
        """Begin outside."""
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        self.links += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @classmethod
    def of(cls, page: str) -> "Balance":
        found = cls()
        found.feed(page)
        found.close()
        assert not found.open
        return found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a run of a wicked name, with faults, notes, a signature and a hole."""
    folder = tmp_path_factory.mktemp("page") / "archive"
    faults = ["hv-off:ch1@60s-120s", "noisy:ch0:20@180s-240s", "dead:ch2:20@260s-"]
    archive_night(folder, EVIL, 320, faults, without=[range(140, 160)])
    archive_night(folder, "N2", 100, begun_at=EVENING + 900, ended=False)
    with Archive(folder) as archive:
        run = archive[EVIL]
        sign(run, EVIL, EVENING + 400, note=EVIL)
        add_note(run.folder, Note(at=EVENING + 10, who=EVIL, text=EVIL, epoch=0, window=5))
    return folder


@pytest.fixture(scope="module")
def report(path: Path) -> MorningReport:
    """The report of it."""
    with Archive(path) as archive:
        return morning_report(archive, EVENING - HOUR, EVENING + HOUR)


def test_the_page_is_whole_and_needs_nothing(report: MorningReport) -> None:
    page = report_page(report, UTC)
    found = Balance.of(page)
    assert not found.names & {"script", "link", "iframe", "object", "img", "b"}
    assert not found.links
    assert "@import" not in page
    assert "url(" not in page
    assert "@media print" in page
    assert len(page) < 1_000_000


def test_names_of_people_and_runs_are_escaped_and_whole(report: MorningReport) -> None:
    page = report_page(report, UTC)
    assert "<b>" not in page
    texts = Balance.of(page).texts
    assert texts.count(EVIL) >= 4  # the run, who signed, who wrote, what
    assert "&lt;b&gt;&amp;&quot;&#x27;&lt;/b&gt;" in page


def test_each_problem_has_what_where_when_number_and_advice(report: MorningReport) -> None:
    page = report_page(report, UTC)
    text = " ".join(Balance.of(page).texts)
    sections = re.findall(r"<section.*?</section>", page, re.DOTALL)
    assert len(sections) == len(report.problems) == 4  # the hole is one
    for problem in report.problems:
        (section,) = [s for s in sections if problem.text in " ".join(Balance.of(s).texts)]
        told = " ".join(Balance.of(section).texts)
        assert problem.worst.label in told
        assert problem.place in told
        assert ADVICE[problem.check] in told
    assert report.sentence in text
    (off,) = [p for p in report.problems if p.check == "chamber_rate"]
    begin = off.spans[0].begin
    assert 60 < begin.run_s < 70
    assert f"02 Nov 17:01:0{round(begin.run_s) - 60}" in text
    assert "without data" in text
    assert "20 s" in text


def test_every_state_is_a_word_as_well_as_a_colour(report: MorningReport) -> None:
    page = report_page(report, UTC)
    for state in ("GOOD", "NOT ENOUGH YET", "WARN", "BAD", "NO DATA"):
        assert f">{state}</text>" in page


def test_times_are_those_of_the_zone(report: MorningReport) -> None:
    tokyo = Clock(zone=zone_named("Asia/Tokyo"), since=UTC.since, until=UTC.until)
    page, text = report_page(report, tokyo), report_text(report, tokyo)
    for told in (page, text):
        assert "03 Nov 02:01:0" in told
        assert "2026-11-03 01:00 JST" in told
        assert "2026-11-02 16:00" in told


def test_a_period_without_data_has_a_page(path: Path) -> None:
    with Archive(path) as archive:
        empty = morning_report(archive, 0.0, 86_400.0)
    page = report_page(empty, UTC)
    Balance.of(page)
    assert "NO DATA CAME in the last 24 h" in page
    assert "<svg" not in page
    assert report_text(empty, UTC).startswith("NO DATA CAME")
    assert orjson.loads(orjson.dumps(report_fields(empty)))["problems"] == []


def test_the_mail_has_the_sentence_first_and_names_all(report: MorningReport) -> None:
    lines = report_text(report, UTC).splitlines()
    assert lines[0] == report.sentence
    text = "\n".join(lines)
    for problem in report.problems:
        assert problem.text in text
        assert problem.place in text
    assert all(run.name in text for run in report.runs)
    assert "Without data:" in text
    assert "not ended" in text


def test_fields_are_what_programs_need(report: MorningReport) -> None:
    found = orjson.loads(orjson.dumps(report_fields(report)))
    assert found["sentence"] == report.sentence
    assert {p["check"] for p in found["problems"]} == {p.check for p in report.problems}
    (dead,) = [p for p in found["problems"] if p["check"] == "cell_dead"]
    assert dead["open"] is False  # the next run goes on without it
    assert dead["explains"][0]["check"] == "chamber_cells"
    assert found["telescopes"][0]["chambers"][0]["efficiency"] is None


def options(path: Path, **more: object) -> ReportOptions:
    """Return the options of the hour before and after the evening."""
    given = {"archive": str(path), "since": "2h", "until": "2026-11-02T18:00"}
    return ReportOptions(**{**given, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"to": "report.txt"}, "--to: found 'report.txt'"),
        ({"fail_on": "good"}, "--fail-on: found 'good'"),
        ({"since": "2026-11-03"}, "expected a time before --until"),
        ({"since": "yesterday"}, "--since"),
        ({"until": "tomorrow"}, "--until"),
        ({"text": True, "json": True}, "exclude each other"),
        ({"timezone": "Mars"}, "--timezone"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    path: Path, tmp_path: Path, given: dict[str, object], told: str
) -> None:
    with pytest.raises(OptionError, match=re.escape(told)):
        report_with(options(path, **given), EVENING, lambda *_: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fail_on", ["warn", "bad"])
def test_it_fails_where_it_is_asked_to_and_is_shown_first(path: Path, fail_on: str) -> None:
    shown: list[MorningReport] = []
    with pytest.raises(VerdictError, match="NO DATA: no window"):
        report_with(options(path, fail_on=fail_on), EVENING, lambda found, _: shown.append(found))
    assert len(shown) == 1


def test_calm_hours_do_not_fail(path: Path) -> None:
    calm = options(path, since="2026-11-02T17:15", fail_on="warn")
    report_with(calm, EVENING, lambda *_: None)


def test_a_page_that_is_there_stays_unless_it_is_forced(path: Path, tmp_path: Path) -> None:
    to = tmp_path / "report.html"
    report_with(options(path, to=str(to)), EVENING, lambda *_: None)
    first = to.read_text("utf-8")
    with pytest.raises(SinkExistsError):
        report_with(options(path, to=str(to)), EVENING, lambda *_: None)
    report_with(options(path, to=str(to), force=True), EVENING, lambda *_: None)
    assert to.read_text("utf-8") == first


def test_a_pdf_is_made_of_the_same_page(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    class Page:
        def __init__(self, string: str, url_fetcher: object) -> None:
            pages.append(string)

        def write_pdf(self) -> bytes:
            return b"%PDF"

    module = ModuleType("weasyprint")
    module.HTML = Page  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "weasyprint", module)
    to = tmp_path / "report.PDF"
    report_with(options(path, to=str(to)), EVENING, lambda *_: None)
    assert to.read_bytes() == b"%PDF"
    Balance.of(pages[0])


@pytest.mark.parametrize(
    ("error", "told"), [(ImportError("no"), r"muonscope\[pdf\]"), (OSError("no"), "libpango")]
)
def test_what_a_pdf_lacks_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    class Missing:
        def find_spec(self, name: str, *_: Sequence[object]) -> None:
            if name == "weasyprint":
                raise error

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(MuonscopeError, match=told):
        report_with(options(tmp_path / "none", to="r.pdf"), EVENING, lambda *_: None)
