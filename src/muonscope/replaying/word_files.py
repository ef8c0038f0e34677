"""The formats that commands write: by name or ending."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.new_file import writing
from muonscope.words.binary import BlockEncoder, DatEncoder
from muonscope.words.codec import Encoder
from muonscope.words.layout import Words
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.text_encode import TextEncoder

__all__ = ["FORMATS", "TOPIC_FORMATS", "encoder_for", "format_of", "writing_words"]

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
