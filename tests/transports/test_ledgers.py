"""Ledgers: results and the state that follows from them become visible together."""

import os
from pathlib import Path

import numpy as np
import pytest

from helpers.published import published
from muonscope.errors import SinkError, SinkExistsError
from muonscope.transports.base import State
from muonscope.transports.ledgers import (
    FileLedger,
    StreamLedger,
    results_path,
    standard_output,
)
from muonscope.transports.memory import MemoryLedger
from muonscope.transports.state import StateStore

STATE: State = ({"format": 1}, {"numbers": np.arange(3)})


def opened(folder: Path, *, force: bool = False) -> FileLedger:
    """Return a ledger that goes on from what is there, as a run does."""
    ledger = FileLedger(folder / "out" / "w.jsonl", StateStore(folder / "state"), force=force)
    ledger.begin(fresh=ledger.load() is None)
    return ledger


def test_results_go_to_a_jsonl_file_or_into_a_folder() -> None:
    assert results_path("-") is None
    assert results_path("a/b.jsonl") == Path("a/b.jsonl")
    assert results_path("a/b") == Path("a/b/windows.jsonl")


def test_what_was_published_after_the_last_commit_is_cut_off(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.publish(published(b"one\n"))
    ledger.commit(STATE)
    ledger.publish(published(b"lost\n"))
    ledger.close()
    again = opened(tmp_path)
    again.publish(published(b"two\n"))
    again.commit(None)
    again.close()
    assert (tmp_path / "out" / "w.jsonl").read_bytes() == b"one\ntwo\n"


def test_the_state_comes_back_with_its_arrays(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    ledger.commit(STATE)
    ledger.close()
    store = StateStore(tmp_path / "state")
    saved = FileLedger(tmp_path / "out" / "w.jsonl", store).load()
    store.close()
    assert saved is not None
    assert saved[0]["format"] == 1
    assert saved[1]["numbers"].tolist() == [0, 1, 2]


def test_the_results_are_on_the_disk_before_the_state_that_counts_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        order.append(f"{path.name} -> {target.name}")
        return replace(path, target)

    ledger = opened(tmp_path)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    ledger.publish(published(b"one\n"))
    ledger.commit(STATE)
    assert order == ["w.jsonl", "state.new", "state.new -> state.npz", "state"]
    order.clear()
    ledger.publish(published(b"two\n"))
    ledger.commit(None)
    assert order == ["w.jsonl"]
    ledger.close()


def test_nothing_is_touched_before_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(b"precious")
    ledger = FileLedger(path)
    ledger.load()
    ledger.close()
    with pytest.raises(SinkExistsError):
        FileLedger(path).begin(fresh=True)
    assert path.read_bytes() == b"precious"
    forced = FileLedger(path, force=True)
    forced.begin(fresh=True)
    forced.close()
    assert path.read_bytes() == b""


def test_a_stream_gets_the_messages_at_once() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)  # nothing there is an error, not a wait
    with os.fdopen(write, "wb") as file, os.fdopen(read, "rb") as other:
        ledger = StreamLedger(file)
        ledger.publish(published(b"one\n", b"two\n"))
        assert os.read(other.fileno(), 100) == b"one\ntwo\n"
        ledger.commit(None)
        ledger.close()
        assert not file.closed


def test_a_full_stream_is_a_clear_error() -> None:
    file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", buffering=0)
    with file, pytest.raises(SinkError, match="standard output: cannot be written: No space"):
        StreamLedger(file).publish(published(b"one\n"))


def test_a_closed_pipe_stays_a_closed_pipe() -> None:
    read, write = os.pipe()
    os.close(read)
    file = os.fdopen(write, "wb", buffering=0)
    with file, pytest.raises(BrokenPipeError):
        StreamLedger(file).publish(published(b"one\n"))


class Text:
    """Standard output as a notebook has it."""


@pytest.mark.parametrize(("stream", "why"), [(None, "is closed"), (Text(), "takes no bytes")])
def test_standard_output_that_takes_no_bytes_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, stream: object, why: str
) -> None:
    monkeypatch.setattr("sys.stdout", stream)
    with pytest.raises(SinkError, match=f"standard output {why}.*; name a destination"):
        standard_output()


def test_the_ledger_in_memory_forgets_what_was_not_committed() -> None:
    ledger = MemoryLedger()
    ledger.begin(fresh=True)
    ledger.publish(published(b"one\n"))
    ledger.commit(STATE)
    ledger.publish(published(b"lost\n"))
    assert ledger.load() == STATE
    ledger.begin(fresh=False)
    ledger.publish(published(b"two\n"))
    assert ledger.messages == [b"one\n", b"two\n"]
