"""The work of Spark's workers: messages and files to words, a pure function of Arrow batches.

A row of the answer is one :class:`~muonscope.stream.messages.Part`: words, what was
rejected, and where it stands. Many small messages become few rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from muonscope.detector import Readout
from muonscope.stream.messages import Messages, Part, decode_messages, without
from muonscope.stream.numbering import Number
from muonscope.words.rejects import Reject, RejectCode

__all__ = ["PARTS_SCHEMA", "decoder", "parts_of", "rows_of"]

PARTS_SCHEMA = (
    "partition int, begin long, end long, messages int, size long, time_ms long,"
    " words binary, number binary, rejects binary, poison array<binary>"
)
"""The columns of the answer, as Spark names them."""

_SCHEMA = pa.schema(
    [
        ("partition", pa.int32()), ("begin", pa.int64()), ("end", pa.int64()),
        ("messages", pa.int32()), ("size", pa.int64()), ("time_ms", pa.int64()),
        ("words", pa.binary()), ("number", pa.binary()), ("rejects", pa.binary()),
        ("poison", pa.list_(pa.binary())),
    ]
)  # fmt: skip
_GROUP_BYTES, _GROUP_ROWS = 4 << 20, 50_000


def decoder(
    readout: Readout, done: Mapping[int, Sequence[Sequence[int]]]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function for ``mapInArrow``.

    It takes the columns partition, offset, time_ms, value and header of a topic. ``done``
    are ranges of offsets, by partition, that are left out.
    """

    def decode(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for group in _groups(batches):
            wanted = [without(some, done.get(some.partition, [])) for some in _messages(group)]
            yield rows_of([part for some in wanted for part in decode_messages(some, readout)])

    return decode


def parts_of(table: pa.Table) -> list[Part]:
    """Return the parts in the answer, in its order; words are views of its buffers."""
    parts: list[Part] = []
    for batch in table.to_batches():
        words = batch.column("words")
        columns = {
            name: batch.column(name).to_pylist() for name in table.column_names if name != "words"
        }
        for i in range(batch.num_rows):
            row = {name: column[i] for name, column in columns.items()}
            parts.append(_part(row, np.frombuffer(words[i].as_buffer(), np.uint64)))
    return parts


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Give batches in groups that are worth a call."""
    group: list[pa.RecordBatch] = []
    size = rows = 0
    for batch in batches:
        group.append(batch)
        size, rows = size + batch.nbytes, rows + batch.num_rows
        if size > _GROUP_BYTES or rows > _GROUP_ROWS:
            yield group
            group, size, rows = [], 0, 0
    if group:
        yield group


def _messages(group: list[pa.RecordBatch]) -> Iterator[Messages]:
    """Give the messages of each partition, in their order."""
    table = pa.Table.from_batches(group)
    partitions = table.column("partition").to_numpy()
    cuts = np.flatnonzero(np.diff(partitions)) + 1
    columns = {
        name: table.column(name).to_pylist() for name in ("offset", "time_ms", "value", "header")
    }
    for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(partitions)], strict=True):
        if begin < end:
            yield Messages(
                partition=int(partitions[begin]),
                offsets=columns["offset"][begin:end],
                values=[value or b"" for value in columns["value"][begin:end]],
                headers=columns["header"][begin:end],
                times_ms=columns["time_ms"][begin:end],
            )


def rows_of(parts: list[Part]) -> pa.RecordBatch:
    """Return ``parts`` as rows of the answer."""
    columns: dict[str, list[Any]] = {
        name: [getattr(part, name) for part in parts]
        for name in ("partition", "begin", "end", "messages", "size", "time_ms")
    }
    columns["words"] = [part.words.tobytes() for part in parts]
    columns["number"] = [part.number.pack() if part.number else None for part in parts]
    columns["rejects"] = [
        orjson.dumps([_as_json(reject) for reject in part.rejects]) if part.rejects else None
        for part in parts
    ]
    columns["poison"] = [list(part.poison) for part in parts]
    return pa.RecordBatch.from_pydict(columns, schema=_SCHEMA)


def _part(row: dict[str, Any], words: Any) -> Part:
    rejects = orjson.loads(row["rejects"]) if row["rejects"] else []
    number = row.pop("number")
    return Part(
        words=words,
        number=_number(number) if number else None,
        rejects=tuple(_reject(reject) for reject in rejects),
        poison=tuple(row.pop("poison") or ()),
        **{name: row[name] for name in row if name != "rejects"},
    )


def _number(packed: bytes) -> Number:
    number = Number.unpack(packed, most=1 << 31)
    assert number, "a number that was packed a moment ago"
    return number


def _as_json(reject: Reject) -> dict[str, Any]:
    return {
        "code": int(reject.code), "offset": reject.offset, "length": reject.length,
        "evidence": reject.evidence.hex(), "line": reject.line, "where": reject.where,
        "reason": reject.reason,
    }  # fmt: skip


def _reject(value: dict[str, Any]) -> Reject:
    return Reject(
        code=RejectCode(value.pop("code")), evidence=bytes.fromhex(value.pop("evidence")), **value
    )
