"""A run that is killed while it is archived: at its end the archive holds what the results hold."""

import random
import signal
import time
from pathlib import Path

import pytest

import muonscope
from archiving.compared import contradictions, differences, recording
from helpers.archived import run_of
from helpers.command import Command, Finished, until
from muonscope.archiving.run_file import ChangeRecord

SMALL = {
    "muonscope.transports.files.CHUNK_BYTES": 30_000,
    "muonscope.intake.checkpoints._SLOW_S": 0.0,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of two epochs, an hour and a quarter in all."""
    return recording(tmp_path_factory.mktemp("source") / "run.dat", hours=1.05)


def arguments(source: Path, folder: Path, *more: object) -> list[object]:
    return [
        "process", source, "--to", folder / "results.jsonl", "--run", "r", "--window", "20s",
        "--without", "tracking", "--archive", folder / "archive", *more,
    ]  # fmt: skip


def ended(command: Command, source: Path, folder: Path, *more: object) -> Finished:
    done = command(*arguments(source, folder, *more), settings=SMALL)
    assert done.code == 0, done.err
    assert differences(folder / "archive", "r", folder / "results.jsonl") == []
    return done


def saved_at(state: Path) -> int:
    """Return when a state was saved, ns; 0 if it was not."""
    return state.stat().st_mtime_ns if state.exists() else 0


@pytest.mark.slow
def test_killed_at_random_moments_it_archives_what_an_unbroken_run_does(
    command: Command, source: Path, tmp_path: Path
) -> None:
    ended(command, source, tmp_path / "unbroken", "--state", tmp_path / "unbroken" / "state")
    rng, killed, folder = random.Random(3), 0, tmp_path / "killed"
    state = folder / "state" / "state.npz"
    for _ in range(6):
        before = saved_at(state)
        running = command.start(*arguments(source, folder, "--state", state.parent), settings=SMALL)
        until(lambda running=running, before=before: saved_at(state) > before or running.done())  # type: ignore[misc]
        time.sleep(rng.uniform(0.0, 0.15))
        running.signal(signal.SIGKILL)
        killed += running.wait().code == -signal.SIGKILL
    ended(command, source, folder, "--state", folder / "state")
    assert killed >= 2
    there, here = run_of(folder / "archive"), run_of(tmp_path / "unbroken" / "archive")
    assert there.total() == here.total()
    assert here.changes, "the fault is found"


@pytest.mark.parametrize(
    ("call", "n", "after"),
    [
        ("muonscope.archiving.journal.Journal.put", 3, True),
        ("muonscope.archiving.journal.Journal.sync", 2, False),
        ("muonscope.archiving.sealing.write_whole", 1, False),
        ("muonscope.archiving.sealing.remove_files", 1, False),
        ("muonscope.archiving.run_writer.RunWriter.end", 1, True),
        ("muonscope.transports.state.StateStore.save", 3, False),
        ("muonscope.transports.state.StateStore.save", 3, True),
    ],
)
def test_killed_around_a_step_it_archives_what_an_unbroken_run_does(
    command: Command, source: Path, tmp_path: Path, call: str, n: int, *, after: bool
) -> None:
    more = "--state", tmp_path / "state"
    died = command(*arguments(source, tmp_path, *more), settings=SMALL, kill_at=(call, n, after))
    assert died.code == -signal.SIGKILL, died.err
    ended(command, source, tmp_path, *more)


def test_without_a_state_a_killed_run_is_archived_anew_by_force(
    command: Command, source: Path, tmp_path: Path
) -> None:
    died = command(
        *arguments(source, tmp_path), settings=SMALL,
        kill_at=("muonscope.archiving.journal.Journal.put", 150, True),
    )  # fmt: skip
    assert died.code == -signal.SIGKILL
    again = command(*arguments(source, tmp_path))
    assert again.code == 5
    assert "run r is in the archive already; choose another --run, or use --force" in again.err
    assert run_of(tmp_path / "archive").windows == 150
    ended(command, source, tmp_path, "--force")


def test_a_source_that_grows_after_the_end_has_its_last_window_once(
    command: Command, source: Path, tmp_path: Path
) -> None:
    data, growing = source.read_bytes(), tmp_path / "run.dat"
    for size in (len(data) // 2 // 8 * 8, len(data) * 3 // 4 // 8 * 8, len(data)):
        growing.write_bytes(data[:size])
        done = ended(command, growing, tmp_path, "--state", tmp_path / "state")
        assert "other counts" not in done.err
    whole = tmp_path / "whole"
    ended(command, source, whole)
    assert run_of(tmp_path / "archive").total() == run_of(whole / "archive").total()


def test_verdicts_of_a_run_that_goes_on_are_at_the_time_of_the_whole_run(tmp_path: Path) -> None:
    words = muonscope.open("sim:quiet?seconds=150&seed=5&fault=hv-off:ch1@110s-130s").words()
    growing = tmp_path / "run.dat"
    for part in (len(words) // 2, len(words)):
        growing.write_bytes(words[:part].astype("<u8").tobytes())
        muonscope.process(
            growing, to=tmp_path / "r.jsonl", run="r", state=tmp_path / "state",
            archive=tmp_path / "archive", without=["tracking"],
        )  # fmt: skip
    run = run_of(tmp_path / "archive")
    first = run.table(["window"])["window"].to_pylist()[0]
    told = [c for c in run.changes if (c.check, c.target) == ("chamber_rate", "ch1")]
    assert told[0].state == "BAD"
    assert told[0].run_s == pytest.approx(told[0].window + 1 - first, abs=2)
    assert 110 <= told[0].run_s < 120


def test_a_state_that_was_saved_without_an_archive_is_told(
    command: Command, source: Path, tmp_path: Path
) -> None:
    growing = tmp_path / "run.dat"
    growing.write_bytes(source.read_bytes()[: 8 * 60_000])
    base = ["process", growing, "--to", tmp_path / "r.jsonl", "--run", "r", "--window", "20s",
            "--without", "tracking", "--state", tmp_path / "state"]  # fmt: skip
    assert command(*base, settings=SMALL).code == 0
    growing.write_bytes(source.read_bytes()[: 8 * 90_000])
    done = command(*base, "--archive", tmp_path / "archive", settings=SMALL)
    assert done.code == 0
    assert "goes on from a state that was saved without an archive" in done.err
    found = run_of(tmp_path / "archive").windows
    assert 0 < found < len((tmp_path / "r.jsonl").read_bytes().splitlines())


def test_changes_that_do_not_follow_one_another_are_noticed() -> None:
    def turned(before: str, state: str) -> ChangeRecord:
        return ChangeRecord(
            epoch=0, window=1, run_s=1.0, check="a", target="b", before=before, state=state, text=""
        )

    assert contradictions([turned("GOOD", "BAD"), turned("BAD", "GOOD")]) == []
    assert len(contradictions([turned("GOOD", "BAD"), turned("GOOD", "BAD")])) == 1
    assert len(contradictions([turned("WARN", "GOOD")])) == 1
