"""The OpenAPI document of the API: schemas from the types of the contract, paths from a table.

A path that the server has and this table has not, or the other way round, fails a test, as
does an answer that is not as described here.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec
import numpy as np
import orjson
from msgspec import Struct

from muonscope.dashboard.contract import (
    CHAMBER_COLUMNS,
    CHAMBER_TABLES,
    SCHEMAS,
    VIEWS,
    ChannelColumns,
    ChannelWindows,
    Columns,
    Error,
    Status,
    Tables,
    View,
    Windows,
)
from muonscope.dashboard.detector_contract import Detector
from muonscope.dashboard.limits import (
    CHANNEL_LAST_S,
    CHANNEL_MOST_S,
    DEFAULT_LAST_S,
    LONGEST_LAST_S,
    MOST_DIGITS,
    OWN_HEADER,
    RESULTS_TYPE,
    VIEW_TYPE,
)
from muonscope.dashboard.metrics import CONTENT_TYPE as METRICS_TYPE
from muonscope.dashboard.runs_contract import NewNote, NewSignature, RunDetail, Runs
from muonscope.dashboard.tabular import FORMATS, TABLE_TYPES
from muonscope.dashboard.track_contract import ABOUT_CONSTANTS, CONSTANT_COLUMNS, NUMBERED, TABLES
from muonscope.dashboard.verdict_contract import Acknowledgement, Happenings, Problems, Verdicts

__all__ = ["openapi"]

_ABOUT = (
    "What a running dashboard shows, for scripts and notebooks. Reading changes nothing; four"
    " requests do: one begins the view of the run anew, one says that a problem was seen, one adds"
    " a note to an archived run, one signs which windows of it are good."
)
_WHOLE = {"type": "integer", "minimum": 0, "maximum": 10**MOST_DIGITS - 1}
_ANSWERS = (
    View, Windows, ChannelWindows, Detector, Status, Verdicts, Problems, Happenings, Error,
    Columns, ChannelColumns, Tables, Runs, RunDetail,
)  # fmt: skip

_SENT = (Acknowledgement, NewNote, NewSignature)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameter:
    name: str
    at: Literal["query", "path", "header"]
    schema: dict[str, Any]
    about: str = ""
    required: bool = False

    def described(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.name, "in": self.at, "schema": self.schema}
        told |= {"description": self.about} if self.about else {}
        return told | ({"required": True} if self.required else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    path: str
    name: str
    about: str
    answer: type[Struct] | dict[str, Any] | None
    """A document; the schema of anything else; None: nothing."""
    told: str
    """Description of the answer."""
    also: tuple[str, ...] = ()
    """Media types of files that can be asked for instead."""
    media: str = "application/json"
    outside: bool = False
    """Whether it stands beside ``api/v1``, not below it."""
    method: Literal["get", "post"] = "get"
    parameters: tuple[_Parameter, ...] = ()
    body: dict[str, dict[str, Any]] | None = None
    """Schemas of what is sent, by media type."""
    refusals: tuple[tuple[int, str], ...] = ()
    """Besides those that every path has."""


def _last(default: float, most: float) -> _Parameter:
    """Return the parameter that says how far back to go."""
    schema = {"type": "number", "exclusiveMinimum": 0, "maximum": most, "default": default}
    return _Parameter(name="last", at="query", about="How far back, s.", schema=schema)


_EVERYWHERE = ((401, "A token is needed."), (421, "The dashboard does not answer to that name."))
_OURS = _Parameter(name=OWN_HEADER, at="header", schema={"const": "1"}, required=True)
_NOT_OURS = (403, "The header is missing, or another site asks.")

_RUN = _Parameter(name="run", at="path", schema={"type": "string"}, required=True)
_NO_RUN = (404, "There is no such run.")

_FORMAT = _Parameter(
    name="format", at="query", about="JSON, or a file with a column for each.",
    schema={"type": "string", "enum": [*FORMATS], "default": FORMATS[0]},
)  # fmt: skip
_TIME = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}
_TEXT = {"type": "string"}

_OPERATIONS = (
    _Operation(
        path="/summary", name="summary", about="Counts of a view, now or at an earlier window",
        parameters=(
            _Parameter(
                name="view", at="query", about="Which counts.",
                schema={"type": "string", "enum": [*VIEWS], "default": "run"},
            ),
            _Parameter(
                name="epoch", at="query", schema=_WHOLE,
                about="With window: as it was then; window and recent only.",
            ),
            _Parameter(name="window", at="query", schema=_WHOLE, about="With epoch."),
        ),
        answer=View, told="The view.",
        refusals=(
            (400, "A parameter makes no sense."),
            (404, "No window has come yet, or it is not kept any more."),
        ),
    ),
    _Operation(
        path="/windows", name="windows", about="Counters against time",
        parameters=(
            _last(DEFAULT_LAST_S, LONGEST_LAST_S),
            _Parameter(
                name="from", at="query", schema=_TIME,
                about="From when on, by the wall clock: ISO 8601, or s since 1970; not with last.",
            ),
            _Parameter(name="to", at="query", schema=_TIME, about="Until when; as from."),
            _FORMAT,
        ),
        answer=Windows, told="The history.", also=tuple(TABLE_TYPES.values()),
        refusals=((400, "A parameter makes no sense."),),
    ),
    _Operation(
        path="/channels/{chamber}/{channel}", name="channel",
        about="Hits of a TDC channel against time, window by window",
        parameters=(
            _Parameter(name="chamber", at="path", schema=_WHOLE, required=True, about="From 0."),
            _Parameter(name="channel", at="path", schema=_WHOLE, required=True),
            _last(CHANNEL_LAST_S, CHANNEL_MOST_S), _FORMAT,
        ),
        answer=ChannelWindows, told="The history.", also=tuple(TABLE_TYPES.values()),
        refusals=(
            (400, "A parameter makes no sense."), (404, "No cell of the chamber has the channel."),
        ),
    ),
    _Operation(
        path="/events", name="events", answer=Happenings, told="The events.",
        about="What happened: runs, epochs, holes, resets, remarks, and verdicts that turned",
        parameters=(_last(86_400, LONGEST_LAST_S),),
        refusals=((400, "last is no such number."),),
    ),
    _Operation(
        path="/windows/{epoch}/{window}", name="message",
        about="The message of a window, byte for byte as on the topic of results",
        parameters=(
            _Parameter(name="epoch", at="path", schema=_WHOLE, required=True),
            _Parameter(name="window", at="path", schema=_WHOLE, required=True),
        ),
        answer={
            "type": "object", "required": ["schema", "detector", "run", "epoch", "window"],
        },
        told="The message; the schema is muonscope/results/schema/window-2.json.",
        refusals=((400, "Not two whole numbers."), (404, "It is not kept.")),
    ),
    _Operation(
        path="/detector", name="detector", about="The telescope and its cells", answer=Detector,
        told="The detector.",
    ),
    _Operation(
        path="/health", name="health", answer=Status, told="The status.",
        about="State, lag, latency, sources, what was dropped, configuration",
    ),
    _Operation(
        path="/verdicts", name="verdicts", answer=Verdicts, told="The verdicts.",
        about="Whether the run is good: every check and target, and what has changed",
    ),
    _Operation(
        path="/problems", name="problems", answer=Problems, told="The problems.",
        about="What is wrong and since when, chambers at a glance, and when verdicts turned",
    ),
    _Operation(
        path="/acknowledgements", method="post", name="acknowledge", parameters=(_OURS,),
        about="Say that somebody has seen a problem, and what is done about it",
        body={VIEW_TYPE: {"$ref": f"{SCHEMAS}Acknowledgement"}}, answer=None, told="Done.",
        refusals=(
            (400, "It is no acknowledgement."), _NOT_OURS,
            (404, "There is no such problem, or it is over."), (413, "It is too long."),
        ),
    ),
    _Operation(
        path="/reference", name="reference", about="The run of --reference as a view",
        answer=View, told="The view.", refusals=((404, "No reference was given."),),
    ),
    _Operation(
        path="/reference-summary", method="post", name="reference_summary",
        about="A run from a file as a view, to compare with; nothing of it is kept",
        parameters=(_OURS,),
        body={
            RESULTS_TYPE: {"type": "string", "description": "Results, one in a line."},
            VIEW_TYPE: {"$ref": f"{SCHEMAS}View"},
        },
        answer=View, told="The view of the run.",
        refusals=(
            (400, "It is no run of this detector; for results with the number of the line."),
            _NOT_OURS,
            (413, "It is too long."),
            (415, "The content type is neither of the two."),
            (503, "Others are being added up at the moment."),
        ),
    ),
    _Operation(
        path="/runs", name="runs", answer=Runs, told="The runs, the newest first.",
        about="Runs of the archive; only where there is one, as for all below runs",
    ),
    _Operation(
        path="/runs/{run}", name="run", parameters=(_RUN,), answer=RunDetail, told="The run.",
        about="An archived run: verdicts that changed, notes, good windows", refusals=(_NO_RUN,),
    ),
    _Operation(
        path="/runs/{run}/notes", method="post", name="note", parameters=(_RUN, _OURS),
        about="Add a note to an archived run", answer=None, told="Done.",
        body={VIEW_TYPE: {"$ref": f"{SCHEMAS}NewNote"}},
        refusals=((400, "It is no note."), _NOT_OURS, _NO_RUN, (413, "It is too long.")),
    ),
    _Operation(
        path="/runs/{run}/signatures", method="post", name="sign", parameters=(_RUN, _OURS),
        about="Sign which windows of an archived run are good", answer=None, told="Done.",
        body={VIEW_TYPE: {"$ref": f"{SCHEMAS}NewSignature"}},
        refusals=((400, "It is no signature."), _NOT_OURS, _NO_RUN, (413, "It is too long.")),
    ),
    _Operation(
        path="/openapi.json", name="openapi", about="This document", told="This document.",
        answer={"type": "object", "required": ["openapi", "info", "paths"]},
    ),
    _Operation(
        path="/reset", method="post", name="reset", parameters=(_OURS,), answer=None, told="Done.",
        about="Begin the view of the run anew, for all viewers", refusals=(_NOT_OURS,),
    ),
    _Operation(
        path="/stream", name="stream", outside=True, media="text/event-stream", answer=_TEXT,
        about="Events without end: status once a second, problems, and a view when they change",
        told="Server-sent events; the data of each is a Status, Problems or View.",
        parameters=(
            _Parameter(
                name="view", at="query", about="Which counts.",
                schema={"type": "string", "enum": [*VIEWS], "default": "recent"},
            ),
            _Parameter(
                name="lists", at="query", about="0 leaves out the tables of single orbits.",
                schema={"enum": ["0", "1"], "default": "1"},
            ),
            _Parameter(
                name="tracks", at="query", about="0 leaves out the tables of tracks.",
                schema={"enum": ["0", "1"], "default": "1"},
            ),
        ),
        refusals=((400, "A parameter makes no sense."), (503, "Too many viewers.")),
    ),
    _Operation(
        path="/metrics", name="metrics", outside=True, media=METRICS_TYPE, answer=_TEXT,
        about="Metrics for Prometheus", told="Text as Prometheus reads it.",
    ),
)  # fmt: skip


@cache
def openapi(version: str) -> bytes:
    """Return the document of a dashboard of this ``version`` as JSON."""
    paths = {op.path: _path(op) for op in _OPERATIONS}
    cookie = {
        "type": "apiKey", "in": "cookie", "name": "muonscope_session",
        "description": "Set by the login page.",
    }  # fmt: skip
    bearer = {"type": "http", "scheme": "bearer", "description": "The token of --token-file."}
    about = {
        "title": "muonscope dashboard", "version": version, "description": _ABOUT,
        "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
    }  # fmt: skip
    return orjson.dumps(
        {
            "openapi": "3.1.0", "info": about, "servers": [{"url": "."}],
            "security": [{}, {"bearer": []}, {"cookie": []}], "paths": paths,
            "components": {
                "securitySchemes": {"bearer": bearer, "cookie": cookie}, "schemas": _schemas(),
            },
        }
    )  # fmt: skip


def _path(op: _Operation) -> dict[str, Any]:
    above = {"servers": [{"url": "../.."}]} if op.outside else {}
    return above | {op.method: _operation(op)}


def _operation(op: _Operation) -> dict[str, Any]:
    told: dict[str, Any] = {"operationId": op.name, "summary": op.about}
    if op.parameters:
        told["parameters"] = [parameter.described() for parameter in op.parameters]
    if op.body:
        content = {kind: {"schema": schema} for kind, schema in op.body.items()}
        told["requestBody"] = {"required": True, "content": content}
    responses = {"204" if op.answer is None else "200": _answer(op.told, op.answer, op.media)}
    for kind in op.also:
        responses["200"]["content"][kind] = {"schema": {"type": "string", "format": "binary"}}
    for status, about in (*op.refusals, *_EVERYWHERE):
        responses[str(status)] = _answer(about, Error)
    return told | {"responses": responses}


def _answer(
    about: str, answer: type[Struct] | dict[str, Any] | None, media: str = "application/json"
) -> dict[str, Any]:
    if answer is None:
        return {"description": about}
    schema = answer if isinstance(answer, dict) else {"$ref": SCHEMAS + answer.__name__}
    return {"description": about, "content": {media: {"schema": schema}}}


def _schemas() -> dict[str, Any]:
    """Return the schemas of all documents by name; no object has keys that are not described."""
    numbered = CHAMBER_TABLES | NUMBERED
    types = (*_ANSWERS, *numbered.values(), *TABLES.values(), *_SENT)
    _, schemas = msgspec.json.schema_components(
        types, schema_hook=_column, ref_template=SCHEMAS + "{name}"
    )
    for schema in schemas.values():
        schema["additionalProperties"] = False
    schemas["Tables"]["patternProperties"] = {
        f"^{name}[0-9]+$": {"$ref": SCHEMAS + table.__name__} for name, table in numbered.items()
    }
    schemas["Tables"]["properties"] |= {
        name: {"$ref": SCHEMAS + table.__name__} for name, table in TABLES.items()
    }
    schemas["Columns"]["patternProperties"] = {
        f"^({'|'.join(CHAMBER_COLUMNS)})[0-9]+$": schemas["Columns"]["properties"]["hits"],
        CONSTANT_COLUMNS: {
            "type": "array", "items": {"type": "integer"}, "description": ABOUT_CONSTANTS,
        },
    }  # fmt: skip
    return schemas


def _column(kind: type) -> dict[str, Any]:
    """Return the schema of an array of NumPy."""
    if np.ndarray not in {kind, get_origin(kind)}:
        raise NotImplementedError(f"{kind}, {get_args(kind)}")
    return {"type": "array"}
