"""The message of one closed window: JSON, a superset of the original pipeline's.

Everything in it follows from the words of the window, so any engine gives the same bytes.
The keys of the original (``batch_id``, ``total_hits``, ``chamberN`` with ``hist_*`` and
``DRIFTIME``) keep their meaning; ``schema`` names the version, and
``schema/window-2.json`` describes it all. What belongs to no window (words of an FPGA
that never sent a hit, bytes that could not be decoded) leaves as one more message of the
same form, with ``window`` null, when the run ends, if there is any.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from muonscope._version import __version__
from muonscope.counting.block import Message
from muonscope.counting.summary import Summary
from muonscope.counting.window_table import WindowSummary, WindowTable
from muonscope.detector import Detector
from muonscope.results.schemas import SCHEMA, message_schema, reject_schema
from muonscope.units import ORBIT_NS

__all__ = [
    "NO_CONDITIONS",
    "SCHEMA",
    "ByteAccounting",
    "condensed_message",
    "message_schema",
    "reject_schema",
    "remainder_message",
    "window_messages",
]

NO_CONDITIONS: Mapping[str, str] = {}
_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
_ORBIT_NS = int(ORBIT_NS)
_ENVELOPE = (
    "epoch", "window", "first_orbit", "last_orbit", "start_ns", "end_ns", "batch_id",
)  # fmt: skip
_TOTALS = ("total_hits", "scintillator_hits", "accounting")
"""Keys of the original, and the law of words, which come before those of the other blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByteAccounting:
    """Where the bytes of a run went: ``bytes_in = bytes_decoded + bytes_rejected``."""

    bytes_in: int = 0
    """After decompression."""
    bytes_decoded: int = 0
    bytes_rejected: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    """Number of rejects by the name of their code."""


def window_messages(
    table: WindowTable,
    run: str,
    *,
    conditions: Mapping[str, str] = NO_CONDITIONS,
    max_drift_times: int = 2000,
) -> Iterator[bytes]:
    """Yield the message of each window of ``table``, a line of UTF-8 JSON.

    ``max_drift_times`` bounds ``DRIFTIME`` per chamber; the first ones in time are kept,
    and ``drift_truncated`` says whether there were more.
    """
    orbits = table.window_orbits
    bodies = _bodies(table, _head(table.detector, run, conditions), max_drift_times)
    places = zip(table.epoch.tolist(), table.window.tolist(), strict=True)
    for message, (epoch, window) in zip(bodies, places, strict=True):
        message["epoch"], message["window"], message["batch_id"] = epoch, window, window
        message["first_orbit"], message["last_orbit"] = window * orbits, (window + 1) * orbits - 1
        message["start_ns"] = window * orbits * _ORBIT_NS
        message["end_ns"] = (window + 1) * orbits * _ORBIT_NS
        yield orjson.dumps(message, option=_OPTIONS)


def condensed_message(
    summary: Summary,
    run: str,
    place: tuple[int, int],
    first_orbit: int,
    conditions: Mapping[str, str] = NO_CONDITIONS,
) -> bytes:
    """Return the message of some windows added up, of which no lists are known.

    ``place``, epoch and window, is that of the first one.
    """
    lists = Summary.empty(summary.detector, summary.blocks).lists
    row = WindowSummary(*place, first_orbit, replace(summary, lists=lists))
    table = WindowTable.of(summary.detector, summary.live_orbits, [row], blocks=summary.blocks)
    (message,) = _bodies(table, _head(summary.detector, run, conditions), 0)
    last_orbit = first_orbit + summary.live_orbits - 1
    message["epoch"], message["window"], message["batch_id"] = *place, place[1]
    message["first_orbit"], message["last_orbit"] = first_orbit, last_orbit
    message["start_ns"], message["end_ns"] = first_orbit * _ORBIT_NS, (last_orbit + 1) * _ORBIT_NS
    return orjson.dumps(message, option=_OPTIONS)


def remainder_message(
    remainder: Summary,
    run: str,
    account: ByteAccounting,
    conditions: Mapping[str, str] = NO_CONDITIONS,
) -> bytes:
    """Return the message of what belongs to no window of ``run``."""
    row = WindowSummary(0, 0, 0, remainder)
    table = WindowTable.of(remainder.detector, 0, [row], blocks=remainder.blocks)
    head = _head(remainder.detector, run, conditions) | {
        "batch_id": -1,
        "bytes": {
            "bytes_in": account.bytes_in,
            "bytes_decoded": account.bytes_decoded,
            "bytes_rejected": account.bytes_rejected,
            "rejects": account.rejects,
        },
    }
    (message,) = _bodies(table, head, 0)
    return orjson.dumps(message, option=_OPTIONS)


def _head(detector: Detector, run: str, conditions: Mapping[str, str]) -> Message:
    """Return how a message begins, its window still open: the keys in their order."""
    head: Message = {"schema": SCHEMA, "detector": detector.name, "run": run}
    head |= dict.fromkeys(_ENVELOPE) | dict.fromkeys(_TOTALS)
    return head | {
        "detector_hash": detector.fingerprint, "muonscope": __version__,
        "conditions": dict(conditions),
    }  # fmt: skip


def _bodies(table: WindowTable, head: Message, max_drift_times: int) -> Iterator[Message]:
    """Yield ``head`` with what the blocks say of each window."""
    writers = [block.writer(table, max_drift_times=max_drift_times) for block in table.blocks]
    names = [f"chamber{c}" for c in range(table.detector.n_chambers)]
    for i in range(len(table)):
        message, chambers = head.copy(), [dict[str, Any]() for _ in names]
        for write in writers:
            write(i, message, chambers)
        message.update(zip(names, chambers, strict=True))
        yield message
