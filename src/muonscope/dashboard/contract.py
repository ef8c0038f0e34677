"""The documents of the API as types: what the pages and scripts are told, field by field.

The server fills them, :func:`encoded` writes them as JSON, ``openapi.py`` describes them for
machines. Nothing is computed here. A field that may be missing has the default ``UNSET``;
one that is not known is null. Times in the run are detector time with the epochs one after
the other. Columns of numbers are arrays of NumPy on their way out, lists in JSON.
"""

from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS
from muonscope.counting.blocks.multiplicity import MULTIPLICITIES
from muonscope.dashboard.verdict_contract import VerdictState

__all__ = [
    "CHAMBER_COLUMNS", "CHAMBER_TABLES", "DROPPED", "NOT_JSON", "STATES", "VIEWS", "Accounting",
    "BoxEdges", "ByteCounts", "ChannelColumns", "ChannelWindows", "Columns", "DriftTable", "Error",
    "HitTable", "Latency", "MultiplicityTable", "OrbitTable", "Rates", "Source", "State", "Status",
    "Tables", "Trend", "View", "ViewName", "Windows", "encoded", "items",
]  # fmt: skip

ViewName = Literal["window", "recent", "run"]
VIEWS: tuple[ViewName, ...] = get_args(ViewName)

State = Literal["waiting", "receiving", "stale", "finished", "stopped"]
STATES: tuple[State, ...] = get_args(State)

DROPPED = ("late", "unmapped", "invalid")
"""Words of the accounting that are used for nothing."""

SCHEMAS = "#/components/schemas/"

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for bytes that are no document of a type."""

Count = Annotated[int, Meta(ge=0)]
_Positive = Annotated[float, Meta(ge=0)]
_Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Numbers = npt.NDArray[Any]


def items(**schema: Any) -> Meta:
    """Return what says of an array of NumPy what its items are."""
    return Meta(extra_json_schema={"items": schema})


def _length(n: int) -> Meta:
    return Meta(extra_json_schema={"minItems": n, "maxItems": n})


def _named(name: str) -> Meta:
    """Refer to a type whose keys depend on the detector, so that it travels as a dictionary."""
    return Meta(extra_json_schema={"$ref": SCHEMAS + name})


Counts = Annotated[npt.NDArray[np.int64], items(type="integer", minimum=0)]
Reals = Annotated[npt.NDArray[np.float64], items(type="number")]


class Error(Struct, frozen=True, kw_only=True):
    """Why a request was refused."""

    error: Annotated[str, Meta(description="What was found, and what was expected.")]


class Accounting(Struct, frozen=True, kw_only=True):
    """Where the words went."""

    words_in: Annotated[Count, Meta(description="The sum of the others.")]
    hits: Annotated[Count, Meta(description="Words on cells.")]
    scintillator: Annotated[Count, Meta(description="Words on scintillator channels.")]
    trigger: Annotated[Count, Meta(description="Words on firmware-trigger channels.")]
    ancillary: Annotated[Count, Meta(description="Words of other kinds.")]
    unmapped: Annotated[Count, Meta(description="Hit words on channels that no cell has.")]
    invalid: Annotated[
        Count,
        Meta(description="Words of an unknown HEAD, with BX >= 3564, or with an orbit alone."),
    ]
    late: Annotated[Count, Meta(description="Words that came after their window closed.")]


class HitTable(Struct, frozen=True, kw_only=True):
    """Hits by cell, in the order of channels, or by chamber."""

    hits: Counts
    scint: Annotated[Counts, Meta(description="Hits in orbits with a scintillator hit.")]


class DriftTable(Struct, frozen=True, kw_only=True):
    """Drift times of a chamber."""

    counts: Annotated[
        Counts,
        Meta(description=f"Bins of {DRIFT_BIN_NS:g} ns from {DRIFT_LOW_NS:g} ns."),
        _length(DRIFT_BINS),
    ]


class MultiplicityTable(Struct, frozen=True, kw_only=True):
    """Orbits of a chamber by their hits."""

    orbits: Annotated[
        Counts,
        Meta(
            description=f"Orbits with n hits, n = 0 .. {MULTIPLICITIES - 2},"
            f" and with {MULTIPLICITIES - 1} or more."
        ),
        _length(MULTIPLICITIES),
    ]


class OrbitTable(Struct, frozen=True, kw_only=True):
    """Orbits of the latest window that have hits in a chamber."""

    time: Annotated[
        npt.NDArray[np.float64],
        Meta(description="From the start of the window, s."),
        items(type="number", minimum=0),
    ]
    hits: Annotated[npt.NDArray[np.int64], items(type="integer", minimum=1)]


class Tables(Struct, frozen=True, kw_only=True):
    """The numbers that are drawn, by the name of the source that draws them.

    The number at the end of a name is that of the chamber.
    """

    chambers: HitTable


CHAMBER_TABLES: dict[str, type[Struct]] = {
    "cells": HitTable,
    "drift": DriftTable,
    "multiplicity": MultiplicityTable,
    "orbits": OrbitTable,
}
"""Tables that there are for each chamber, by the name that its number follows."""


class Columns(Struct, frozen=True, kw_only=True):
    """Counts per row, oldest first; all columns are of one length.

    Old rows are merged: their ``live_s`` is longer.
    """

    run_s: Annotated[Reals, Meta(description="Time in the run at which the row begins, s.")]
    at: Annotated[
        npt.NDArray[np.float64],
        Meta(description="When it came by the wall clock, s since 1970; null if not known."),
        items(type=["number", "null"]),
    ]
    epoch: Counts
    window: Annotated[Counts, Meta(description="The first window of the row.")]
    live_s: Annotated[
        npt.NDArray[np.float64],
        Meta(description="Detector time of the row, s; counts by it are rates in Hz."),
        items(type="number", minimum=0),
    ]
    words_in: Counts
    hits: Counts
    scint: Annotated[Counts, Meta(description="Hits in orbits with a scintillator hit.")]
    scintillator: Counts
    trigger: Counts
    ancillary: Counts
    unmapped: Counts
    invalid: Counts
    late: Counts
    orbits: Annotated[Counts, Meta(description="Orbits with a hit.")]
    tracks: (
        Annotated[Counts, Meta(description="Over two chambers or more; only with tracking.")]
        | UnsetType
    ) = UNSET


CHAMBER_COLUMNS = ("hits", "scint")
"""Columns that there are for each chamber, too: ``hits0``, ``hits1``, ..."""

_AnyColumns = Annotated[dict[str, Numbers], _named("Columns")]


class Trend(Struct, frozen=True, kw_only=True):
    """Rows of the history that are new since the event before."""

    first: Annotated[Count, Meta(description="Number of the first row.")]
    columns: Annotated[
        dict[str, Numbers],
        Meta(
            description="Empty before the first broadcast.",
            extra_json_schema={"anyOf": [{"$ref": f"{SCHEMAS}Columns"}, {"maxProperties": 0}]},
        ),
    ]


class BoxEdges(Struct, frozen=True, kw_only=True):
    """Where the drift box of a chamber begins and ends, ns; null where there is too little."""

    rising_ns: float | None
    rising_error_ns: float | None
    falling_ns: float | None
    falling_error_ns: float | None


class View(Struct, frozen=True, kw_only=True):
    """Counts to look at, and what they are of."""

    view: ViewName
    seq: Annotated[Count, Meta(description="Number of the state of the dashboard.")]
    run: str
    detector: str
    epoch: Count
    window: Annotated[Count, Meta(description="The latest window of the view.")]
    start_s: Annotated[
        float, Meta(description="Detector time at which the latest window begins, s.")
    ]
    end_s: Annotated[float, Meta(description="Detector time at which it ends, s.")]
    first_s: Annotated[
        float, Meta(description="Time in the run at which the first window of the view begins, s.")
    ]
    run_s: Annotated[float, Meta(description="Time in the run at which the latest window ends, s.")]
    live_s: Annotated[_Positive, Meta(description="Detector time that the counts are of, s.")]
    windows: Annotated[Count, Meta(description="Windows that the counts are of.")]
    hits: Count
    scintillator: Annotated[Count, Meta(description="Words on scintillator channels.")]
    accounting: Accounting
    tables: Annotated[dict[str, dict[str, Numbers]], _named("Tables")]
    closed_at: (
        Annotated[
            float,
            Meta(
                description="When what closed the latest window was there, s since 1970;"
                " missing in a view of the past."
            ),
        ]
        | UnsetType
    ) = UNSET
    trend: Trend | UnsetType = UNSET
    edges: (
        Annotated[list[BoxEdges], Meta(description="Of each chamber's drift times.")] | UnsetType
    ) = UNSET


class Windows(Struct, frozen=True, kw_only=True):
    """The history."""

    run: Annotated[str, Meta(description="Name of the run; empty before there is one.")]
    first: Annotated[Count, Meta(description="Number of the first row, where no rows were merged.")]
    next: Annotated[Count, Meta(description="Number of the next new row.")]
    columns: _AnyColumns


class ChannelColumns(Struct, frozen=True, kw_only=True):
    """Hits of a channel per window, oldest first; all columns are of one length."""

    run_s: Annotated[Reals, Meta(description="Time in the run at which the window begins, s.")]
    epoch: Counts
    window: Counts
    live_s: Annotated[
        npt.NDArray[np.float64],
        Meta(description="Detector time of the window, s; counts by it are rates in Hz."),
        items(type="number", minimum=0),
    ]
    hits: Counts
    scint: Annotated[Counts, Meta(description="Hits in orbits with a scintillator hit.")]


class ChannelWindows(Struct, frozen=True, kw_only=True):
    """The history of one TDC channel."""

    run: Annotated[str, Meta(description="Name of the run; empty before there is one.")]
    chamber: Count
    channel: Annotated[Count, Meta(description="TDC channel of its FPGA.")]
    layer: Annotated[int, Meta(description="1 is the lowest.")]
    wire: Count
    columns: Annotated[dict[str, Numbers], _named("ChannelColumns")]


class Source(Struct, frozen=True, kw_only=True):
    """How far one source, or one partition of it, was read."""

    name: str
    partition: Annotated[Count | None, Meta(description="Partition of a topic.")]
    read: Annotated[Count, Meta(description="How far it was read.")]
    behind: Annotated[
        Count | None, Meta(description="What is there and not read yet; null if not known.")
    ]
    unit: Annotated[str, Meta(extra_json_schema={"enum": ["bytes", "messages"]})]


class Rates(Struct, frozen=True, kw_only=True):
    """Rates over about ten seconds, Hz."""

    hits: float
    chambers: Annotated[list[float], Meta(description="Hits of each chamber.")]
    scintillator: float


class Latency(Struct, frozen=True, kw_only=True):
    """Time from the words to the broadcast, ms."""

    p50: float
    p99: float
    windows: Annotated[Count, Meta(description="How many windows it is of.")]


class ByteCounts(Struct, frozen=True, kw_only=True):
    """Where the bytes went, after decompression."""

    bytes_in: Count
    bytes_decoded: Count
    bytes_rejected: Count


class Status(Struct, frozen=True, kw_only=True):
    """How all is going."""

    state: State
    reason: Annotated[str, Meta(description="Why, for people.")]
    verdict: Annotated[VerdictState, Meta(description="Whether the data are good.")]
    verdict_reason: Annotated[str, Meta(description="The first reason for the verdict.")]
    problems: Annotated[Count, Meta(description="Verdicts that are WARN or BAD and not known.")]
    age_s: Annotated[float | None, Meta(description="Since the last window was published, s.")]
    fresh_s: Annotated[float, Meta(description="Up to this age data are fresh, s.")]
    old_s: Annotated[float, Meta(description="From this age on they are old, s.")]
    history_s: Annotated[
        float, Meta(description="How far back windows are kept in full detail, s.")
    ]
    version: str
    run: str
    detector: str
    source: Annotated[str, Meta(description="As on the command line.")]
    started: _Time
    now: _Time
    viewers: Annotated[Count, Meta(description="Browsers that are connected.")]
    detector_s: Annotated[
        float | None, Meta(description="Detector time at which the latest window ends, s.")
    ]
    lag_s: Annotated[
        float | None,
        Meta(
            description="Detector time behind the wall clock, compared with when it was least so"
            " in the run, s; null unless windows are expected."
        ),
    ]
    rates: Annotated[Rates | None, Meta(description="Null unless windows come.")]
    words: Annotated[Count, Meta(description="Words taken in so far.")]
    words_per_s: Annotated[float | None, Meta(description="Over the last few seconds, 1/s.")]
    windows: Annotated[Count, Meta(description="Windows of the run.")]
    latency_ms: Annotated[Latency | None, Meta(description="Null before the first broadcast.")]
    sources: list[Source]
    accounting: Accounting
    bytes: Annotated[ByteCounts | None, Meta(description="Null where results come in.")]
    rejects: Annotated[
        dict[str, Count], Meta(description="Pieces that could not be decoded, by code.")
    ]
    duplicates: Annotated[Count, Meta(description="Windows that came again and were not counted.")]
    malformed: Annotated[Count, Meta(description="Results that could not be read.")]
    other_runs: Annotated[Count, Meta(description="Results of runs that are not looked at.")]
    examples: Annotated[
        list[str], Meta(description="The last rejects, malformed results and late words.")
    ]
    notes: Annotated[list[str], Meta(description="Last remarks of the feed.")]
    doubts: Annotated[
        list[str], Meta(description="What makes the results doubtful, such as many late words.")
    ]
    reset_at: Annotated[
        str | None,
        Meta(
            description="When the run view was begun anew.",
            extra_json_schema={"format": "date-time"},
        ),
    ]
    reference: Annotated[bool, Meta(description="Whether there is one on the server.")]
    config: Annotated[dict[str, Any], Meta(description="The configuration, secrets masked.")]


def encoded(document: Struct) -> bytes:
    """Return a document as JSON, its fields in their order."""
    return orjson.dumps(document, default=_fields, option=orjson.OPT_SERIALIZE_NUMPY)


def _fields(value: object) -> dict[str, Any]:
    if not isinstance(value, Struct):
        raise TypeError(f"found {type(value).__name__}, expected a document")
    told = msgspec.structs.asdict(value)
    if not value.__struct_defaults__:  # nothing can be missing
        return told
    return {name: part for name, part in told.items() if part is not UNSET}
