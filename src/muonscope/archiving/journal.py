"""The journal of an hour that is not sealed yet: a record for each window, to the disk as it comes.

A journal is written by one process and never gone on with: the next process begins another
one, so a record that a crash has cut short is always the last of its file, and is left out. Each
record has its length and checksum before it; a damaged one in the middle is an error that names
the byte.
"""

import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from muonscope.archiving.run_file import ChangeRecord, sync_folder
from muonscope.counting.block import Arrays, Lists
from muonscope.errors import FormatError, SinkError
from muonscope.quality.verdict import State
from muonscope.results.read_message import WindowResult
from muonscope.transports.writing import why, write_all

__all__ = ["Journal", "Kept", "read_journal"]

_MAGIC = b"muonscope.journal/1\n"
_HEAD = struct.Struct("<II")
_MOST_RECORD = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A window as an archive keeps it."""

    epoch: int
    window: int
    first_orbit: int
    live_orbits: int
    """Orbits that were looked at."""
    at: float
    """When it came by the wall clock, s since 1970."""
    version: int
    """Of the message that told it."""
    state: State
    """Of the telescope after it."""
    changes: tuple[ChangeRecord, ...]
    """Verdicts that changed with it."""
    arrays: Arrays
    lists: Lists
    """Orbits with hits, and their hits, of each chamber; none in what was sealed."""

    @classmethod
    def of(
        cls, result: WindowResult, at: float, state: State, changes: Sequence[ChangeRecord]
    ) -> "Kept":
        """Return what is kept of a result."""
        return cls(
            epoch=result.epoch, window=result.window, first_orbit=result.first_orbit,
            live_orbits=result.summary.live_orbits, at=at, version=result.version, state=state,
            changes=tuple(changes), arrays=result.summary.arrays,
            lists={name: result.lists[name] for name in _LISTS if name in result.lists},
        )  # fmt: skip

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and window."""
        return self.epoch, self.window


_LISTS = ("orbits", "orbit_hits")


class Journal:
    """Writes the windows of one part as they come."""

    def __init__(self, path: Path) -> None:
        """Begin a journal, which must not be there.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        self.path = path
        self._packer = zstandard.ZstdCompressor(level=1)
        self._names: list[list[Any]] = []
        self._length, self._durable = 0, 0
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as exc:
            raise SinkError(f"{path}: cannot be written: {why(exc)}") from exc
        try:
            self._write(_MAGIC)
            sync_folder(path.parent)
        except BaseException as exc:
            self._file.close()
            if isinstance(exc, OSError):
                raise SinkError(f"{path}: cannot be written: {why(exc)}") from exc
            raise

    def put(self, window: Kept) -> None:
        """Add a window; what cannot be written whole is not there at all.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        names = [[name, list(array.shape)] for name, array in window.arrays.items()]
        record = b""
        if names != self._names:
            record = _framed(msgspec.msgpack.encode(names), b"N")
        record += _framed(msgspec.msgpack.encode(self._told(window)), b"W")
        try:
            self._write(record)
        except OSError as exc:
            raise SinkError(f"{self.path}: cannot be written: {why(exc)}") from exc
        self._names = names

    def sync(self) -> None:
        """Make all that was added durable.

        Raises
        ------
        SinkError
            If the disk fails.
        """
        if self._durable == self._length:
            return
        try:
            os.fdatasync(self._file.fileno())
        except OSError as exc:
            raise SinkError(f"{self.path}: cannot be written: {why(exc)}") from exc
        self._durable = self._length

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _told(self, window: Kept) -> list[Any]:
        flat = np.concatenate([array.ravel() for array in window.arrays.values()])
        lists = [[part.astype("<u4").tobytes() for part in some] for some in window.lists.values()]
        return [
            window.epoch, window.window, window.first_orbit, window.live_orbits, window.at,
            window.version, int(window.state), window.changes,
            self._packer.compress(flat.astype("<i8", copy=False).tobytes()),
            self._packer.compress(msgspec.msgpack.encode(lists)),
        ]  # fmt: skip

    def _write(self, data: bytes) -> None:
        if self._file.tell() != self._length:  # what was left of a write that failed
            self._file.truncate(self._length)
            self._file.seek(self._length)
        try:
            write_all(self._file, data)
        except OSError:
            with suppress(OSError):
                self._file.truncate(self._length)
            raise
        self._length += len(data)


def read_journal(path: Path, *, lists: bool = False) -> Iterator[Kept]:
    """Yield the windows of a journal in the order in which they came, with ``lists`` if asked for.

    Raises
    ------
    FormatError
        If it is none, or a record before the last is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise FormatError(f"{path}: cannot be read: {why(exc)}") from exc
    if not _MAGIC.startswith(data[: len(_MAGIC)]):
        raise FormatError(f"{path}: found {data[:20]!r}, expected a journal of windows")
    names: list[tuple[str, list[int]]] = []
    for kind, payload in _records(data, path):
        if kind == b"N":
            names = [(name, shape) for name, shape in msgspec.msgpack.decode(payload)]
        else:
            yield _window(payload, names, path, lists=lists)


def _framed(payload: bytes, kind: bytes) -> bytes:
    body = kind + payload
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _records(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    at = len(_MAGIC)
    while len(data) - at >= _HEAD.size:
        length, checksum = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        whole = 0 < length <= _MOST_RECORD and len(body) == length and zlib.crc32(body) == checksum
        if not whole:
            if _is_cut_short(data, at):
                return
            raise FormatError(f"{path}: the record at byte {at:,} is damaged")
        yield body[:1], body[1:]
        at += _HEAD.size + length


def _is_cut_short(data: bytes, at: int) -> bool:
    """Tell whether the record at ``at`` is the last one, and a crash has cut it short.

    A damaged length would make any record look like that; but then others follow it. After a
    power cut a file may end in zeros.
    """
    if not any(data[at:]):
        return True
    length, _ = _HEAD.unpack_from(data, at)
    return at + _HEAD.size + length >= len(data) and not _has_record(data, at)


def _has_record(data: bytes, at: int) -> bool:
    """Tell whether a whole record begins anywhere from ``at`` on."""
    for offset in range(at, at + 4):
        lengths = np.frombuffer(data, "<u4", (len(data) - offset) // 4, offset).astype(np.int64)
        begin = offset + 4 * np.arange(len(lengths))
        room = len(data) - _HEAD.size - begin
        for place in begin[(lengths > 0) & (lengths <= room)].tolist():
            length, checksum = _HEAD.unpack_from(data, place)
            body = place + _HEAD.size
            if zlib.crc32(data[body : body + length]) == checksum:
                return True
    return False


def _window(
    payload: bytes, names: Sequence[tuple[str, list[int]]], path: Path, *, lists: bool
) -> Kept:
    try:
        (
            epoch, window, first, live, at, version, state, changes, arrays, packed,
        ) = msgspec.msgpack.decode(payload)  # fmt: skip
        flat = np.frombuffer(_unpacked(arrays), "<i8")
        parts = msgspec.msgpack.decode(_unpacked(packed)) if lists else []
        told: Mapping[str, tuple[npt.NDArray[Any], ...]] = {
            name: tuple(np.frombuffer(part, "<u4") for part in some)
            for name, some in zip(_LISTS, parts, strict=False)
        }
        return Kept(
            epoch=epoch, window=window, first_orbit=first, live_orbits=live, at=at,
            version=version, state=State(state),
            changes=tuple(msgspec.convert(changes, list[ChangeRecord]) if changes else ()),
            arrays=_split(flat, names), lists=told,
        )  # fmt: skip
    except (ValueError, TypeError, msgspec.MsgspecError, zstandard.ZstdError) as exc:
        raise FormatError(f"{path}: holds a record that is no window: {exc}") from exc


def _unpacked(data: bytes) -> bytes:
    if zstandard.frame_content_size(data) > _MOST_RECORD:
        raise ValueError(f"more than {_MOST_RECORD:,} bytes")
    return zstandard.decompress(data)


def _split(flat: npt.NDArray[np.int64], names: Sequence[tuple[str, list[int]]]) -> Arrays:
    sizes = [math.prod(shape) for _, shape in names]
    if sum(sizes) != len(flat):
        raise ValueError(f"found {len(flat)} counts, expected {sum(sizes)}")
    ends = np.cumsum(sizes)
    return {
        name: flat[end - size : end].reshape(shape)
        for (name, shape), size, end in zip(names, sizes, ends, strict=True)
    }
