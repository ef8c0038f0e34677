"""Local files as sources, read once; standard input.

A file is known by device, inode, its first bytes and the last ones that were read, so it is
the same after a rename, and another one, read from its start, when it shrinks, was replaced,
or was truncated and written anew. Names say the order: files are read
in natural order of their paths (``data_2`` before ``data_10``).
"""

import os
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from glob import glob
from itertools import count
from pathlib import Path
from select import select
from typing import BinaryIO

from muonscope.errors import OptionError, SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.transports.base import Ends, FilePosition, InTurns, Piece, Turn
from muonscope.transports.patterns import is_pattern, pattern_of
from muonscope.words.compression import compression_of
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.parquet import is_truth

__all__ = [
    "FileSource",
    "OpenFile",
    "StreamSource",
    "ends_of",
    "error_of",
    "find_files",
    "natural_key",
    "open_file",
    "shown",
    "size_of",
]

CHUNK_BYTES = 1 << 21
MARK_BYTES = 64


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
            raise error_of(Path(exc.filename or source), exc) from exc
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


def error_of(path: Path, exc: OSError) -> SourceError:
    """Return what hinders a file from being read."""
    if isinstance(exc, PermissionError):
        return SourceDeniedError(f"{shown(path)}: permission denied")
    if isinstance(exc, FileNotFoundError):
        return SourceNotFoundError(f"{shown(path)}: vanished before it was read to its end")
    return SourceError(f"{shown(path)}: {exc.strerror or exc}")


class OpenFile:
    """An open file: known by device, inode and the mark of what was read of it."""

    def __init__(self, path: Path, file: BinaryIO, known: Mapping[str, FilePosition]) -> None:
        """Find out whether it is one of those ``known``."""
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


def size_of(files: Iterable[Path]) -> int:
    """Return the bytes of those files that are there."""
    total = 0
    for path in files:
        with suppress(OSError):
            total += path.stat().st_size
    return total


def open_file(path: Path) -> BinaryIO:
    """Open a file.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as exc:
        raise error_of(path, exc) from exc


def ends_of(path: Path, n: int, known: Mapping[str, FilePosition]) -> Ends:
    """Return the first and last ``n`` bytes of a file; nothing of one that cannot be looked at."""
    try:
        if not path.is_file():
            return Ends(name=str(path))
        with path.open("rb", buffering=0) as handle:
            status = os.fstat(handle.fileno())
            first = handle.read(n)
            rest = min(n, status.st_size - len(first))
            last = os.pread(handle.fileno(), rest, status.st_size - rest) if rest > 0 else b""
            stream = None
            if known:
                handle.seek(0)
                file = OpenFile(path, handle, known)
                stream = known[file.key].stream if file.key in known else None
            size = max(len(first), status.st_size)
            return Ends(name=str(path), size=size, first=first, last=last, stream=stream)
    except OSError:  # who reads it finds out why
        return Ends(name=str(path))


class FileSource(InTurns):
    """Reads files once, one stream after the other unless some are held back.

    ``known`` says how far each was read before; those read to their end are left out.
    """

    def __init__(
        self, files: Sequence[Path], *, known: Mapping[str, FilePosition] | None = None
    ) -> None:
        """Remember the files, one stream in this order; they are opened when their turn comes."""
        self._known = known or {}
        super().__init__([Turn(name=str(path)) for path in files])

    def size(self) -> int:
        """Return the bytes of all files that are there."""
        return size_of(Path(turn.name) for turn in self._turns)

    def ends(self, n: int) -> list[Ends]:
        """Return the first and last ``n`` bytes of each file; of none that is a pipe."""
        return [ends_of(Path(turn.name), n, self._known) for turn in self._turns]

    def open(self, name: str) -> BinaryIO:
        """Open a file.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        return open_file(Path(name))

    def _read(self, turn: Turn) -> Iterator[Piece]:
        path = Path(turn.name)
        key = shown(path)
        try:
            if not path.is_file() and path.exists():
                # a pipe is opened at once, also before anybody writes to it
                with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:
                    yield from StreamSource(pipe, key).pieces()
                return
            with path.open("rb") as handle:
                file = OpenFile(path, handle, self._known)
                key = file.key
                if file.unchanged:
                    return
                begun = key in self._known
                read = file.place.restart if begun else turn.restart
                resume = {} if begun else turn.resume
                for piece in file.pieces(read):
                    read = piece.read
                    yield replace(piece, resume=resume)
                end = file.piece(b"", max(read, file.place.read))
                yield replace(end, resume=resume, ended=True)
        except OSError as exc:
            yield Piece(key=key, name=shown(path), error=error_of(path, exc))


class StreamSource:
    """Reads one open stream, such as standard input, to its end.

    Where the stream can be waited for, a sign of life is given while nothing comes.
    """

    def __init__(self, file: BinaryIO, name: str, *, poll_s: float = 0.2) -> None:
        """Take over an open binary file."""
        self._file, self._name, self._poll_s = file, name, poll_s

    def size(self) -> None:
        """Return nothing: the end is not known."""

    def hold(self, streams: Collection[int]) -> None:
        """Hold nothing back: there is one stream, and none that it could wait for."""

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
                yield Piece(key=self._name, name=self._name, error=error_of(Path(self._name), exc))
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
