"""The ``compare`` command: a sentence first, a table, JSON, a page, and an exit code."""

from pathlib import Path

import orjson
import pytest

from helpers.command import Command

BAD = "sim:quiet?seconds=20&seed=4&fault=hv-off:ch1"
SOUND = "sim:quiet?seconds=20&seed=5"


@pytest.fixture(scope="module")
def good(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a minute, to compare with."""
    path = tmp_path_factory.mktemp("good") / "good.jsonl"
    done = command(
        "process", "sim:quiet?seconds=60&seed=9", "--to", path, "--run", "good",
        "--without", "tracking",
    )  # fmt: skip
    assert done.code == 0
    return path


def test_the_first_line_is_a_sentence_and_the_worst_is_first(command: Command, good: Path) -> None:
    done = command("compare", BAD, good, "--run", "night", env={"COLUMNS": "100"})
    assert done.code == 0
    first, *rest = done.out.decode().splitlines()
    assert first.startswith("night differs from good in ")
    assert "things tested: chamber 1: " in first
    rows = [row for row in rest if row.startswith("differs")]
    assert rows[0].split()[1:3] == ["chamber_rate", "ch1"]
    assert len(rows) == 25
    assert rest[-1].startswith("and ")
    assert all(len(row) <= 100 for row in rows)


def test_runs_that_agree_say_so_in_one_line(command: Command, good: Path) -> None:
    done = command("compare", SOUND, good, "--run", "night", "--without", "tracking")
    assert done.code == 0
    (line,) = [x for x in done.out.decode().splitlines() if x.startswith("night")]
    assert line.startswith("night agrees with good in all of ")


@pytest.mark.parametrize(("source", "code"), [(BAD, 7), (SOUND, 0)])
def test_scripts_get_an_exit_code(command: Command, good: Path, source: str, code: int) -> None:
    done = command("compare", source, good, "--fail-on", "differs", "--without", "tracking")
    assert done.code == code
    assert ("error: " in done.err) == (code == 7)
    assert done.out  # what differs is told all the same


def test_json_is_one_document_without_nan(command: Command, good: Path) -> None:
    done = command("compare", BAD, good, "--json", "--without", "tracking", "--level", "0.001")
    told = orjson.loads(done.out)
    assert (told["reference"], told["agrees"], told["level"]) == ("good", False, 0.001)
    assert told["differ"] + told["negligible"] == len(told["findings"]) < told["tested"]
    first = told["findings"][0]
    assert (first["what"], first["target"], first["difference"]) == (
        "chamber_rate", "ch1", "differs"
    )  # fmt: skip
    assert first["ratio_low"] <= first["ratio"] <= first["ratio_high"] < 0.1
    assert b"NaN" not in done.out


def test_a_page_is_written_and_not_overwritten(
    command: Command, good: Path, tmp_path: Path
) -> None:
    to = tmp_path / "report.html"
    args = ("compare", BAD, good, "--to", to, "--without", "tracking")
    assert command(*args).code == 0
    assert to.read_text("utf-8").startswith("<!doctype html>")
    assert command(*args).code == 5
    assert command(*args, "--force").code == 0


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("missing.dat", SOUND), 3, "missing.dat"),
        ((SOUND, SOUND, "--scale", "x"), 2, "--scale: found 'x', expected live, entries, none"),
        ((SOUND, SOUND, "--level", "x"), 2, "--level"),
        ((SOUND,), 2, "REFERENCE"),
        ((SOUND, "sim:bologna?seconds=2"), 4, "is of the detector legnaro"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_an_exit_code(
    command: Command, args: tuple[str, ...], code: int, text: str
) -> None:
    done = command("compare", *args, "--without", "tracking")
    assert done.code == code
    assert text in done.err
    assert "Traceback" not in done.err
