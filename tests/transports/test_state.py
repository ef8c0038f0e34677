"""Saved state: whole or not at all, for one process, and damage is noticed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from muonscope.errors import StateError
from muonscope.transports.state import StateStore

TRY_TO_OPEN = """
import sys
from pathlib import Path
from muonscope.errors import StateError
from muonscope.transports.state import StateStore
try:
    StateStore(Path(sys.argv[1]))
except StateError as exc:
    sys.exit(str(exc))
"""


def saved(folder: Path) -> Path:
    """Save something; return the file."""
    store = StateStore(folder)
    store.save({"n": 1}, {"a": np.arange(1000)})
    store.close()
    return folder / "state.npz"


def test_a_new_store_holds_nothing(tmp_path: Path) -> None:
    store = StateStore(tmp_path / "deep" / "state")
    assert store.load() is None
    store.close()


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    meta = {"options": {"run": "Läufe \u2028"}, "n": 2**40, "nothing": None, "list": ["a", 1.5]}
    arrays = {"words": np.array([2**64 - 1], np.uint64), "none": np.empty((0, 3), np.int64)}
    store = StateStore(tmp_path)
    store.save(meta, arrays)
    store.close()
    again = StateStore(tmp_path)
    loaded = again.load()
    again.close()
    assert loaded is not None
    assert loaded[0] == meta
    assert set(loaded[1]) == set(arrays)
    for name, array in arrays.items():
        assert loaded[1][name].dtype == array.dtype
        assert loaded[1][name].shape == array.shape
        assert np.array_equal(loaded[1][name], array)


def test_saving_replaces_what_was_saved(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.save({"n": 1}, {"a": np.arange(5)})
    store.save({"n": 2}, {"b": np.arange(3)})
    loaded = store.load()
    store.close()
    assert loaded is not None
    assert loaded[0] == {"n": 2}
    assert set(loaded[1]) == {"b"}


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_crash_while_saving_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    saved(tmp_path)
    store = StateStore(tmp_path)

    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os if call == "fsync" else Path, call, crash)
    with pytest.raises(KeyboardInterrupt):
        store.save({"n": 2}, {})
    monkeypatch.undo()
    loaded = store.load()
    store.close()
    assert loaded is not None
    assert loaded[0] == {"n": 1}


def test_the_data_is_on_the_disk_before_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(descriptor: int) -> None:
        calls.append("fsync")
        fsync(descriptor)

    def noting_replace(path: Path, target: Path) -> Path:
        calls.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    saved(tmp_path)
    assert calls == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("keep", [0, 1, 30, 500, -1])
def test_a_file_cut_short_is_damaged(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match=rf"{path}: damaged; remove it"):
        store.load()
    store.close()


@pytest.mark.parametrize("content", [b"rubbish", b"PK\x03\x04 rubbish", b"\0" * 5000, b"\x93NUMPY"])
def test_a_file_that_is_no_state_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.npz").write_bytes(content)
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match="damaged"):
        store.load()
    store.close()


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match="damaged"):
        store.load()
    store.close()


def test_arrays_without_their_meta_are_damaged(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", a=np.arange(3))
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match="damaged"):
        store.load()
    store.close()


def test_a_second_store_of_the_same_folder_is_refused(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match=f"{tmp_path}: in use by another"):
        StateStore(tmp_path)
    store.close()
    StateStore(tmp_path).close()


def test_another_process_is_refused_while_the_store_is_open(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TRY_TO_OPEN, str(tmp_path)]
    store = StateStore(tmp_path)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    store.close()
    accepted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "in use by another muonscope process" in refused.stderr
    assert accepted.returncode == 0


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StateError, match="cannot be used for state"):
        StateStore(tmp_path / "state")


def test_a_disk_that_is_full_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state.new").symlink_to("/dev/full")
    store = StateStore(tmp_path)
    with pytest.raises(StateError, match="cannot be written: No space"):
        store.save({}, {})
    store.close()
