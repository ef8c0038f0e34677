"""The ``convert`` command."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muonscope.cli.kernels import load_kernels
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError, SinkError, SinkExistsError
from muonscope.wiring import Intake, load_detector, open_source
from muonscope.words.binary import BlockEncoder, DatEncoder
from muonscope.words.codec import Encoder
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.rejects import Rejects
from muonscope.words.text_encode import TextEncoder

__all__ = ["convert_source"]

_ENDINGS = {
    ".csv": "csv", ".txt": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".dat": "dat", ".blk": "block", ".block": "block", ".parquet": "parquet",
}  # fmt: skip
_FORMATS = ("csv", "json", "dat", "block", "parquet")


def convert_source(source: str, dest: str, to: str, detector_name: str, *, force: bool) -> int:
    """Write the words of ``source`` to ``dest``; return the exit code.

    Raises
    ------
    OptionError
        If the format is unknown.
    FormatError
        If something could not be decoded, or the format cannot hold a word; what was
        written is removed then.
    SinkError
        If ``dest`` cannot be written.
    """
    name = to or _ENDINGS.get(Path(dest).suffix.lower(), "")
    if name not in _FORMATS:
        raise OptionError(
            f"format: found {name or Path(dest).suffix!r}, expected --format with one of "
            + ", ".join(_FORMATS)
        )
    detector = load_detector(detector_name)
    intake = Intake(open_source([source]), detector.readout)
    load_kernels()
    rejects = Rejects()
    encoder = _encoder(name, detector)
    words = 0
    with _destination(dest, force=force) as file:
        file.write(encoder.begin())
        for batch in intake.batches():
            if batch.token.error:
                raise batch.token.error
            rejects.add(batch.decoded.rejects)
            if rejects.total:
                raise FormatError(f"{source}: not all can be decoded: {rejects.examples[0]}")
            file.write(encoder.encode(batch.decoded.words))
            words += len(batch.decoded.words)
        file.write(encoder.end())
    print(f"{words:,} words written to {dest} as {name}", file=sys.stderr)  # noqa: T201
    return 0


def _encoder(name: str, detector: Detector) -> Encoder:
    readout = detector.readout
    match name:
        case "csv" | "json":
            return TextEncoder(readout, json=name == "json")
        case "block":
            return BlockEncoder(readout, detector.name)
        case "parquet":
            return ParquetEncoder(readout)
        case _:
            return DatEncoder()


@contextmanager
def _destination(dest: str, *, force: bool) -> Iterator[BinaryIO]:
    """Give a file to write, which only takes the name ``dest`` when all went well."""
    if dest == "-":
        if sys.stdout is None:
            raise SinkError("standard output is closed; name a DEST")
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise SinkError(f"standard output: cannot be written: {exc.strerror or exc}") from exc
        return
    path = Path(dest).resolve()
    part = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        if path.exists() and not path.is_file():
            raise SinkError(f"{dest}: is no regular file; expected the name of one, or -")
        if path.exists() and not force:
            raise SinkExistsError(f"{path}: exists already; choose another, or use --force")
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except OSError as exc:
        raise SinkError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
