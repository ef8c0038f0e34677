"""Files that only take their name when they are whole."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muonscope.errors import OptionError, SinkError, SinkExistsError
from muonscope.transports.writing import why

__all__ = ["writing"]


@contextmanager
def _write_errors(name: str) -> Iterator[None]:
    """Translate what the system says when ``name`` cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise SinkError(f"{name}: cannot be written: {why(exc)}") from exc


@contextmanager
def writing(dest: str, *, force: bool, grows: bool = False) -> Iterator[BinaryIO]:
    """Give a file to write, which only takes the name ``dest`` when all went well.

    With ``grows`` it has its name from the start, for those who follow it. ``-`` is
    standard output.

    Raises
    ------
    SinkError
        If it cannot be written, or exists without ``force``.
    """
    if dest == "-":
        if sys.stdout is None:
            raise SinkError("standard output is closed; name a DEST")
        with _write_errors("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    if not dest:
        raise OptionError("DEST: found an empty name, expected that of a file or -")
    path = Path(dest).resolve()
    with _write_errors(dest):
        if path.exists() and not path.is_file():
            raise SinkError(f"{dest}: is no regular file; expected the name of one, or -")
        if path.exists() and not force:
            raise _exists(path)
        if grows:
            path.unlink(missing_ok=True)
            with path.open("xb") as file:
                yield file
            return
        part = path.parent / f".{path.name}.{os.getpid()}.part"
        try:
            with part.open("x+b") as file:
                yield file
            _give_name(part, path, force=force)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _give_name(part: Path, path: Path, *, force: bool) -> None:
    """Give a finished file its name; without ``force`` only if none has it by now."""
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError as exc:
        raise _exists(path) from exc
    except OSError:  # a file system without links
        if path.exists():
            raise _exists(path) from None
        part.replace(path)


def _exists(path: Path) -> SinkExistsError:
    return SinkExistsError(f"{path}: exists already; choose another, or use --force")
