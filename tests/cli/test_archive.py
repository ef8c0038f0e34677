"""``--archive``: two processes, runs of any name, folders of any kind; archives as sources."""

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

import muonscope
from archiving.compared import differences
from helpers.archived import OPENED, archive_of, run_of
from helpers.command import Command, Finished, until

SOURCE = "sim:quiet?seconds=40&seed=3"
LONG = "sim:quiet?seconds=700&seed=9"
TRACKED = "sim:legnaro?seconds=20&seed=4"


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="module")
def long(command: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The archive of a run of some minutes, and its results."""
    folder = tmp_path_factory.mktemp("long")
    results, archive = folder / "results.jsonl", folder / "archive"
    done = command("process", LONG, "--to", results, "--archive", archive, "--run", "r",
                   "--condition", "hv=3600")  # fmt: skip
    assert done.code == 0
    assert "run r: 701 windows archived in" in done.err
    return archive, results


def lines(done: Finished) -> list[dict[str, Any]]:
    assert done.code == 0, done.err
    return [orjson.loads(line) for line in done.out.splitlines()]


@pytest.mark.parametrize("source", [SOURCE, TRACKED])
@pytest.mark.parametrize("more", [(), ("--without", "tracking"), ("--window", "7s")])
def test_the_archive_holds_what_the_results_hold(
    command: Command, tmp_path: Path, source: str, more: tuple[str, ...]
) -> None:
    results, archive = tmp_path / "r.jsonl", tmp_path / "a"
    done = command("process", source, "--to", results, "--archive", archive, "--run", "r", *more)
    assert done.code == 0, done.err
    assert differences(archive, "r", results) == []
    run = run_of(archive)
    assert run.about.tracking == ("tracking" not in more)
    assert run.about.profile == "default"
    assert run.open_windows == []


def test_results_of_before_are_archived_by_judge_once(command: Command, tmp_path: Path) -> None:
    results, archive = tmp_path / "r.jsonl", tmp_path / "a"
    assert command("process", SOURCE, "--to", results, "--run", "r").code == 0
    for again in ("", "; 42 were there already"):
        done = command("judge", results, "--archive", archive)
        assert done.code == 0, done.err
        assert differences(archive, "r", results) == []
        assert bool(again) == ("already" in done.err)


def test_other_results_under_the_same_name_are_told_and_left_out(
    command: Command, tmp_path: Path
) -> None:
    results, other, archive = tmp_path / "r.jsonl", tmp_path / "o.jsonl", tmp_path / "a"
    assert command("process", SOURCE, "--to", results, "--run", "r").code == 0
    assert command("process", SOURCE + "1", "--to", other, "--run", "r").code == 0
    assert command("judge", results, "--archive", archive).code == 0
    done = command("judge", other, "--archive", archive)
    assert done.code == 5
    assert "windows are there with other counts" in done.err
    assert differences(archive, "r", results) == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (("--window", "2s"), "window_orbits = 11223, this one has 22447"),
        (("--detector", "run001213"), "detector_hash = "),
        (("--without", "tracking"), "tracking = True, this one has False"),
    ],
)
def test_another_detector_window_or_tracking_needs_another_name(
    command: Command, tmp_path: Path, more: tuple[str, str], text: str
) -> None:
    words, archive = tmp_path / "words.dat", tmp_path / "a"
    assert command("simulate", words, "--profile", "quiet", "--seconds", "10").code == 0
    first = ("process", words, "--to", tmp_path / "1.jsonl", "--archive", archive, "--run", "r")
    assert command(*first, "--state", tmp_path / "s").code == 0
    results = tmp_path / "2.jsonl"
    assert command("process", words, "--to", results, "--run", "r", *more).code == 0
    done = command("judge", results, "--archive", archive, *(more if more[0] != "--window" else ()))
    assert done.code == 5, done.err
    assert text in done.err
    assert "choose another --run" in done.err


def test_one_run_is_written_by_one_process_and_others_beside_it(
    command: Command, tmp_path: Path
) -> None:
    archive = tmp_path / "a"
    endless = command.start(
        "process", "sim:quiet?seconds=100000s", "--to", tmp_path / "1.jsonl", "--run", "r",
        "--archive", archive,
    )  # fmt: skip
    try:
        until(lambda: any((archive / "runs" / "r" / "open").glob("*.journal")) or endless.done())
        same = command("process", SOURCE, "--to", tmp_path / "2.jsonl", "--run", "r",
                       "--archive", archive)  # fmt: skip
        assert same.code == 5
        assert "another process archives run r here; choose another --run" in same.err
        other = command("process", SOURCE, "--to", tmp_path / "3.jsonl", "--run", "other",
                        "--archive", archive)  # fmt: skip
        assert other.code == 0, other.err
        for _ in range(3):
            listed = lines(command("runs", "list", archive, "--json"))
            assert {row["run"] for row in listed} == {"r", "other"}
            (shown,) = lines(command("runs", "show", archive, "r", "--json"))
            assert sum(shown["states"].values()) == shown["windows"]
    finally:
        endless.signal(signal.SIGKILL)
        endless.wait()
    assert differences(archive, "other", tmp_path / "3.jsonl") == []


NAMES = [
    "a/b", "..", ".hidden", "two words", "Größe µ", "100%", "%2F", "-x", "run.json", "x" * 200,
    "con:1|2?*\\<>\"'",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_runs_may_have_any_name(command: Command, tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a"
    done = command(
        "process", SOURCE, "--to", tmp_path / "r.jsonl", f"--run={name}", "--archive", archive
    )
    assert done.code == 0, done.err
    assert [row["run"] for row in lines(command("runs", "list", archive, "--json"))] == [name]
    (shown,) = lines(command("runs", "show", "--json", archive, "--", name))
    assert shown["run"] == name
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["a"]
    assert {p.name for p in archive.iterdir()} == {"runs", "catalogue.sqlite"}
    assert differences(archive, name, tmp_path / "r.jsonl") == []


def test_a_name_that_no_disk_takes_is_refused_with_words(command: Command, tmp_path: Path) -> None:
    done = command(
        "process", SOURCE, "--to", tmp_path / "r.jsonl", "--run", "é" * 300, "--archive",
        tmp_path / "a",
    )  # fmt: skip
    assert done.code == 5
    assert "File name too long" in done.err
    assert "Traceback" not in done.err


def test_what_is_no_folder_is_refused(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for where, code, text in (
        (file, 2, f"--archive: {file} is a file, expected a folder"),
        ("s3://bucket/archive", 2, "expected a folder: its journal is written as windows come"),
        (file / "deeper", 5, "cannot be written: Not a directory"),
    ):  # fmt: skip
        for arguments in (("process", SOURCE, "--to", tmp_path / "r.jsonl"), ("judge", SOURCE)):
            done = command(*arguments, "--archive", where)
            assert done.code == code, (where, done.err)
            assert text in done.err
            assert "Traceback" not in done.err
    assert file.read_text() == "x"


def test_a_profile_needs_an_archive(command: Command, tmp_path: Path) -> None:
    done = command("process", SOURCE, "--to", tmp_path / "r.jsonl", "--profile", "default")
    assert done.code == 2
    assert "--profile only makes sense with --archive" in done.err


# ---- archives as sources


@pytest.mark.parametrize("where", ["archive", "run", "within"])
def test_an_archive_is_exported_as_its_results_are(
    command: Command, long: tuple[Path, Path], tmp_path: Path, where: str
) -> None:
    archive, results = long
    source = archive if where == "archive" else archive / "runs" / "r"
    cwd = archive / "runs" / "r" if where == "within" else tmp_path
    told = []
    for one, name in ((results, "results.json"), ("." if where == "within" else source, "a.json")):
        done = command("export", one, "--to", tmp_path / name, cwd=cwd)
        assert done.code == 0, done.err
        told.append(orjson.loads((tmp_path / name).read_bytes()))
    assert told[0].keys() == told[1].keys()
    differing = [name for name in told[0] if told[0][name] != told[1][name]]
    assert differing == []


def test_an_archive_gives_the_constants_that_its_results_give(
    command: Command, long: tuple[Path, Path], tmp_path: Path
) -> None:
    texts = []
    for source in (long[0], long[1]):
        to = tmp_path / f"{source.name}.toml"
        assert command("calibrate", source, "--to", to).code == 0
        texts.append(to.read_text("utf-8").splitlines()[1:])  # the first names the source
    assert texts[0] == texts[1]


def test_an_archive_is_judged_and_compared_with(command: Command, long: tuple[Path, Path]) -> None:
    archive, results = long
    by_minute = lines(command("judge", archive, "--json", "--reference", "none"))
    assert by_minute[-1]["state"] in {"GOOD", "NOT ENOUGH YET"}
    assert by_minute[-1]["windows"] == len(results.read_bytes().splitlines())
    bad = "sim:quiet?seconds=40&seed=3&fault=hv-off:ch1@20s-"
    found = lines(command("judge", bad, "--reference", results, "--json"))
    first = next(line for line in found if line["kind"] == "change")
    assert (first["check"], first["target"], first["state"]) == ("chamber_rate", "ch1", "BAD")
    short = command("judge", bad, "--reference", archive)
    assert short.code == 4
    assert "whole windows of legnaro, expected 30 or more" in short.err


def test_an_archive_of_half_an_hour_is_something_to_compare_with(
    command: Command, long: tuple[Path, Path], tmp_path: Path
) -> None:
    archive = archive_of(tmp_path, [(0, 60 * m + s) for m in range(35) for s in range(5, 9)])
    bad = "sim:quiet?seconds=40&seed=3&fault=hv-off:ch1@20s-"
    for reference in (archive, archive / "runs" / "r"):
        told = lines(command("judge", bad, "--reference", reference, "--json"))
        changes = [line for line in told if line["kind"] == "change"]
        assert ("chamber_rate", "ch1", "BAD") in {
            (c["check"], c["target"], c["state"]) for c in changes
        }
    short = command("judge", bad, "--reference", long[0])
    assert short.code == 4
    assert "expected 30 or more" in short.err


def test_an_archive_is_not_archived_again(
    command: Command, long: tuple[Path, Path], tmp_path: Path
) -> None:
    done = command("judge", long[0], "--archive", tmp_path / "b")
    assert done.code == 2
    assert "--archive: found an archive as the source" in done.err
    assert not (tmp_path / "b").exists()


def test_python_reads_what_the_command_wrote(long: tuple[Path, Path]) -> None:
    archive, results = long
    assert differences(archive, "r", results) == []
    with muonscope.archive(archive) as opened:
        run = opened["r"]
        assert run.about.conditions == {"hv": "3600"}
        assert opened.runs(where={"hv": "3600"})["run"].to_pylist() == ["r"]
        assert run.about.reference == "the run's first calm minutes"
        assert repr(opened).endswith(": 1 runs>")
