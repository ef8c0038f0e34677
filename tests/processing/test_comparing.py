"""Comparing words and results of any kind: the same answer, or an error that says why none."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

import muonscope
from muonscope.errors import FormatError, OptionError, SinkExistsError, VerdictError
from muonscope.events import ignore
from muonscope.options import made
from muonscope.processing.compare_options import CompareOptions
from muonscope.processing.comparing import compare_with
from muonscope.quality.comparison import Comparison
from muonscope.stopping import Stop, Stopped

RUN = "sim:quiet?seconds=20&seed=4&fault=dead:ch0:5"
GOOD = "sim:quiet?seconds=60&seed=9"
OTHER = "sim:bologna?seconds=5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of both runs, without tracks."""
    path = tmp_path_factory.mktemp("compare")
    for name, source in (("run", RUN), ("good", GOOD)):
        to = path / f"{name}.jsonl"
        muonscope.process(source, to=str(to), run=name, without=("tracking",))
    return path


def compared(run: object, reference: object, /, **options: Any) -> Comparison:
    given: dict[str, Any] = {"without": ("tracking",)} | options
    return muonscope.compare(run, reference, **given)


def test_words_and_results_are_compared_alike(folder: Path) -> None:
    results = compared(folder / "run.jsonl", folder / "good.jsonl")
    words = compared(RUN, GOOD, run="run", reference_run="good")
    mixed = compared(RUN, folder / "good.jsonl", run="run")
    assert results.as_dict() == words.as_dict() == mixed.as_dict()
    assert [f.target for f in results.differing] == ["ch0:5"]
    assert (results.run, results.reference) == ("run", "good")


def test_other_window_lengths_give_the_same_counts(folder: Path) -> None:
    one, other = (compared(RUN, folder / "good.jsonl", run="run", window=w) for w in (1, 0.25))
    assert [f.target for f in one.differing] == [f.target for f in other.differing] == ["ch0:5"]
    assert {(f.what, f.target, f.n) for f in one.findings if f.what == "fpga_words"} == {
        (f.what, f.target, f.n) for f in other.findings if f.what == "fpga_words"
    }


def test_a_run_agrees_with_itself_and_that_is_said(folder: Path) -> None:
    found = compared(folder / "good.jsonl", folder / "good.jsonl")
    assert found.differing == found.negligible == ()
    assert any("both hold windows" in note for note in found.notes)
    assert not any("both hold" in note for note in compared(RUN, GOOD).notes)


def test_runs_of_one_name_are_told_apart_by_their_sources() -> None:
    found = compared(RUN, GOOD)
    assert found.run == f"sim-quiet ({RUN})"
    assert found.reference == f"sim-quiet ({GOOD})"


def test_tracks_of_one_side_alone_are_left_out(folder: Path) -> None:
    found = muonscope.compare(RUN, folder / "good.jsonl", run="run")
    assert [f.target for f in found.differing] == ["ch0:5"]
    assert "tracks: none were looked for in good" in found.notes


@pytest.mark.parametrize("turned", [False, True])
def test_another_detector_is_refused_by_name(folder: Path, *, turned: bool) -> None:
    pair = (OTHER, folder / "good.jsonl") if turned else (folder / "run.jsonl", OTHER)
    with pytest.raises(FormatError, match=r"is of the detector \w+ .*expected the same"):
        compared(*pair)


def test_another_description_of_the_same_detector_is_refused(folder: Path, tmp_path: Path) -> None:
    rows = [orjson.loads(row) for row in (folder / "run.jsonl").read_bytes().splitlines()]
    for row in rows:
        row["detector_hash"] = "0" * 64
    (tmp_path / "other.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    with pytest.raises(
        FormatError, match="different descriptions of the detector legnaro: found 0"
    ):
        compared(tmp_path / "other.jsonl", folder / "good.jsonl")


def test_of_several_runs_one_is_named(folder: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.jsonl"
    both.write_bytes(b"".join((folder / f"{n}.jsonl").read_bytes() for n in ("run", "good")))
    with pytest.raises(OptionError, match=r"found runs run and good.*--run"):
        compared(both, folder / "good.jsonl")
    found = compared(both, both, run="run", reference_run="good")
    assert [f.target for f in found.differing] == ["ch0:5"]
    with pytest.raises(FormatError, match="holds no window of run neither"):
        compared(both, folder / "good.jsonl", run="neither")


def test_an_empty_source_is_an_error_and_one_window_is_enough(folder: Path, tmp_path: Path) -> None:
    rows = (folder / "run.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(FormatError, match=r"none\.jsonl: holds no window to compare"):
        compared(tmp_path / "none.jsonl", folder / "good.jsonl")
    (tmp_path / "one.jsonl").write_bytes(rows[5])
    found = compared(tmp_path / "one.jsonl", folder / "good.jsonl")
    assert found.differing == ()
    assert len(found.findings) > 500


def test_the_page_is_one_file_without_scripts_and_with_names_escaped(
    folder: Path, tmp_path: Path
) -> None:
    class Page(HTMLParser):
        tags: list[str] = []  # noqa: RUF012
        outside: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)
            self.outside += [n for n, _ in attrs if n in {"src", "href", "onload", "onclick"}]

    to, name = tmp_path / "report.html", "<img src=x> & Müon"
    found = compared(
        RUN, folder / "good.jsonl", run=name, to=to, without=("tracking",)
    )  # fmt: skip
    text = to.read_text("utf-8")
    page = Page()
    page.feed(text)
    assert found.run == name
    assert "&lt;img src=x&gt; &amp; Müon differs from good in 1 of" in text
    assert {"script", "img", "link"} & set(page.tags) == set()
    assert page.outside == []
    # a map and a drift box for each chamber, multiplicities of these and of all
    assert page.tags.count("svg") == 4 + 4 + 5
    assert not any(word in text for word in (">nan", "nan%", "inf%", "NaN"))
    with pytest.raises(SinkExistsError):
        compared(RUN, GOOD, to=to)


def test_all_histograms_of_tracks_are_drawn(tmp_path: Path) -> None:
    to = tmp_path / "report.html"
    muonscope.compare(RUN, "sim:quiet?seconds=20&seed=2", to=to)
    text = to.read_text("utf-8")
    for title in ("track slope, view phi", "track residual, chamber 3", "track sky, both views"):
        assert title in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fail_on": "bad"}, "--fail-on: found 'bad', expected differs"),
        ({"to": "report.pdf"}, "--to: found 'report.pdf', expected a name in .html"),
        ({"scale": "hits"}, "--scale: found 'hits'"),
        ({"level": 2.0}, "--level: found 2"),
        ({"better": True}, "better: no such option"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        compared(RUN, GOOD, **options)


def test_standard_input_cannot_be_both() -> None:
    with pytest.raises(OptionError, match="REFERENCE: found -"):
        compared("-", "-")


def test_who_asks_to_fail_is_shown_the_comparison_first(folder: Path) -> None:
    options = made(
        CompareOptions,
        {
            "source": str(folder / "run.jsonl"), "reference": str(folder / "good.jsonl"),
            "fail_on": "differs",
        },
    )  # fmt: skip
    shown: list[Comparison] = []
    with pytest.raises(VerdictError, match="run differs from good in 1 of"):
        compare_with(options, ignore, Stop(), shown.append)
    assert len(shown) == 1


def test_a_comparison_that_is_stopped_says_so(folder: Path, tmp_path: Path) -> None:
    options = made(
        CompareOptions,
        {
            "source": str(folder / "run.jsonl"), "reference": str(folder / "good.jsonl"),
            "to": str(tmp_path / "report.html"),
        },
    )  # fmt: skip
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        compare_with(options, ignore, stop, lambda _: None)
    assert not (tmp_path / "report.html").exists()


def test_a_chamber_that_was_off_for_a_while_does_not_hide_behind_its_own_scatter() -> None:
    found = muonscope.compare(
        "sim:quiet?seconds=600&fault=hv-off:ch1@300s-420s", "sim:quiet?seconds=600&seed=2",
        window="30s", without=("tracking",),
    )  # fmt: skip
    worst = found.differing[0]
    assert (worst.what, worst.target) == ("chamber_rate", "ch1")
    assert worst.size == pytest.approx(-0.2, abs=0.03)
