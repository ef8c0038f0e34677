"""The state of a run on disk: one file, replaced whole, for one process at a time."""

import fcntl
import io
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from muonscope.errors import StateError

__all__ = ["StateStore", "pack_state", "unpack_state"]

_FILE, _LOCK, _META = "state.npz", "lock", "meta"


def pack_state(meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return a JSON value and some arrays as bytes."""
    buffer = io.BytesIO()
    everything: dict[str, Any] = {_META: np.frombuffer(orjson.dumps(meta), np.uint8), **arrays}
    np.savez(buffer, **everything)
    return buffer.getvalue()


def unpack_state(data: bytes, where: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return what :func:`pack_state` was given.

    Raises
    ------
    StateError
        If ``data`` is damaged; the message names ``where`` it is from.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        meta = orjson.loads(arrays.pop(_META).tobytes())
    except (EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as exc:
        raise StateError(f"{where}: damaged; remove it to start anew") from exc
    return meta, arrays


class StateStore:
    """Saves and loads a JSON value and some arrays together, atomically."""

    def __init__(self, folder: Path) -> None:
        """Create the folder if need be, and lock it.

        Raises
        ------
        StateError
            If another process uses the folder, or it cannot be written.
        """
        self._path = folder / _FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._lock.close()
            raise StateError(f"{folder}: in use by another muonscope process") from exc
        except OSError as exc:
            raise StateError(f"{folder}: cannot be used for state: {exc.strerror or exc}") from exc

    def load(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] | None:
        """Return what was saved last, or None.

        Raises
        ------
        StateError
            If the file is damaged.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise StateError(f"{self._path}: cannot be read: {exc.strerror or exc}") from exc
        return unpack_state(data, str(self._path))

    def save(self, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Replace what was saved; after a crash either the old or the new is there.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        data = pack_state(meta, arrays)
        new = self._path.with_suffix(".new")
        try:
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            self._sync_folder()
        except OSError as exc:
            raise StateError(f"{self._path}: cannot be written: {exc.strerror or exc}") from exc

    def _sync_folder(self) -> None:
        descriptor = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()
