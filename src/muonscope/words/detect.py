"""The format of data, recognised from its content, with a confidence and a reason.

A name is never looked at. Text is told by its first lines; binary words by whether they
could be words at all: HEAD exists, BX < 3564, and the orbits of each FPGA agree. The
answer never depends on how the data was cut into pieces: it is given by the first line
alone where that is clear, and by exactly the first ``PREFIX_BYTES`` where it is not.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.words.binary import BLOCK_MAGIC, TRANSFER_WORDS
from muonscope.words.layout import ANCILLARY_HEADS, Words, head, unpack
from muonscope.words.text import header_order

__all__ = ["PARQUET_MAGIC", "PREFIX_BYTES", "Guess", "guess_format"]

PREFIX_BYTES = 1 << 12
"""How much of the data is looked at, at most: 512 words or about 170 rows."""

PARQUET_MAGIC = b"PAR1"
"""How a Parquet file begins."""

_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_NEAR_ORBITS = 1 << 20
_LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Guess:
    """The likely format of data."""

    format: str
    """``csv``, ``json``, ``dat``, ``dat129``, ``block``, ``parquet``, ``empty`` or ``unknown``."""
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
    guess = _guess_first_line(plain, complete=complete)
    if guess is not None or not complete:
        return guess
    return _guess_binary(first, readout) if plain.translate(None, _TEXT) else _guess_text(plain)


def _guess_first_line(text: bytes, *, complete: bool) -> Guess | None:
    """Tell what the first line tells beyond doubt, None if nothing."""
    line, newline, _ = text.lstrip().partition(b"\n")
    if line.translate(None, _TEXT) or not (newline or complete):
        return None
    line = line.strip()
    if line.startswith(b"{"):
        return Guess("json", 0.95, "the first line begins an object")
    if header_order(line) is not None:
        return Guess("csv", 1.0, "a header with the six names")
    return Guess("csv", 0.95, "the first line is six numbers") if _is_row(line) else None


def _is_row(line: bytes) -> bool:
    return line.count(b",") == 5 and not line.translate(None, b'0123456789,.+- "')


def _guess_text(text: bytes) -> Guess:
    rows = [line.strip() for line in text.split(b"\n") if line.strip()][:20]
    if not rows:
        return Guess("empty", 1.0, "only blanks")
    line = rows[0]
    if line.startswith(b"<"):
        return Guess("unknown", 0.9, "text that begins with '<': an HTML or XML page")
    if any(map(_is_row, rows)):
        share = sum(map(_is_row, rows)) / len(rows)
        return Guess("csv", share, f"{share:.0%} of the first rows are six numbers")
    if line.count(b",") >= 1 and line[:1].isalpha() and b"HEAD" in line.upper():
        return Guess("csv", 0.5, "a header, though not with the six names")
    return Guess("unknown", 0.9, "text, but no rows of six numbers and no JSON objects")


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
        for lane in set(fields.fpga.tolist()):
            rows = np.flatnonzero(kind & (fields.fpga == lane))
            good[rows] = _near_another(orbits[rows])
    return float((known & good).mean())


def _near_another(orbits: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    near = np.abs(np.diff(orbits)) < _NEAR_ORBITS
    good: npt.NDArray[np.bool_] = np.concatenate([near, [False]]) | np.concatenate([[False], near])
    return good
