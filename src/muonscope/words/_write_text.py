"""Kernel from words to rows of text, CSV or JSON lines."""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part, read_only

FIELDS = 6
_MINUS, _DOT, _ZERO = 45, 46, 48
_HALF_HEAD_LOW, _HALF_HEAD_HIGH = 4, 5


def _types(t: Any) -> Any:
    number, u8, i64 = t.int64, t.uint8[::1], t.int64[::1]
    return number(read_only(t.uint64), t.int64[:, ::1], t.boolean, number, u8, t.uint8[:, ::1], i64)


@part
def put_number(out: Any, at: int, value: int) -> int:
    """Write ``value`` in decimal to ``out`` from ``at`` on; return where it ends."""
    if value < 0:
        out[at] = _MINUS
        at += 1
        value = -value
    size, rest = 1, value // 10
    while rest > 0:
        size, rest = size + 1, rest // 10
    for i in range(at + size - 1, at - 1, -1):
        out[i] = _ZERO + value % 10
        value //= 10
    return at + size


@part
def put_half(out: Any, at: int, bits: int, decimals: int) -> int:
    """Write a finite half-precision number with some decimals, correctly rounded.

    The number is m * 2^e with e >= -24, so times a power of ten it is an exact quotient.
    """
    exponent, mantissa = bits >> 10 & 31, bits & 1023
    if bits & 0x8000:
        out[at] = _MINUS
        at += 1
    if exponent > 0:
        mantissa, exponent = mantissa + 1024, exponent - 1
    scale = 1
    for _ in range(decimals):
        scale *= 10
    scaled = mantissa * scale << exponent
    quotient, rest = scaled >> 24, scaled & ((1 << 24) - 1)
    if rest > 1 << 23 or (rest == 1 << 23 and quotient & 1):
        quotient += 1
    at = put_number(out, at, quotient // scale)
    out[at] = _DOT
    quotient %= scale
    for i in range(decimals, 0, -1):
        out[at + i] = _ZERO + quotient % 10
        quotient //= 10
    return at + decimals + 1


@kernel(_types)
def format_rows(
    words: Any, columns: Any, v2: bool, hit_head: int, out: Any, between: Any, sizes: Any
) -> int:
    """Write one row per word to ``out``; return the bytes written.

    ``columns`` (n, 6) are the six numbers as written; for HEAD 4 and 5 the last is the
    number of decimals to write, the number itself being taken from the word. Before field
    i stand the ``sizes[i]`` bytes ``between[i]``, after the last one ``between[6]``, so
    that the same kernel writes CSV and JSON lines.
    """
    at = 0
    for row in range(len(words)):
        for field in range(FIELDS + 1):
            for i in range(sizes[field]):
                out[at] = between[field, i]
                at += 1
            if field == FIELDS:
                continue
            head = columns[row, 0]
            is_half = v2 and _HALF_HEAD_LOW <= head <= _HALF_HEAD_HIGH and head != hit_head
            if field == FIELDS - 1 and is_half:
                bits = np.int64(words[row] & np.uint64(0xFFFF))
                at = put_half(out, at, bits, columns[row, field])
            else:
                at = put_number(out, at, columns[row, field])
    return at
