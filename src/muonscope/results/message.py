"""The message of one closed window: JSON, a superset of the original pipeline's.

Everything in it follows from the words of the window, so any engine gives the same bytes.
The keys of the original (``batch_id``, ``total_hits``, ``chamberN`` with ``hist_*`` and
``DRIFTIME``) keep their meaning; ``schema`` names the version, and
``schema/window-1.json`` describes it all. What belongs to no window (words of an FPGA
that never sent a hit, bytes that could not be decoded) leaves as one more message of the
same form, with ``window`` null, when the run ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import orjson

from muonscope.counting.summary import (
    DRIFT_BIN_NS,
    DRIFT_LOW_NS,
    Accounting,
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
        head["batch_id"] = window
        chambers = columns.chambers(i, max_drift_times)
        total = sum(chamber["total_hits"] for chamber in chambers)
        head["total_hits"] = total
        head |= columns.accounting(i, total)
        head["multiplicity"] = _with_empty(table.multiplicity[i, -1], table.window_orbits)
        head |= {f"chamber{n}": chamber for n, chamber in enumerate(chambers)}
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


def _with_empty(multiplicity: IntArray, orbits: int) -> IntArray:
    """Return the multiplicity with the orbits without a hit, which no kernel counts."""
    full = multiplicity.copy()
    full[0] = orbits - int(full.sum())
    return full


class _Columns:
    """The columns of a table as the message wants them, made for all windows at once."""

    def __init__(self, table: WindowTable) -> None:
        self._table, detector = table, table.detector
        self._chambers, self._cells = detector.n_chambers, detector.n_cells
        firsts = [detector.first_cell(c) for c in range(self._chambers)]
        self._channel = detector.cells().channel
        hits = np.ascontiguousarray(table.class_words[:, : self._cells])
        self._hits = self._sparse(hits, firsts)
        self._scint = self._sparse(table.scint_hits, firsts)
        totals = np.add.reduceat(hits, firsts, axis=1) if len(table) else hits
        self._total_hits = totals.tolist()
        specials = table.class_words[:, self._cells :]
        split = len(detector.scintillators)
        self._scintillator = specials[:, :split].sum(axis=1).tolist()
        self._trigger = specials[:, split:].sum(axis=1).tolist()
        self._other = table.other_words
        chamber_of = np.repeat(
            np.tile(np.arange(self._chambers), len(table)),
            np.diff(table.drift_ends.ravel(), prepend=0),
        )
        ticks = table.drift_ticks[: len(chamber_of)]
        self._drift = np.empty(len(ticks))
        for chamber in range(self._chambers):
            mine = chamber_of == chamber
            self._drift[mine] = drift_ns(detector, chamber, ticks[mine])

    def _sparse(
        self, counts: IntArray, firsts: list[int]
    ) -> tuple[IntArray, IntArray, list[list[int]]]:
        """Return (channels, counts, ends) of the non-zero entries, by row and chamber."""
        flat = np.flatnonzero(counts)
        starts = np.arange(len(counts))[:, None] * self._cells + np.array(
            [*firsts[1:], self._cells]
        )
        ends = np.searchsorted(flat, starts)
        return self._channel[flat % self._cells], counts.ravel()[flat], ends.tolist()

    def accounting(self, i: int, hits: int) -> dict[str, Any]:
        other = self._other[i].tolist()
        ancillary, unmapped, *invalid, late = other
        scintillator, trigger = self._scintillator[i], self._trigger[i]
        account = Accounting(
            words_in=hits + scintillator + trigger + sum(other),
            hits=hits,
            scintillator=scintillator,
            trigger=trigger,
            ancillary=ancillary,
            unmapped=unmapped,
            invalid=sum(invalid),
            late=late,
        )
        return {"scintillator_hits": scintillator, "accounting": account.as_dict()}

    def chambers(self, i: int, max_drift_times: int) -> list[dict[str, Any]]:
        table = self._table
        orbits, drifts = table.orbit_slices(i), table.drift_slices(i)
        channel, scint = self._slices(self._hits, i), self._slices(self._scint, i)
        result = []
        for c in range(self._chambers):
            histogram = table.drift_histogram[i, c]
            drift = self._drift[drifts[c]]
            result.append(
                {
                    "total_hits": self._total_hits[i][c],
                    "hist_CHANNEL": self._bins(self._hits, channel[c], c),
                    "hist_SCINT": self._bins(self._scint, scint[c], c),
                    "hist_ORBIT": {
                        "bin_edges": table.orbits[orbits[c]],
                        "bin_counts": table.orbit_hits[orbits[c]],
                    },
                    "DRIFTIME": drift[:max_drift_times],
                    "drift_truncated": len(drift) > max_drift_times,
                    "drift_histogram": _histogram(
                        int(histogram[0]), histogram[1:-1], int(histogram[-1])
                    ),
                    "multiplicity": _with_empty(table.multiplicity[i, c], table.window_orbits),
                }
            )
        return result

    def _bins(
        self, sparse: tuple[IntArray, IntArray, list[list[int]]], where: slice, chamber: int
    ) -> dict[str, Any]:
        if where.start == where.stop:
            return _no_bins(self._table.detector.chambers[chamber])
        return {"bin_edges": sparse[0][where], "bin_counts": sparse[1][where]}

    @staticmethod
    def _slices(sparse: tuple[IntArray, IntArray, list[list[int]]], i: int) -> list[slice]:
        ends = sparse[2]
        begin = ends[i - 1][-1] if i else 0
        return [slice(a, b) for a, b in zip([begin, *ends[i][:-1]], ends[i], strict=True)]
