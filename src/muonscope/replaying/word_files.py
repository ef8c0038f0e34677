"""The formats that commands write: by name or ending, and files that appear when whole."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muonscope.detector import Detector
from muonscope.errors import OptionError, SinkError, SinkExistsError
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.writing import why
from muonscope.words.binary import BlockEncoder, DatEncoder
from muonscope.words.codec import Encoder
from muonscope.words.layout import Words
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.text_encode import TextEncoder

__all__ = ["FORMATS", "TOPIC_FORMATS", "encoder_for", "format_of", "writing", "writing_words"]

FORMATS = ("csv", "json", "dat", "dat129", "block", "parquet")
"""Names of the formats that can be written."""

TOPIC_FORMATS = ("block", "json")
"""Those that messages of a topic can have, the default first."""

_ENDINGS = {
    ".csv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".dat": "dat", ".blk": "block", ".block": "block", ".parquet": "parquet",
}  # fmt: skip


def format_of(dest: str, asked: str, default: str = "") -> str:
    """Return the format asked for, or that of the ending of ``dest``, or ``default``.

    A topic has no ending: it gets blocks where nothing is asked for.

    Raises
    ------
    OptionError
        If there is no such format, or nothing says which.
    """
    known: tuple[str, ...] = FORMATS
    ending = Path(dest).suffix
    name = asked or _ENDINGS.get(ending.lower(), default)
    if is_kafka_url(dest):
        known, name = TOPIC_FORMATS, asked or TOPIC_FORMATS[0]
    if name not in known:
        raise OptionError(
            f"format: found {name or ending!r}, expected --format with one of " + ", ".join(known)
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


@contextmanager
def writing_words(
    dest: str, encoder: Encoder, *, force: bool, grows: bool = False
) -> Iterator[Callable[[Words], None]]:
    """Give what writes words to the file ``dest``, as :func:`writing` does.

    Raises
    ------
    SinkError
        As there.
    """
    with writing(dest, force=force, grows=grows) as file:

        def write(words: Words) -> None:
            file.write(encoder.encode(words))
            file.flush()

        file.write(encoder.begin())
        yield write
        file.write(encoder.end())


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
