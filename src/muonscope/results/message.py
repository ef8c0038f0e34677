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

from muonscope.counting.summary import DRIFT_BIN_NS, DRIFT_LOW_NS, IntArray, Summary, drift_ns
from muonscope.counting.window_table import WindowTable
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Chamber, Detector
from muonscope.units import ORBIT_NS

__all__ = [
    "SCHEMA",
    "ByteAccounting",
    "message_schema",
    "reject_schema",
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
    return _schema("window-1.json")


def reject_schema() -> dict[str, Any]:
    """Return the JSON Schema of the message of a reject, as it is published to Kafka."""
    return _schema("reject-1.json")


def _schema(name: str) -> dict[str, Any]:
    text = (resources.files("muonscope.results") / "schema" / name).read_text("utf-8")
    schema: dict[str, Any] = orjson.loads(text)
    return schema


def window_messages(
    table: WindowTable, run: str, *, max_drift_times: int = 2000
) -> Iterator[bytes]:
    """Yield the message of each window of ``table``, a line of UTF-8 JSON.

    ``max_drift_times`` bounds ``DRIFTIME`` per chamber; the first ones in time are kept,
    and ``drift_truncated`` says whether there were more.
    """
    columns, orbits = _Columns(table), table.window_orbits
    head = _head(table.detector, run) | dict.fromkeys(
        ("batch_id", "total_hits", "scintillator_hits", "accounting", "multiplicity")
    )
    chambers = [_chamber([], []) for _ in table.detector.chambers]
    head |= {f"chamber{c}": chamber for c, chamber in enumerate(chambers)}
    for i, (epoch, window) in enumerate(
        zip(table.epoch.tolist(), table.window.tolist(), strict=True)
    ):
        account = columns.accounts[i]
        head["epoch"], head["window"], head["batch_id"] = epoch, window, window
        head["first_orbit"], head["last_orbit"] = window * orbits, (window + 1) * orbits - 1
        head["start_ns"] = window * orbits * _ORBIT_NS
        head["end_ns"] = (window + 1) * orbits * _ORBIT_NS
        head["total_hits"], head["accounting"] = account["hits"], account
        head["scintillator_hits"] = account["scintillator"]
        head["multiplicity"] = columns.multiplicity[i, -1]
        columns.fill(chambers, i, max_drift_times)
        yield orjson.dumps(head, option=_OPTIONS)


def remainder_message(remainder: Summary, run: str, account: ByteAccounting) -> bytes:
    """Return the message of what belongs to no window of ``run``."""
    no_bins = [0] * (remainder.drift_histogram.shape[1] - 2)
    no_orbits = [0] * remainder.multiplicity.shape[1]
    message = _head(remainder.detector, run) | {
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
        "multiplicity": no_orbits,
    }
    for n, described in enumerate(remainder.detector.chambers):
        chamber = _chamber(no_bins, no_orbits)
        for name in ("hist_CHANNEL", "hist_SCINT"):
            chamber[name]["bin_edges"], chamber[name]["bin_counts"] = _no_channel(described)
        message[f"chamber{n}"] = chamber
    return orjson.dumps(message, option=_OPTIONS)


def _head(detector: Detector, run: str) -> dict[str, Any]:
    """Return how a message begins, its window still open."""
    head: dict[str, Any] = {"schema": SCHEMA, "detector": detector.name, "run": run}
    return head | dict.fromkeys(
        ("epoch", "window", "first_orbit", "last_orbit", "start_ns", "end_ns")
    )


def _no_channel(chamber: Chamber) -> tuple[list[int], list[int]]:
    """Return edges and counts of one entry of zero.

    The original's consumer indexes with the edges, and NumPy takes no empty list for that.
    """
    return [chamber.first_channel], [0]


def _chamber(drift_counts: list[int], multiplicity: list[int]) -> dict[str, Any]:
    """Return what a message says of a chamber without hits."""
    return {
        "total_hits": 0,
        "hist_CHANNEL": {"bin_edges": [], "bin_counts": []},
        "hist_SCINT": {"bin_edges": [], "bin_counts": []},
        "hist_ORBIT": {"bin_edges": [], "bin_counts": []},
        "DRIFTIME": [],
        "drift_truncated": False,
        "drift_histogram": {
            "low_ns": DRIFT_LOW_NS,
            "bin_ns": DRIFT_BIN_NS,
            "below": 0,
            "counts": drift_counts,
            "above": 0,
        },
        "multiplicity": multiplicity,
    }


class _Ragged:
    """Lists of different lengths, one after the other in two shared arrays."""

    def __init__(self, ends: IntArray, edges: npt.NDArray[Any], counts: npt.NDArray[Any]) -> None:
        """Take the ``ends`` of the lists in the order of the lists."""
        self._ends, self._edges, self._counts = [0, *ends.ravel().tolist()], edges, counts

    def fill(self, bins: dict[str, Any], n: int, empty: tuple[list[int], list[int]]) -> None:
        """Put list ``n`` into ``bins``, or ``empty`` where it has no entry."""
        begin, end = self._ends[n], self._ends[n + 1]
        if begin == end:
            bins["bin_edges"], bins["bin_counts"] = empty
        else:
            bins["bin_edges"], bins["bin_counts"] = self._edges[begin:end], self._counts[begin:end]


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
        self._drift_ends = [0, *table.drift_ends.ravel().tolist()]
        self._drift_times = _drift_times(table)
        self._chamber_hits = np.add.reduceat(hits, self._firsts, axis=1) if len(hits) else hits
        self.hits = self._chamber_hits.tolist()
        self.accounts = self._accounts(table)
        self._histogram = table.drift_histogram
        self._no_channel = [_no_channel(chamber) for chamber in detector.chambers]
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

    def fill(self, chambers: list[dict[str, Any]], i: int, max_drift_times: int) -> None:
        """Put what window ``i`` says into ``chambers``, which are used again for each."""
        first = i * len(chambers)
        hits, outside = self.hits[i], self._outside[i]
        for c, chamber in enumerate(chambers):
            n = first + c
            chamber["total_hits"] = hits[c]
            self._hits.fill(chamber["hist_CHANNEL"], n, self._no_channel[c])
            self._scint.fill(chamber["hist_SCINT"], n, self._no_channel[c])
            self._orbits.fill(chamber["hist_ORBIT"], n, ([], []))
            begin, end = self._drift_ends[n], self._drift_ends[n + 1]
            chamber["drift_truncated"] = end - begin > max_drift_times
            chamber["DRIFTIME"] = self._drift_times[begin : min(end, begin + max_drift_times)]
            histogram = chamber["drift_histogram"]
            histogram["below"], histogram["above"] = outside[c]
            histogram["counts"] = self._histogram[i, c, 1:-1]
            chamber["multiplicity"] = self.multiplicity[i, c]


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
