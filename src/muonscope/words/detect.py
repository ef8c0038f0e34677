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
from muonscope.units import BX_PER_ORBIT
from muonscope.words.binary import BLOCK_MAGIC, TRANSFER_WORDS, DatDecoder
from muonscope.words.bologna import BOLOGNA_COLUMNS, share_of_rows
from muonscope.words.codec import joined
from muonscope.words.layout import ANCILLARY_HEADS, Fields, Words, unpack
from muonscope.words.magics import foreign_kind
from muonscope.words.rejects import RejectCode
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

__all__ = ["PARQUET_MAGIC", "PREFIX_BYTES", "Guess", "guess_format", "look_like_words"]

PREFIX_BYTES = 1 << 12
"""How much of the data is looked at, at most: 512 words or about 170 rows."""

PARQUET_MAGIC = b"PAR1"
"""How a Parquet file begins."""

_TEXT = bytes(range(32, 127)) + b"\t\r\n"
_NEAR_ORBITS = 1 << 20
_LIKELY, _CLEAN = 0.5, 0.95
_MOSTLY = 0.9
_TRANSLATED = 3
_SURE_BYTES = 4
_ENOUGH_TO_COMPARE, _ENOUGH_FOR_HITS = 4, 64
_ROWS = 20
_SIX = rb'\[\s*("?[-+\d.eE]+"?\s*,\s*){5}'
_ARRAY = re.compile(_SIX + rb"|\[\s*" + _SIX + rb'|\[\s*\{\s*"')


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
    foreign = foreign_kind(first, _SURE_BYTES)
    if foreign:
        return Guess("unknown", 1.0, foreign)
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
    """Tell whether ``first`` could be words, with at least one hit among them.

    Without this, anything with many zero bytes could: HEAD 0 exists, and small numbers are
    orbits near one another. All 4096 bytes without a hit would be 512 words of the
    firmware's trigger alone. It gives five words a muon, which come in groups of four
    between those of the hits; the opening block of the recordings has the most, one in two.
    """
    words = np.frombuffer(first, "<u8", len(first) // 8).astype(np.uint64, copy=False)
    name, header = _words_or_transfers(words, first)
    share = _share_of_words(words[words != header] if header else words, readout)
    if share < _LIKELY <= _share_of_words(words.byteswap(), readout):
        return Guess("unknown", 1.0, "big-endian words: swap the bytes of each (array.byteswap)")
    if share < _CLEAN and _has_shifted_hits(first, readout):
        share = _share_of_mended(first, readout, headers=bool(header))
    if share >= _LIKELY:
        headers = f", a header word before each {TRANSFER_WORDS}" if header else ""
        reason = f"{share:.0%} of the first words fit version {readout.version}{headers}"
        return Guess(name, share, reason)
    return Guess("unknown", 1 - share, foreign_kind(first) or _why_no_words(first, words, share))


def look_like_words(words: Words, readout: Readout) -> bool:
    """Tell whether a message of several words could be one.

    A short one may have no hit, or none near another of its FPGA; then all of it must fit.
    """
    if len(words) >= _ENOUGH_FOR_HITS:
        return _share_of_words(words, readout) >= _LIKELY
    fields = unpack(words, readout.version, readout.hit_head)
    is_hit = fields.head == readout.hit_head
    fit = is_hit | np.isin(fields.head, ANCILLARY_HEADS[readout.version])
    fit &= ~is_hit | ((fields.bx < BX_PER_ORBIT) & (fields.tdc > 0))
    orbits = fields.orbit[is_hit]
    together = len(orbits) < 2 or bool(np.ptp(orbits) < _NEAR_ORBITS)
    return bool(fit.all()) and together and bool(np.any(words)) and bool(np.any(~words))


def _why_no_words(first: bytes, words: Words, share: float) -> str:
    filling = max(first.count(0), first.count(255)) / len(first)
    if len(words) == 0:
        return "fewer than 8 bytes, and no text"
    if filling > _MOSTLY:
        return f"{filling:.0%} zero or 0xFF bytes: preallocated, or not written before a power cut"
    if first.count(b"\n") == first.count(b"\r\n") >= _TRANSLATED:
        return "copied as text (LF became CRLF): copy it again as binary"
    return f"no text, and {share:.0%} of the first {len(words)} words have a hit's or known HEAD"


def _words_or_transfers(words: Words, first: bytes) -> tuple[str, int]:
    """Return the format, and for one with headers the header: a run number that comes again."""
    header = int(words[0]) if len(words) > 1 and words[1] != words[0] else 0
    again = 0 < header < 1 << 32 and first.find(first[:8], 8) > 0
    return ("dat129", header) if again else ("dat", 0)


def _has_shifted_hits(first: bytes, readout: Readout) -> bool:
    """Tell whether hits stand anywhere, also where no word of an undamaged file begins."""
    found = 0
    for at in range(min(8, len(first) - 7)):
        words = np.frombuffer(first, "<u8", (len(first) - at) // 8, at).astype(np.uint64)
        found += int(np.count_nonzero(_hits(words, readout)))
    return 4 * found >= len(first) // 8


def _share_of_mended(first: bytes, readout: Readout, *, headers: bool) -> float:
    """Return the part of what is no filling that is words, shifted ones and all."""
    decoder = DatDecoder(readout, headers=headers)
    decoded = joined([decoder.feed(first), decoder.finish()])
    filled = sum(r.length for r in decoded.rejects if r.code == RejectCode.FILLING)
    fits = _share_of_words(decoded.words, readout) * len(decoded.words)
    return min(1.0, fits * 8 / (len(first) - filled)) if fits else 0.0


def _hits(words: Words, readout: Readout) -> npt.NDArray[np.bool_]:
    """Tell which words are hits near another one of their FPGA."""
    fields = unpack(words, readout.version, readout.hit_head)
    hits = (fields.head == readout.hit_head) & (fields.bx < BX_PER_ORBIT) & (fields.tdc > 0)
    near: npt.NDArray[np.bool_] = hits & _near_others(hits, fields)
    return near


def _share_of_words(words: Words, readout: Readout) -> float:
    """Return the part of ``words`` that look like words next to others of their kind.

    It is 0 where not one looks like a hit.
    """
    if len(words) == 0:
        return 0.0
    version, hit_head = readout.version, readout.hit_head
    fields = unpack(words, version, hit_head)
    is_hit = fields.head == hit_head
    known = is_hit | np.isin(fields.head, ANCILLARY_HEADS[version])
    known &= np.where(is_hit, (fields.bx < BX_PER_ORBIT) & (fields.tdc > 0), True)
    good = known
    if len(words) >= _ENOUGH_TO_COMPARE:
        good = known & (_near_others(is_hit, fields) | _near_others(~is_hit, fields))
    return float(good.mean()) if np.any(good & is_hit) else 0.0


def _near_others(rows: npt.NDArray[np.bool_], fields: Fields) -> npt.NDArray[np.bool_]:
    """Tell which of ``rows`` are near the one before or after of the same FPGA."""
    good = np.zeros(len(rows), np.bool_)
    for lane in range(16):
        mine = np.flatnonzero(rows & (fields.fpga == lane))
        near = np.abs(np.diff(fields.orbit[mine])) < _NEAR_ORBITS
        good[mine] = np.concatenate([near, [False]]) | np.concatenate([[False], near])
    return good
