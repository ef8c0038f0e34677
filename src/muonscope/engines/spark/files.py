"""Files decoded by Spark's workers: each file, or each range of a binary one, is a task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa

from muonscope.detector import Readout
from muonscope.engines.spark.worker import PARTS_SCHEMA, parts_of, rows_of
from muonscope.errors import SourceError
from muonscope.stream.messages import Part
from muonscope.words.binary import TRANSFER_WORDS
from muonscope.words.codec import Decoded
from muonscope.words.decode import StreamDecoder, decode

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Range", "decode_ranges", "decoded_range", "ranges_of"]

RANGE_BYTES = (TRANSFER_WORDS + 1) * 8 << 15
"""Bytes of a range, 34 MB: whole transfers, with their header word or without."""

_PEEK_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 22
_TOGETHER_BYTES = 256 << 20

Opener = Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True)
class Range:
    """The part of a file that one task decodes."""

    name: str
    begin: int
    end: int
    format: str = ""
    """``dat`` or ``dat129`` for a range of such a file; empty for a whole file."""


def ranges_of(name: str, size: int, opener: Opener, readout: Readout) -> list[Range]:
    """Return the ranges of a file: many of a large binary one, one of any other.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    if size <= RANGE_BYTES:
        return [Range(name, 0, size)]
    try:
        with opener(name) as file:
            decoder = StreamDecoder(readout)
            decoder.feed(file.read(_PEEK_BYTES))
    except OSError as exc:
        raise SourceError(f"{name}: cannot be read: {exc.strerror or exc}") from exc
    form = decoder.guess.format if decoder.guess else ""
    if decoder.compression or form not in {"dat", "dat129"}:
        return [Range(name, 0, size)]
    begins = range(0, size, RANGE_BYTES)
    return [Range(name, begin, min(begin + RANGE_BYTES, size), form) for begin in begins]


def decode_ranges(
    session: "SparkSession", ranges: Sequence[Range], opener: Opener, readout: Readout
) -> Iterator[Part]:
    """Yield the parts of all ranges in order; ``partition`` is the number of the range."""
    for group in _groups(ranges, session.sparkContext.defaultParallelism):
        first = group[0][0]
        tasks = [task for _, task in group]
        rows = session.range(first, first + len(tasks), numPartitions=len(tasks))
        decoded = rows.mapInArrow(_decoder(first, tasks, opener, readout), PARTS_SCHEMA)
        try:
            table = decoded.toArrow()
        except Exception as exc:  # what Spark raises is no common kind
            text = next((line for line in str(exc).splitlines() if "Error: " in line), str(exc))
            raise SourceError(f"Spark: {text.strip()}") from exc
        yield from parts_of(table)


def _groups(ranges: Sequence[Range], parallel: int) -> Iterator[list[tuple[int, Range]]]:
    group: list[tuple[int, Range]] = []
    size = 0
    for number, task in enumerate(ranges):
        length = task.end - task.begin
        if group and (len(group) >= 2 * parallel or size + length > _TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append((number, task))
        size += length
    if group:
        yield group


def _decoder(
    first: int, tasks: Sequence[Range], opener: Opener, readout: Readout
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                task = tasks[number - first]
                for i, (decoded, size) in enumerate(decoded_range(task, opener, readout)):
                    yield rows_of([_part(number, i, decoded, size, task.name)])

    return run


def decoded_range(task: Range, opener: Opener, readout: Readout) -> Iterator[tuple[Decoded, int]]:
    """Yield what a range holds, with the bytes that each piece is from, decompressed."""
    decoder = StreamDecoder(readout)
    with opener(task.name) as file:
        if not task.format:
            for decoded in decode(file, decoder, _CHUNK_BYTES):
                yield decoded, 0
            yield Decoded(), decoder.bytes_in
            return
        decoder.resume(
            {"format": task.format, "compression": None, "position": task.begin, "decoder": {}}
        )
        file.seek(task.begin)
        left = task.end - task.begin
        while left and (data := file.read(min(left, _CHUNK_BYTES))):
            left -= len(data)
            yield decoder.feed(data), len(data)
        yield decoder.finish(), 0


def _part(number: int, i: int, decoded: Decoded, size: int, name: str) -> Part:
    return Part(
        partition=number, begin=i, end=i + 1, messages=1, size=size, time_ms=0,
        words=np.ascontiguousarray(decoded.words),
        rejects=tuple(replace(reject, where=name) for reject in decoded.rejects),
    )  # fmt: skip
