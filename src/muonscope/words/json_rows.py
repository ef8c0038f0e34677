"""Lines of JSON that are not plain: to a row of text, or to the reason why not.

An object has the six names, in any case and among further ones; an array has six values in
the DAQ's order. One JSON array of such items is read like lines, item by item.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from muonscope.words._parse_json import lines_of_array
from muonscope.words.layout import COLUMNS
from muonscope.words.tables import header_problem

__all__ = ["ArrayItems", "begins_array", "problem_of", "row_of"]

_EXPECTED = f"an object with the names {', '.join(COLUMNS)}"
_BLANK = b" \t\r\n"


def row_of(line: bytes) -> bytes | None:
    """Return the row of text for an item that is not plain, None if it is no hit."""
    try:
        values = _values(orjson.loads(line))
        row = ",".join(_plain(value).replace(",", " ") for value in values)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return " ".join(row.split()).encode("ascii", "replace") + b"\n"


def problem_of(line: bytes) -> str:
    """Return why an item is no hit, in words."""
    try:
        item = orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        return f"not JSON ({str(exc).split(':')[0]}), expected {_EXPECTED}"
    if isinstance(item, dict) and str(item.get("schema")).startswith("muonscope."):
        return "results of muonscope, no words; muonscope dashboard shows them"
    if isinstance(item, dict) and item:
        return header_problem(list(item))
    if isinstance(item, list):
        return f"an array of {len(item)}, expected {len(COLUMNS)} in the order {', '.join(COLUMNS)}"
    return f"expected {_EXPECTED}"


def begins_array(data: bytes) -> bool | None:
    """Tell whether ``data`` begins one array of items; None if more is needed to tell.

    Examples
    --------
    >>> begins_array(b'[{"HEAD"'), begins_array(b"[2,0,79"), begins_array(b" [ ")
    (True, False, None)
    """
    first = data.lstrip(_BLANK)
    if first[:1] != b"[":
        return False
    second = first[1:].lstrip(_BLANK)[:1]
    return second in (b"{", b"[") if second else None


class ArrayItems:
    """Puts each item of one JSON array on a line of its own, byte for byte, piece by piece."""

    def __init__(self, depth: int = 0, quoted: int = 0, escaped: int = 0) -> None:
        """Begin before the array, or where another one stood."""
        self._scan = np.array([depth, quoted, escaped, depth])

    def lines(self, data: bytes) -> bytes:
        """Return the next piece, of the same length, with items on lines."""
        out = np.empty(len(data), np.uint8)
        lines_of_array(np.frombuffer(data, np.uint8), self._scan, out)
        return out.tobytes()

    def state(self, *, at_line: bool) -> list[int]:
        """Return the arguments for one that goes on here, or where the present line began."""
        scan: list[int] = self._scan.tolist()
        return [scan[3], 0, 0] if at_line else scan[:3]


def _values(item: Any) -> list[Any]:
    if isinstance(item, list):
        if len(item) != len(COLUMNS):
            raise TypeError("an array of another length")
        return item
    if not isinstance(item, Mapping):
        raise TypeError("neither an object nor an array")
    found: dict[str, Any] = {}
    for name, value in item.items():
        if name.upper() in COLUMNS:
            if name.upper() in found:
                raise KeyError(name)
            found[name.upper()] = value
    return [found[name] for name in COLUMNS]


def _plain(value: Any) -> str:
    """Return a number without an exponent, anything else as it is."""
    return np.format_float_positional(value) if isinstance(value, float) else str(value)
