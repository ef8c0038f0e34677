"""Binary: the DAQ's own files (dat), and packed blocks for messages (block).

A dat file is little-endian 64-bit words and nothing else; older streams put one header
word (HEAD 0, the run number in its low 32 bits) before each DMA transfer of 128 words.

A block is a header of 32 bytes, the detector's name padded to a multiple of 8 bytes, and
the words, all little-endian::

    0   8 bytes  b"MUONWRD1"
    8   u8       word version, 1 or 2
    9   u8       length of the name, 0 .. 64
    10  u16      0
    12  u32      number of words
    16  i64      detector time of the first word, ns from orbit 0; -1 if unknown
    24  u32      CRC-32 of the name and the words, as stored
    28  u32      0
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from muonscope.detector import Readout
from muonscope.errors import FormatError
from muonscope.words.alignment import rejects_of, search, trusted_words
from muonscope.words.codec import Decoded, joined
from muonscope.words.layout import Words, as_words
from muonscope.words.rejects import Reject, RejectCode, evidence

__all__ = [
    "BLOCK_MAGIC",
    "BlockDecoder",
    "BlockEncoder",
    "DatDecoder",
    "DatEncoder",
    "block_time_ns",
]

TRANSFER_WORDS = 128
"""Words in one DMA transfer."""

BLOCK_MAGIC = b"MUONWRD1"
BLOCK_WORDS = 8192
"""Words in one block: 64 KiB."""

_HEADER = struct.Struct("<8sBBHIqII")
_MAX_BLOCK_WORDS = 1 << 20
_GARBAGE_SLICE = 1 << 17
_MOST_RUN = (1 << 32) - 1
_WORD = 8


class DatDecoder:
    """Little-endian words; with ``headers``, one to drop before each 128.

    What is shifted, filled up or garbage is left out: see :mod:`.alignment`.
    """

    def __init__(self, readout: Readout, *, headers: bool = False) -> None:
        """Start at the first byte of the data; expect words of ``readout``."""
        self.position = 0
        self._readout, self._tail = readout, b""
        self._headers = _Headers() if headers else None

    def feed(self, data: bytes) -> Decoded:
        """Take the next bytes."""
        return self._take(self._tail + data if self._tail else data, complete=False)

    def settle(self) -> Decoded:
        """Decode what has waited for what follows it, but for a word that is cut short."""
        return self._take(self._tail, complete=True)

    def finish(self) -> Decoded:
        """Decode what has waited, and reject a word that is cut short."""
        decoded = self.settle()
        rest, self._tail = self._tail, b""
        decoded.rejects.extend(_rejected(RejectCode.TRUNCATED, rest, self.position))
        self.position += len(rest)
        return decoded

    def state(self) -> dict[str, Any]:
        """Return where headers are expected; besides that, the position says it all."""
        return {"headers": self._headers.state()} if self._headers else {}

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``."""
        self.position = position
        if self._headers and "headers" in state:
            self._headers = _Headers(*state["headers"])

    def _take(self, data: bytes, *, complete: bool) -> Decoded:
        origin, parts = self.position, []
        begin = at = 0  # of the words that are not in parts yet, and of what is in doubt
        while at < len(data):
            at += trusted_words(data, at, self._readout) * _WORD
            end, gaps = search(data, at, self._readout, complete=complete)
            for gap in gaps:
                parts.append(self._words(data, begin, gap.begin))
                parts.append(Decoded(rejects=rejects_of(gap, data, origin)))
                begin = gap.end
                if self._headers:
                    self._headers.lost()
            if end == at:
                break
            at = end
        end = begin + (at - begin) // _WORD * _WORD
        parts.append(self._words(data, begin, end))
        self._tail = data[end:]
        self.position = origin + end
        return joined(parts)

    def _words(self, data: bytes, begin: int, end: int) -> Decoded:
        found = np.frombuffer(data, "<u8", (end - begin) // _WORD, begin)
        words = np.require(found, np.uint64, "A")
        return Decoded(self._headers.dropped(words) if self._headers else words)


class _Headers:
    """Finds the header words before transfers, also after some of the data was lost.

    A header has its run number in the low 32 bits and nothing above. Where none stands in
    its place, the next word that looks like one is taken for one: no other word does, but a
    word of the firmware's trigger in the first 256 orbits (23 ms) of FPGA 0.
    """

    def __init__(self, due: int = 0, header: int = 0) -> None:
        """Expect one after ``due`` words, at any place if negative; ``header`` was the last."""
        self._due, self._header = due, header

    def state(self) -> tuple[int, int]:
        return self._due, self._header

    def lost(self) -> None:
        """Take it that words were lost."""
        self._due = -1

    def dropped(self, words: Words) -> Words:
        """Return ``words`` without the headers among them."""
        keep = np.ones(len(words), np.bool_)
        due = self._due
        for at in np.flatnonzero(words <= _MOST_RUN).tolist():
            value = int(words[at])
            if 0 <= due < at:
                due = -1
            if value and (due in (-1, at) or value == self._header):
                keep[at] = False
                due, self._header = at + TRANSFER_WORDS + 1, value
        self._due = due - len(words) if due >= len(words) else -1
        return words[keep]


class DatEncoder:
    """Words as they are; with a run number, a header word before each 128."""

    def __init__(self, run_number: int | None = None) -> None:
        """Start at the first word; ``run_number`` is 1 .. 2^32 - 1, None for no headers."""
        self._header = None if run_number is None else np.uint64(run_number)
        self._words = 0

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, words: Words) -> bytes:
        """Return the little-endian bytes of ``words``."""
        words = as_words(words)
        if self._header is not None:
            first = -self._words % TRANSFER_WORDS
            self._words += len(words)
            words = np.insert(words, np.arange(first, len(words), TRANSFER_WORDS), self._header)
        return words.astype("<u8", copy=False).tobytes()

    def end(self) -> bytes:
        """Return nothing."""
        return b""


class BlockDecoder:
    """Packed blocks to words; after a damaged one it looks for the next."""

    def __init__(self, readout: Readout) -> None:
        """Expect words of the version of ``readout``."""
        self.position = 0
        self._readout, self._tail = readout, b""

    def feed(self, data: bytes) -> Decoded:
        """Take the next bytes."""
        return self._take(self._tail + data if self._tail else data, final=False)

    def finish(self) -> Decoded:
        """Reject a block that is cut short."""
        return self._take(self._tail, final=True)

    def state(self) -> dict[str, Any]:
        """Return nothing: positions are ends of blocks."""
        return {}

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``."""
        self.position = position

    def _take(self, data: bytes, *, final: bool) -> Decoded:
        parts, at = [], 0
        while at < len(data):
            size, part = self._block(data, at)
            if size == 0 and not final:
                break
            if part is None:
                code = RejectCode.BAD_BLOCK if size else RejectCode.TRUNCATED
                size = _garbage_size(data, at, final=final)
                if size == 0:
                    break
                part = Decoded(rejects=_rejected(code, data[at : at + size], self.position))
            parts.append(part)
            at += size
            self.position += size
        self._tail = data[at:]
        return joined(parts) if parts else Decoded()

    def _block(self, data: bytes, at: int) -> tuple[int, Decoded | None]:
        """Return the size of the block at ``at`` and its words.

        The size is 0 if more data is needed; the words are None if it is no good block.
        """
        head = data[at : at + _HEADER.size]
        if not BLOCK_MAGIC.startswith(head[:8]):
            return 1, None
        if len(head) < _HEADER.size:
            return 0, None
        _, version, name_size, _, count, _, checksum, _ = _HEADER.unpack(head)
        begin = at + _HEADER.size + -(-name_size // _WORD) * _WORD
        end = begin + count * _WORD
        is_good = name_size <= 64 and count <= _MAX_BLOCK_WORDS
        if is_good and end > len(data):
            return 0, None
        body = data[at + _HEADER.size : end]
        if not is_good or zlib.crc32(body) != checksum:
            return 1, None
        name = body[:name_size].decode("utf-8", "replace")
        if version != self._readout.version or self._readout.blocks_of not in {"", name}:
            return end - at, Decoded(rejects=[self._foreign(data[at:end], name, version)])
        words = np.frombuffer(data, "<u8", count, begin).astype(np.uint64, copy=False)
        return end - at, Decoded(words)

    def _foreign(self, block: bytes, name: str, version: int) -> Reject:
        """Return the reject of a good block of another detector."""
        expected = self._readout.blocks_of or f"words of version {self._readout.version}"
        reason = (
            f"a block of detector {name or 'without a name'}, words of version {version};"
            f" expected {expected}: use --detector {name or 'NAME'}"
        )
        return Reject(
            code=RejectCode.BAD_BLOCK, offset=self.position, length=len(block),
            evidence=evidence(block), reason=reason,
        )  # fmt: skip


class BlockEncoder:
    """Words to packed blocks of at most 8192 words."""

    def __init__(self, readout: Readout, detector_name: str = "") -> None:
        """Name version and detector in each header."""
        if len(detector_name.encode()) > 64:
            raise FormatError(f"a block holds a detector name of 64 bytes, found {detector_name!r}")
        self._version, self._name = readout.version, detector_name.encode()

    def begin(self) -> bytes:
        """Return nothing."""
        return b""

    def encode(self, words: Words, time_ns: int = -1) -> bytes:
        """Return ``words`` as blocks; ``time_ns`` is the detector time of the first."""
        words = as_words(words).astype("<u8", copy=False)
        padded = self._name.ljust(-(-len(self._name) // _WORD) * _WORD, b"\0")
        blocks = []
        for at in range(0, len(words), BLOCK_WORDS):
            part = words[at : at + BLOCK_WORDS]
            body = padded + part.tobytes()
            header = _HEADER.pack(
                BLOCK_MAGIC, self._version, len(self._name), 0, len(part), time_ns,
                zlib.crc32(body), 0,
            )  # fmt: skip
            blocks.append(header + body)
        return b"".join(blocks)

    def end(self) -> bytes:
        """Return nothing."""
        return b""


def block_time_ns(data: bytes) -> int | None:
    """Return the detector time that the header of a block names, None if it is cut short."""
    if len(data) < _HEADER.size:
        return None
    time_ns: int = _HEADER.unpack_from(data)[5]
    return time_ns


def _garbage_size(data: bytes, at: int, *, final: bool) -> int:
    """Return how many bytes from ``at`` on to reject at once; 0 if more are needed to tell.

    That is up to the next magic or a slice, so that no split of the data changes it.
    """
    known = len(BLOCK_MAGIC) - 1
    found = data.find(BLOCK_MAGIC, at + 1, at + _GARBAGE_SLICE + known)
    if found >= 0:
        return found - at
    if len(data) - at >= _GARBAGE_SLICE + known:
        return _GARBAGE_SLICE
    return min(len(data) - at, _GARBAGE_SLICE) if final else 0


def _rejected(code: RejectCode, data: bytes, offset: int) -> list[Reject]:
    if not data:
        return []
    return [Reject(code=code, offset=offset, length=len(data), evidence=evidence(data))]
