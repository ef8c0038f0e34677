"""Content of a message of a topic, recognised from the message alone; never raises."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from muonscope.results.schemas import version_of
from muonscope.transports.kafka.ledger import REJECT_SCHEMA
from muonscope.words.binary import BLOCK_MAGIC, block_time_ns
from muonscope.words.layout import COLUMNS

__all__ = ["Content", "Kind", "LastWindow", "content_of"]

_MOST_JSON = 8 << 20
_PART = re.compile(rb"\d{1,9}/\d{1,9}/[0-9a-f]{8}")
_Headers = Iterable[tuple[str, bytes | None]]


class Kind(StrEnum):
    """The kind of content of a message."""

    BLOCK = "words (block)"
    JSON = "words (json)"
    RESULTS = "results"
    REJECTS = "rejects"
    STATE = "state"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWindow:
    """Which window a message of results is of."""

    run: str
    epoch: int
    window: int
    end_ns: int
    """Detector time of its end, ns from orbit 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a message."""

    kind: Kind
    window: LastWindow | None = None
    """Of results that belong to a window."""
    time_ns: int | None = None
    """Of a block: detector time of its first word, if it says so."""


def content_of(value: bytes | None, headers: _Headers = ()) -> Content:
    """Return what the message with this value and these record headers holds.

    Examples
    --------
    >>> content_of(b'{"schema": "muonscope.reject/1"}').kind
    <Kind.REJECTS: 'rejects'>
    >>> content_of(b"hello").kind
    <Kind.UNKNOWN: 'unknown'>
    """
    if value is None:
        return Content(kind=Kind.UNKNOWN)
    if value.startswith(BLOCK_MAGIC):
        time_ns = block_time_ns(value)
        return Content(kind=Kind.BLOCK, time_ns=None if time_ns == -1 else time_ns)
    if value[:1].isspace() or value.startswith(b"{"):
        return _of_json(value)
    if any(name == "part" and _PART.fullmatch(part or b"") for name, part in headers):
        return Content(kind=Kind.STATE)
    return Content(kind=Kind.UNKNOWN)


def _of_json(value: bytes) -> Content:
    """Return what JSON holds; of several lines, the first one tells."""
    line = value.strip().partition(b"\n")[0]
    try:
        found = orjson.loads(line) if len(line) <= _MOST_JSON else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        return Content(kind=Kind.UNKNOWN)
    schema = found.get("schema")
    if version_of(schema):
        return _of_results(found)
    if schema == REJECT_SCHEMA:
        return Content(kind=Kind.REJECTS)
    if all(name in found for name in COLUMNS):
        return Content(kind=Kind.JSON)
    return Content(kind=Kind.UNKNOWN)


def _of_results(message: dict[str, Any]) -> Content:
    run, numbers = message.get("run"), [message.get(n) for n in ("epoch", "window", "end_ns")]
    if not isinstance(run, str):
        return Content(kind=Kind.UNKNOWN)
    if numbers == [None, None, None]:
        return Content(kind=Kind.RESULTS)
    if not all(type(n) is int and n >= 0 for n in numbers):
        return Content(kind=Kind.UNKNOWN)
    epoch, window, end_ns = numbers
    last = LastWindow(run=run, epoch=epoch or 0, window=window or 0, end_ns=end_ns or 0)
    return Content(kind=Kind.RESULTS, window=last)
