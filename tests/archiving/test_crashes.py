"""A crash, or a full disk, at every single step of writing: the end is the same."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.archived import (
    AN_HOUR,
    Place,
    about,
    archive_of,
    as_told,
    change,
    detector,
    kept,
    run_of,
    writer_of,
)
from muonscope.archiving import journal as journals
from muonscope.archiving import run_file
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.run_writer import RunWriter
from muonscope.archiving.sealing import seal
from muonscope.archiving.upkeep import rebuild
from muonscope.errors import SinkError
from muonscope.quality.verdict import State
from muonscope.transports.writing import write_all

HERE: list[Place] = [(0, n) for n in range(AN_HOUR - 6, AN_HOUR + 6)]
LATE = HERE[3]


class Crash(BaseException):
    """A process that ends at once, as by SIGKILL."""


class Steps:
    """Counts the steps that change the disk, and crashes or fails at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done, self.at, self.failing = 0, -1, False
        self.before = False
        for owner, name in (
            (os, "fsync"), (os, "fdatasync"), (Path, "replace"), (Path, "unlink"),
            (journals, "write_all"), (run_file, "sync_folder"), (Path, "open"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name), name))

    def _wrapped(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            if name == "open" and not {*"wxa"} & {*"".join(map(str, args[1:2]))}:
                return real(*args, **options)
            self.done += 1
            due = self.done == self.at or (self.failing and self.done >= self.at > 0)
            if due and self.failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if due and self.before:
                raise Crash
            answer = real(*args, **options)
            if due:
                if name == "open":
                    answer.close()
                raise Crash
            return answer

        return step

    def arm(self, at: int, *, before: bool = False, failing: bool = False) -> None:
        """Crash before or after the step number ``at``, or fail from it on; 0 never."""
        self.done, self.at, self.before, self.failing = 0, at, before, failing


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Steps that are counted."""
    return Steps(monkeypatch)


def written(folder: Path) -> RunWriter:
    """Write a run whose first hour can be sealed, and was already but for one window."""
    for run, places in (("other", HERE[:2]), ("r", [p for p in HERE[:6] if p != LATE])):
        archive_of(folder, places, run=run)
    writer = writer_of(folder)
    writer.take(kept(LATE, changes=[change(LATE, State.GOOD, State.BAD)]))
    for place in HERE[6:]:
        writer.take(kept(place))
    return writer


@pytest.mark.parametrize("before", [True, False])
def test_sealing_that_dies_at_any_step_ends_the_same_when_it_is_done_again(
    steps: Steps, tmp_path: Path, *, before: bool
) -> None:
    writer = written(tmp_path / "model")
    writer.close()
    shutil.copytree(tmp_path / "model", tmp_path / "straight")
    writer = writer_of(tmp_path / "straight")
    steps.arm(0)
    writer.settle(whole=True)
    n = steps.done
    writer.close()
    expected = as_told(tmp_path / "straight")
    assert n > 12
    assert expected["n"] == len(HERE)
    for at in range(1, n + 1):
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "model", folder)
        writer = writer_of(folder)
        steps.arm(at, before=before)
        with pytest.raises(Crash):
            writer.settle(whole=True)
        steps.arm(0)
        writer.close()
        assert as_told(folder) == expected, f"as it was left at step {at}"
        writer = writer_of(folder)
        for place in HERE:
            assert not writer.take(kept(place))
        writer.settle(whole=True)
        writer.close()
        assert as_told(folder) == expected, at
        left = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        straight = sorted(
            str(p.relative_to(tmp_path / "straight"))
            for p in (tmp_path / "straight").rglob("*") if p.is_file()
        )  # fmt: skip
        assert left == straight, "nothing is left lying about"
        shutil.rmtree(folder)


@pytest.mark.parametrize("before", [True, False])
def test_cutting_back_that_dies_at_any_step_ends_the_same_when_it_is_done_again(
    steps: Steps, tmp_path: Path, *, before: bool
) -> None:
    written(tmp_path / "model").close()
    at, crashed = 0, True
    while crashed:
        at += 1
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "model", folder)
        writer = writer_of(folder)
        steps.arm(at, before=before)
        try:
            writer.cut_after(HERE[7])
            crashed = False
        except Crash:
            pass
        steps.arm(0)
        writer.close()
        writer = writer_of(folder)
        writer.cut_after(HERE[7])
        assert run_of(folder).table(["window"])["window"].to_pylist() == [w for _, w in HERE[:8]]
        writer.close()
    assert at > 5


def test_a_disk_that_is_full_at_any_step_loses_nothing_and_says_so(
    steps: Steps, tmp_path: Path
) -> None:
    straight = tmp_path / "straight"
    steps.arm(0)
    work(straight)
    n, expected = steps.done, as_told(straight)
    assert n > 20
    for at in range(1, n + 1):
        folder = tmp_path / str(at)
        steps.arm(at, failing=True)
        with pytest.raises(SinkError, match="disk is full"):
            work(folder)
        steps.arm(0)
        work(folder)
        assert as_told(folder) == expected, at
        assert not list(folder.rglob("*.part"))


def work(folder: Path) -> None:
    """Write a run as far as it goes."""
    writer = writer_of(folder)
    try:
        for place in HERE:
            writer.take(kept(place))
        writer.sync()
        writer.settle(whole=True)
        writer.end(5.0)
    finally:
        writer.close()


def test_windows_that_did_not_fit_can_be_taken_again_by_the_same_writer(
    steps: Steps, tmp_path: Path
) -> None:
    writer = writer_of(tmp_path)
    writer.take(kept(HERE[0]))
    steps.arm(1, failing=True)
    with pytest.raises(SinkError, match="the disk is full"):
        writer.take(kept(HERE[1]))
    with pytest.raises(SinkError, match="the disk is full"):
        writer.settle(whole=True)
    steps.arm(0)
    assert writer.take(kept(HERE[1]))
    assert not writer.take(kept(HERE[0]))
    writer.settle(whole=True)
    writer.close()
    assert run_of(tmp_path).windows == 2


def test_a_write_that_fails_half_way_leaves_no_damaged_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    writer = writer_of(tmp_path)
    writer.take(kept(HERE[0]))
    real = write_all

    def half(file: Any, data: bytes) -> None:
        real(file, data[: len(data) // 2])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(journals, "write_all", half)
    with pytest.raises(SinkError, match=r"H0000\.00\.journal: cannot be written"):
        writer.take(kept(HERE[1]))
    monkeypatch.setattr(journals, "write_all", real)
    assert writer.take(kept(HERE[2]))
    writer.close()
    assert run_of(tmp_path).table(["window"])["window"].to_pylist() == [HERE[0][1], HERE[2][1]]


def test_a_run_that_goes_on_is_not_said_to_have_ended(tmp_path: Path) -> None:
    work(tmp_path)
    assert run_of(tmp_path).about.ended_at == 5.0
    writer = writer_of(tmp_path)
    assert run_of(tmp_path).about.ended_at is None
    writer.close()


def test_what_a_killed_process_was_writing_aside_is_removed_by_the_next(tmp_path: Path) -> None:
    work(tmp_path)
    left = tmp_path / "runs" / "r" / "windows" / ".E000-H0000.parquet.77.part"
    left.write_bytes(b"half")
    writer_of(tmp_path).close()
    assert not left.exists()


def test_an_empty_run_makes_room_for_another_detector(tmp_path: Path) -> None:
    place = ArchiveFolder(tmp_path).run("r")
    RunWriter(place, about(detector_hash="other"), detector()).close()
    with pytest.raises(SinkError, match="detector_hash = 'other'"):
        writer_of(tmp_path)
    writer_of(tmp_path, fresh=True).close()
    assert run_of(tmp_path).about.detector_hash == detector().fingerprint


def test_rebuilding_seals_what_a_killed_process_left_open(tmp_path: Path) -> None:
    writer = written(tmp_path)
    expected = as_told(tmp_path)
    writer.close()
    found = rebuild(tmp_path)
    assert (found.runs, found.sealed, found.written, found.damaged) == (2, 2, [], [])
    assert run_of(tmp_path).open_windows == []
    assert as_told(tmp_path) == expected


def test_rebuilding_leaves_open_what_a_run_with_a_state_may_take_back(tmp_path: Path) -> None:
    place = ArchiveFolder(tmp_path).run("r")
    writer = RunWriter(place, about(resumes=True), detector())
    for window in HERE:
        writer.take(kept(window))
    writer.close()
    assert rebuild(tmp_path).sealed == 0
    writer = RunWriter(place, about(resumes=True), detector())
    writer.cut_after(HERE[8])
    writer.close()
    assert run_of(tmp_path).windows == 9


def test_a_part_without_journals_needs_no_sealing(tmp_path: Path) -> None:
    archive_of(tmp_path, HERE[:3])
    run = run_of(tmp_path)
    (part,) = run.parts
    before = run.folder.sealed_file(part).read_bytes()
    seal(run.folder, part, run.detector, run.blocks)
    assert run.folder.sealed_file(part).read_bytes() == before
