"""Notes on archived runs: what people want to remember, appended and never changed."""

import fcntl
import os
from io import FileIO
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from muonscope.archiving.folders import RunFolder
from muonscope.errors import FormatError, OptionError, SinkError
from muonscope.transports.writing import why, write_all

__all__ = ["Note", "add_note", "append_line", "read_lines", "read_notes"]

_Line = TypeVar("_Line")
_MOST_TEXT, _MOST_NAME = 4_000, 100


class Note(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody has to say of a run, or of something in it."""

    at: float
    """When it was written, s since 1970."""
    who: str
    text: str
    epoch: int | None = None
    window: int | None = None
    """The window that it is on."""
    check: str = ""
    target: str = ""
    """The verdict that it is on."""
    plot: str = ""
    """The plot that it is on, by its name on the page."""
    view: str = ""
    """Path and query of the page that shows what it is on."""


def add_note(folder: RunFolder, note: Note) -> None:
    """Add a note to a run.

    Raises
    ------
    OptionError
        If it is empty, or too long.
    SinkError
        If it cannot be written.
    """
    if not note.text.strip():
        raise OptionError("note: found nothing, expected a text")
    if len(note.text) > _MOST_TEXT or len(note.who) > _MOST_NAME:
        raise OptionError(
            f"note: found {len(note.text):,} letters by a name of {len(note.who)}, expected at"
            f" most {_MOST_TEXT:,} and {_MOST_NAME}"
        )
    append_line(folder.notes, msgspec.json.encode(note))


def read_notes(folder: RunFolder) -> list[Note]:
    """Return the notes on a run, oldest first.

    Raises
    ------
    FormatError
        If a line is no note.
    """
    return read_lines(folder.notes, Note)


def append_line(path: Path, line: bytes) -> None:
    """Append a line to a file that several processes append to, and make it durable.

    A line that a crash cut short before is removed first.

    Raises
    ------
    SinkError
        If it cannot be written.
    """
    try:
        with path.open("a+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _end_last_line(file)
            write_all(file, line + b"\n")
            os.fsync(file.fileno())
    except OSError as exc:
        raise SinkError(f"{path}: cannot be written: {why(exc)}") from exc


def _end_last_line(file: FileIO) -> None:
    """Remove a line without an end, which a crash cut short, or end it if it is whole."""
    file.seek(0)
    data = file.readall()
    begin = data.rfind(b"\n") + 1
    if begin == len(data):
        return
    try:
        msgspec.json.decode(data[begin:])
    except msgspec.MsgspecError:
        file.truncate(begin)
    else:
        write_all(file, b"\n")


def read_lines(path: Path, kind: type[_Line]) -> list[_Line]:
    """Return the lines of a file of JSON; one at the end that was cut short is left out.

    Raises
    ------
    FormatError
        If a line is something else.
    """
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as exc:
        raise FormatError(f"{path}: cannot be read: {why(exc)}") from exc
    found = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.MsgspecError as exc:
            if number == len(lines):
                break
            raise FormatError(f"{path}: line {number}: {exc}") from exc
    return found
