"""The ``judge`` command: words and results, exit codes, profiles, and what others hand it."""

import signal
from pathlib import Path
from typing import Any

import orjson
import pytest

import muonscope
from helpers.cases import case
from helpers.command import Command, Finished, until
from muonscope.detector import setup_text

SOUND = "sim:quiet?seconds=40&seed=3"
BAD = "sim:quiet?seconds=40&seed=3&fault=hv-off:ch1@20s-"


@pytest.fixture(scope="module")
def good(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a quarter of an hour, to compare with."""
    path = tmp_path_factory.mktemp("good") / "good.jsonl"
    done = command("process", "sim:quiet?seconds=900&seed=9", "--to", path)
    assert done.code == 0
    return path


def lines(done: Finished) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in done.out.splitlines()]


def changes(done: Finished) -> list[dict[str, Any]]:
    """Return what changed, without the name of the run."""
    return [line for line in lines(done) if line["kind"] == "change"]


def test_words_and_their_results_are_judged_alike(
    command: Command, good: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results.jsonl"
    assert command("process", BAD, "--to", results).code == 0
    from_words = command("judge", BAD, "--reference", good, "--json")
    from_results = command("judge", results, "--reference", good, "--json")
    assert from_words.code == from_results.code == 0
    assert changes(from_words) == changes(from_results)
    (first, *_) = changes(from_words)
    assert (first["check"], first["target"], first["state"]) == ("chamber_rate", "ch1", "BAD")
    assert 20 < first["since_s"] < 23
    assert "high voltage" in first["advice"]
    assert lines(from_words)[-1]["state"] == "BAD"


def test_windows_that_come_twice_or_out_of_order_change_nothing(
    command: Command, good: Path, tmp_path: Path
) -> None:
    results, mixed = tmp_path / "results.jsonl", tmp_path / "mixed.jsonl"
    assert command("process", BAD, "--to", results, "--run", "r").code == 0
    rows = results.read_bytes().splitlines(keepends=True)
    mixed.write_bytes(b"".join(r for a, b in zip(rows[::2], rows[1::2], strict=False)
                               for r in (b, a, b)) + rows[-1])  # fmt: skip
    plain = command("judge", results, "--reference", good, "--json")
    again = command("judge", mixed, "--reference", good, "--json")
    assert changes(plain) == changes(again) != []


@pytest.mark.parametrize(
    ("source", "state", "code"),
    [(BAD, "bad", 7), (BAD, "warn", 7), (SOUND, "warn", 0), (SOUND, "bad", 0)],
)
def test_scripts_get_an_exit_code(
    command: Command, good: Path, source: str, state: str, code: int
) -> None:
    done = command("judge", source, "--reference", good, "--fail-on", state)
    assert done.code == code
    if code:
        assert "error: run sim-quiet was BAD: chamber 1: " in done.err


def test_people_read_what_is_wrong_and_what_to_do(command: Command, good: Path) -> None:
    done = command("judge", BAD, "--reference", good, env={"COLUMNS": "100"})
    text = done.out.decode()
    assert "run sim-quiet, detector legnaro" in text
    assert "BAD   chamber_rate ch1: chamber 1: 0 orbits with hits in 1.0 s, expected" in text
    assert "chamber_rate: One chamber differs from the others: see its high voltage" in text
    assert text.splitlines()[-1].startswith("BAD: chamber 1: 0 orbits")


def test_a_sound_run_says_so(command: Command, good: Path) -> None:
    done = command("judge", SOUND, "--reference", good)
    assert done.code == 0
    assert "Problems" not in done.out.decode()


def test_without_a_reference_it_names_what_is_not_judged(command: Command) -> None:
    done = command("judge", SOUND, "--reference", "none")
    assert "not judged without a reference: telescope_rate, chambers_together" in done.out.decode()


def test_another_profile_is_compared(command: Command, good: Path, tmp_path: Path) -> None:
    lenient = tmp_path / "lenient.toml"
    lenient.write_text("[check.chamber_rate]\nenabled = false\n[check.telescope_rate]\n"
                       'rules = [{ ratio = 0.05, state = "WARN" }]\n')  # fmt: skip
    done = command("judge", BAD, "--reference", good, "--profile", lenient, "--json")
    assert "chamber_rate" not in {c["check"] for c in changes(done)}
    compared = command("judge", BAD, "--reference", good, "--compare", lenient, "--json")
    others = [line for line in lines(compared) if line["kind"] == "other profile"]
    assert changes(compared)[0]["check"] == "chamber_rate"
    assert all(line["here"] != line["state"] for line in others)


def test_a_detector_of_ones_own_has_a_reference_of_words(command: Command, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(setup_text("legnaro").replace('name = "legnaro"', 'name = "mine"'))
    good, run = tmp_path / "good.dat", tmp_path / "run.dat"
    for path, seconds, more in ((good, "120", ()), (run, "40", ("--fault", "hv-off:ch1@20s-"))):
        made = command("simulate", path, "--profile", "quiet", "--seconds", seconds, *more)
        assert made.code == 0
    done = command("judge", run, "-d", mine, "--reference", good, "--json")
    assert done.code == 0, done.err
    assert {c["target"] for c in changes(done)} == {"ch1"}


def test_each_run_of_a_file_is_judged_by_itself(command: Command, tmp_path: Path) -> None:
    both = tmp_path / "both.jsonl"
    parts = []
    for name, source in (("first", SOUND), ("second", BAD)):
        path = tmp_path / f"{name}.jsonl"
        assert command("process", source, "--to", path, "--run", name).code == 0
        parts.append(path.read_bytes())
    both.write_bytes(b"".join(parts))
    done = command("judge", both, "--json", "--reference", "none")
    runs = [line for line in lines(done) if line["kind"] == "run"]
    assert [(run["run"], run["worst"]) for run in runs] == [
        ("first", "NOT ENOUGH YET"), ("second", "BAD"),
    ]  # fmt: skip
    only = command("judge", both, "--json", "--reference", "none", "--run", "first")
    assert [line["run"] for line in lines(only) if line["kind"] == "run"] == ["first"]


@pytest.mark.parametrize(
    ("options", "code", "what"),
    [
        (("--fail-on", "red"), 2, "--fail-on: found 'red', expected warn or bad"),
        (("--profile", "nowhere.toml"), 2, "nowhere.toml: cannot be read"),
        (("--reference", "nowhere.dat"), 3, "nowhere.dat"),
        (("--reference", "sim:quiet?seconds=5"), 4, "whole windows of legnaro, expected 30 or mo"),
        (("--condition", "gas"), 2, "--condition: found 'gas', expected NAME=VALUE"),
        (("--condition", "gas=a", "--condition", "gas=b"), 2, "gas is given twice"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(
    command: Command, options: tuple[str, ...], code: int, what: str
) -> None:
    done = command("judge", SOUND, *options)
    assert done.code == code
    assert what in done.err


def test_sources_of_others_are_refused_in_words(command: Command, tmp_path: Path) -> None:
    """Each thing that people hand a judge which is no run."""
    empty, page = tmp_path / "empty.dat", tmp_path / "page.txt"
    empty.write_bytes(b"")
    page.write_bytes(b"<!doctype html><html><body>not found</body></html>")
    other = tmp_path / "other.jsonl"
    other.write_bytes(b'{"schema":"muonscope.window/9","detector":"legnaro"}\n')
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(b'{"schema":"muonscope.window/2","detector":"legnaro","run":"r"}\n')
    for source, code, what in (
        (empty, 4, "holds no window to judge"),
        (page, 4, "HTML"),
        (other, 4, "results of version 9, this muonscope reads 1 and 2"),
        (broken, 4, "1 lines are no results of legnaro; first: first_orbit: found None"),
        (tmp_path / "none.dat", 3, "none.dat"),
        (tmp_path, 2, ""),
        ("sim:mars", 2, "expected one of legnaro"),
    ):
        done = command("judge", source)
        assert (done.code, what in done.err) == (code, True), (source, done.err)


def test_a_case_of_other_people_is_judged(command: Command) -> None:
    done = command("judge", case("0-parallel-parts") / "rows.csv", "--json")
    assert done.code == 0
    assert lines(done)[-1]["kind"] == "run"


def test_real_recordings_are_judged_as_looking_at_them_shows(
    command: Command, realdata: Path
) -> None:
    """Chamber 0 of run000591 has dead channels, and a hole of 210 s parts the run."""
    done = command("judge", realdata / "run000591_data_000000.dat", "-d", "run000591", "--json")
    words = muonscope.open(realdata / "run000591_data_000000.dat", "run000591")
    hits = words.summarise().total().hits_per_cell
    dead = {c["target"] for c in changes(done) if c["check"] == "cell_dead"}
    cells = words.detector.cells()
    names = [f"ch{c}:{n}" for c, n in zip(cells.chamber, cells.channel, strict=True)]
    assert len(dead) >= 7
    for target in dead:
        i = names.index(target)
        layer = (cells.chamber == cells.chamber[i]) & (cells.layer == cells.layer[i])
        assert hits[i] < 0.25 * sorted(hits[layer])[len(hits[layer]) // 2]
    gone = [c for c in changes(done) if c["check"] == "data"]
    assert [c["state"] for c in gone] == ["NO DATA", "GOOD"]


@pytest.mark.parametrize("fault", ["hv-off:ch1@20s-", "dead:ch0:5@20s-", "silent:fpga1@20s-"])
def test_a_run_that_was_killed_and_went_on_is_judged_alike(
    command: Command, good: Path, tmp_path: Path, fault: str
) -> None:
    source = f"sim:quiet?seconds=60&seed=4&fault={fault}"
    unbroken = tmp_path / "unbroken.jsonl"
    assert command("process", source, "--to", unbroken, "--run", "r").code == 0
    broken = tmp_path / "broken.jsonl"
    saved = ("process", source, "--to", broken, "--run", "r", "--state", tmp_path / "state")
    for _ in range(2):
        running = command.start(*saved)
        until(lambda running=running: running.done() or _has_some(broken))  # type: ignore[misc]
        running.signal(signal.SIGKILL)
        running.wait()
    assert command(*saved).code == 0
    plain, again = (
        changes(command("judge", path, "--reference", good, "--json"))
        for path in (unbroken, broken)
    )
    assert plain == again
    assert plain[0]["state"] == "BAD"


def _has_some(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
