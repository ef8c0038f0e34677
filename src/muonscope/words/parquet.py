"""Parquet: the six columns under the DAQ's names, and the word itself in ``WORD``.

With ``WORD`` the file is lossless. Files of others, with the six columns alone, are read
by packing them; rows that fit no word are rejected.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import orjson

from muonscope.detector import Readout
from muonscope.errors import FormatError
from muonscope.words.codec import Decoded
from muonscope.words.layout import COLUMNS, Words, unpack
from muonscope.words.rejects import Reject
from muonscope.words.text import CsvDecoder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "METADATA_KEY",
    "TRUTH",
    "ParquetEncoder",
    "is_truth",
    "parquet_ends",
    "read_parquet",
]

METADATA_KEY = "muonscope"
"""Where the metadata of a file stand that muonscope wrote, as JSON."""

TRUTH = "truth"
"""Their ``content`` where the file holds the truth of a simulation, and no words."""

_ROWS = 1 << 20
_PAGE_BYTES = 1 << 16
_SHORT_ROWS = 1 << 18
_WORD = "WORD"


def read_parquet(file: BinaryIO, readout: Readout) -> Iterator[Decoded]:
    """Yield the words of a seekable Parquet ``file``, a million rows at a time.

    The offset of a reject is its row number.

    Raises
    ------
    FormatError
        If the file is damaged, or has neither ``WORD`` nor the six columns.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        source = parquet.ParquetFile(file)
        row = 0
        for batch in source.iter_batches(_ROWS, columns=_columns(source.schema_arrow)):
            yield _decoded(batch, readout, row)
            row += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as exc:  # ValueError: names that are no UTF-8
        raise FormatError(f"parquet: damaged or cut short: {exc}") from exc


def parquet_ends(file: BinaryIO, readout: Readout, n: int) -> tuple[Words, Words, int]:
    """Return the first and last ``n`` words of a seekable ``file`` and the number of its rows.

    Of long row groups only the first pages are read, and there are no last words then.

    Raises
    ------
    FormatError
        If it holds no words, as :func:`read_parquet`.
    """
    import pyarrow as pa
    from pyarrow import parquet

    none = np.empty(0, np.uint64)
    try:
        source = parquet.ParquetFile(file, buffer_size=_PAGE_BYTES)
        columns = _columns(source.schema_arrow)
        about = source.metadata
        if not about.num_rows:
            return none, none, 0
        first = _decoded(next(source.iter_batches(n, columns=columns)), readout, 0)
        last = none
        if about.row_group(about.num_row_groups - 1).num_rows <= _SHORT_ROWS:
            rows = source.read_row_group(about.num_row_groups - 1, columns=columns)
            ending = rows.slice(max(0, rows.num_rows - n)).combine_chunks().to_batches()
            last = np.concatenate([none, *(_decoded(batch, readout, 0).words for batch in ending)])
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise FormatError(f"parquet: damaged or cut short: {exc}") from exc
    return first.words, last, int(about.num_rows)


def is_truth(file: BinaryIO) -> bool:
    """Tell whether a seekable file is a whole Parquet file with the truth of a simulation."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return bool(_content(parquet.read_schema(file)) == TRUTH)
    except (pa.ArrowException, OSError, ValueError):
        return False


def _content(schema: "pa.Schema") -> Any:
    """Return what the file says that it holds, None if nothing."""
    try:
        about = orjson.loads((schema.metadata or {}).get(METADATA_KEY.encode(), b""))
        return about.get("content")
    except (ValueError, AttributeError):
        return None


def _columns(schema: "pa.Schema") -> list[str]:
    """Return the columns to read; refuse a table that holds no words."""
    names = schema.names
    if _content(schema) == TRUTH:
        raise FormatError("parquet: the truth of a simulation, no words")
    if _WORD not in names and not set(COLUMNS) <= set(names):
        raise FormatError(
            f"parquet: found columns {', '.join(names)};"
            f" expected {_WORD} (uint64) or {', '.join(COLUMNS)}"
        )
    return [_WORD] if _WORD in names else list(COLUMNS)


def _decoded(batch: "pa.RecordBatch", readout: Readout, row: int) -> Decoded:
    return _words(batch) if batch.schema.names == [_WORD] else _packed(batch, readout, row)


def _words(batch: "pa.RecordBatch") -> Decoded:
    column = batch.column(0)
    if str(column.type) != "uint64" or column.null_count:
        raise FormatError(
            f"parquet: column {_WORD} is {column.type} with {column.null_count} nulls,"
            " expected uint64 without"
        )
    return Decoded(np.asarray(column.to_numpy(zero_copy_only=False), np.uint64))


def _packed(batch: "pa.RecordBatch", readout: Readout, first_row: int) -> Decoded:
    import pyarrow as pa
    from pyarrow import csv

    text = io.BytesIO()
    options = csv.WriteOptions(include_header=False)
    columns = [_on_one_line(batch.column(name)) for name in COLUMNS]
    csv.write_csv(pa.record_batch(columns, list(COLUMNS)), text, options)
    decoder = CsvDecoder(readout)
    decoder.feed(",".join(COLUMNS).encode() + b"\n")
    part, rest = decoder.feed(text.getvalue()), decoder.finish()
    rejects = [
        Reject(code=r.code, offset=first_row + (r.line or 0) - 2, length=0, evidence=r.evidence)
        for r in part.rejects + rest.rejects
    ]
    return Decoded(np.concatenate([part.words, rest.words]), rejects)


def _on_one_line(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return ``column`` so that none of its values is more than one field of one row."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return compute.replace_substring_regex(column, r"[^0-9+. \-]", "?")
    return column


class _Drain(io.RawIOBase):
    """A file whose content is taken away as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._size += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class ParquetEncoder:
    """Words to a Parquet file: a row group for each piece."""

    def __init__(self, readout: Readout) -> None:
        """Prepare the schema, with the word version as metadata."""
        import pyarrow as pa
        from pyarrow import parquet

        kinds = [pa.uint8(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint32(), pa.float64()]
        fields = [pa.field(name, kind) for name, kind in zip(COLUMNS, kinds, strict=True)]
        fields.append(pa.field(_WORD, pa.uint64()))
        metadata: dict[str | bytes, str | bytes] = {
            METADATA_KEY: orjson.dumps({"word_version": readout.version})
        }
        self._schema = pa.schema(fields, metadata=metadata)
        self._readout, self._file = readout, _Drain()
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._file, "w"), self._schema, compression="zstd"
        )

    def begin(self) -> bytes:
        """Return the magic bytes."""
        return self._file.take()

    def encode(self, words: Words) -> bytes:
        """Return a row group."""
        import pyarrow as pa

        if len(words) == 0:
            return b""
        fields = unpack(words, self._readout.version, self._readout.hit_head)
        columns = [fields.head, fields.fpga, fields.channel, fields.orbit, fields.bx, fields.tdc]
        arrays = [
            pa.array(column.astype(field.type.to_pandas_dtype()), field.type)
            for column, field in zip(columns, self._schema, strict=False)
        ]
        batch = pa.record_batch([*arrays, pa.array(words, pa.uint64())], schema=self._schema)
        self._writer.write_batch(batch)
        return self._file.take()

    def end(self) -> bytes:
        """Return the footer."""
        self._writer.close()
        return self._file.take()
