"""The JSON Schemas of messages: the window's is put together from what its blocks say."""

import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import orjson

from muonscope.counting.block import COUNT_SCHEMA, Block
from muonscope.counting.blocks import BLOCKS

__all__ = ["SCHEMA", "SCHEMA_NAME", "message_schema", "reject_schema", "version_problem"]

SCHEMA_NAME = "muonscope.window/"
"""What the schema of a message of any version begins with."""

_VERSION = "1"
SCHEMA = f"{SCHEMA_NAME}{_VERSION}"
"""Name and version of the message."""

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
    "epoch": _PLACE | {"description": "Number of the orbit counter's life in the run, from 0."},
    "window": _PLACE | {"description": "first_orbit divided by the orbits in a window."},
    "first_orbit": _PLACE,
    "last_orbit": _PLACE | {"description": "Inclusive."},
    "start_ns": _PLACE
    | {"description": "Detector time of the first orbit's start, ns from orbit 0."},
    "end_ns": _PLACE | {"description": "Exclusive."},
    "bytes": _BYTES,
}


def version_problem(schema: object) -> str:
    """Return why a message with this ``schema`` cannot be read; nothing if it is of no version.

    Examples
    --------
    >>> version_problem("muonscope.window/2")
    'results of version 2, this muonscope reads 1'
    >>> version_problem(SCHEMA), version_problem(None)
    ('', '')
    """
    told = re.fullmatch(
        re.escape(SCHEMA_NAME) + r"(\d{1,9})", schema if isinstance(schema, str) else ""
    )
    if told is None or told[1] == _VERSION:
        return ""
    return f"results of version {told[1]}, this muonscope reads {_VERSION}"


def message_schema(blocks: Sequence[Block] = BLOCKS) -> Schema:
    """Return the JSON Schema of the message of a window that holds ``blocks``.

    That of today's blocks is also shipped, for other programs, as ``schema/window-1.json``.
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
        "$id": "urn:muonscope:window:1",
        "title": "muonscope window, version 1",
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
