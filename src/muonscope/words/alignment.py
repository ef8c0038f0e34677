"""Where the words of a binary stream stand: from which byte on, and where none do.

A lost or added byte, a word cut in the middle before the next run, or a page of zeros
shift all words that follow. So words are taken on trust only where their neighbours agree
with them, 32 by 32; elsewhere all places of words are tried (:mod:`._realign`), and what
lies between is a gap. Orbits alone decide nothing: a jump, a new epoch or a stale buffer
costs the one pair of words between which it lies, and no more. Nothing is remembered: what
the bytes from a place on give is told by at most :data:`MOST_BYTES` of them, however they came.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from muonscope.detector import Readout
from muonscope.words._realign import find_gaps, trusted_blocks
from muonscope.words.layout import ANCILLARY_HEADS
from muonscope.words.rejects import SLICE_BYTES, Reject, RejectCode, evidence

__all__ = ["MOST_BYTES", "Gap", "rejects_of", "search", "trusted_words"]

WINDOW_BYTES = 1 << 12
MOST_BYTES = SLICE_BYTES + WINDOW_BYTES
"""How many bytes it takes to go on from any place."""

_WORD = 8
_BLOCK_WORDS = 32
_COPIED_WORDS = 1 << 13
_AHEAD_BYTES = 1 << 10
_AMBIGUOUS_BYTES = 3
_SAME_RUN_ORBITS = 1 << 16
_AS_TEXT = "; was the file copied as text (LF to CRLF)? copy it as binary"
_FILLING = re.compile(rb"\0{57,}|\xff{57,}")


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes between words that are none."""

    begin: int
    end: int
    open: bool = False
    """Whether it goes on after ``end``."""


def trusted_words(data: bytes, at: int, readout: Readout) -> int:
    """Return how many words from byte ``at`` on are beyond doubt: a multiple of 32.

    In each 32 words, and in the 32 that follow, at most 3 have a HEAD that does not exist, and
    6 (16 of version 1, which knows hardly any ancillary words) are hits that follow a hit of
    another channel within some 2^15 orbits (3 s). Words that are shifted do not look so.
    Where a byte of channels is read as HEAD, one in eight (v1: four) is that of a hit, and
    one in four does not exist; where it is a byte of the orbit, all are of one channel.
    """
    shift, enough = (30, 16) if readout.version == 1 else (29, 6)
    heads = _ancillary(readout) | 1 << readout.hit_head
    how = np.uint32(shift), np.uint32(readout.hit_head), np.uint32(heads), enough
    whole, trusted = (len(data) - at) // _WORD // _BLOCK_WORDS * _BLOCK_WORDS, 0
    while trusted < whole - _BLOCK_WORDS:
        count = whole - trusted if at % _WORD == 0 else min(_COPIED_WORDS, whole - trusted)
        found = np.frombuffer(data, "<u8", count, at + trusted * _WORD)
        words = np.require(found, np.uint64, "A")  # what is shifted is no array for kernels
        good = _BLOCK_WORDS * int(trusted_blocks(words, *how))
        trusted += good
        if good < count - _BLOCK_WORDS:
            break
    return trusted


def _ancillary(readout: Readout) -> int:
    """Return a bit for each HEAD that exists besides that of hits."""
    heads = ANCILLARY_HEADS[readout.version]
    return sum(1 << head for head in heads if head != readout.hit_head)


def search(data: bytes, at: int, readout: Readout, *, complete: bool) -> tuple[int, list[Gap]]:
    """Return up to where the bytes from ``at`` on are words, but for the gaps that are told.

    Without ``complete`` more bytes follow; then what is returned is ``at`` itself where more
    are needed to tell.
    """
    for size in (WINDOW_BYTES, MOST_BYTES):
        window = data[at : at + size]
        if len(window) < size and not complete:
            return at, []
        last = complete and at + size >= len(data)
        gaps = _gaps(window, readout)
        if last:
            end = len(window)
            break
        end, gaps = _settled(gaps, size)
        if end:
            break
    else:
        end, gaps = SLICE_BYTES, [Gap(0, SLICE_BYTES, open=True)]
    return at + end, [Gap(at + gap.begin, at + gap.end, gap.open) for gap in gaps]


def _gaps(window: bytes, readout: Readout) -> list[Gap]:
    heads = _ancillary(readout)
    found = np.empty((len(window) // (_WORD + 1) + 2, 2), np.int64)
    count = find_gaps(
        np.frombuffer(window, np.uint8), readout.version, readout.hit_head, heads, found
    )
    gaps = [Gap(begin, end, open=end == len(window)) for begin, end in found[:count].tolist()]
    return [_widened(gap, window) for gap in gaps]


def _settled(gaps: list[Gap], size: int) -> tuple[int, list[Gap]]:
    """Return what no further byte can change: up to a word's end or a gap's."""
    limit = size - _AHEAD_BYTES
    begin = 0
    for n, gap in enumerate(gaps):
        if gap.begin >= limit:
            gaps = gaps[:n]
            break
        if gap.end > limit:
            return gap.begin, gaps[:n]
        begin = gap.end
    return begin + (limit - begin) // _WORD * _WORD, gaps


def _widened(gap: Gap, window: bytes) -> Gap:
    """Return ``gap`` with the word after it where that may be damaged, too.

    A few bytes more than words have may stand between two words, or inside the second one:
    its upper bytes are right then, and its time is wrong.
    """
    if gap.open or gap.end - gap.begin > _AMBIGUOUS_BYTES or gap.begin < _WORD:
        return gap
    first, second = (
        int.from_bytes(window[at : at + _WORD], "little") >> 17 & 0xFFFFFFFF
        for at in (gap.begin - _WORD, gap.end)
    )
    near = (second - first + _SAME_RUN_ORBITS) & 0xFFFFFFFF <= 2 * _SAME_RUN_ORBITS
    return Gap(gap.begin, gap.end + _WORD) if near else gap


def rejects_of(gap: Gap, data: bytes, offset: int) -> list[Reject]:
    """Return the rejects of a gap in ``data``, whose first byte is at ``offset``.

    Fillings are told apart; less than a word beside one, such as the word that was being
    written when the power went, goes with it.
    """
    rejects, at = [], gap.begin
    for filling in _FILLING.finditer(data, gap.begin, gap.end):
        begin, end = filling.span()
        if begin - at >= _WORD:
            rejects.append(_reject(RejectCode.MISALIGNED, data, at, begin, offset))
            at = begin
        end = end if gap.end - end >= _WORD else gap.end
        rejects.append(_reject(RejectCode.FILLING, data, at, end, offset))
        at = end
    if at < gap.end:
        rejects.append(_reject(RejectCode.MISALIGNED, data, at, gap.end, offset))
    reasons = [_reason(reject) for reject in rejects]
    shift = (gap.end - gap.begin) % _WORD
    if shift and not gap.open:
        shifted = f"from byte {offset + gap.end} on the words are shifted by {shift} byte"
        by_text = b"\r\n" in data[gap.begin : gap.end]
        reasons[-1] = shifted + "s" * (shift > 1) + (_AS_TEXT if by_text else "")
    return [replace(reject, reason=why) for reject, why in zip(rejects, reasons, strict=True)]


def _reject(code: RejectCode, data: bytes, begin: int, end: int, offset: int) -> Reject:
    most = _WORD if code == RejectCode.FILLING else SLICE_BYTES
    found = evidence(data[begin : min(end, begin + most)])
    return Reject(code=code, offset=offset + begin, length=end - begin, evidence=found)


def _reason(reject: Reject) -> str:
    if reject.code == RejectCode.FILLING:
        kind = "0xFF" if reject.evidence[-1] else "zero"
        return f"{reject.length:,} {kind} bytes: preallocated, or not written before a power cut"
    return f"{reject.length:,} bytes that are no words"
