"""The formats that commands write: by name or ending, and files that appear when whole."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muonscope.detector import Detector
from muonscope.errors import OptionError, SinkError, SinkExistsError
from muonscope.words.binary import BlockEncoder, DatEncoder
from muonscope.words.codec import Encoder
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.text_encode import TextEncoder

__all__ = ["FORMATS", "encoder_for", "format_of", "write_errors", "writing"]

FORMATS = ("csv", "json", "dat", "dat129", "block", "parquet")
"""Names of the formats that can be written."""

_ENDINGS = {
    ".csv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".dat": "dat", ".blk": "block", ".block": "block", ".parquet": "parquet",
}  # fmt: skip


def format_of(dest: str, asked: str, default: str = "") -> str:
    """Return the format asked for, or that of the ending of ``dest``, or ``default``.

    Raises
    ------
    OptionError
        If there is no such format, or nothing says which.
    """
    name = asked or _ENDINGS.get(Path(dest).suffix.lower(), default)
    if name not in FORMATS:
        raise OptionError(
            f"format: found {name or Path(dest).suffix!r}, expected --format with one of "
            + ", ".join(FORMATS)
        )
    return name


def encoder_for(name: str, detector: Detector, run_number: int = 1) -> Encoder:
    """Return an encoder; ``run_number`` goes to the headers of dat129."""
    readout = detector.readout
    match name:
        case "csv" | "json":
            return TextEncoder(readout, json=name == "json")
        case "block":
            return BlockEncoder(readout, detector.name)
        case "parquet":
            return ParquetEncoder(readout)
        case _:
            return DatEncoder(run_number if name == "dat129" else None)


@contextmanager
def write_errors(name: str) -> Iterator[None]:
    """Translate what the system says when ``name`` cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise SinkError(f"{name}: cannot be written: {exc.strerror or exc}") from exc


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
        with write_errors("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    path = Path(dest).resolve()
    part = path if grows else path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        with write_errors(str(path)):
            if path.exists() and not path.is_file():
                raise SinkError(f"{dest}: is no regular file; expected the name of one, or -")
            if path.exists() and not force:
                raise SinkExistsError(f"{path}: exists already; choose another, or use --force")
            if grows:
                path.unlink(missing_ok=True)
            with part.open("xb") as file:
                yield file
            part.replace(path)
    finally:
        if not grows:
            with suppress(OSError):
                part.unlink(missing_ok=True)
