"""The message of one closed window: JSON, a superset of the original pipeline's.

Everything in it follows from the words of the window, so any engine gives the same bytes.
The keys of the original (``batch_id``, ``total_hits``, ``chamberN`` with ``hist_*`` and
``DRIFTIME``) keep their meaning; ``schema`` names the version, and
``schema/window-1.json`` describes it all. What belongs to no window (words of an FPGA
that never sent a hit, bytes that could not be decoded) leaves as one more message of the
same form, with ``window`` null, when the run ends, if there is any.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from muonscope.counting.classes import Timeless
from muonscope.counting.summary import (
    DRIFT_BIN_NS,
    DRIFT_LOW_NS,
    IntArray,
    Summary,
    WindowTable,
    drift_ns,
)
from muonscope.detector import Chamber
from muonscope.units import ORBIT_NS

__all__ = [
    "SCHEMA",
    "ByteAccounting",
    "message_schema",
    "remainder_message",
    "window_messages",
]

SCHEMA = "muonscope.window/1"
"""Name and version of the message."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
_ORBIT_NS = int(ORBIT_NS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteAccounting:
    """Where the bytes of a run went: ``bytes_in = bytes_decoded + bytes_rejected``."""

    bytes_in: int = 0
    """After decompression."""
    bytes_decoded: int = 0
    bytes_rejected: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    """Number of rejects by the name of their code."""


def message_schema() -> dict[str, Any]:
    """Return the JSON Schema of the message."""
    text = (resources.files("muonscope.results") / "schema" / "window-1.json").read_text("utf-8")
    schema: dict[str, Any] = orjson.loads(text)
    return schema


def window_messages(
    table: WindowTable, run: str, *, max_drift_times: int = 2000
) -> Iterator[bytes]:
    """Yield the message of each window of ``table``, a line of UTF-8 JSON.

    ``max_drift_times`` bounds ``DRIFTIME`` per chamber; the first ones in time are kept,
    and ``drift_truncated`` says whether there were more.
    """
    columns = _Columns(table)
    for i in range(len(table)):
        window = int(table.window[i])
        head = _head(table, run, int(table.epoch[i]), window)
        account = columns.accounts[i]
        head |= {
            "batch_id": window,
            "total_hits": account["hits"],
            "scintillator_hits": account["scintillator"],
            "accounting": account,
            "multiplicity": columns.multiplicity[i, -1],
        }
        for c in range(table.detector.n_chambers):
            head[f"chamber{c}"] = columns.chamber(i, c, max_drift_times)
        yield orjson.dumps(head, option=_OPTIONS)


def remainder_message(remainder: Summary, run: str, account: ByteAccounting) -> bytes:
    """Return the message of what belongs to no window of ``run``."""
    table = WindowTable.of(remainder.detector, 1, [])
    empty_bins = [0] * (remainder.drift_histogram.shape[1] - 2)
    chamber = {
        "total_hits": 0, "hist_ORBIT": {"bin_edges": [], "bin_counts": []},
        "DRIFTIME": [], "drift_truncated": False,
        "drift_histogram": _histogram(0, empty_bins, 0),
        "multiplicity": [0] * remainder.multiplicity.shape[1],
    }  # fmt: skip
    message = _head(table, run, None, None) | {
        "batch_id": -1,
        "total_hits": 0,
        "scintillator_hits": 0,
        "accounting": remainder.accounting.as_dict(),
        "bytes": {
            "bytes_in": account.bytes_in,
            "bytes_decoded": account.bytes_decoded,
            "bytes_rejected": account.bytes_rejected,
            "rejects": account.rejects,
        },
        "multiplicity": chamber["multiplicity"],
    }
    for n, described in enumerate(remainder.detector.chambers):
        none = _no_bins(described)
        message[f"chamber{n}"] = chamber | {"hist_CHANNEL": none, "hist_SCINT": none}
    return orjson.dumps(message, option=_OPTIONS)


def _head(table: WindowTable, run: str, epoch: int | None, window: int | None) -> dict[str, Any]:
    orbits = table.window_orbits
    first = None if window is None else window * orbits
    return {
        "schema": SCHEMA,
        "detector": table.detector.name,
        "run": run,
        "epoch": epoch,
        "window": window,
        "first_orbit": first,
        "last_orbit": None if first is None else first + orbits - 1,
        "start_ns": None if first is None else first * _ORBIT_NS,
        "end_ns": None if first is None else (first + orbits) * _ORBIT_NS,
    }


def _no_bins(chamber: Chamber) -> dict[str, list[int]]:
    """Return one entry of zero.

    The original's consumer indexes with the edges, and NumPy takes no empty list for that.
    """
    return {"bin_edges": [chamber.first_channel], "bin_counts": [0]}


def _histogram(below: int, counts: Any, above: int) -> dict[str, Any]:
    return {
        "low_ns": DRIFT_LOW_NS,
        "bin_ns": DRIFT_BIN_NS,
        "below": below,
        "counts": counts,
        "above": above,
    }


class _Ragged:
    """Lists of different lengths, one after the other in shared arrays."""

    def __init__(self, ends: IntArray, *columns: npt.NDArray[Any]) -> None:
        """Take the ``ends`` of the lists in ``columns``, in the order of the lists."""
        self._ends, self._columns = [0, *ends.ravel().tolist()], columns

    def length(self, n: int) -> int:
        return self._ends[n + 1] - self._ends[n]

    def column(self, which: int, n: int, most: int | None = None) -> npt.NDArray[Any]:
        """Return list ``n`` of column ``which``, its first ``most`` entries."""
        begin, end = self._ends[n], self._ends[n + 1]
        return self._columns[which][begin : end if most is None else min(end, begin + most)]

    def bins(self, n: int) -> dict[str, Any]:
        """Return list ``n`` of the first two columns as edges and counts."""
        return {"bin_edges": self.column(0, n), "bin_counts": self.column(1, n)}


class _Columns:
    """The columns of a table as the message wants them, made for all windows at once."""

    def __init__(self, table: WindowTable) -> None:
        detector = table.detector
        self._detector, self._cells = detector, detector.n_cells
        self._firsts = [detector.first_cell(c) for c in range(detector.n_chambers)]
        self._channel = detector.cells().channel
        hits = np.ascontiguousarray(table.class_words[:, : self._cells])
        self._hits, self._scint = self._sparse(hits), self._sparse(table.scint_hits)
        self._orbits = _Ragged(table.orbit_ends, table.orbits, table.orbit_hits)
        self._drifts = _Ragged(table.drift_ends, _drift_times(table))
        self._chamber_hits = np.add.reduceat(hits, self._firsts, axis=1) if len(hits) else hits
        self.hits = self._chamber_hits.tolist()
        self.accounts = self._accounts(table)
        self._histogram = table.drift_histogram
        self._outside = table.drift_histogram[:, :, [0, -1]].tolist()
        self.multiplicity = table.multiplicity.copy()
        self.multiplicity[:, :, 0] = table.window_orbits - table.multiplicity.sum(axis=2)

    def _sparse(self, counts: IntArray) -> _Ragged:
        """Return channels and counts of the non-zero entries, by row and chamber."""
        flat = np.flatnonzero(counts)
        stops = np.array([*self._firsts[1:], self._cells])
        ends = np.searchsorted(flat, np.arange(len(counts))[:, None] * self._cells + stops)
        return _Ragged(ends, self._channel[flat % self._cells], counts.ravel()[flat])

    def _accounts(self, table: WindowTable) -> list[dict[str, int]]:
        split = self._cells + len(self._detector.scintillators)
        other = table.other_words
        columns = {
            "words_in": table.class_words.sum(axis=1) + other.sum(axis=1),
            "hits": self._chamber_hits.sum(axis=1),
            "scintillator": table.class_words[:, self._cells : split].sum(axis=1),
            "trigger": table.class_words[:, split:].sum(axis=1),
            "ancillary": other[:, Timeless.ANCILLARY],
            "unmapped": other[:, Timeless.UNMAPPED],
            "invalid": other[:, Timeless.INVALID_HEAD : Timeless.INVALID_ORBIT + 1].sum(axis=1),
            "late": other[:, Timeless.LATE],
        }
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def chamber(self, i: int, c: int, max_drift_times: int) -> dict[str, Any]:
        """Return what window ``i`` says of chamber ``c``."""
        n = i * len(self._firsts) + c
        none = _no_bins(self._detector.chambers[c])
        below, above = self._outside[i][c]
        return {
            "total_hits": self.hits[i][c],
            "hist_CHANNEL": self._hits.bins(n) if self._hits.length(n) else none,
            "hist_SCINT": self._scint.bins(n) if self._scint.length(n) else none,
            "hist_ORBIT": self._orbits.bins(n),
            "DRIFTIME": self._drifts.column(0, n, max_drift_times),
            "drift_truncated": self._drifts.length(n) > max_drift_times,
            "drift_histogram": _histogram(below, self._histogram[i, c, 1:-1], above),
            "multiplicity": self.multiplicity[i, c],
        }


def _drift_times(table: WindowTable) -> npt.NDArray[np.float64]:
    """Return all drift times of ``table``, ns, in the order of its lists."""
    chambers = table.detector.n_chambers
    lengths = np.diff(table.drift_ends.ravel(), prepend=0)
    chamber_of = np.repeat(np.tile(np.arange(chambers), len(table)), lengths)
    ticks = table.drift_ticks[: len(chamber_of)]
    times = np.empty(len(ticks))
    for chamber in range(chambers):
        mine = chamber_of == chamber
        times[mine] = drift_ns(table.detector, chamber, ticks[mine])
    return times
