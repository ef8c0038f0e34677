"""The reason why a row was rejected, in words: field, found, expected, what to do.

Follows from the row and the read-out alone, so it is the same however the bytes came. The
parser decides; this only explains, and so takes its time.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from muonscope.detector import Readout, setup_names, shipped_detector
from muonscope.words.layout import COLUMNS
from muonscope.words.rejects import RejectCode
from muonscope.words.tables import EXAMPLE, Layout

__all__ = ["LONGEST_LINE", "TOO_LONG", "limits", "reason_of_line", "reason_of_values"]

LONGEST_LINE = 1 << 16
"""Bytes; a longer line is rejected unread."""

TOO_LONG = f"a line of more than {LONGEST_LINE:,} bytes"
"""The reason of its reject."""

_FIELDS = len(COLUMNS)
_HEAD, _FPGA, _CHANNEL, _ORBIT, _BX, _TDC = range(_FIELDS)
_LONGEST = 200
_MOST_LETTERS = 24
_ORBITS = 0xFFFFFFFF
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_HALF = Decimal(65520)
_OTHER_HEADS = {1: (), 2: (0, 1, 3, 4, 5)}

Range = tuple[int, int]


def reason_of_line(code: RejectCode, line: bytes, layout: Layout, readout: Readout) -> str:
    """Return why a line of a table was rejected with ``code``."""
    if len(line.rstrip(b"\r\n")) > LONGEST_LINE:
        return TOO_LONG
    parts = layout.split(line)
    if code is RejectCode.BAD_COLUMN_COUNT:
        return f"{len(parts)} columns, expected {len(layout.columns)}, such as {EXAMPLE}"
    values = [""] * _FIELDS
    for part, field in zip(parts, layout.columns, strict=False):
        if field >= 0:
            values[field] = part.decode("utf-8", "backslashreplace")
    order = [field for field in layout.columns if field >= 0]
    if layout.is_plain:
        return reason_of_values(code, values, order, readout)
    shown = [value.replace(",", ".") for value in values]
    unclear = [value for value in values if "," in value or "." in value]
    if code is RejectCode.NOT_A_NUMBER and unclear and (
        any("," in value for value in values) or all(map(_NUMBER.fullmatch, shown))
    ):  # fmt: skip
        return (
            f"{_cut(unclear[0])} may have decimals or thousands separators;"
            " write numbers without separators"
        )
    reason = reason_of_values(code, shown, order, readout)
    if code is RejectCode.NOT_AN_INTEGER:
        return f"{reason}; write numbers without thousands separators"
    return reason


def reason_of_values(
    code: RejectCode, values: Sequence[str], order: Sequence[int], readout: Readout
) -> str:
    """Return why a row of six ``values``, in the DAQ's order, was rejected with ``code``.

    ``order`` is that in which the fields stood.
    """
    numbers = [_number(value) for value in values]
    if code is RejectCode.NOT_A_NUMBER:
        return next(
            (
                f"{COLUMNS[i]} {_cut(values[i])!r}, expected a decimal number"
                for i in order if numbers[i] is None
            ),
            "",
        )  # fmt: skip
    ranges = limits(int(numbers[_HEAD] or 0), readout)
    for i in order:
        number = numbers[i]
        whole = i != _TDC or ranges[i] is not None
        if number is None:
            continue
        low, high = ranges[i] or (0, 0)
        bad = {
            RejectCode.NOT_AN_INTEGER: whole and number != int(number),
            RejectCode.NEGATIVE: whole and number < 0,
            RejectCode.OUT_OF_RANGE: abs(number) >= _HALF
            if not whole
            else not low <= number <= high,
        }
        if bad.get(code, False):
            expected = f"{low}..{high}" if low < high else str(low)
            if not whole:
                expected = "a half-precision number, below 65520"
            elif code is RejectCode.NOT_AN_INTEGER:
                expected = f"a whole number {expected}"
            kind = _kind(int(numbers[_HEAD] or 0), readout)
            text = f"{COLUMNS[i]} {_cut(values[i])}, expected {expected} ({kind})"
            return text + _hint(numbers, readout)
    return ""


def limits(head: int, readout: Readout) -> list[Range | None]:
    """Return what each field of a row with ``head`` may be, as written, both ends included.

    None stands for a half-precision number. The limits of HEAD itself come first.
    """
    heads = (0, 7) if readout.version == 2 else (0, 3)
    fpgas = (0, 7) if readout.version == 2 else (0, 15)
    if head in _OTHER_HEADS[readout.version] and head != readout.hit_head:
        channel, bx, tdc = {
            0: ((0, 127), (0, 4095), (0, 31)),
            1: ((0, 0), (0, 0), (0, 255)),
            3: ((0, 0), (0, (1 << 24) - 1), (0, 0)),
        }.get(head, ((0, 0), (0, 0), None))
        return [heads, fpgas, channel, (0, _ORBITS), bx, tdc]
    channels = (readout.text_channel_base, 511 + readout.text_channel_base)
    ticks = (max(0, readout.text_tdc_base - 1), 30 + readout.text_tdc_base)
    return [heads, fpgas, channels, (0, _ORBITS), (0, 4095), ticks]


def _hint(numbers: Sequence[Decimal | None], readout: Readout) -> str:
    """Return which detector a row of numbers would suit, if it is a hit for one."""
    if None in numbers or any(number != int(number) for number in numbers if number is not None):
        return ""
    row = [int(number or 0) for number in numbers]
    for name, other in _versions():
        if other.version == readout.version or row[_HEAD] != other.hit_head:
            continue
        ranges = limits(row[_HEAD], other)
        if all(r is not None and r[0] <= n <= r[1] for r, n in zip(ranges, row, strict=True)):
            return (
                f"; this looks like text of version {other.version}:"
                f" try --detector {name} (muonscope detectors lists all)"
            )
    return ""


@cache
def _versions() -> tuple[tuple[str, Readout], ...]:
    """Return one shipped detector for each version of words."""
    found: dict[int, tuple[str, Readout]] = {}
    for name in setup_names():
        readout = shipped_detector(name).readout
        found.setdefault(readout.version, (name, readout))
    return tuple(found.values())


def _kind(head: int, readout: Readout) -> str:
    if head in _OTHER_HEADS[readout.version] and head != readout.hit_head:
        return f"HEAD {head} of v{readout.version} words"
    return f"v{readout.version} words"


def _number(text: str) -> Decimal | None:
    text = text.strip(' \t"')
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
