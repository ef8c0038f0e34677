"""Kernels from lines of JSON to rows of text, and from one JSON array to lines.

The first understands what producers of this kind send: flat objects with the six names once
each, in any order and case, or arrays of six in the DAQ's order; numbers or strings of them.
Anything else it leaves to a real JSON parser, so what is accepted is decided there and only
the speed is decided here.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part, rare_kernel, read_only

_FIELDS = 6
_NEWLINE, _RETURN, _SPACE, _TAB, _QUOTE, _COMMA, _COLON = 10, 13, 32, 9, 34, 44, 58
_OPEN, _CLOSE, _BACKSLASH, _OPEN_ARRAY, _CLOSE_ARRAY = 123, 125, 92, 91, 93
_SMALL_A, _SMALL_Z, _TO_LARGE = 97, 122, 32
_PLAIN = np.zeros(256, np.bool_)
_PLAIN[[ord(c) for c in "0123456789+-.eE"]] = True


def _types(t: Any) -> Any:
    number, u8, i64 = t.int64, t.uint8[::1], t.int64[::1]
    return number(read_only(t.uint8), number, number, number, t.uint8[:, ::1], i64, u8, i64)


@part
def skip_blanks(data: Any, at: int, end: int) -> int:
    """Return the first position from ``at`` on that holds no blank."""
    while at < end and (data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN):
        at += 1
    return at


@part
def find_name(data: Any, begin: int, end: int, names: Any, sizes: Any) -> int:
    """Return which name stands in ``data[begin:end]``, in any case, or -1."""
    for which in range(_FIELDS):
        if sizes[which] == end - begin:
            same = True
            for i in range(sizes[which]):
                letter = np.int64(data[begin + i])
                if _SMALL_A <= letter <= _SMALL_Z:
                    letter -= _TO_LARGE
                same = same and letter == names[which, i]
            if same:
                return which
    return -1


@part
def find_fields(data: Any, begin: int, end: int, names: Any, sizes: Any, spans: Any) -> bool:
    """Fill ``spans`` (6, 2) with where the values stand; False where it is not plain."""
    spans[:, 0] = -1
    at = skip_blanks(data, begin, end)
    if at >= end or (data[at] != _OPEN and data[at] != _OPEN_ARRAY):
        return False
    named = data[at] == _OPEN
    last = _CLOSE if named else _CLOSE_ARRAY
    for place in range(_FIELDS):
        which = place
        if named:
            at = skip_blanks(data, at + 1, end)
            if at >= end or data[at] != _QUOTE:
                return False
            first = at + 1
            at = first
            while at < end and data[at] != _QUOTE and data[at] != _BACKSLASH:
                at += 1
            which = find_name(data, first, at, names, sizes)
            at = skip_blanks(data, at + 1, end)
            if which < 0 or spans[which, 0] >= 0 or at >= end or data[at] != _COLON:
                return False
        at = skip_blanks(data, at + 1, end)
        quoted = at < end and data[at] == _QUOTE
        first = at + quoted
        at = first
        while at < end and _PLAIN[data[at]]:
            at += 1
        spans[which, 0], spans[which, 1] = first, at
        if at == first or (quoted and (at >= end or data[at] != _QUOTE)):
            return False
        at = skip_blanks(data, at + quoted, end)
        if at >= end or (data[at] != _COMMA and data[at] != last):
            return False
        if data[at] == last:
            break
    plain = at < end and data[at] == last and skip_blanks(data, at + 1, end) == end
    return plain and spans[:, 0].min() >= 0


@kernel(_types)
def rows_of_objects(
    data: Any, start: int, size: int, longest: int, names: Any, sizes: Any, out: Any, counters: Any
) -> int:
    """Write a row for each line of ``data[start:size]``; return the bytes that are done.

    Stops at a line that is not plain or longer than ``longest``, and at one that has no
    newline. Blank lines give
    blank rows. ``counters`` are the bytes in ``out`` and the lines, counted on.
    """
    filled, lines, at = counters[0], counters[1], start
    spans = np.empty((_FIELDS, 2), np.int64)
    while at < size:
        end = at
        while end < size and data[end] != _NEWLINE:
            end += 1
        if end == size or end - at > longest:
            break
        if skip_blanks(data, at, end) < end:
            if not find_fields(data, at, end, names, sizes, spans):
                break
            for field in range(_FIELDS):
                for i in range(spans[field, 0], spans[field, 1]):
                    out[filled] = data[i]
                    filled += 1
                out[filled] = _COMMA if field < _FIELDS - 1 else _NEWLINE
                filled += 1
        else:
            out[filled] = _NEWLINE
            filled += 1
        lines += 1
        at = end + 1
    counters[0], counters[1] = filled, lines
    return at


def _array_types(t: Any) -> Any:
    return t.void(read_only(t.uint8), t.int64[::1], t.uint8[::1])


@rare_kernel(_array_types)
def lines_of_array(data: Any, scan: Any, out: Any) -> None:
    """Copy a piece of one JSON array to ``out`` so that each item stands on a line.

    Nothing moves: brackets around the items become blanks, commas between them newlines, and
    newlines within them blanks. ``scan``, carried from piece to piece, is the depth of
    brackets, whether a string and an escape in it are open, and the depth where the present
    line began. JSON has no newline in a string: at one, an item is damaged and left behind.
    """
    depth, quoted, escaped = scan[0], scan[1] != 0, scan[2] != 0
    for at in range(len(data)):
        letter = data[at]
        out[at] = letter
        if letter == _NEWLINE:
            depth = min(depth, 1) if quoted else depth
            if depth > 0 and not quoted:
                out[at] = _SPACE
            else:
                scan[3] = depth
            quoted = escaped = False
        elif quoted:
            quoted = escaped or letter != _QUOTE
            escaped = not escaped and letter == _BACKSLASH
        elif letter == _QUOTE:
            quoted = True
        elif letter == _OPEN_ARRAY or (letter == _OPEN and depth > 0):
            if depth == 0:
                out[at] = _SPACE
            depth += 1
        elif depth > 1 and letter in (_CLOSE_ARRAY, _CLOSE):
            depth -= 1
        elif depth == 1 and letter == _CLOSE_ARRAY:
            out[at] = _SPACE
            depth = 0
        elif letter == _COMMA and depth == 1:
            out[at] = _NEWLINE
            scan[3] = 1
    scan[0], scan[1], scan[2] = depth, quoted, escaped
