"""Local files as sources, once or as they grow; standard input.

A file is known by device, inode, its first bytes and the last ones that were read, so it is
the same after a rename, and another one, read from its start, when it shrinks, was replaced,
or was truncated and written anew. Names say the order: files are read
in natural order of their paths (``data_2`` before ``data_10``).
"""

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from glob import glob
from itertools import count
from pathlib import Path
from select import select
from typing import BinaryIO

from muonscope.errors import OptionError, SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.transports.base import FilePosition, Piece
from muonscope.transports.patterns import is_pattern, pattern_of
from muonscope.words.compression import compression_of
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.parquet import is_truth

__all__ = ["FileSource", "FollowSource", "StreamSource", "find_files", "natural_key"]

CHUNK_BYTES = 1 << 21
MARK_BYTES = 64

_SETTLE_S = 1.0
"""A file that has not changed for so long, s, has ended where a later one is there."""


def natural_key(path: str) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in names by value.

    Examples
    --------
    >>> sorted(["d10", "d9", "d1"], key=natural_key)
    ['d1', 'd9', 'd10']
    """
    parts = re.split(r"(\d+)", path)
    return [*((int(p), "") if p.isdecimal() else (0, p) for p in parts), (0, path)]


def find_files(sources: Sequence[str], *, exclude: Sequence[Path] = ()) -> list[Path]:
    """Return the files that ``sources`` (files, folders, globs) name, in order.

    Folders are searched with their subfolders; hidden files are left out there, and so
    are ``exclude``, files and folders. A file that is found under several names is
    returned once. The truth of a simulation, which may lie beside its words, is left out
    of folders and globs.

    Raises
    ------
    SourceNotFoundError
        If a source names nothing.
    SourceDeniedError, SourceError
        If a folder cannot be read.
    OptionError
        If a source that is named itself is one of ``exclude``.
    """
    found: dict[tuple[int, int], Path] = {}
    for source in sources:
        try:
            for file in _named(source, exclude):
                with suppress(FileNotFoundError):
                    status = file.stat()
                    found.setdefault((status.st_dev, status.st_ino), file)
        except OSError as exc:
            raise _error(Path(exc.filename or source), exc) from exc
    return list(found.values())


def _named(source: str, exclude: Sequence[Path]) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        files = sorted(_inside(path), key=lambda p: natural_key(str(p)))
    elif is_pattern(source) and not path.exists():
        names = glob(pattern_of(source, os.path.exists), recursive=True)
        files = [Path(name) for name in sorted(names, key=natural_key)]
        files = [file for file in files if not file.is_dir()]
        if not files:
            raise SourceNotFoundError(f"{source}: no file matches")
    elif path.exists():
        if _is_one_of(path, exclude):
            raise OptionError(f"{source}: cannot be read and written at the same time")
        return [path]
    else:
        raise SourceNotFoundError(f"{source}: no such file or folder")
    return [
        file
        for file in files
        if file.exists() and not _is_one_of(file, exclude) and not _is_truth(file)
    ]


def _is_truth(file: Path) -> bool:
    """Tell whether a file is the truth of a simulation; asks only those named so once."""
    if file.suffix != ".parquet":
        return False
    status = file.stat()
    return _holds_truth(file, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _holds_truth(file: Path, *_looks: int) -> bool:
    try:
        with file.open("rb") as handle:
            return is_truth(handle)
    except OSError:
        return False  # who reads it finds out why


def _is_one_of(file: Path, exclude: Sequence[Path]) -> bool:
    whole = file.resolve()
    return any(
        whole.is_relative_to(other.resolve()) or (other.exists() and file.samefile(other))
        for other in exclude
    )


def _inside(folder: Path) -> Iterator[Path]:
    def refuse(exc: OSError) -> None:
        raise exc

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent) / name for name in names if not name.startswith("."))
        yield from (path for path in paths if path.is_file())


def shown(name: Path | str) -> str:
    """Return ``name`` as text that can be written anywhere, whatever bytes it came from."""
    return os.fsencode(name).decode("utf-8", "replace")


def _error(path: Path, exc: OSError) -> SourceError:
    if isinstance(exc, PermissionError):
        return SourceDeniedError(f"{shown(path)}: permission denied")
    if isinstance(exc, FileNotFoundError):
        return SourceNotFoundError(f"{shown(path)}: vanished before it was read to its end")
    return SourceError(f"{shown(path)}: {exc.strerror or exc}")


class _Open:
    """An open file: known by device, inode and the mark of what was read of it."""

    def __init__(self, path: Path, file: BinaryIO, known: Mapping[str, FilePosition]) -> None:
        status = os.fstat(file.fileno())
        self.path, self.size, self.changed = path, status.st_size, status.st_mtime
        self._file, self._first = file, file.read(MARK_BYTES)
        keys = (f"{status.st_dev}:{status.st_ino}:{n}" for n in count())
        self.key = next(key for key in keys if key not in known or self._is(known[key]))
        self.place = known.get(self.key, FilePosition(restart=0, read=0, mark=0, ended=False))

    def _is(self, place: FilePosition) -> bool:
        if self.size < place.read:
            return False
        mark = self._mark(place.read)
        return mark == place.mark or mark % 2**32 == place.mark  # saved before tails were

    def _mark(self, read: int) -> int:
        # What is truncated and written anew often begins as before: with a header.
        if len(self._first) < min(MARK_BYTES, read):
            self._first = os.pread(self._file.fileno(), MARK_BYTES, 0)
        mark = zlib.crc32(self._first[: min(MARK_BYTES, read)])
        if read <= MARK_BYTES:
            return mark
        tail = os.pread(self._file.fileno(), MARK_BYTES, read - MARK_BYTES)
        return zlib.crc32(tail) << 32 | mark

    def restart(self, read: int) -> int:
        """Return where reading goes on after an end at ``read``.

        That is 0 for files that cannot be entered in the middle: compressed ones, Parquet.
        """
        whole = compression_of(self._first) or self._first.startswith(PARQUET_MAGIC)
        return 0 if whole else read

    @property
    def unchanged(self) -> bool:
        """Whether the file was read to this end before."""
        return self.place.ended and self.size == self.place.read

    def pieces(self, start: int) -> Iterator[Piece]:
        """Yield what is there from ``start`` on."""
        self._file.seek(start)
        read = start
        while data := self._file.read(CHUNK_BYTES):
            read += len(data)
            yield self.piece(data, read)

    def piece(self, data: bytes, read: int) -> Piece:
        """Return a piece of this file."""
        mark = self._mark(read)
        return Piece(
            key=self.key, name=shown(self.path), data=data, read=read, mark=mark,
            changed_s=self.changed,
        )  # fmt: skip


def _size(files: Iterable[Path]) -> int:
    total = 0
    for path in files:
        with suppress(OSError):
            total += path.stat().st_size
    return total


class FileSource:
    """Reads files once, one after the other.

    ``known`` says how far each was read before; those read to their end are left out.
    """

    def __init__(
        self, files: Sequence[Path], *, known: Mapping[str, FilePosition] | None = None
    ) -> None:
        """Remember the files; they are opened when their turn comes."""
        self._files, self._known = files, known or {}

    def size(self) -> int:
        """Return the bytes of all files that are there."""
        return _size(self._files)

    def pieces(self) -> Iterator[Piece]:
        """Yield each file to its end."""
        for path in self._files:
            key = shown(path)
            try:
                if not path.is_file() and path.exists():
                    # a pipe is opened at once, also before anybody writes to it
                    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
                        yield from StreamSource(pipe, key).pieces()
                    continue
                with path.open("rb") as handle:
                    file = _Open(path, handle, self._known)
                    key = file.key
                    if file.unchanged:
                        continue
                    read = file.place.restart
                    for piece in file.pieces(read):
                        read = piece.read
                        yield piece
                    end = file.piece(b"", max(read, file.place.read))
                    yield replace(end, ended=True)
            except OSError as exc:
                yield Piece(key=key, name=shown(path), error=_error(path, exc))


class FollowSource:
    """Reads files as they are written, and new ones as they appear, until told to stop.

    A file is taken to be ended when a later one is there and it has not changed for
    a second; if it grows all the same, what is new is read. ``list_files`` is asked
    at each poll; ``clock`` gives wall time in s, ``wait`` sleeps.
    """

    def __init__(
        self,
        list_files: Callable[[], Sequence[Path]],
        *,
        clock: Callable[[], float],
        wait: Callable[[float], None],
        poll_s: float = 0.2,
        idle_exit_s: float | None = None,
        known: Mapping[str, FilePosition] | None = None,
    ) -> None:
        """Begin where ``known`` says."""
        self._list_files, self._clock, self._wait = list_files, clock, wait
        self._poll_s, self._idle_exit_s = poll_s, idle_exit_s
        self._known = dict(known or {})
        self._reading: dict[str, Piece] = {}
        self._failed: set[Path] = set()
        self._begun: set[Path] = set()
        self._ended: dict[Path, tuple[int, int, int, int]] = {}
        self._waiting: dict[Path, float] = {}

    def size(self) -> int:
        """Return the bytes of all files that are there now."""
        return _size(self._list_files())

    def pieces(self) -> Iterator[Piece]:
        """Yield what is new, for ever or until nothing came for ``idle_exit_s``."""
        quiet_since = self._clock()
        while True:
            files = list(self._list_files())
            news = False
            for place, path in enumerate(files):
                if self._must_wait(path, files[:place]):
                    news = True
                    break
                for piece in self._read(path, has_later=place + 1 < len(files)):
                    news = news or bool(piece.data)
                    yield piece
            now = self._clock()
            if news:
                quiet_since = now
            elif self._idle_exit_s is not None and now - quiet_since >= self._idle_exit_s:
                break
            yield Piece(key="", name="", idle=True)
            self._wait(self._poll_s)
        for piece in self._reading.values():
            yield replace(piece, data=b"", ended=True)

    def _must_wait(self, path: Path, earlier: Sequence[Path]) -> bool:
        """Tell whether a new file comes too early: those before it are not ended yet.

        It waits twice the time in which they would be taken to be ended, and no longer,
        for a DAQ may write several files at once.
        """
        if path in self._begun:
            return False
        unended = {piece.name for piece in self._reading.values()}
        if not any(shown(file) in unended for file in earlier):
            self._begun.add(path)
            return False
        since = self._waiting.setdefault(path, self._clock())
        return self._clock() - since < 2 * _SETTLE_S

    def _read(self, path: Path, *, has_later: bool) -> Iterator[Piece]:
        try:
            status = path.stat()
            looks = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
            if self._ended.get(path) == looks or not path.is_file():
                return
            with path.open("rb") as handle:
                file = _Open(path, handle, self._known)
                resumed = file.key not in self._reading
                start = file.place.restart if resumed else file.place.read
                if file.size > file.place.read or (resumed and not file.place.ended):
                    for piece in file.pieces(start):
                        self._remember(piece)
                        yield piece
                last = self._reading.get(file.key)
                if last and has_later and self._clock() - file.changed >= _SETTLE_S:
                    del self._reading[file.key]
                    self._known[file.key] = replace(
                        self._known[file.key], ended=True, restart=file.restart(last.read)
                    )
                    yield replace(last, data=b"", ended=True)
                if file.key not in self._reading and file.size == status.st_size:
                    self._ended[path] = looks
        except FileNotFoundError:
            return
        except OSError as exc:
            if path not in self._failed:
                self._failed.add(path)
                yield Piece(key=shown(path), name=shown(path), error=_error(path, exc))

    def _remember(self, piece: Piece) -> None:
        self._reading[piece.key] = piece
        self._known[piece.key] = FilePosition(
            restart=piece.read, read=piece.read, mark=piece.mark, ended=False
        )


class StreamSource:
    """Reads one open stream, such as standard input, to its end.

    Where the stream can be waited for, a sign of life is given while nothing comes.
    """

    def __init__(self, file: BinaryIO, name: str, *, poll_s: float = 0.2) -> None:
        """Take over an open binary file."""
        self._file, self._name, self._poll_s = file, name, poll_s

    def size(self) -> None:
        """Return nothing: the end is not known."""

    def pieces(self) -> Iterator[Piece]:
        """Yield what comes, as it comes."""
        read = 0
        while True:
            if not self._ready():
                yield Piece(key="", name="", idle=True)
                continue
            try:
                data = os.read(self._file.fileno(), CHUNK_BYTES)
            except OSError as exc:
                yield Piece(key=self._name, name=self._name, error=_error(Path(self._name), exc))
                return
            read += len(data)
            yield Piece(
                key=self._name,
                name=self._name,
                data=data,
                read=read,
                ended=not data,
            )
            if not data:
                return

    def _ready(self) -> bool:
        return bool(select([self._file], [], [], self._poll_s)[0])
