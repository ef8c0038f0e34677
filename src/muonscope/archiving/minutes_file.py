"""The counters of a day by minute: made of the sealed windows, for trends over months.

A row is a minute of detector time: ``epoch``, ``minute``, ``first_orbit``, ``windows``,
``live_orbits`` (in which the telescope was alive), ``at`` (when its last window came), ``state``
(the worst), and the counters that are drawn against time, as
:func:`muonscope.results.history.counter_names` names them.
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from muonscope.archiving.folders import Part, RunFolder
from muonscope.archiving.run_file import FORMAT, write_whole
from muonscope.archiving.windows_file import PIECE_S, Piece
from muonscope.errors import FormatError
from muonscope.quality.verdict import State
from muonscope.results.history import counters_of
from muonscope.units import ORBIT_S

__all__ = [
    "MINUTE_KEYS", "hours_of", "is_of_others", "minutes_table", "read_minutes", "write_minutes",
]  # fmt: skip

MINUTE_KEYS = ("epoch", "minute", "hour", "windows")
"""Columns that say of when a minute is, and whether it is whole."""

_HEAD = ("epoch", "minute", "hour", "first_orbit", "windows", "at", "state")


def minutes_table(pieces: Iterable[Piece]) -> pa.Table:
    """Return a row for each minute of some pieces, which come in their order."""
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for piece in pieces:
        minute = int(piece.first_orbit * ORBIT_S / PIECE_S)
        counters = counters_of(piece.summary)
        row = rows.get((piece.epoch, minute))
        if row is None:
            rows[piece.epoch, minute] = {
                "epoch": piece.epoch, "minute": minute,
                "hour": Part.of(piece.epoch, piece.first_orbit).hour,
                "first_orbit": piece.first_orbit, "windows": piece.windows,
                "at": round(piece.at * 1e3), "state": piece.state, **counters,
            }  # fmt: skip
            continue
        row["windows"] += piece.windows
        row["at"] = max(row["at"], round(piece.at * 1e3))
        row["state"] = max(row["state"], piece.state)
        for name, n in counters.items():
            row[name] += n
    told = [{**row, "state": State(row["state"]).label} for row in rows.values()]
    names = list(told[0]) if told else list(_HEAD)
    kinds = {"at": pa.timestamp("ms", "UTC"), "state": pa.string()}
    schema = pa.schema([pa.field(n, kinds.get(n, pa.int64())) for n in names], {"schema": FORMAT})
    return pa.Table.from_pylist(told, schema)


def write_minutes(folder: RunFolder, part: Part, pieces: Iterable[Piece]) -> None:
    """Put the minutes of a part in the place of those that its day's file has of it.

    Raises
    ------
    SinkError
        If it cannot be written.
    FormatError
        If the file is damaged.
    """
    path, fresh = folder.minutes_file(part), minutes_table(pieces)
    if path.exists():
        before = read_minutes([path])
        others = before.filter(is_of_others(before, part))
        fresh = pa.concat_tables([others, fresh], promote_options="default")
    order = [("epoch", "ascending"), ("minute", "ascending")]
    buffer = io.BytesIO()
    pq.write_table(fresh.sort_by(order), buffer, compression="zstd")
    write_whole(path, buffer.getvalue())


def is_of_others(minutes: pa.Table, part: Part) -> Any:
    """Return of each of some minutes whether they are of another part."""
    return compute.or_(
        compute.not_equal(minutes["epoch"], part.epoch),
        compute.not_equal(minutes["hour"], part.hour),
    )


def hours_of(minutes: pa.Table) -> dict[Part, int]:
    """Return of each hour that some minutes are of how many windows they have."""
    found = minutes.group_by(["epoch", "hour"]).aggregate([("windows", "sum")])
    rows = zip(*(found[n].to_pylist() for n in ("epoch", "hour", "windows_sum")), strict=True)
    return {Part(epoch, hour): windows for epoch, hour, windows in rows}


def read_minutes(paths: Sequence[Path], names: Sequence[str] | None = None) -> pa.Table:
    """Return columns of some files of minutes, all by default; what a file lacks is null.

    Raises
    ------
    FormatError
        If one is damaged.
    """
    tables = []
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                known = set(file.schema_arrow.names)
                wanted = None if names is None else [n for n in names if n in known]
                tables.append(file.read(wanted, use_threads=False))
        except (OSError, pa.ArrowException) as exc:
            raise FormatError(
                f"{path}: cannot be read: {exc}; `muonscope runs rebuild` makes it again"
            ) from exc
    if not tables:
        kinds = {"at": pa.timestamp("ms", "UTC"), "state": pa.string()}
        empty = {n: pa.array([], kinds.get(n, pa.int64())) for n in names or _HEAD}
        return pa.table(empty)
    return pa.concat_tables(
        [t.replace_schema_metadata() for t in tables], promote_options="default"
    )
