"""Messages of a topic to words: the encoding is found out for each message.

A message is a packed block; JSON text as the original producer sends it (one hit, or
several lines of them); rows of CSV; a word of 8 bytes; or words as the DAQ's own programs
send them, a run number before each 128. Runs of messages of one kind are decoded together,
which is what makes one hit per message bearable. What is none of them is rejected whole,
with its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.stream.numbering import Number, consecutive
from muonscope.words.binary import BLOCK_MAGIC, TRANSFER_WORDS, BlockDecoder
from muonscope.words.codec import Decoded, joined
from muonscope.words.detect import look_like_words
from muonscope.words.layout import Words
from muonscope.words.rejects import Reject, RejectCode, evidence
from muonscope.words.text import CsvDecoder, JsonDecoder

__all__ = ["Messages", "Part", "decode_messages", "without"]

_NUMBER_BYTES = 28
_WORD = 8
_TRANSFER = TRANSFER_WORDS + 1
_RUN_NUMBERS = 1 << 32
"""Words below it are run numbers: as words they would be ancillary, of the first 23 ms."""
_TEXT = bytes(range(32, 127)) + b"\t\r\n"

K = TypeVar("K")
IntArray = npt.NDArray[np.int64]


class _Kind(Enum):
    JSON = 0
    CSV = 1
    WORD = 2
    OTHER = 3
    """Blocks, several words, nothing."""


_TEXTS: dict[_Kind, type[JsonDecoder] | type[CsvDecoder]] = {
    _Kind.JSON: JsonDecoder,
    _Kind.CSV: CsvDecoder,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Some messages of one partition, in their order, as columns."""

    partition: int
    offsets: Sequence[int]
    values: Sequence[bytes]
    headers: Sequence[bytes | None]
    """Record headers of :mod:`muonscope.stream.numbering`; None for none."""
    times_ms: Sequence[int]
    """Kafka timestamps, ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The words of one message, or of several that follow one another."""

    partition: int
    begin: int
    """Offset of the first message."""
    end: int
    """Offset after the last one."""
    messages: int
    size: int
    """Bytes of the values."""
    time_ms: int
    words: Words
    rejects: tuple[Reject, ...] = ()
    poison: tuple[bytes, ...] = field(default=(), repr=False)
    """The whole values of messages that gave rejects."""
    number: Number | None = None
    table: IntArray | None = field(default=None, repr=False)
    """Shape (messages, 4): offset, time (ms), words and bytes up to its end, of each message.

    None for a single message, and where the words bear numbers."""

    def first(self, words: int) -> "tuple[Part | None, Part]":
        """Return the messages that lie in the first so many words, if any, and the others.

        The latter begins with the message in which they end; that is why it may have words
        that are among the first ones. ``words`` are fewer than those of the part.
        """
        if self.table is None:
            return None, self
        n = int(np.searchsorted(self.table[:, 2], words, side="right"))
        return (self._cut(0, n), self._cut(n, self.messages)) if n else (None, self)

    def _cut(self, begin: int, end: int) -> "Part":
        assert self.table is not None
        table = self.table[begin:end].copy()
        words, size = self.table[begin - 1, 2:] if begin else (0, 0)
        table[:, 2:] -= words, size
        return replace(
            self,
            begin=int(table[0, 0]),
            end=int(self.table[end, 0]) if end < self.messages else self.end,
            messages=end - begin,
            size=int(table[-1, 3]),
            time_ms=int(table[0, 1]),
            words=self.words[words : int(self.table[end - 1, 2])],
            table=table if end - begin > 1 else None,
        )


def without(messages: Messages, ranges: Sequence[Sequence[int]]) -> Messages:
    """Return ``messages`` but for those whose offsets lie in ``ranges`` (begin, end)."""
    if not ranges:
        return messages
    keep = [
        i
        for i, offset in enumerate(messages.offsets)
        if not any(begin <= offset < end for begin, end in ranges)
    ]
    return replace(
        messages,
        offsets=[messages.offsets[i] for i in keep],
        values=[messages.values[i] for i in keep],
        headers=[messages.headers[i] for i in keep],
        times_ms=[messages.times_ms[i] for i in keep],
    )


def decode_messages(messages: Messages, readout: Readout) -> list[Part]:
    """Return the parts of ``messages``, in order; never raises on what they hold."""
    parts: list[Part] = []
    at = 0
    for kind, end in _groups([_kind(value) for value in messages.values]):
        if kind in _TEXTS:
            for begin, stop, number in _runs(messages, at, end):
                parts += _text(messages, begin, stop, number, _TEXTS[kind], readout)
        elif kind is _Kind.WORD:
            parts += _single_words(messages, at, end)
        else:
            parts += [_one(messages, i, readout) for i in range(at, end)]
        at = end
    return parts


def _kind(value: bytes) -> _Kind:
    """Tell what a message seems to be, from its ends where that is enough."""
    if len(value) == _WORD and value != BLOCK_MAGIC:
        return _Kind.WORD
    first, last = value[:1], value[-1:]
    if first == b"{" and last in {b"}", b"\n"}:
        return _Kind.JSON
    if not value or value.startswith(BLOCK_MAGIC) or value.translate(None, _TEXT):
        return _Kind.OTHER
    if value.lstrip()[:1] in {b"{", b"[", b""}:
        return _Kind.JSON
    return _Kind.CSV if b"," in value else _Kind.OTHER


def _groups(kinds: Sequence[K]) -> list[tuple[K, int]]:
    """Return the kind and the end of each run of equal ``kinds``."""
    if not kinds:
        return []
    if kinds.count(kinds[0]) == len(kinds):
        return [(kinds[0], len(kinds))]
    cuts = [i for i in range(1, len(kinds)) if kinds[i] != kinds[i - 1]]
    return [(kinds[end - 1], end) for end in [*cuts, len(kinds)]]


def _runs(messages: Messages, begin: int, end: int) -> list[tuple[int, int, Number | None]]:
    """Return (begin, end, number) of what can be decoded together."""
    headers = messages.headers[begin:end]
    runs: list[tuple[int, int, Number | None]] = []
    at = begin
    for plain, last_one in _groups([h is not None and len(h) == _NUMBER_BYTES for h in headers]):
        stop = begin + last_one
        if plain:
            found = consecutive(cast("list[bytes]", headers[at - begin : last_one]))
            covered = at
            for first, last, number in found:
                runs += [(i, i + 1, None) for i in range(covered, at + first)]
                runs.append((at + first, at + last, number))
                covered = at + last
            runs += [(i, i + 1, None) for i in range(covered, stop)]
        else:
            runs.append((at, stop, None))
        at = stop
    return runs


def _text(
    messages: Messages,
    begin: int,
    end: int,
    number: Number | None,
    decoder: type[JsonDecoder] | type[CsvDecoder],
    readout: Readout,
) -> list[Part]:
    """Decode a run of texts at once; one by one unless each is a line with a hit."""
    count = end - begin
    if count == 1:
        decoded = _lines(messages.values[begin], decoder(readout))
        return [_checked(messages, begin, decoded, number)]
    values = messages.values[begin:end]
    data = b"\n".join(values) + b"\n"
    if data.count(b"\n") != count:
        data = b"\n".join([value.strip(b"\n") for value in values]) + b"\n"
    if data.count(b"\n") == count and (number is None or number.words == count):
        decoded = decoder(readout).feed(data)
        if not decoded.rejects and len(decoded.words) == count:
            return [_part(messages, begin, end, decoded.words, number)]
    numbers = _numbers_of(messages, begin, end, number)
    singles = [
        _text(messages, i, i + 1, one, decoder, readout)
        for i, one in zip(range(begin, end), numbers, strict=True)
    ]
    return [part for single in singles for part in single]


def _lines(value: bytes, decoder: JsonDecoder | CsvDecoder) -> Decoded:
    """Decode the lines of one message; one without any is rejected, but for a header."""
    decoded = decoder.feed(value + b"\n")
    if not decoded.rejects and not len(decoded.words) and not value.strip():
        return Decoded(rejects=[_whole(RejectCode.BAD_JSON, value)])
    rejects = [
        replace(reject, length=min(reject.length, len(value) - reject.offset))
        for reject in decoded.rejects
    ]
    return Decoded(decoded.words, rejects)


def _numbers_of(
    messages: Messages, begin: int, end: int, number: Number | None
) -> list[Number | None]:
    if number is None:
        return [None] * (end - begin)
    return [Number.unpack(header or b"") for header in messages.headers[begin:end]]


def _single_words(messages: Messages, begin: int, end: int) -> list[Part]:
    """Decode messages of one word each; one of zeros, or of ones, is none."""
    words = np.frombuffer(b"".join(messages.values[begin:end]), "<u8").astype(np.uint64, copy=False)
    empty = (words == 0) | (words == ~np.uint64(0))
    parts: list[Part] = []
    at = 0
    for is_empty, stop in _groups(empty.tolist()):
        if not is_empty:
            parts.append(_part(messages, begin + at, begin + stop, words[at:stop], None))
        else:
            parts += [_refused(messages, begin + i) for i in range(at, stop)]
        at = stop
    return parts


def _refused(messages: Messages, i: int) -> Part:
    """Return the part of a message that is nothing we know."""
    value = messages.values[i]
    return _checked(messages, i, Decoded(rejects=[_whole(RejectCode.UNKNOWN_FORMAT, value)]), None)


def _one(messages: Messages, i: int, readout: Readout) -> Part:
    """Decode a message of blocks, or of several words."""
    value, header = messages.values[i], messages.headers[i]
    number = Number.unpack(header) if header else None
    if value.startswith(BLOCK_MAGIC):
        decoder = BlockDecoder(readout)
        return _checked(messages, i, joined([decoder.feed(value), decoder.finish()]), number)
    if len(value) % _WORD == 0 and value.translate(None, _TEXT):
        words = np.frombuffer(value, "<u8").astype(np.uint64, copy=False)
        headers = words[::_TRANSFER]
        if len(words) > 1 and (headers > 0).all() and (headers < _RUN_NUMBERS).all():
            words = words[np.arange(len(words)) % _TRANSFER != 0]
        if look_like_words(words, readout):
            return _checked(messages, i, Decoded(words), number)
    return _refused(messages, i)


def _checked(messages: Messages, i: int, decoded: Decoded, number: Number | None) -> Part:
    """Return the part of one message; words that do not fit its number are rejected."""
    value, where = messages.values[i], _where(messages, i)
    words, rejects = decoded.words, decoded.rejects
    if number is not None and len(words) != number.size:
        words = np.empty(0, np.uint64)
        if len(rejects) != 1 or rejects[0].length != len(value):
            rejects = [_whole(RejectCode.BAD_BLOCK, value)]
    named = tuple(replace(reject, where=where) for reject in rejects)
    poison = (bytes(value),) if named else ()
    return _part(messages, i, i + 1, words, number, named, poison)


def _part(
    messages: Messages,
    begin: int,
    end: int,
    words: Words,
    number: Number | None,
    rejects: tuple[Reject, ...] = (),
    poison: tuple[bytes, ...] = (),
) -> Part:
    times, offsets = messages.times_ms[begin:end], messages.offsets[begin:end]
    sizes = [len(value) for value in messages.values[begin:end]]
    table = None
    if number is None and end - begin > 1:  # each of them has one word
        ends = np.cumsum(sizes)
        table = np.stack([offsets, times, np.arange(1, end - begin + 1), ends], axis=1)
    return Part(
        partition=messages.partition,
        begin=offsets[0],
        end=offsets[-1] + 1,
        messages=end - begin,
        size=sum(sizes),
        time_ms=times[0],
        words=words,
        rejects=rejects,
        poison=poison,
        number=number,
        table=table,
    )


def _whole(code: RejectCode, value: bytes) -> Reject:
    return Reject(code=code, offset=0, length=len(value), evidence=evidence(value))


def _where(messages: Messages, i: int) -> str:
    return f"partition {messages.partition} offset {messages.offsets[i]}"
