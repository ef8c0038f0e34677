"""Kernel from rows of text to words.

A row is six comma-separated decimal numbers. One pass parses digits, checks ranges and
packs the word; a row that is not six plain numbers is parsed again with more patience,
which also finds the reason to reject it. No number is ever rounded: fractions are only
taken for HEAD 4 and 5 of v2 words, which carry a half-precision number.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part, read_only
from muonscope.words.rejects import RejectCode

FIELDS = 6
N_REJECT = 4
"""Columns of a reject row: code, begin, end, line."""

_COUNT, _NAN = int(RejectCode.BAD_COLUMN_COUNT), int(RejectCode.NOT_A_NUMBER)
_FRACTION, _NEGATIVE = int(RejectCode.NOT_AN_INTEGER), int(RejectCode.NEGATIVE)
_RANGE = int(RejectCode.OUT_OF_RANGE)
_COMMA, _NEWLINE, _RETURN, _SPACE, _MINUS, _PLUS, _DOT, _ZERO = 44, 10, 13, 32, 45, 43, 46, 48
_TAB, _QUOTE, _SMALL_E, _LARGE_E = 9, 34, 101, 69
_HALF_HEAD_LOW, _HALF_HEAD_HIGH = 4, 5
_MAX_DIGITS = 18
_MAX_WHOLE = 10**17
_MAX_EXPONENT, _MAX_FLOAT_EXPONENT = 9999, 300


def _types(t: Any) -> Any:
    number, flag, i64 = t.int64, t.boolean, t.int64[::1]
    return number(
        read_only(t.uint8), number, flag, number, i64, flag, number, number, number,
        t.uint64[::1], i64, t.float64[::1], t.int64[:, ::1], i64,
    )  # fmt: skip


@part
def pack(values: Any, v2: bool, hit_head: int, channel_base: int, tdc_base: int) -> Any:
    """Return (word, 0), or (0, code) where the six values fit no word.

    ``values`` are HEAD, FPGA, channel, orbit, BX, TDC as written. Half-precision numbers
    are left out of the word.
    """
    head, fpga, orbit, bx = values[0], values[1], values[3], values[4]
    zero = np.uint64(0)
    if orbit < 0 or orbit > 0xFFFFFFFF or head < 0 or fpga < 0 or bx < 0:
        return zero, _RANGE
    if v2 and head != hit_head and head <= 5 and head != 2:
        channel, tdc = values[2], values[5]
        payload = np.int64(0)
        good = fpga < 8
        if head == 0:
            good = good and 0 <= channel < 128 and bx < 4096 and 0 <= tdc < 32
            payload = bx << 12 | tdc << 7 | channel
        elif head == 1:
            good = good and channel == 0 and bx == 0 and 0 <= tdc < 256
            payload = tdc << 16
        elif head == 3:
            good = good and channel == 0 and bx < 1 << 24 and tdc == 0
            payload = bx
        else:
            good = good and channel == 0 and bx == 0
        if not good:
            return zero, _RANGE
        return np.uint64(head << 61 | fpga << 58 | orbit << 24 | payload), 0
    channel, tdc = values[2] - channel_base, values[5] - tdc_base + 1
    top, fpgas = (8, 8) if v2 else (4, 16)
    if head >= top or fpga >= fpgas or not 0 <= channel < 512:
        return zero, _RANGE
    if bx >= 4096 or not 0 <= tdc < 32:
        return zero, _RANGE
    address = head << 61 | fpga << 58 if v2 else head << 62 | fpga << 58
    return np.uint64(address | channel << 49 | orbit << 17 | bx << 5 | tdc), 0


@part
def parse_number(data: Any, begin: int, end: int) -> Any:
    """Parse ``data[begin:end]``: return (whole part, fraction as float, code).

    Surrounding blanks and quotes are ignored; a fraction of zeros is none; an exponent is
    applied exactly. Decimals that make more than 18 digits are below anything half precision
    knows, and only tell whether there is a fraction: the exact value of a half has up to 24
    of them.
    """
    while begin < end and (data[begin] == _SPACE or data[begin] == _TAB or data[begin] == _QUOTE):
        begin += 1
    while end > begin and (
        data[end - 1] == _SPACE or data[end - 1] == _TAB or data[end - 1] == _QUOTE
    ):
        end -= 1
    negative = begin < end and data[begin] == _MINUS
    if begin < end and (negative or data[begin] == _PLUS):
        begin += 1
    mantissa, decimals, digits, dots, at = np.int64(0), 0, 0, 0, begin
    tiny = seen = False
    while at < end:
        digit = np.int64(data[at]) - _ZERO
        if data[at] == _DOT and dots == 0:
            dots = 1
        elif not 0 <= digit <= 9:
            break
        elif dots == 1 and digits == _MAX_DIGITS:
            tiny = tiny or digit != 0
        else:
            seen = True
            digits += dots == 0 or mantissa != 0 or digit != 0
            if digits > _MAX_DIGITS:
                return mantissa, 0.0, _RANGE
            mantissa = mantissa * 10 + digit
            decimals += dots
        at += 1
    if not seen:
        return mantissa, 0.0, _NAN
    exponent = np.int64(0)
    if at < end and (data[at] == _SMALL_E or data[at] == _LARGE_E):
        at += 1
        below = at < end and data[at] == _MINUS
        if at < end and (below or data[at] == _PLUS):
            at += 1
        if at == end:
            return mantissa, 0.0, _NAN
        while at < end and 0 <= np.int64(data[at]) - _ZERO <= 9:
            exponent = min(exponent * 10 + np.int64(data[at]) - _ZERO, np.int64(_MAX_EXPONENT))
            at += 1
        if below:
            exponent = -exponent
    if at < end:
        return mantissa, 0.0, _NAN
    whole, value, code = scaled(mantissa, exponent - decimals)
    if code == 0 and tiny:
        code = _FRACTION
    if negative:
        return -whole, -value, code
    return whole, value, code


@part
def scaled(mantissa: Any, power: Any) -> Any:
    """Return (whole part, value as float, code) of ``mantissa`` * 10^``power``."""
    whole, scale = mantissa, np.int64(1)
    for _ in range(min(power, _MAX_DIGITS + 1)):
        if whole >= _MAX_WHOLE:
            return whole, 0.0, _RANGE
        whole = whole * 10
    if power >= 0:
        return whole, float(whole), 0
    if -power > _MAX_DIGITS:
        value = mantissa / 10.0 ** min(-power, _MAX_FLOAT_EXPONENT)
        return np.int64(0), value, _FRACTION if mantissa != 0 else 0
    for _ in range(-power):
        scale = scale * 10
    whole = mantissa // scale
    return whole, mantissa / scale, _FRACTION if whole * scale != mantissa else 0


@part
def parse_patiently(data: Any, begin: int, end: int, order: Any, values: Any, v2: bool) -> Any:
    """Parse one row, filling ``values``; return (half-precision value, code)."""
    half, field, code, at = np.nan, 0, 0, begin
    first = begin
    head = np.int64(-1)
    while at <= end:
        if at == end or data[at] == _COMMA:
            if field < FIELDS:
                whole, value, this = parse_number(data, first, at)
                which = order[field]
                values[which] = whole
                if which == 0:
                    head = whole
                if which == FIELDS - 1:
                    half, half_code = value, this
                elif this != 0 and code == 0:
                    code = this
                elif whole < 0 and code == 0:
                    code = _NEGATIVE
            field += 1
            first = at + 1
        at += 1
    if field != FIELDS:
        return half, _COUNT
    if code != 0:
        return half, code
    takes_half = v2 and _HALF_HEAD_LOW <= head <= _HALF_HEAD_HIGH
    if half_code != 0 and not (takes_half and half_code == _FRACTION):
        return half, half_code
    if takes_half:
        return half, _RANGE if abs(half) >= 65520.0 else 0
    return half, _NEGATIVE if values[FIELDS - 1] < 0 else 0


@kernel(_types)
def parse_rows(
    data: Any,
    size: int,
    final: bool,
    longest: int,
    order: Any,
    v2: bool,
    hit_head: int,
    channel_base: int,
    tdc_base: int,
    words: Any,
    half_rows: Any,
    half_values: Any,
    rejects: Any,
    counters: Any,
) -> int:
    """Parse rows of ``data[:size]`` into ``words``; return the bytes that are done.

    ``order`` says which field each column holds. ``counters`` are words, half-precision
    values, rejects and lines, counted on. Stops before a row that is not ended by a
    newline, unless ``final``, and when ``words`` or ``rejects`` is full. A row of more than
    ``longest`` bytes is rejected unread, even a blank one. Values of HEAD 4 and 5 go to
    ``half_values``, the places of their words to ``half_rows``.
    """
    n, n_half, n_reject, line = counters[0], counters[1], counters[2], counters[3]
    values = np.zeros(FIELDS, np.int64)
    at = 0
    while at < size and n < len(words) and n_reject < len(rejects):
        begin, field, value, digits = at, 0, np.int64(0), 0
        while at < size:
            digit = np.int64(data[at]) - _ZERO
            if 0 <= digit <= 9:
                value = value * 10 + digit
                digits += 1
            elif data[at] == _COMMA and field < FIELDS - 1 and 0 < digits <= _MAX_DIGITS:
                values[order[field]] = value
                field += 1
                value, digits = np.int64(0), 0
            else:
                break
            at += 1
        plain = field == FIELDS - 1 and 0 < digits <= _MAX_DIGITS
        if plain:
            values[order[field]] = value
        if at < size and data[at] == _RETURN:
            at += 1
        if at >= size or data[at] != _NEWLINE:
            plain = plain and at >= size
            while at < size and data[at] != _NEWLINE:
                at += 1
        if at >= size and not final:
            at = begin
            break
        end = at
        too_long = end - begin > longest
        at = min(at + 1, size)
        line += 1
        if end > begin and data[end - 1] == _RETURN:
            end -= 1
        blank = True
        if not plain and not too_long:
            for i in range(begin, end):
                blank = blank and (data[i] == _SPACE or data[i] == _TAB)
            if blank:
                continue
        half, code = 0.0, _COUNT if too_long else 0
        half_head = v2 and _HALF_HEAD_LOW <= values[0] <= _HALF_HEAD_HIGH
        if code == 0 and (not plain or half_head):
            half, code = parse_patiently(data, begin, end, order, values, v2)
            half_head = v2 and _HALF_HEAD_LOW <= values[0] <= _HALF_HEAD_HIGH
        word = np.uint64(0)
        if code == 0:
            word, code = pack(values, v2, hit_head, channel_base, tdc_base)
        if code == 0:
            if half_head and values[0] != hit_head:
                half_rows[n_half], half_values[n_half] = n, half
                n_half += 1
            words[n] = word
            n += 1
        else:
            rejects[n_reject, 0], rejects[n_reject, 1] = code, begin
            rejects[n_reject, 2], rejects[n_reject, 3] = at, line
            n_reject += 1
    counters[0], counters[1], counters[2], counters[3] = n, n_half, n_reject, line
    return at
