"""The dashboard's keeper: what cannot be archived stops nothing, and is told once."""

from pathlib import Path

import pytest

from helpers.archived import OPENED, detector, placed, run_of
from muonscope.archiving.archivist import Archivist
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.journal import Journal
from muonscope.archiving.run_writer import RunWriter
from muonscope.dashboard import keeping
from muonscope.dashboard.keeping import Keeper
from muonscope.errors import SinkError
from muonscope.events import Event, EventKind
from muonscope.quality.judge import Judge


class Kept:
    """A keeper, what it told, and what is given to it."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Event] = []
        archivist = Archivist(str(folder), detector(), self.told.append, lambda: 1.0)
        self.keeper = Keeper(archivist, str(folder), self.told.append)
        self.judge = Judge(detector())

    def take(self, window: int) -> None:
        result = placed((0, window))
        changes = self.judge.take(result, 5.0)
        self.keeper.note(result, 5.0, self.judge, changes)
        self.keeper.write()

    @property
    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.told]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all durable with every window."""
    monkeypatch.setattr(keeping, "_SYNC_S", 0.0)


def windows_in(folder: Path) -> list[int]:
    found: list[int] = run_of(folder).table(["window"])["window"].to_pylist()
    while OPENED:
        OPENED.pop().close()
    return found


def test_what_is_judged_is_archived(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    for window in range(5):
        kept.take(window)
    assert windows_in(tmp_path) == [0, 1, 2, 3, 4]
    kept.keeper.close()
    assert kept.kinds == [EventKind.ARCHIVED]


def test_a_disk_that_fails_is_told_once_counted_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    kept.take(0)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "put", failing)
        for window in range(1, 4):
            kept.take(window)
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE]
    assert "the disk is full" in kept.told[0].detail
    for window in range(4, 6):
        kept.take(window)
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE, EventKind.ARCHIVE_GOES_ON]
    assert kept.told[1].numbers == {"windows": 3}
    kept.keeper.close()
    assert windows_in(tmp_path) == [0, 4, 5]


def test_a_disk_that_only_fails_to_sync_is_told_once_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "sync", failing)
        for window in range(4):
            kept.take(window)
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE]
    kept.take(4)
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE, EventKind.ARCHIVE_GOES_ON]
    assert kept.told[1].numbers == {"windows": 0}
    kept.keeper.close()
    assert windows_in(tmp_path) == [0, 1, 2, 3, 4]


def test_another_process_that_writes_the_run_is_told_once_until_it_lets_go(
    tmp_path: Path,
) -> None:
    place = ArchiveFolder(tmp_path).run("r")
    lock, kept = place.lock(), Kept(tmp_path)
    for window in range(3):
        kept.take(window)
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE]
    assert "another process archives run r here" in kept.told[0].detail
    lock.release()
    kept.take(3)
    assert kept.told[-1].kind is EventKind.ARCHIVE_GOES_ON
    assert kept.told[-1].numbers == {"windows": 3}
    kept.keeper.close()
    assert windows_in(tmp_path) == [3]


def test_sealing_that_fails_at_the_end_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = Kept(tmp_path)
    kept.take(0)
    kept.keeper._over = True
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "settle", failing)
        kept.keeper.write()
    kept.keeper.write()
    assert kept.kinds == [EventKind.ARCHIVE_TROUBLE, EventKind.ARCHIVE_GOES_ON]
    assert run_of(tmp_path).open_windows == []
    while OPENED:
        OPENED.pop().close()
    kept.keeper.close()


def failing(*args: object, **options: object) -> None:
    """Fail as a full disk does."""
    raise SinkError("x: cannot be written: the disk is full")
