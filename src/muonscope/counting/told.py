"""A decoded message, nothing of which is believed: its parts, checked.

Each function returns what it found or raises a :class:`FormatError` that names the place,
what was found there, and what was expected.
"""

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["MOST_COUNT", "Told", "array", "bins", "number", "part", "short", "whole"]

MOST_COUNT = 1 << 40
"""Of anything in one window: a month of such windows still adds up in 64 bits."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A decoded message, and the orbits that it is of."""

    detector: Detector
    message: dict[str, Any]
    chambers: Sequence[dict[str, Any]]
    """Shape (n_chambers,)."""
    first_orbit: int
    orbits: int
    """Number of orbits; 0 where the message is of no window."""
    version: int
    """Of the message's schema."""


def array(
    found: dict[str, Any], name: str, where: str, length: int | None = None, least: int = 0
) -> IntArray:
    """Return a list of whole numbers of [least, 2^40]; ``where`` comes before its name."""
    told = found.get(name)
    if not isinstance(told, list) or (length is not None and len(told) != length):
        many = "numbers" if length is None else f"{length} numbers"
        raise FormatError(f"{where}{name}: found {short(told)}, expected a list of {many}")
    if not told:
        return np.empty(0, np.int64)
    if {*map(type, told)} == {int}:  # not isinstance: True is none of them
        try:
            numbers = np.fromiter(told, np.int64, len(told))
        except OverflowError:
            pass
        else:
            if numbers.min() >= least and numbers.max() <= MOST_COUNT:
                return numbers
    raise FormatError(f"{where}{name}: found {short(told)}, expected whole numbers from {least}")


def bins(chamber: dict[str, Any], where: str, name: str) -> tuple[IntArray, IntArray]:
    """Return edges, which ascend, and counts of a sparse histogram."""
    told = part(chamber, name, f"{where}.")
    edges = array(told, "bin_edges", f"{where}.{name}.")
    if (edges[1:] <= edges[:-1]).any():
        raise FormatError(f"{where}.{name}.bin_edges: expected numbers that ascend")
    return edges, array(told, "bin_counts", f"{where}.{name}.", len(edges))


def part(found: dict[str, Any], name: str, where: str = "") -> dict[str, Any]:
    """Return an object."""
    told = found.get(name)
    if not isinstance(told, dict):
        raise FormatError(f"{where}{name}: found {short(told)}, expected an object")
    return told


def whole(found: dict[str, Any], name: str, most: int) -> int:
    """Return a whole number of [0, most]."""
    return number(found.get(name), name, most)


def number(value: object, where: str, most: int) -> int:
    """Return ``value`` if it is a whole number of [0, most]."""
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"{where}: found {short(value)}, expected a whole number from 0")
    return value


def short(value: object) -> str:
    """Return ``value`` in at most 80 letters: of what is deep or long only the beginning."""
    text = repr(value[:80]) if isinstance(value, bytes | str) else reprlib.repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
