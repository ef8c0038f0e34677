"""Windows as rows of a table in Parquet: all that was counted, without the lists of single hits.

``run``, ``epoch``, ``window``, ``first_orbit``, ``last_orbit``, ``live_s``, and a column for
each array of the blocks: a number, or a list whose shape stands in the column's metadata.
"""

from types import TracebackType
from typing import Any, Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from muonscope.detector import Detector
from muonscope.results.read_message import WindowResult

__all__ = ["SCHEMA_NAME", "WindowsWriter"]

SCHEMA_NAME = "muonscope.windows/1"
"""Name and version of the table, under ``schema`` in its metadata."""

_GROUP_ROWS = 600
_HEAD: tuple[tuple[str, Any, str], ...] = (
    ("run", pa.string(), "name of the run"),
    ("epoch", pa.int64(), "number of the epoch"),
    ("window", pa.int64(), "number of the window in its epoch"),
    ("first_orbit", pa.int64(), "first orbit"),
    ("last_orbit", pa.int64(), "last orbit, inclusive"),
    ("live_orbits", pa.int64(), "orbits that were looked at"),
    ("live_s", pa.float64(), "time in which the telescope was alive, s: rates are counts by it"),
)


class WindowsWriter:
    """Writes windows to a file as they come."""

    def __init__(self, file: Any, detector: Detector) -> None:
        """Begin; the columns are those of the first window."""
        self._file, self._detector = file, detector
        self._writer: pq.ParquetWriter | None = None
        self._rows: list[WindowResult] = []
        self._shapes: dict[str, tuple[int, ...]] = {}

    def put(self, window: WindowResult) -> None:
        """Add a window."""
        self._rows.append(window)
        if len(self._rows) == _GROUP_ROWS:
            self._flush()

    def tell(self, about: dict[str, Any]) -> None:
        """Write what the run is into the metadata of the file."""
        self._flush()
        assert self._writer
        self._writer.add_key_value_metadata({"about": orjson.dumps(about).decode()})

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """End the file."""
        if self._writer:
            self._writer.close()

    def _flush(self) -> None:
        if not self._rows:
            return
        if self._writer is None:
            self._shapes = {
                name: array.shape for name, array in self._rows[0].summary.arrays.items()
            }
            self._writer = pq.ParquetWriter(self._file, self._schema(), compression="zstd")
        columns: dict[str, list[Any]] = {name: [] for name, *_ in _HEAD}
        columns |= {name: [] for name in self._shapes}
        for window in self._rows:
            summary = window.summary
            told = (
                window.run, window.epoch, window.window, window.first_orbit, window.last_orbit,
                summary.live_orbits, summary.live_s,
            )  # fmt: skip
            for (name, *_), value in zip(_HEAD, told, strict=True):
                columns[name].append(value)
            for name, shape in self._shapes.items():
                array = summary.arrays[name]
                columns[name].append(array.ravel() if shape else int(array))
        self._writer.write_table(pa.table(columns, schema=self._schema()))
        self._rows.clear()

    def _schema(self) -> pa.Schema:
        fields = [pa.field(name, kind, metadata={"about": about}) for name, kind, about in _HEAD]
        for name, shape in self._shapes.items():
            kind = pa.list_(pa.int64()) if shape else pa.int64()
            fields.append(pa.field(name, kind, metadata={"shape": orjson.dumps(shape)}))
        metadata = {
            "schema": SCHEMA_NAME,
            "detector": self._detector.name,
            "detector_hash": self._detector.fingerprint,
        }
        return pa.schema(fields, metadata=metadata)
