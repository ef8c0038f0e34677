"""Messages of a topic to words: the encoding is found out for each message.

A message is a packed block, or JSON text as the original producer sends it (one hit, or
several lines of them). Runs of JSON messages are decoded together, which is what makes
one hit per message bearable. What is neither is rejected whole, with its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from muonscope.detector import Readout
from muonscope.stream.numbering import Number, consecutive
from muonscope.words.binary import BLOCK_MAGIC, BlockDecoder
from muonscope.words.codec import Decoded, joined
from muonscope.words.layout import Words
from muonscope.words.rejects import Reject, RejectCode, evidence
from muonscope.words.text import JsonDecoder

__all__ = ["Messages", "Part", "decode_messages", "without"]

_NUMBER_BYTES = 28
_JSON_BEGINS = frozenset({b"{", b" ", b"\t", b"\r", b"\n"})


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
    for is_json, end in _groups([value[:1] in _JSON_BEGINS for value in messages.values]):
        if is_json:
            for begin, stop, number in _json_runs(messages, at, end):
                parts += _json(messages, begin, stop, number, readout)
        else:
            parts += [_one(messages, i, readout) for i in range(at, end)]
        at = end
    return parts


def _groups(kinds: list[bool]) -> list[tuple[bool, int]]:
    """Return the kind and the end of each run of equal ``kinds``."""
    if not kinds:
        return []
    if all(kinds) or not any(kinds):
        return [(kinds[0], len(kinds))]
    cuts = [i for i in range(1, len(kinds)) if kinds[i] != kinds[i - 1]]
    return [(kinds[end - 1], end) for end in [*cuts, len(kinds)]]


def _json_runs(messages: Messages, begin: int, end: int) -> list[tuple[int, int, Number | None]]:
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


def _json(
    messages: Messages, begin: int, end: int, number: Number | None, readout: Readout
) -> list[Part]:
    """Decode a run of JSON messages at once; one by one unless each is a line with a hit."""
    count = end - begin
    if count == 1:
        return [_checked(messages, begin, _lines(messages.values[begin], readout), number)]
    values = messages.values[begin:end]
    data = b"\n".join(values) + b"\n"
    if data.count(b"\n") != count:
        data = b"\n".join([value.strip(b"\n") for value in values]) + b"\n"
    if data.count(b"\n") == count and (number is None or number.words == count):
        decoded = JsonDecoder(readout).feed(data)
        if not decoded.rejects and len(decoded.words) == count:
            return [_part(messages, begin, end, decoded.words, number)]
    numbers = _numbers_of(messages, begin, end, number)
    singles = [
        _json(messages, i, i + 1, one, readout)
        for i, one in zip(range(begin, end), numbers, strict=True)
    ]
    return [part for single in singles for part in single]


def _lines(value: bytes, readout: Readout) -> Decoded:
    """Decode the lines of one JSON message; one without any is rejected."""
    decoded = JsonDecoder(readout).feed(value + b"\n")
    if not decoded.rejects and not len(decoded.words):
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


def _one(messages: Messages, i: int, readout: Readout) -> Part:
    """Decode a message that is not JSON."""
    value, header = messages.values[i], messages.headers[i]
    number = Number.unpack(header) if header else None
    if not value.startswith(BLOCK_MAGIC):
        decoded = Decoded(rejects=[_whole(RejectCode.UNKNOWN_FORMAT, value)])
    else:
        decoder = BlockDecoder(readout)
        decoded = joined([decoder.feed(value), decoder.finish()])
    return _checked(messages, i, decoded, number)


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
    return Part(
        partition=messages.partition,
        begin=messages.offsets[begin],
        end=messages.offsets[end - 1] + 1,
        messages=end - begin,
        size=sum(map(len, messages.values[begin:end])),
        time_ms=messages.times_ms[begin],
        words=words,
        rejects=rejects,
        poison=poison,
        number=number,
    )


def _whole(code: RejectCode, value: bytes) -> Reject:
    return Reject(code=code, offset=0, length=len(value), evidence=evidence(value))


def _where(messages: Messages, i: int) -> str:
    return f"partition {messages.partition} offset {messages.offsets[i]}"
