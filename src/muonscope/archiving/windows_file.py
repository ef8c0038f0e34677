"""The windows of an hour in Parquet: the only copy of what was counted, so every count is in it.

A row is a window: ``epoch``, ``window``, ``first_orbit``, ``live_orbits`` (that were looked at),
``at`` (when it came), ``live_s``, ``state`` (of the telescope after it), and its counts, a column
for each array of the blocks: a number, or a list whose shape stands in the column's metadata.
Small arrays stand in every row. The others stand once for each *piece*, consecutive windows of
the same minute and the same state: in the row with its last window, merged over all of it. So a
column that adds up adds up over all rows, whichever of the two it is. ``piece`` is the piece's
number. Verdicts that changed stand in the metadata, under ``changes``.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from muonscope.archiving.run_file import FORMAT, ChangeRecord
from muonscope.counting.block import Block
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.quality.verdict import State

__all__ = [
    "HEAD", "PIECE_S", "Piece", "SealedWindows", "changes_of", "joined_windows", "windows_schema",
    "write_windows",
]  # fmt: skip

PIECE_S = 60.0
"""A piece is within a minute of detector time."""

_CHANGES, _CHECKSUMS = b"changes", b"checksums"
HEAD: tuple[tuple[str, pa.DataType, str], ...] = (
    ("epoch", pa.int32(), "number of the epoch"),
    ("window", pa.int64(), "number of the window in its epoch"),
    ("first_orbit", pa.int64(), "first orbit"),
    ("live_orbits", pa.int64(), "orbits that were looked at"),
    ("at", pa.timestamp("ms", "UTC"), "when the window came"),
    ("live_s", pa.float64(), "time in which the telescope was alive, s: rates are counts by it"),
    ("state", pa.string(), "state of the telescope after the window"),
    ("version", pa.int32(), "version of the message that told the window"),
    ("windows", pa.int32(), "windows in the row: 1, or more where a run was thinned"),
    ("piece", pa.int64(), "number of the piece"),
)
_PIECE_HEADS = ("epoch", "window", "first_orbit", "version")
_GROUP_ROWS = 1200
_DELTAS = ("window", "first_orbit", "at")
_Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Consecutive windows of one minute and one state, added up."""

    epoch: int
    window: int
    """The first one."""
    last_window: int
    first_orbit: int
    windows: int
    at: float
    """When its last window came, s since 1970."""
    state: State
    version: int
    """Of the message of the first window."""
    summary: Summary

    @property
    def place(self) -> tuple[int, int]:
        """What pieces are ordered by."""
        return self.epoch, self.window


def windows_schema(
    detector: Detector, shapes: Mapping[str, tuple[int, ...]], changes: Sequence[ChangeRecord]
) -> pa.Schema:
    """Return the schema of a table of windows, in which ``changes`` of verdicts stand."""
    fields = [pa.field(name, kind, metadata={"about": about}) for name, kind, about in HEAD]
    for name, shape in shapes.items():
        told = {"shape": msgspec.json.encode(shape)}
        fields.append(pa.field(name, pa.list_(pa.int64()), metadata=told))
    metadata = {
        "schema": FORMAT, "detector": detector.name, "detector_hash": detector.fingerprint,
        _CHANGES: msgspec.json.encode(list(dict.fromkeys(changes))),
    }  # fmt: skip
    return pa.schema(fields, metadata=metadata)


def joined_windows(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the windows of several tables of one part, sorted; columns that one lacks are null."""
    whole = pa.concat_tables([_without_metadata(t) for t in tables], promote_options="default")
    changes = [change for table in tables for change in changes_of(table.schema.metadata)]
    first = tables[-1].schema.metadata or {}
    kept = {**first, _CHANGES: msgspec.json.encode(list(dict.fromkeys(changes)))}
    fields = {f.name: f for table in tables for f in table.schema}
    schema = pa.schema([fields[name] for name in whole.column_names], metadata=kept)
    return whole.cast(schema).sort_by([("epoch", "ascending"), ("window", "ascending")])


def write_windows(table: pa.Table, file: Any) -> None:
    """Write the windows of a part as Parquet, small rather than fast."""
    told = dict(table.schema.metadata or {})
    sums = {name: _checksum(table[name]) for name in table.column_names}
    sums[""] = zlib.crc32(told.get(_CHANGES, b""))
    table = table.replace_schema_metadata({**told, _CHECKSUMS: msgspec.json.encode(sums)})
    pq.write_table(
        table, file, compression="zstd", compression_level=9, row_group_size=_GROUP_ROWS,
        use_dictionary=[f"{n}.list.element" if pa.types.is_list(table.schema.field(n).type) else n
                        for n in table.column_names if n not in _DELTAS],
        column_encoding=dict.fromkeys(_DELTAS, "DELTA_BINARY_PACKED"),
    )  # fmt: skip


def changes_of(metadata: Mapping[bytes, bytes] | None) -> list[ChangeRecord]:
    """Return the changes of verdicts that stand in the metadata of a table."""
    told = (metadata or {}).get(_CHANGES, b"[]")
    return msgspec.json.decode(told, type=list[ChangeRecord])


class SealedWindows:
    """The windows of a part, or some of their columns."""

    def __init__(self, table: pa.Table, detector: Detector, blocks: Sequence[Block]) -> None:
        """Take a table as :func:`windows_table` makes it."""
        self.table, self.detector, self.blocks = table, detector, tuple(blocks)
        self._shapes = {n: s for block in blocks for n, s in block.shapes(detector).items()}

    @classmethod
    def read(
        cls, path: Path, detector: Detector, blocks: Sequence[Block],
        columns: Sequence[str] | None = None,
    ) -> "SealedWindows":  # fmt: skip
        """Read a sealed part; only ``columns``, if they are named, and those it has.

        Raises
        ------
        FormatError
            If it is damaged, or of another detector.
        """
        try:
            with pq.ParquetFile(path) as file:
                known = set(file.schema_arrow.names)
                wanted = None if columns is None else [name for name in columns if name in known]
                table = file.read(wanted).replace_schema_metadata(file.schema_arrow.metadata)
            _check(table)
            changes_of(table.schema.metadata)
            lacking = [n for n, *_ in HEAD if n not in known]
        except (OSError, ValueError, pa.ArrowException, msgspec.MsgspecError) as exc:
            raise FormatError(f"{path}: cannot be read: {exc}") from exc
        if lacking:
            raise FormatError(f"{path}: has no column {lacking[0]}")
        told = (table.schema.metadata or {}).get(b"detector_hash", b"").decode("utf-8", "replace")
        if told != detector.fingerprint:
            raise FormatError(
                f"{path}: found detector {told or 'none'}, expected {detector.fingerprint}"
            )
        return cls(table, detector, blocks)

    @property
    def changes(self) -> list[ChangeRecord]:
        """Verdicts that changed."""
        return changes_of(self.table.schema.metadata)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return a column of numbers, shape (n,); times in s since 1970."""
        column = self.table[name]
        plain = column.cast(pa.int64()) if name == "at" else column
        numbers: npt.NDArray[Any] = plain.to_numpy()
        return numbers / 1e3 if name == "at" else numbers

    @property
    def is_thinned(self) -> bool:
        """Whether rows are of several windows: which those were is not known any more."""
        return bool((self.numbers("windows") > 1).any())

    @property
    def places(self) -> list[tuple[int, int]]:
        """Epoch and window of each row."""
        epochs, windows = self.numbers("epoch").tolist(), self.numbers("window").tolist()
        return list(zip(epochs, windows, strict=True))

    def by_state(self) -> dict[str, int]:
        """Return the number of windows by the state of the telescope after them."""
        states, counts = self.table["state"].to_pylist(), self.numbers("windows").tolist()
        found: dict[str, int] = {}
        for state, n in zip(states, counts, strict=True):
            found[state] = found.get(state, 0) + n
        return found

    def told(self, name: str) -> tuple[_Whole, npt.NDArray[np.int64]]:
        """Return an array of the blocks where it stands: shape (k, *its shape), and the k rows.

        None, where a part was written before there was such one.

        Raises
        ------
        FormatError
            If it is of another shape.
        """
        shape = self._shapes[name]
        size = math.prod(shape)
        if name not in self.table.column_names:
            return np.zeros((0, *shape), np.int64), np.zeros(0, np.int64)
        column = self.table[name].combine_chunks()
        there = np.flatnonzero(compute.is_valid(column).to_numpy(zero_copy_only=False))
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        if len(flat) != size * len(there):
            raise FormatError(f"{name}: found {len(flat)} counts, expected {size} a row")
        return np.asarray(flat, np.int64).reshape(-1, *shape), there

    def total(self) -> Summary:
        """Return the merge of all windows, condensed."""
        return self._summary(int(self.numbers("live_orbits").sum()), self._arrays())

    def pieces(self) -> list[Piece]:
        """Return the pieces in the order of their first windows."""
        numbers, states = self.numbers("piece"), self.table["state"].to_pylist()
        heads = {n: self.numbers(n) for n in (*_PIECE_HEADS, "live_orbits", "at", "windows")}
        pieces, first_row = np.unique(numbers, return_index=True)
        arrays: dict[str, tuple[_Whole, npt.NDArray[Any], npt.NDArray[Any]]] = {}
        for name in self._shapes:
            told, where = self.told(name)
            order = np.argsort(numbers[where], kind="stable")
            of_row = numbers[where][order]
            bounds = [np.searchsorted(of_row, pieces, side) for side in ("left", "right")]
            arrays[name] = told[order], bounds[0], bounds[1]
        made = []
        for i, (number, first) in enumerate(zip(pieces, first_row.tolist(), strict=True)):
            rows = np.flatnonzero(numbers == number)
            head = {name: int(heads[name][first]) for name in _PIECE_HEADS}
            counts = {
                name: block.merged(name, arrays[name][0][arrays[name][1][i] : arrays[name][2][i]])
                for block in self.blocks for name in block.shapes(self.detector)
            }  # fmt: skip
            made.append(Piece(
                **head, last_window=int(heads["window"][rows[-1]] + heads["windows"][rows[-1]]) - 1,
                windows=int(heads["windows"][rows].sum()),
                at=float(heads["at"][rows].max()), state=State.named(states[first]),
                summary=self._summary(int(heads["live_orbits"][rows].sum()), counts),
            ))  # fmt: skip
        return sorted(made, key=lambda piece: piece.place)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {
            name: block.merged(name, self.told(name)[0])
            for block in self.blocks
            for name in block.shapes(self.detector)
        }

    def _summary(self, live_orbits: int, arrays: dict[str, npt.NDArray[Any]]) -> Summary:
        return Summary(
            detector=self.detector, live_orbits=live_orbits, arrays=arrays, blocks=self.blocks
        )


def _check(table: pa.Table) -> None:
    """Compare columns with the checksums that stand in the metadata of their file.

    Parquet has none of its own for the headers of its pages, nor for its footer.

    Raises
    ------
    ValueError
        If one is another.
    """
    told = table.schema.metadata or {}
    sums = msgspec.json.decode(told.get(_CHECKSUMS, b"{}"), type=dict[str, int])
    if sums and sums.get("") != zlib.crc32(told.get(_CHANGES, b"")):
        raise ValueError("the checksum of its changes differs")
    for name in table.column_names:
        if name in sums and sums[name] != _checksum(table[name]):
            raise ValueError(f"the checksum of {name} differs")


def _checksum(column: pa.ChunkedArray) -> int:
    """Return a checksum of a column's values, whatever its chunks."""
    there = compute.is_valid(column).to_numpy()
    column = column.drop_null()
    if pa.types.is_list(column.type):
        column = pa.chunked_array([column.combine_chunks().flatten()])
    if pa.types.is_string(column.type):
        data = "\n".join(column.to_pylist()).encode()
    else:
        plain = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        data = plain.to_numpy().tobytes()
    return zlib.crc32(data, zlib.crc32(there.tobytes()))


def _without_metadata(table: pa.Table) -> pa.Table:
    plain = [field.remove_metadata() for field in table.schema]
    return table.cast(pa.schema(plain))
