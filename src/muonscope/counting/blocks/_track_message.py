"""Tracks of a window as a message has them, written and read back."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muonscope.counting.block import COUNT_SCHEMA, Array, IntArray, Message
from muonscope.counting.told import MOST_COUNT, Told, array, number, part, short
from muonscope.errors import FormatError
from muonscope.tracking.histograms import HISTOGRAMS, SKY
from muonscope.tracking.normal import KINDS
from muonscope.tracking.sample import EVENTS, HIT, HITS, LINE, LINES, SampledEvent

__all__ = ["SCHEMA", "read", "written"]

_NUMBERS = ("orbits", "events", "skipped")
_MOST_SIZE = 1 << 45
"""Of a number of a sampled event: places of moderate size, ps of minutes."""

_COUNTS = {"type": "array", "items": COUNT_SCHEMA}
_RUN: dict[str, Any] = {
    "type": "object",
    "description": "Bins from first on, 0 below low, the last one above; others are zero.",
    "required": ["first", "counts"],
    "additionalProperties": False,
    "properties": {"first": COUNT_SCHEMA, "counts": _COUNTS},
}
_WHOLES = {"type": "array", "items": {"type": "integer"}}


def _histogram_schema(label: str, per: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"{label}, a row a {per}.",
        "required": ["low", "width", "bins", "rows"],
        "additionalProperties": False,
        "properties": {
            "low": {"type": "number"}, "width": {"type": "number"}, "bins": COUNT_SCHEMA,
            "rows": {"type": "array", "items": _RUN},
        },
    }  # fmt: skip


_EVENT = {
    "type": "object",
    "required": ["orbit", "tick", "all_hits", "lines", "hits"],
    "additionalProperties": False,
    "properties": {
        "orbit": COUNT_SCHEMA,
        "tick": {**COUNT_SCHEMA, "description": "TDC tick of the first hit in its orbit."},
        "all_hits": {**COUNT_SCHEMA, "description": f"Hits of the event; hits has at most {HITS}."},
        "lines": {
            "type": "array", "maxItems": LINES, "items": _WHOLES,
            "description": f"Each {', '.join(LINE)}; t0 since the first hit.",
        },
        "hits": {
            "type": "array", "maxItems": HITS, "items": _WHOLES,
            "description": f"Each {', '.join(HIT)}; line -1 for none, side -1 left, 1 right.",
        },
    },
}  # fmt: skip

_PROPERTIES: dict[str, Any] = {
    "orbits": {**COUNT_SCHEMA, "description": "Orbits that were looked at."},
    "events": {**COUNT_SCHEMA, "description": "Groups of three hits or more."},
    "skipped": {**COUNT_SCHEMA, "description": "Events of too many hits."},
    "views": {"type": "array", "items": {"type": "string"}},
    "by_chambers": {
        "type": "array", "items": _COUNTS,
        "description": "Of each view, the tracks of one chamber (segments), two, ...",
    },
    "three_and_four": {
        "type": "array", "items": _COUNTS,
        "description": "Of each chamber, how often it gave three hits to a track, and four.",
    },
    **{axis.name: _histogram_schema(axis.label, axis.per) for axis in HISTOGRAMS},
    "sky": {
        "type": "object",
        "description": "Muons seen in two views: slope of the first and of the second one, row by"
        f" row, {SKY.bins} bins of {SKY.width} from {SKY.low} on; those that are not zero.",
        "required": ["bins", "counts"],
        "additionalProperties": False,
        "properties": {"bins": _COUNTS, "counts": _COUNTS},
    },
    "cells_expected": {**_RUN, "description": "By cell: muons that must have crossed it."},
    "cells_missed": {**_RUN, "description": "By cell: those of them that it has not seen."},
    "constants": {
        "type": "object",
        "description": "What tracks tell of shared constants, as normal equations in thousandths:"
        f" the velocity, then {', '.join(KINDS)} of each chamber.",
        "required": ["normal", "right"],
        "additionalProperties": False,
        "properties": {
            "normal": {**_WHOLES, "description": "The triangle from the diagonal on, by rows."},
            "right": {**_WHOLES, "description": "What the constants lack, multiplied by it."},
        },
    },
    "sample": {
        "type": "array", "maxItems": EVENTS, "items": _EVENT,
        "description": "The first events with a track.",
    },
}  # fmt: skip
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Tracks of muons, where there is tracking.",
    "required": list(_PROPERTIES),
    "additionalProperties": False,
    "properties": _PROPERTIES,
}


def written(rows: Mapping[str, Array], views: Sequence[str]) -> Message:
    """Return the object ``tracks`` of a window, whose counts are ``rows``."""
    message: Message = dict(zip(_NUMBERS, rows["tracked"].tolist(), strict=True))
    message |= {
        "views": list(views), "by_chambers": rows["tracks"], "three_and_four": rows["track_hits"],
    }  # fmt: skip
    for axis in HISTOGRAMS:
        counts = [_run(row) for row in rows[f"track_{axis.name}"]]
        message[axis.name] = {
            "low": axis.low, "width": axis.width, "bins": axis.bins, "rows": counts,
        }  # fmt: skip
    message |= {
        "sky": _sparse(rows["track_sky"].ravel()),
        "cells_expected": _run(rows["cell_expected"]),
        "cells_missed": _run(rows["cell_expected"] - rows["cell_seen"]),
    }
    normal = rows["track_normal"]
    triangle = np.triu_indices(len(normal))
    message["constants"] = {"normal": normal[triangle].tolist(), "right": normal[:, -1].tolist()}
    events = [SampledEvent.of(row) for row in rows["track_sample"]]
    message["sample"] = [
        {
            "orbit": event.orbit, "tick": event.tick, "all_hits": event.all_hits,
            "lines": event.lines.tolist(), "hits": event.hits.tolist(),
        }
        for event in events if event
    ]  # fmt: skip
    return message


def _run(counts: Array) -> Message:
    """Return counts from the first to the last that is not zero."""
    filled = np.flatnonzero(counts)
    if len(filled) == 0:
        return {"first": 0, "counts": []}
    first, last = int(filled[0]), int(filled[-1])
    return {"first": first, "counts": counts[first : last + 1].tolist()}


def _sparse(counts: Array) -> Message:
    """Return the bins whose counts are not zero."""
    filled = np.flatnonzero(counts)
    return {"bins": filled.tolist(), "counts": counts[filled].tolist()}


def read(told: Told, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, IntArray]:
    """Return the arrays that a message tells.

    Raises
    ------
    FormatError
        If something is missing, or of another type or shape.
    """
    found, where = part(told.message, "tracks"), "tracks."
    arrays = {
        "tracked": np.array(
            [number(found.get(name), where + name, MOST_COUNT) for name in _NUMBERS], np.int64
        ),
        "tracks": _matrix(found, "by_chambers", shapes["tracks"]),
        "track_hits": _matrix(found, "three_and_four", shapes["track_hits"]),
    }
    for axis in HISTOGRAMS:
        shape = shapes[f"track_{axis.name}"]
        told_axis = part(found, axis.name, where)
        bins = (told_axis.get("low"), told_axis.get("width"), told_axis.get("bins"))
        if bins != (axis.low, axis.width, axis.bins):
            wanted = f"{axis.bins} bins of {axis.width} from {axis.low} on"
            raise FormatError(f"{where}{axis.name}: found {short(bins)}, expected {wanted}")
        rows = _several(told_axis, "rows", f"{where}{axis.name}.", shape[0], shape[0])
        arrays[f"track_{axis.name}"] = np.stack(
            [_filled(row, f"{where}{axis.name}.rows[{i}]", shape[1]) for i, row in enumerate(rows)]
        )
    arrays["track_sky"] = _sky(part(found, "sky", where), shapes["track_sky"])
    arrays["track_normal"] = _normal(part(found, "constants", where), shapes["track_normal"])
    expected, missed = (
        _filled(found.get(name), where + name, told.detector.n_cells)
        for name in ("cells_expected", "cells_missed")
    )
    if (missed > expected).any():
        raise FormatError(f"{where}cells_missed: found more than cells_expected has")
    arrays["cell_expected"], arrays["cell_seen"] = expected, expected - missed
    arrays["track_sample"] = _sample(found, told, shapes)
    return arrays


def _several(found: Message, name: str, where: str, least: int, most: int) -> list[Any]:
    value = found.get(name)
    if not isinstance(value, list) or not least <= len(value) <= most:
        many = f"{least}" if least == most else f"at most {most}"
        raise FormatError(f"{where}{name}: found {short(value)}, expected a list of {many}")
    return value


def _matrix(found: Message, name: str, shape: tuple[int, ...]) -> IntArray:
    rows = _several(found, name, "tracks.", shape[0], shape[0])
    where = f"tracks.{name}."
    return np.stack([array({str(i): row}, str(i), where, shape[1]) for i, row in enumerate(rows)])


def _filled(value: object, where: str, size: int) -> IntArray:
    """Return the counts that a run of bins tells."""
    if not isinstance(value, dict):
        raise FormatError(f"{where}: found {short(value)}, expected an object")
    first, counts = (
        number(value.get("first"), f"{where}.first", size),
        array(value, "counts", f"{where}."),
    )
    if first + len(counts) > size:
        raise FormatError(
            f"{where}: found {len(counts)} counts from {first} on, expected at most {size} in all"
        )
    filled = np.zeros(size, np.int64)
    filled[first : first + len(counts)] = counts
    return filled


def _sky(found: Message, shape: tuple[int, ...]) -> IntArray:
    where, size = "tracks.sky.", int(np.prod(shape))
    filled = array(found, "bins", where)
    counts = array(found, "counts", where, len(filled))
    if len(filled) and (filled[-1] >= size or (np.diff(filled) <= 0).any()):
        raise FormatError(
            f"{where}bins: found {short(filled.tolist())}, expected ascending < {size}"
        )
    sky = np.zeros(size, np.int64)
    sky[filled] = counts
    return sky.reshape(shape)


def _normal(found: Message, shape: tuple[int, ...]) -> IntArray:
    where, n = "tracks.constants.", shape[0]
    normal = np.zeros(shape, np.int64)
    rows, columns = np.triu_indices(n)
    normal[rows, columns] = array(found, "normal", where, len(rows), -MOST_COUNT)
    normal[columns, rows] = normal[rows, columns]
    normal[:, -1] = array(found, "right", where, n, -MOST_COUNT)
    return normal


def _sample(found: Message, told: Told, shapes: Mapping[str, tuple[int, ...]]) -> IntArray:
    rows = np.zeros(shapes["track_sample"], np.int64)
    for i, event in enumerate(_several(found, "sample", "tracks.", 0, EVENTS)):
        where = f"tracks.sample[{i}]"
        if not isinstance(event, dict):
            raise FormatError(f"{where}: found {short(event)}, expected an object")
        lines = _table(event, "lines", where, LINES, len(LINE))
        hits = _table(event, "hits", where, HITS, len(HIT))
        views, n_chambers = shapes["tracks"]
        _within(lines[:, 0], 0, views - 1, f"{where}.lines: view")
        _within(lines[:, 1], 1, n_chambers, f"{where}.lines: chambers")
        _within(hits[:, 0], 0, told.detector.n_cells - 1, f"{where}.hits: cell")
        _within(hits[:, 2], -1, len(lines) - 1, f"{where}.hits: line")
        _within(hits[:, 3], -1, 1, f"{where}.hits: side")
        orbit, tick, all_hits = (
            number(event.get(name), f"{where}.{name}", MOST_COUNT)
            for name in ("orbit", "tick", "all_hits")
        )
        rows[i] = SampledEvent(
            orbit=orbit, tick=tick, all_hits=all_hits, lines=lines, hits=hits
        ).row()
    return rows


def _table(event: Message, name: str, where: str, most: int, width: int) -> IntArray:
    """Return rows of whole numbers."""
    rows = _several(event, name, f"{where}.", 0, most)
    for row in rows:
        if not isinstance(row, list) or len(row) != width or {*map(type, row)} != {int}:
            raise FormatError(f"{where}.{name}: found {short(row)}, expected {width} whole numbers")
        if max(map(abs, row)) > _MOST_SIZE:
            raise FormatError(f"{where}.{name}: found {short(row)}, expected smaller numbers")
    return np.array(rows, np.int64).reshape(len(rows), width)


def _within(values: IntArray, low: int, high: int, what: str) -> None:
    if len(values) and not (low <= values.min() and values.max() <= high):
        found = short([int(v) for v in values])
        raise FormatError(f"{what}: found {found}, expected {low} .. {high}")
