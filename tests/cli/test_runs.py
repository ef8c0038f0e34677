"""The ``runs`` commands: what an archive has, notes, and its upkeep."""

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from helpers.archived import (
    AN_HOUR,
    OPENED,
    Place,
    archive_of,
    as_told,
    kept,
    run_of,
    writer_of,
)
from helpers.command import Command, Finished

HERE: list[Place] = [(0, n) for n in range(AN_HOUR - 200, AN_HOUR + 3)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of two runs, one long and sealed but for one hour, one short."""
    folder = tmp_path_factory.mktemp("made") / "archive"
    archive_of(folder, HERE)
    archive_of(folder, [(0, 20), (0, 21), (1, 0)], run="short", whole=False)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(made, tmp_path / "archive")


def told(folder: Path, run: str = "r") -> dict[str, Any]:
    found = as_told(folder, run)
    while OPENED:
        OPENED.pop().close()
    return found


def rows(done: Finished) -> list[dict[str, Any]]:
    assert done.code == 0, done.err
    return [orjson.loads(line) for line in done.out.splitlines()]


def test_runs_are_listed_with_what_they_are(command: Command, folder: Path) -> None:
    short, long = rows(command("runs", "list", folder, "--json"))
    if short["run"] == "r":
        short, long = long, short
    assert (long["run"], long["windows"], long["epochs"], long["worst"]) == ("r", 203, 1, "BAD")
    assert long["conditions"] == {"hv": "3600"}
    assert long["good"] == pytest.approx(
        sum(1 for row in told(folder)["windows"] if row["state"] == "GOOD") / 203
    )
    assert (short["run"], short["windows"], short["epochs"]) == ("short", 3, 2)
    text = command("runs", "list", folder).out.decode()
    assert "short" in text
    assert "hv=3600" in text
    assert "BAD" in text


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        (("--where", "hv=3600"), {"r", "short"}), (("--where", "hv=1"), set()),
        (("--detector", "legnaro"), {"r", "short"}), (("--detector", "bologna2"), set()),
        (("--worst", "bad"), {"r", "short"}), (("--worst", "no data"), set()),
        (("--since", "2023-11-14T23:13:20"), {"r", "short"}),
        (("--since", "2023-11-16T12:00"), set()),
        (("--since", "2023-11-15T23:00"), {"short"}), (("--since", "1h"), set()),
    ],
)  # fmt: skip
def test_runs_are_filtered(
    command: Command, made: Path, asked: tuple[str, str], runs: set[str]
) -> None:
    assert {row["run"] for row in rows(command("runs", "list", made, "--json", *asked))} == runs


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (("--since", "yesterday-ish"), "--since: found 'yesterday-ish'"),
        (("--worst", "awful"), "state: found 'awful', expected one of good"),
        (("--where", "hv"), "found 'hv'"),
    ],
)
def test_filters_that_make_no_sense_are_refused(
    command: Command, made: Path, asked: tuple[str, str], text: str
) -> None:
    done = command("runs", "list", made, *asked)
    assert done.code == 2
    assert text in done.err


def test_what_is_no_archive_is_told(command: Command, tmp_path: Path) -> None:
    for arguments in (
        ("list", tmp_path), ("show", tmp_path, "r"), ("note", tmp_path, "r", "text"),
        ("rebuild", tmp_path), ("thin", tmp_path), ("list", tmp_path / "nowhere"),
    ):  # fmt: skip
        done = command("runs", *arguments)
        assert done.code == 3, arguments
        assert "is no archive; expected a folder that --archive has made" in done.err
    assert list(tmp_path.iterdir()) == []


def test_an_archive_without_runs_is_empty(command: Command, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    done = command("runs", "list", tmp_path)
    assert (done.code, done.out.decode().strip()) == (0, "no runs")
    assert command("runs", "rebuild", tmp_path).code == 0


def test_a_run_is_shown_with_its_verdicts_and_notes(command: Command, folder: Path) -> None:
    note = ("runs", "note", folder, "r", "gas bottle changed", "--who", "Ada", "--window", "0/3500",
            "--check", "chamber_rate", "--target", "ch1")  # fmt: skip
    assert command(*note).code == 0
    text = command("runs", "show", folder, "r").out.decode()
    assert "run r, detector legnaro" in text
    assert "203 windows" in text
    assert "Ada on E0 W3500 on chamber_rate ch1: gas bottle changed" in text
    (shown,) = rows(command("runs", "show", folder, "r", "--json"))
    assert (shown["windows"], shown["conditions"]) == (203, {"hv": "3600"})
    assert shown["hits"] == int(run_of(folder).total().total_hits)
    assert shown["notes"][0]["text"] == "gas bottle changed"
    OPENED.pop().close()
    done = command("runs", "show", folder, "no such")
    assert done.code == 3
    assert "has no run 'no such'; there are: r, short" in done.err


def test_notes_that_say_nothing_are_refused(command: Command, folder: Path) -> None:
    assert "found nothing, expected a text" in command("runs", "note", folder, "r", "  ").err
    done = command("runs", "note", folder, "r", "x" * 4001, "--who", "Ada")
    assert done.code == 2
    assert "found 4,001 letters" in done.err
    assert command("runs", "note", folder, "r", "x", "--window", "late").code == 2
    assert not (folder / "runs" / "r" / "notes.jsonl").exists()


def test_rebuilding_names_what_it_cannot_repair(command: Command, folder: Path) -> None:
    done = command("runs", "rebuild", folder)
    assert (done.code, done.out.decode().strip()) == (
        0, "2 runs, 1 hours sealed that had been left open",
    )  # fmt: skip
    path = folder / "runs" / "r" / "windows" / "E000-H0000.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    for arguments in (("rebuild", folder), ("list", folder)):
        done = command("runs", *arguments)
        assert done.code == 4
        assert f"error: {path}: cannot be read" in done.err
        assert "Traceback" not in done.err
    assert "short" in command("runs", "list", folder).out.decode()
    assert command("runs", "show", folder, "r").code == 4
    assert command("runs", "show", folder, "short").code == 0


def test_a_run_that_is_written_is_shown_and_left_alone(command: Command, folder: Path) -> None:
    writer = writer_of(folder)
    try:
        done = command("runs", "rebuild", folder)
        assert done.code == 0
        assert "run r is written by another process, and was left alone" in done.err
        assert command("runs", "show", folder, "r").code == 0
        assert len(rows(command("runs", "list", folder, "--json"))) == 2
        assert command("runs", "note", folder, "r", "while it runs").code == 0
    finally:
        writer.close()


@pytest.mark.parametrize("to", ["minutes", "hours"])
def test_thinning_keeps_all_that_adds_up(command: Command, folder: Path, to: str) -> None:
    before = told(folder)
    thinned = command("runs", "thin", folder, "--to", to)
    assert thinned.code == 0
    assert "would drop from 1 hours of 1 runs" in thinned.out.decode()
    assert "--yes does it" in thinned.out.decode()
    assert told(folder) == before
    size = sum(p.stat().st_size for p in folder.rglob("windows/*.parquet"))
    done = command("runs", "thin", folder, "--to", to, "--yes")
    assert done.code == 0
    assert "dropped from 1 hours of 1 runs" in done.out.decode()
    assert sum(p.stat().st_size for p in folder.rglob("windows/*.parquet")) < size
    for again in range(2):
        after = told(folder)
        for name in ("total", "live_orbits", "states", "n", "changes", "minutes"):
            assert after[name] == before[name], (name, again)
        assert len(after["windows"]) < 20
        assert command("runs", "rebuild", folder).code == 0
    assert "0 hours" in command("runs", "thin", folder, "--to", to).out.decode()


def test_windows_of_a_thinned_hour_that_come_again_are_not_counted_twice(
    command: Command, folder: Path
) -> None:
    assert command("runs", "thin", folder, "--yes").code == 0
    before = told(folder)
    writer = writer_of(folder)
    for place in HERE:
        assert not writer.take(kept(place))
    assert (writer.again, writer.differing) == (203, 0)
    writer.settle(whole=True)
    writer.close()
    assert told(folder) == before


def test_thinning_refuses_what_makes_no_sense(command: Command, folder: Path) -> None:
    assert "expected minutes or hours" in command("runs", "thin", folder, "--to", "days").err
    done = command("runs", "thin", folder, "--older", "soon")
    assert done.code == 2
    assert "--older: found 'soon'" in done.err
    assert (
        "0 hours of 0 runs" in command("runs", "thin", folder, "--older", "2000-01-01").out.decode()
    )
