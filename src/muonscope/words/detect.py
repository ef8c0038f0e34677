"""The format of data, recognised from its content, with a confidence and a reason.

A name is never looked at. Text is told by its first lines; binary words by whether they
could be words at all: HEAD exists, BX < 3564, and the orbits of each FPGA agree. The
answer never depends on how the data was cut into pieces: it is given by the first line
alone where that is clear, and by exactly the first ``PREFIX_BYTES`` where it is not.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.words.binary import BLOCK_MAGIC, TRANSFER_WORDS
from muonscope.words.bologna import BOLOGNA_COLUMNS, share_of_rows
from muonscope.words.layout import ANCILLARY_HEADS, Words, head, unpack
from muonscope.words.tables import (
    EXPECTED,
    Layout,
    column_names,
    has_decimal_comma,
    header_problem,
    is_comment,
    layout_of,
    with_row_names,
)

__all__ = ["PARQUET_MAGIC", "PREFIX_BYTES", "Guess", "guess_format"]

PREFIX_BYTES = 1 << 12
"""How much of the data is looked at, at most: 512 words or about 170 rows."""

PARQUET_MAGIC = b"PAR1"
"""How a Parquet file begins."""

_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_NEAR_ORBITS = 1 << 20
_ROWS = 20
_SIX = rb'\[\s*("?[-+\d.eE]+"?\s*,\s*){5}'
_ARRAY = re.compile(_SIX + rb"|\[\s*" + _SIX + rb'|\[\s*\{\s*"')
_LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Guess:
    """The likely format of data."""

    format: str
    """One of ``muonscope.words.decode.FORMATS``, ``empty`` or ``unknown``."""
    confidence: float
    """0 .. 1."""
    reason: str
    """Why, in words."""


def guess_format(first: bytes, readout: Readout, *, complete: bool) -> Guess | None:
    """Tell the format of data that begins with ``first``, of which ``PREFIX_BYTES`` are used.

    ``complete`` says that no more comes. Returns None while more is needed to tell.
    """
    first, complete = first[:PREFIX_BYTES], complete or len(first) >= PREFIX_BYTES
    if not first:
        return Guess("empty", 1.0, "no bytes") if complete else None
    for name, magic in (("parquet", PARQUET_MAGIC), ("block", BLOCK_MAGIC)):
        if first.startswith(magic):
            return Guess(name, 1.0, f"begins with {magic!r}")
        if not complete and magic.startswith(first):
            return None
    plain = first.removeprefix(b"\xef\xbb\xbf")
    guess = _guess_first_line(plain, readout, complete=complete)
    if guess is not None or not complete:
        return guess
    return (
        _guess_binary(first, readout)
        if plain.translate(None, _TEXT)
        else _guess_text(plain, readout)
    )


def _guess_first_line(text: bytes, readout: Readout, *, complete: bool) -> Guess | None:
    """Tell what the first line tells beyond doubt, None if nothing."""
    line, newline, _ = text.lstrip().partition(b"\n")
    if not (newline or complete):
        return None
    layout = layout_of(line)
    if layout is not None and not layout.is_plain:  # rows tell more: whether they have commas
        return _guess_text(text, readout) if complete else None
    if layout is not None and layout.has_header:
        return Guess("csv", 1.0, "a header with the six names")
    if line.translate(None, _TEXT):
        return None
    if line.startswith(b"{") or _ARRAY.match(text.lstrip()):
        kind = "an object" if line.startswith(b"{") else "an array of numbers or of objects"
        return Guess("json", 0.95, f"the first line begins {kind}")
    return Guess("csv", 0.95, "the first line is six numbers") if _is_row(line) else None


def _is_row(line: bytes) -> bool:
    return line.count(b",") == 5 and not line.translate(None, b'0123456789,.+-eE "\t')


def _guess_text(text: bytes, readout: Readout) -> Guess:
    rows = [line.strip() for line in text.split(b"\n") if line.strip()][:_ROWS]
    if not rows:
        return Guess("empty", 1.0, "only blanks")
    if rows[0].startswith(b"<"):
        return Guess("unknown", 0.9, "text that begins with '<': an HTML or XML page")
    unknown = f"text, but no table of words and no JSON; expected {EXPECTED}"
    guess = _guess_bologna(rows, readout) or _guess_rows(rows)
    return guess or Guess("unknown", 0.9, unknown)


def _guess_bologna(rows: list[bytes], readout: Readout) -> Guess | None:
    share = share_of_rows(rows)
    if share <= _LIKELY:
        return None
    kind = f"{share:.0%} of the first rows are as the DAQ in Bologna writes: {BOLOGNA_COLUMNS}"
    if not readout.pins:
        return Guess("unknown", share, f"{kind}; --detector bologna2 reads them")
    return Guess("bologna", share, kind)


def _guess_rows(rows: list[bytes]) -> Guess | None:
    for place, row in enumerate(rows):
        layout = layout_of(row)
        if layout is not None:
            return _guess_table(rows[place:], layout, place)
        if not is_comment(row) and column_names(row):
            break
    if any(map(_is_row, rows)):
        share = sum(map(_is_row, rows)) / len(rows)
        return Guess("csv", share, f"{share:.0%} of the first rows are six numbers")
    names = column_names(rows[0])
    if not names or b"HEAD" not in rows[0].upper():
        return None
    return Guess("csv", 0.5, f"a header, though not with the six names: {header_problem(names)}")


def _guess_table(rows: list[bytes], layout: Layout, before: int) -> Guess:
    """Return what ``rows``, of which the first told the layout, seem to be."""
    header, rows = layout.has_header, rows[layout.has_header :]
    if header and rows:
        layout = with_row_names(layout, rows[0])
    told = [text for text in (layout.described,) if text]
    if has_decimal_comma(layout, rows):
        told.append("decimal comma")
    if header:
        return Guess("csv", 1.0, ", ".join(["a header with the six names", *told]))
    share = sum(layout_of(row) == layout for row in rows) / (len(rows) + before)
    return Guess("csv", share, ", ".join([f"{share:.0%} of the first rows are six numbers", *told]))


def _guess_binary(first: bytes, readout: Readout) -> Guess:
    count = len(first) // 8
    words = np.frombuffer(first, "<u8", count).astype(np.uint64, copy=False)
    if count == 0:
        return Guess("unknown", 0.9, "fewer than 8 bytes, and no text")
    stride = TRANSFER_WORDS + 1
    headers = words[::stride]
    if len(headers) > 1 and _are_transfer_headers(headers, words, readout.version):
        body = words[np.arange(count) % stride != 0]
        share = _share_of_words(body, readout)
        if share >= _LIKELY:
            return Guess("dat129", share, f"a header word before each {TRANSFER_WORDS} words")
    share = _share_of_words(words, readout)
    if share >= _LIKELY:
        return Guess("dat", share, f"{share:.0%} of the first words fit version {readout.version}")
    if not np.any(words):
        return Guess("dat", 0.1, "words of zeros")
    return Guess(
        "unknown", 1 - share,
        f"only {share:.0%} of the first {count} words could be words of version {readout.version}",
    )  # fmt: skip


def _are_transfer_headers(headers: Words, words: Words, version: int) -> bool:
    same = bool(np.all(headers == headers[0])) and headers[0] != 0
    return same and bool(head(headers[:1], version)[0] == 0) and words[1] != headers[0]


def _share_of_words(words: Words, readout: Readout) -> float:
    """Return the part of ``words`` that look like words next to others of their kind."""
    version, hit_head = readout.version, readout.hit_head
    fields = unpack(words, version, hit_head)
    heads, orbits = fields.head, fields.orbit
    known = (heads == hit_head) | np.isin(heads, ANCILLARY_HEADS[version])
    known &= np.where(heads == hit_head, (fields.bx < 3564) & (fields.tdc > 0), True)
    if len(words) < 4:
        return float(known.mean())
    if not np.any(heads == hit_head) and not np.any(words):
        return 0.0
    good = np.zeros(len(words), np.bool_)
    for kind in (heads == hit_head, heads != hit_head):
        for lane in range(16):
            rows = np.flatnonzero(kind & (fields.fpga == lane))
            good[rows] = _near_another(orbits[rows])
    return float((known & good).mean())


def _near_another(orbits: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    near = np.abs(np.diff(orbits)) < _NEAR_ORBITS
    good: npt.NDArray[np.bool_] = np.concatenate([near, [False]]) | np.concatenate([[False], near])
    return good
