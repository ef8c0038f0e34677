"""What a power cut must not find: a state on the disk that counts on results that are not."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.simulated import BRIGHT, simulated_words
from muonscope.intake import checkpoints
from muonscope.processing.process import process
from muonscope.transports import files

WORDS = simulated_words(12_000, profile=BRIGHT)


class Disk:
    """Notes how large the results were when they were last forced to the disk."""

    def __init__(self, results: Path) -> None:
        self._results, self.forced = results, 0
        self.states: list[tuple[int, int]] = []
        """Size of the results, and of what was forced, whenever the state was replaced."""

    def size(self) -> int:
        return self._results.stat().st_size if self._results.exists() else 0

    def fsync(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            if self.size() and os.fstat(descriptor).st_ino == self._results.stat().st_ino:
                self.forced = self.size()
            real(descriptor)

        return fsync

    def replace(self, real: Callable[[Path, Any], Path]) -> Callable[[Path, Any], Path]:
        def replace(path: Path, target: Any) -> Path:
            if path.parent.name == "state":
                self.states.append((self.size(), self.forced))
            return real(path, target)

        return replace


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    """Process a file in small pieces, with the state saved after each, and watch the disk."""
    disk = Disk(tmp_path / "results.jsonl")
    monkeypatch.setattr(os, "fsync", disk.fsync(os.fsync))
    monkeypatch.setattr(Path, "replace", disk.replace(Path.replace))
    monkeypatch.setattr(files, "CHUNK_BYTES", 4096)
    monkeypatch.setattr(checkpoints, "_SLOW_S", 0.0)
    (tmp_path / "run.dat").write_bytes(WORDS.tobytes())
    process(
        tmp_path / "run.dat", to=str(tmp_path / "results.jsonl"), window="200ms",
        state=str(tmp_path / "state"),
    )  # fmt: skip
    return disk


def test_results_are_on_the_disk_before_the_state_that_counts_on_them(disk: Disk) -> None:
    assert len(disk.states) > 5
    assert disk.states[-1][0] > 0
    assert all(forced == size for size, forced in disk.states)


def test_the_last_results_are_on_the_disk_when_a_run_ends(disk: Disk) -> None:
    assert disk.forced == disk.size() > disk.states[-1][0]
