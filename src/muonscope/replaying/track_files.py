"""Tracks of a source of words, in a table or in a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from muonscope.errors import OptionError
from muonscope.events import Tell, ignore
from muonscope.replaying.options import TracksOptions, asked_in_python
from muonscope.replaying.pane_source import PaneSource
from muonscope.replaying.track_root import root_writer
from muonscope.replaying.track_table import SCHEMA, Tracker
from muonscope.replaying.track_truth import TRUTH_SCHEMA, TrackTruth
from muonscope.stopping import Stop
from muonscope.transports.new_file import writing

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TrackCounts", "tracks", "write_tracks"]

_GROUP_ROWS = 100_000
"""Rows of a row group of Parquet."""


@dataclass(slots=True)
class TrackCounts:
    """What was found."""

    words: int = 0
    rejects: int = 0
    """Pieces that could not be decoded, and are left out."""
    events: int = 0
    """With three hits or more."""
    skipped: int = 0
    """Events that have too many hits."""
    tracks: int = 0
    """Over two chambers or more."""
    segments: int = 0
    """Of one chamber."""


def tracks(source: Any, **options: Any) -> "pa.Table":
    """Return the tracks of muons in a source of words, one row a track or segment.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders.
    options
        As those of the command ``muonscope tracks``, with ``_`` for ``-``: see
        :class:`~muonscope.replaying.options.TracksOptions`; ``to`` and ``force`` are for the
        command.

    Returns
    -------
    pyarrow.Table
        Columns as ``muonscope.replaying.track_table.SCHEMA`` describes them, with units.

    Raises
    ------
    MuonscopeError
        As the command.

    Examples
    --------
    >>> import muonscope
    >>> found = muonscope.tracks("sim:quiet?seconds=3")
    >>> found.num_rows > 10, found.schema.field("x_mm").metadata[b"unit"]
    (True, b'mm')
    """
    import pyarrow as pa

    wanted = asked_in_python(TracksOptions, source, options, what="tracks")
    found = list(_found(wanted, ignore, Stop(), TrackCounts()))
    return pa.concat_tables(found) if found else _schema(wanted).empty_table()


def write_tracks(options: TracksOptions, tell: Tell, stop: Stop) -> TrackCounts:
    """Write the tracks of words to a file, or as lines of JSON to standard output.

    Raises
    ------
    OptionError
        If the file has no known suffix, or an option makes no sense.
    FormatError
        If nothing could be decoded.
    SourceError, SinkError
        If sources cannot be read, or the file not be written.
    """
    counts = TrackCounts()
    write_to = _writer(options.to)
    schema = _schema(options)
    with (
        stop.listening(),
        writing(options.to, force=options.force) as file,
        write_to(file, schema) as put,
    ):
        for table in _found(options, tell, stop, counts):
            put(table)
    return counts


def _found(
    options: TracksOptions, tell: Tell, stop: Stop, counts: TrackCounts
) -> Iterator["pa.Table"]:
    """Yield the tracks of panes as they close, and keep count."""
    source = PaneSource(
        sources=options.sources, wanted=options.detector, kafka_config=options.kafka_config,
        allow_duplicates=options.allow_duplicates, tell=tell, stop=stop,
    )  # fmt: skip
    truth = _truth(options, source)
    tracker = Tracker(source.detector, source.table, truth.beside if truth else None)
    for panes in source.panes():
        found = tracker.take(panes)
        over = sum(n > 1 for n in found.column("chambers").to_pylist())
        counts.tracks += over
        counts.segments += found.num_rows - over
        counts.events, counts.skipped = tracker.events, tracker.skipped
        counts.words, counts.rejects = source.words, source.rejects
        yield found
    if truth and not stop:
        truth.check()


def _schema(options: TracksOptions) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([*SCHEMA, *TRUTH_SCHEMA]) if options.truth else SCHEMA


def _truth(options: TracksOptions, source: PaneSource) -> TrackTruth | None:
    """Return the truth that is wanted beside tracks; it sees the words of ``source``."""
    if not options.truth:
        return None
    if len(options.sources) != 1 or not Path(options.sources[0]).is_file():
        raise OptionError(
            f"--truth: found {len(options.sources)} sources, expected the one file of words that"
            " was written with it"
        )
    truth = TrackTruth(options.truth, source.detector, source.table)
    source.note = truth.note
    return truth


def _writer(dest: str) -> Callable[..., Any]:
    """Return what gives a way to write tables in the format that the name asks for."""
    suffix = Path(dest).suffix
    if dest == "-" or suffix == ".jsonl":
        return _json_lines
    if suffix == ".parquet":
        return _parquet
    if suffix == ".root":
        return root_writer()
    raise OptionError(f"--to: found {dest!r}, expected a name in .parquet, .root or .jsonl, or -")


@contextmanager
def _json_lines(file: Any, _schema: "pa.Schema") -> Iterator[Callable[["pa.Table"], None]]:
    def put(table: "pa.Table") -> None:
        for row in table.to_pylist():
            file.write(orjson.dumps(row) + b"\n")

    yield put


@contextmanager
def _parquet(file: Any, schema: "pa.Schema") -> Iterator[Callable[["pa.Table"], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept: list[pa.Table] = []
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:

        def flush() -> None:
            if kept:
                writer.write_table(pa.concat_tables(kept))
                kept.clear()

        def put(table: "pa.Table") -> None:
            kept.append(table)
            if sum(part.num_rows for part in kept) >= _GROUP_ROWS:
                flush()

        yield put
        flush()
