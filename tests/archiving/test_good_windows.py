"""Good windows of archived runs: proposed from verdicts, signed, and applied to words."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import muonscope
from muonscope.archiving.good_windows import parse_windows, proposal, sign, signatures
from muonscope.archiving.reference_choice import chosen_reference
from muonscope.errors import OptionError, SourceNotFoundError
from muonscope.replaying.convert import convert_words
from muonscope.replaying.options import ConvertOptions
from muonscope.results.good_list import key_of

SOURCE = "sim:quiet?seconds=900&seed=5&fault=hv-off:ch1@700s-780s"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a run in which the high voltage of a chamber was off, and a sound one."""
    path = tmp_path_factory.mktemp("good")
    for run, source in (("R1", SOURCE), ("R2", "sim:quiet?seconds=900&seed=6")):
        to, archive = path / f"{run}.jsonl", path / "archive"
        muonscope.process(source, to=to, run=run, archive=archive, without=["tracking"])
    return path


def bad_windows(folder: Path) -> range:
    """Return the windows in which the voltage was off, by the clock of the run."""
    with muonscope.archive(folder / "archive") as archive:
        first = min(place[1] for place in _places(archive["R1"]))
    return range(first + 700, first + 780)


def _places(run: muonscope.ArchivedRun) -> list[tuple[int, int]]:
    table = run.table(["epoch", "window"])
    return list(zip(table["epoch"].to_pylist(), table["window"].to_pylist(), strict=True))


def test_windows_with_a_fault_are_not_proposed_and_most_others_are(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        found = proposal(archive["R1"])
        (ranges,) = found.good.values()
        good = {n for first, last in ranges for n in range(first, last + 1)}
        wrong = set(bad_windows(folder))
        assert not good & set(range(min(wrong) + 3, max(wrong)))
        assert len(good) > 600
        assert {(b.check, b.target) for b in found.bad} >= {("chamber_rate", "ch1")}
        told = next(b for b in found.bad if b.check == "chamber_rate" and b.state == "BAD")
        assert abs(told.first - min(wrong)) <= 5
        assert abs(told.last - max(wrong)) <= 8


def test_the_windows_that_a_verdict_took_to_be_sure_are_bad_too(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R1"]
        (late,) = (c for c in run.changes if c.check == "chamber_rate" and c.state == "WARN")
        (told,) = (b for b in proposal(run).bad if b.check == "chamber_rate" and b.state == "WARN")
    assert late.span_s > 60  # it looks back at the whole time without voltage
    assert told.first == pytest.approx(late.window - late.span_s, abs=2)
    assert abs(told.first - min(bad_windows(folder))) <= 5


def test_what_was_not_judged_is_neither_known_nor_good(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R1"]
        found = proposal(run)
        (known,) = found.known.values()
        judged = {n for first, last in known for n in range(first, last + 1)}
        table = run.table(["window", "state"])
        rows = zip(table["window"].to_pylist(), table["state"].to_pylist(), strict=True)
        assert {w for w, s in rows if s != "NOT ENOUGH YET"} == judged
        assert found.good_windows < len(judged) < run.windows


def test_a_signature_is_the_proposal_with_what_people_change(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R2"]
        key = key_of("R2", 0)
        (first, last), *_ = proposal(run).good[key]
        signed = sign(run, "Ada", 1e9, note="hoist", but=[f"{first}-{first + 9}"])
        assert signed.good[key][0] == (first + 10, last)
        again = sign(run, "Ben", 2e9, also=[f"{first}"])
        assert again.good[key][0] == (first, last)
        assert [s.who for s in signatures(run)] == ["Ada", "Ben"]
        assert signatures(run)[0] == signed


def test_nobody_and_windows_that_are_not_there_cannot_sign(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R1"]
        with pytest.raises(OptionError, match="--who"):
            sign(run, " ", 1e9)
        with pytest.raises(OptionError, match="run R1 has none of them"):
            sign(run, "Ada", 1e9, also=["3/5-6"])
        assert not signatures(run)


@pytest.mark.parametrize("text", ["", "a", "5-", "-5", "7-3", "-1/5", "1/", "1/2/3", "5-6-7"])
def test_windows_are_numbers_and_epochs(text: str) -> None:
    with pytest.raises(OptionError, match="expected 955-1200"):
        parse_windows(text)


def test_words_and_windows_are_chosen_alike_by_a_list(folder: Path, tmp_path: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R1"]
        good = proposal(run).good_list
        total = run.total(good=good)
    words = muonscope.open(SOURCE).words()
    windows = muonscope.summarise(words, good=good)
    assert windows.total().hits_per_cell.sum() >= total.total_hits
    listed = tmp_path / "good.json"
    listed.write_text(json.dumps(good.as_json()), "utf-8")
    dest = tmp_path / "good.dat"
    convert_words(ConvertOptions(source=SOURCE, dest=str(dest), good=str(listed)), lambda _: None)
    counted = muonscope.summarise(muonscope.open(dest).words())
    assert [(w.epoch, w.window) for w in counted] == [(w.epoch, w.window) for w in windows]
    for one, other in zip(counted, windows, strict=True):
        assert np.array_equal(one.summary.class_words, other.summary.class_words)
        assert np.array_equal(one.summary.drift_histogram, other.summary.drift_histogram)


def test_good_totals_are_those_of_whole_minutes_in_the_list(folder: Path) -> None:
    with muonscope.archive(folder / "archive") as archive:
        run = archive["R1"]
        good = proposal(run).good_list
        inside = [p for p in run.pieces() if all(
            good.holds("R1", p.epoch, w) for w in range(p.window, p.last_window + 1)
        )]  # fmt: skip
        assert run.total(good=good).live_orbits == sum(p.summary.live_orbits for p in inside)
        assert run.total(good=True).total_hits > run.total(good=good).total_hits * 0.9
        assert len(inside) > 10


def test_the_reference_is_the_newest_signed_run_that_is_alike(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "archive", tmp_path / "archive")
    with muonscope.archive(tmp_path / "archive") as archive:
        sign(archive["R2"], "Cy", 3e9)
        other, signed, why = chosen_reference(archive, archive["R1"])
        assert other.name == "R2"
        assert signed.who in why
        with pytest.raises(SourceNotFoundError, match="R1: is not signed as good"):
            chosen_reference(archive, archive["R2"])
