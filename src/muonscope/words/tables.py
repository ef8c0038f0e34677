"""The layout of a table of text: its separator, and which column holds which field.

A layout is told by one line: a header with the six names, in any case and order and among
further columns, or six numbers in the known order. Nothing is assumed silently:
``Layout.described`` says it in words. Rows of the usual layout go to the parser as they
are; of others, ``plain_table`` makes such rows, line by line.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from muonscope.words._plain_rows import plain_rows
from muonscope.words.layout import COLUMNS

__all__ = [
    "EXAMPLE", "EXPECTED", "PLAIN", "Layout", "column_names", "has_decimal_comma", "header_problem",
    "is_comment", "layout_of", "plain_table", "with_row_names",
]  # fmt: skip

EXAMPLE = "2,0,79,617866,307,27"
"""A row as it should be."""

EXPECTED = f"a header with the names {','.join(COLUMNS)}, or rows like {EXAMPLE}"
"""What text of words is expected to have."""

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", " ": "blank"}
_FIELDS = len(COLUMNS)
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMENT = b"#%"
_MOST_NAMES = 1000
_ALIASES = {
    "CHANNEL": 2, "CHAN": 2, "CH": 2, "ORBIT": 3, "ORB": 3, "BX": 4, "TDC": 5, "MEAS": 5, "TIME": 5,
}  # fmt: skip
"""Names that others give to the columns: hints, never read as the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the six fields of a row stand."""

    separator: str = ","
    """Comma, semicolon, tab or blank; with a blank, several blanks or tabs are one."""
    columns: tuple[int, ...] = tuple(range(_FIELDS))
    """The field that each column holds, as an index into ``COLUMNS``; -1 for further columns."""
    has_header: bool = False
    """Whether the line that told it is a header."""

    @property
    def is_plain(self) -> bool:
        """Tell whether the parser of rows can read it as it is."""
        return self.separator == "," and len(self.columns) == _FIELDS

    @property
    def described(self) -> str:
        """The layout in words, but for what is usual."""
        further = len(self.columns) - _FIELDS
        parts = [] if self.separator == "," else [f"{_SEPARATORS[self.separator]} separated"]
        if further:
            parts.append(f"{further} further column{'s' * (further > 1)} ignored")
        return ", ".join(parts)

    def split(self, line: bytes) -> list[bytes]:
        """Return the columns of a line, without blanks and quotes around them.

        Examples
        --------
        >>> Layout(separator=";").split(b'2; 0;"7;9"')
        [b'2', b'0', b'7;9']
        """
        return [part.strip(b' \t"') for part in _split(line.strip(b"\r\n"), self.separator)]


PLAIN = Layout()
"""Six numbers with commas, in the known order."""


def layout_of(line: bytes) -> Layout | None:
    """Return the layout that a line tells: a header or six numbers; None if it is neither.

    Examples
    --------
    >>> layout_of(b"head;fpga;tdc_channel;orbit_cnt;bx_counter;tdc_meas;note").described
    'semicolon separated, 1 further column ignored'
    >>> layout_of(b"2 0 79 617866 307 27").separator
    ' '
    """
    return _of_header(line) or _of_row(line)


def with_row_names(layout: Layout, row: bytes) -> Layout:
    """Return the layout of a header whose first ``row`` may have one column more: its name.

    So R and the printed tables of pandas number their rows.
    """
    if layout.is_plain or len(layout.split(row)) != len(layout.columns) + 1:
        return layout
    columns = (-1, *layout.columns)
    return Layout(separator=layout.separator, columns=columns, has_header=layout.has_header)


def column_names(line: bytes) -> list[str]:
    """Return the names that a line has where it looks like a header, else nothing.

    It does with five or more parts that begin with letters, one of which is near one of the
    six names; or with commas and a letter first.
    """
    for separator in _SEPARATORS:
        names = _names(_uncommented(line), separator)
        letters = sum(name[:1].isalpha() for name in names)
        if letters >= _FIELDS - 1 and any(_nearest(name) is not None for name in names):
            return names
    if line.strip(b' "\r\n\t')[:1].isalpha() and b"," in line:
        return _names(line, ",")
    return []


def header_problem(names: Sequence[str]) -> str:
    """Return why ``names`` are not the six, and what to do."""
    upper = [name.upper() for name in names]
    twice = [name for name in COLUMNS if upper.count(name) > 1]
    if twice:
        return f"{twice[0]} is there {upper.count(twice[0])} times, expected once"
    near = {column: n for n in names if n.upper() not in COLUMNS and (column := _nearest(n))}
    missing = [
        f"{column} ({near[column]}?)" if column in near else column
        for column in COLUMNS if column not in upper
    ]  # fmt: skip
    if not missing:
        return f"expected one line with the names {','.join(COLUMNS)}"
    return f"missing {', '.join(missing)}; rename the columns to {','.join(COLUMNS)}, in any order"


def is_comment(line: bytes) -> bool:
    """Tell whether a line is a comment, such as numpy.savetxt writes before a table."""
    return line.lstrip(b" \t")[:1] in (b"#", b"%")


def has_decimal_comma(layout: Layout, lines: Iterable[bytes]) -> bool:
    """Tell whether numbers of some lines have a decimal comma."""
    if layout.separator == ",":
        return False
    wanted = [place for place, field in enumerate(layout.columns) if field >= 0]
    for line in lines:
        parts = layout.split(line)
        if len(parts) == len(layout.columns) and any(b"," in parts[i] for i in wanted):
            return bool(_of_numbers(layout, line))
    return False


def plain_table(data: bytes, layout: Layout, longest: int) -> bytes:
    """Return a plain row for each line of ``data``, which ends with a newline."""
    out = np.empty(len(data) + 1, np.uint8)
    columns = np.array(layout.columns, np.int64)
    raw = np.frombuffer(data, np.uint8)
    size = plain_rows(raw, len(raw), longest, ord(layout.separator), columns, out)
    return out[:size].tobytes()


def _of_header(line: bytes) -> Layout | None:
    line = _uncommented(line)
    if line.upper().count(COLUMNS[0].encode()) == 0:
        return None
    for separator in _SEPARATORS:
        names = [name.upper() for name in _names(line, separator)]
        if len(names) <= _MOST_NAMES and all(names.count(column) == 1 for column in COLUMNS):
            columns = tuple(COLUMNS.index(n) if n in COLUMNS else -1 for n in names)
            return Layout(separator=separator, columns=columns, has_header=True)
    return None


def _of_row(line: bytes) -> Layout | None:
    for separator in (";", "\t", ",", " "):
        layout = Layout(separator=separator)
        if _of_numbers(layout, line):
            return layout
    return None


def _of_numbers(layout: Layout, line: bytes) -> bool:
    """Tell whether a line has a number in each of the six columns."""
    parts = layout.split(line)
    if len(parts) != len(layout.columns):
        return False
    numbers = [part for part, field in zip(parts, layout.columns, strict=True) if field >= 0]
    if layout.separator != ",":
        numbers = [number.replace(b",", b".") for number in numbers]
    return all(map(_NUMBER.fullmatch, numbers))


def _uncommented(line: bytes) -> bytes:
    return line.lstrip(b" \t" + _COMMENT) if is_comment(line) else line


def _names(line: bytes, separator: str) -> list[str]:
    parts = Layout(separator=separator).split(line)
    return [part.decode("utf-8", "replace").strip(" '") for part in parts]


def _split(line: bytes, separator: str) -> list[bytes]:
    if separator == " ":
        return re.findall(rb'(?:"[^"]*"?|[^\s"])+', line)
    if b'"' not in line:
        return line.split(separator.encode())
    mark = re.escape(separator.encode())
    pattern = rb'((?:"[^"]*"?|[^"' + mark + rb"])*)(?:" + mark + rb"|$)"
    parts = [found[1] for found in re.finditer(pattern, line)]
    return parts if line.endswith(separator.encode()) else parts[:-1] or parts


def _nearest(name: str) -> str | None:
    """Return which of the six names another is near to, None if to none."""
    upper = name.upper().strip()
    if upper in COLUMNS:
        return upper
    if upper in _ALIASES:
        return COLUMNS[_ALIASES[upper]]
    found = get_close_matches(upper, COLUMNS, 1, 0.6)
    return found[0] if found else None
