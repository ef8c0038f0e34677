"""Losses on the command line: in words on standard error, and as an exit code."""

from pathlib import Path

import orjson
import pytest

from helpers.command import Command
from helpers.simulated import simulated_words

PAGE = b"<html>\n" * 100
V1_ROWS = b"".join(b"1,0,%d,617000,12,0\n" % (n + 1) for n in range(128))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of legnaro."""
    path = tmp_path / "run.dat"
    path.write_bytes(simulated_words(3000).tobytes())
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("process", "file"), ("process", "folder"), ("process", "followed"),
        ("inspect", "file"), ("inspect", "folder"), ("convert", "file"), ("convert", "folder"),
    ],
)  # fmt: skip
def test_nothing_decoded_is_4_from_every_source(
    command: Command, tmp_path: Path, name: str, kind: str
) -> None:
    page = tmp_path / "run" / "page.dat"
    page.parent.mkdir()
    page.write_bytes(PAGE)
    more: dict[str, list[object]] = {
        "process": ["--to", tmp_path / "w.jsonl"],
        "inspect": [],
        "convert": [tmp_path / "a.csv"],
        "followed": ["--follow", "--idle-exit", "300ms"],
    }
    source = page if kind == "file" else page.parent
    done = command(name, source, *more[name], *more.get(kind, []))
    assert done.code == 4, done.err
    last = done.err.splitlines()[-1]
    assert last.startswith("muonscope: error: ")
    assert "decoded" in last


def test_rows_of_another_detector_name_it_in_the_refusal(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_bytes(V1_ROWS)
    for args in (
        ["process", path, "--to", tmp_path / "w.jsonl"],
        ["inspect", path, "-d", "legnaro"],
    ):
        done = command(*args)
        assert done.code == 4
        assert "detector run000591 reads it: use --detector run000591; first: " in done.err
    done = command("process", path, "--to", tmp_path / "v.jsonl", "-d", "run000591")
    assert (done.code, "warning" in done.err) == (0, False)


def test_a_large_loss_is_a_warning_and_with_strict_an_error(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    args = ["process", recording, "-d", "bologna2", "--to", tmp_path / "w.jsonl", "--force"]
    done = command(*args)
    assert done.code == 0
    (line,) = [line for line in done.err.splitlines() if "warning" in line]
    assert line.startswith("muonscope: warning: ")
    assert line.endswith("legnaro maps 100% of a sample: use --detector legnaro")
    done = command(*args, "--strict")
    assert done.code == 4
    assert done.err.splitlines()[-1].startswith("muonscope: error: --strict: the results are")
    done = command("process", recording, "--to", tmp_path / "v.jsonl", "--strict")
    assert (done.code, "warning" in done.err) == (0, False)


def test_inspect_and_convert_tell_of_it_too(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    page = command("inspect", recording, "-d", "bologna2")
    assert page.code == 0
    assert b"on channels that detector bologna2 does not map" in page.out
    report = command("inspect", recording, "-d", "bologna2", "--json")
    (doubt,) = orjson.loads(report.out)["doubts"]
    assert "use --detector legnaro" in doubt
    assert orjson.loads(command("inspect", recording, "--json").out)["doubts"] == []
    done = command("convert", recording, tmp_path / "a.csv", "-d", "bologna2")
    assert done.code == 0
    assert "muonscope: warning: " in done.err


def test_inspect_shows_every_kind_of_words(command: Command, recording: Path) -> None:
    page = command("inspect", recording).out.decode()
    account = orjson.loads(command("inspect", recording, "--json").out)["accounting"]
    for kind in ("hits", "scintillator", "trigger", "ancillary", "unmapped", "invalid", "late"):
        assert kind in page
        assert f"{account[kind]:,}" in page
