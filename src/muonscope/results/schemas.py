"""The JSON Schemas of messages: the window's is put together from what its blocks say."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import orjson

from muonscope.counting.block import COUNT_SCHEMA, Block
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.results.conditions import CONDITIONS_SCHEMA

__all__ = [
    "SCHEMA", "SCHEMA_NAME", "VERSION", "message_schema", "reject_schema", "version_of",
    "version_problem",
]  # fmt: skip

SCHEMA_NAME = "muonscope.window/"
"""What the schema of a message of any version begins with."""

VERSION = 2
SCHEMA = f"{SCHEMA_NAME}{VERSION}"
"""Name and version of the messages that are written."""

_READ = range(1, VERSION + 1)
"""Versions that are read."""

Schema = dict[str, Any]

_PLACE: Schema = {"type": ["integer", "null"], "minimum": 0}
_BYTES: Schema = {
    "type": "object",
    "description": "Only where window is null."
    " bytes_in = bytes_decoded + bytes_rejected, for the whole run.",
    "required": ["bytes_in", "bytes_decoded", "bytes_rejected", "rejects"],
    "properties": {
        "bytes_in": COUNT_SCHEMA,
        "bytes_decoded": COUNT_SCHEMA,
        "bytes_rejected": COUNT_SCHEMA,
        "rejects": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 1},
        },
    },
}
_ENVELOPE: Schema = {
    "schema": {"const": SCHEMA},
    "batch_id": {
        "type": "integer",
        "minimum": -1,
        "description": "The window number; -1 where window is null.",
    },
    "detector": {"type": "string"},
    "run": {"type": "string"},
    "detector_hash": {"type": "string", "description": "Changes with the detector's description."},
    "muonscope": {"type": "string", "description": "Version that wrote it."},
    "conditions": CONDITIONS_SCHEMA,
    "epoch": _PLACE | {"description": "Number of the orbit counter's life in the run, from 0."},
    "window": _PLACE | {"description": "first_orbit divided by the orbits in a window."},
    "first_orbit": _PLACE,
    "last_orbit": _PLACE | {"description": "Inclusive."},
    "start_ns": _PLACE
    | {"description": "Detector time of the first orbit's start, ns from orbit 0."},
    "end_ns": _PLACE | {"description": "Exclusive."},
    "bytes": _BYTES,
}


def version_of(schema: object) -> int:
    """Return the version that a message's ``schema`` names, if it can be read; else 0.

    Examples
    --------
    >>> version_of("muonscope.window/1"), version_of("muonscope.window/99"), version_of(None)
    (1, 0, 0)
    """
    told = _named(schema)
    return told if told is not None and told in _READ else 0


def version_problem(schema: object) -> str:
    """Return why a message with this ``schema`` cannot be read; nothing if it is of no version.

    Examples
    --------
    >>> version_problem("muonscope.window/3")
    'results of version 3, this muonscope reads 1 and 2'
    >>> version_problem(SCHEMA), version_problem(None)
    ('', '')
    """
    told = _named(schema)
    if told is None or told in _READ:
        return ""
    return f"results of version {told}, this muonscope reads {' and '.join(map(str, _READ))}"


def _named(schema: object) -> int | None:
    text = schema if isinstance(schema, str) else ""
    told = re.fullmatch(re.escape(SCHEMA_NAME) + r"([0-9]{1,9})", text)
    return int(told[1]) if told else None


def message_schema(blocks: Sequence[Block] = WITH_TRACKS) -> Schema:
    """Return the JSON Schema of the message of a window that holds ``blocks``.

    That of today's blocks is also shipped, for other programs, as ``schema/window-2.json``.
    """
    properties, chamber, definitions = dict(_ENVELOPE), dict[str, Any](), dict[str, Any]()
    optional = {"bytes"}
    for block in blocks:
        fragment = block.schema()
        properties |= fragment.message
        chamber |= fragment.chamber
        definitions |= fragment.definitions
        optional |= set(fragment.optional)
    definitions["chamber"] = {
        "type": "object",
        "required": [name for name in chamber if name not in optional],
        "additionalProperties": False,
        "properties": chamber,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:muonscope:window:{VERSION}",
        "title": f"muonscope window, version {VERSION}",
        "description": "The counts of one closed window of detector time,"
        " or (window null) of what belongs to no window of a run.",
        "type": "object",
        "required": [*(name for name in properties if name not in optional), "chamber0"],
        "properties": properties,
        "patternProperties": {"^chamber[0-9]+$": {"$ref": "#/$defs/chamber"}},
        "additionalProperties": False,
        "$defs": definitions,
    }


def reject_schema() -> Schema:
    """Return the JSON Schema of the message of a reject, as it is published to Kafka."""
    text = (resources.files("muonscope.results") / "schema" / "reject-1.json").read_text("utf-8")
    schema: Schema = orjson.loads(text)
    return schema
