"""Kernel from the lines of a table to plain rows: six numbers in the DAQ's order, with commas.

Every line of the table gives one line, so lines keep their numbers. What a number is, and
whether it fits, is decided by the parser of plain rows; here columns are found, decimal
commas become points, and numbers that can be read in two ways become a question mark.
"""

from typing import Any

import numpy as np

from muonscope._jit import part, rare_kernel, read_only

_FIELDS = 6
_NEWLINE, _RETURN, _SPACE, _TAB, _QUOTE, _COMMA, _DOT = 10, 13, 32, 9, 34, 44, 46
_MINUS, _PLUS, _ZERO, _QUESTION, _NO_ROW = 45, 43, 48, 63, 120
_NOT_MARKED, _DECIMAL, _GROUPED, _BOTH = 0, 1, 2, 3
_GROUP, _MAX_BEFORE = 3, 3


def _types(t: Any) -> Any:
    number, i64 = t.int64, t.int64[::1]
    return number(read_only(t.uint8), number, number, number, i64, t.uint8[::1])


@part
def is_blank(data: Any, begin: int, end: int) -> bool:
    """Tell whether ``data[begin:end]`` holds nothing but blanks."""
    for i in range(begin, end):
        if data[i] != _SPACE and data[i] != _TAB and data[i] != _RETURN:
            return False
    return True


@part
def find_columns(data: Any, begin: int, end: int, separator: int, fields: Any, spans: Any) -> int:
    """Fill ``spans`` (6, 2) with where the fields stand; return the number of columns.

    ``fields`` says which field each column holds, -1 for none. Separators between quotes
    do not count; with a blank as separator, several blanks or tabs are one.
    """
    blank = separator == _SPACE
    at, column = begin, 0
    while at <= end:
        if blank:
            while at < end and (data[at] == _SPACE or data[at] == _TAB):
                at += 1
            if at == end:
                break
        first, quoted = at, False
        while at < end:
            if data[at] == _QUOTE:
                quoted = not quoted
            elif not quoted and (data[at] == separator or (blank and data[at] == _TAB)):
                break
            at += 1
        if column < len(fields) and fields[column] >= 0:
            last = at
            while first < last and (
                data[first] == _SPACE or data[first] == _TAB or data[first] == _QUOTE
            ):
                first += 1
            while first < last and (
                data[last - 1] == _SPACE or data[last - 1] == _TAB or data[last - 1] == _QUOTE
            ):
                last -= 1
            spans[fields[column], 0], spans[fields[column], 1] = first, last
        column += 1
        at += 1
    return column


@part
def mark_of(data: Any, begin: int, end: int) -> int:
    """Tell how ``data[begin:end]`` uses commas and points.

    Not at all; as decimal marks; so that they could also part thousands (``617.000``), which a
    leading zero, four digits before the mark and other digits after it exclude, the last
    because they make no whole number; or both kinds.
    """
    commas, dots, place = 0, 0, end
    for i in range(begin, end):
        commas += data[i] == _COMMA
        dots += data[i] == _DOT
        if (data[i] == _COMMA or data[i] == _DOT) and place == end:
            place = i
    if commas + dots == 0:
        return _NOT_MARKED
    if commas > 1 or (commas > 0 and dots > 0):
        return _BOTH
    if begin < end and (data[begin] == _MINUS or data[begin] == _PLUS):
        begin += 1
    grouped = end - place == _GROUP + 1 and 0 < place - begin <= _MAX_BEFORE
    grouped = grouped and data[begin] != _ZERO
    for i in range(place + 1, end):
        grouped = grouped and data[i] == _ZERO
    return _GROUPED if grouped else _DECIMAL


@rare_kernel(_types)
def plain_rows(data: Any, size: int, longest: int, separator: int, fields: Any, out: Any) -> int:
    """Write a plain row for each line of ``data[:size]``; return the bytes written.

    The last line must end with a newline. A blank line gives a blank one; a line with
    another number of columns than ``fields``, or of more than ``longest`` bytes, gives one
    that is no row. In one row there is one decimal mark; where all marks of a row could part
    thousands, or both kinds occur, its marked numbers become question marks. Between commas,
    a comma inside quotes is no mark but thousands, and a point always a decimal point.
    """
    spans = np.empty((_FIELDS, 2), np.int64)
    at, filled = 0, 0
    while at < size:
        begin = at
        while data[at] != _NEWLINE:
            at += 1
        end = at
        at += 1
        too_long = end - begin > longest
        if end > begin and data[end - 1] == _RETURN:
            end -= 1
        if not too_long and is_blank(data, begin, end):
            out[filled] = _NEWLINE
            filled += 1
            continue
        if too_long or find_columns(data, begin, end, separator, fields, spans) != len(fields):
            out[filled], out[filled + 1] = _NO_ROW, _NEWLINE
            filled += 2
            continue
        commas = dots = clear = grouped = False
        for field in range(_FIELDS):
            mark = mark_of(data, spans[field, 0], spans[field, 1])
            clear = clear or mark == _DECIMAL
            grouped = grouped or mark == _GROUPED
            for i in range(spans[field, 0], spans[field, 1]):
                commas = commas or data[i] == _COMMA
                dots = dots or data[i] == _DOT
        unclear = (commas and dots) or (grouped and not clear)
        unclear = commas if separator == _COMMA else unclear
        for field in range(_FIELDS):
            first, last = spans[field, 0], spans[field, 1]
            mark = mark_of(data, first, last)
            if mark == _BOTH or (unclear and mark != _NOT_MARKED):
                out[filled] = _QUESTION
                filled += 1
            else:
                for i in range(first, last):
                    out[filled] = _DOT if data[i] == _COMMA else data[i]
                    filled += 1
            out[filled] = _COMMA if field < _FIELDS - 1 else _NEWLINE
            filled += 1
    return filled
