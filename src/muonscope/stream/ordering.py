"""Messages of several partitions back into one order, whatever the partitions' pace.

Numbered messages are put back as they were sent: chunk after chunk of each stream, what
came twice once. Where a chunk is missing, the ones after it wait; it is given up, and its
words are counted as missing, only when no partition can hold it any more and the stream
has long gone on. A stream that begins while another one is there waits until all that the
topic held at that moment has been read; if the other one goes on all the same, there are two
at once, and they are refused. Messages without numbers are put in order by
:mod:`muonscope.stream.unnumbered`.

Time is an argument, in seconds; it only bounds how long something is waited for.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from muonscope.stream.messages import Part
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.words.layout import Words

__all__ = ["Front", "Ordering", "Release"]

PATIENCE_S = 5.0
"""How long a stream must have gone on past a missing chunk before it is given up."""

ABANDON_S = 600.0
"""How long a stream with a missing chunk may be silent while others go on."""

MAX_PENDING_BYTES = 256 << 20
"""What may wait altogether; past it the oldest missing chunk is given up."""

_STREAMS = 256
_RETURNS = 2
"""Times that a stream goes on after another one has given words, from which on both are at once."""


@dataclass(frozen=True, slots=True)
class Front:
    """How far each partition was read, and how far it reaches: next offsets."""

    reached: Mapping[int, int]
    ends: Mapping[int, int]
    cut: bool = False
    """Whether what a partition held first is gone, or was not asked for."""

    def caught_up(self, partition: int) -> bool:
        """Tell whether all that is known to be in a partition was read."""
        return self.reached.get(partition, 0) >= self.ends.get(partition, 0)

    def behind(self) -> int:
        """Return how many offsets are still to be read."""
        return sum(max(0, end - self.reached.get(p, 0)) for p, end in self.ends.items())


@dataclass(frozen=True, slots=True)
class Release:
    """Words that are next, and the parts that they are from."""

    words: Words
    parts: tuple[Part, ...]
    duplicate: bool = False
    """The parts came before, or too late: their words are not counted again."""
    next: tuple[int, int] | None = None
    """The stream, and the number of its next word once these are taken."""
    missing: int = 0
    """Words that should have stood here."""
    streams: StreamNumbers | None = None
    """Which stream each word is from, where several run side by side."""
    begun: tuple[tuple[int, int, int], ...] = ()
    """Partition, offset and number of words of messages of which only the first words are here.

    The number counts from the beginning of the message; 0 where none is."""
    out_of_order: bool = False
    """More waited than may: the words are not in a known order."""


@dataclass(slots=True, order=True)
class _Chunk:
    first: int
    words: int
    pieces: int
    have: dict[int, Part] = field(compare=False, default_factory=dict)

    @property
    def end(self) -> int:
        return self.first + self.words

    @property
    def complete(self) -> bool:
        return len(self.have) == self.pieces

    def taken(self, first: int) -> tuple[Words, int]:
        """Return the words from number ``first`` on, and how many are missing."""
        if self.pieces == 1:
            return self.have[0].words[first - self.first :], 0
        words = np.zeros(self.words, np.uint64)
        received, filled = np.zeros((2, self.words), np.bool_)
        for part in self.have.values():
            assert part.number
            places = part.number.places()
            received[places] = True
            if len(part.words):
                words[places], filled[places] = part.words, True
        rest = slice(first - self.first, None)
        return words[rest][filled[rest]], int((~received[rest]).sum())


@dataclass(slots=True)
class _Stream:
    number: int
    next: int
    chunks: list[_Chunk] = field(default_factory=list)
    latest: dict[int, int] = field(default_factory=dict)
    """Number that each partition gave last."""
    barrier: dict[int, int] | None = None
    seen_s: float = 0.0
    stuck_s: float | None = None
    """Since when the first chunk that waits is not the next one."""


class Ordering:
    """Takes parts in any interleaving of partitions; gives them in order."""

    def __init__(self, partitions: int, streams: Mapping[int, int] | None = None) -> None:
        """Go on from ``streams``: the number of the next word of each."""
        self._partitions = partitions
        self._streams = {stream: _Stream(stream, at) for stream, at in (streams or {}).items()}
        self._again: list[Part] = []
        self._turns: list[int] = []
        """Streams that gave words, the latest one last; each once."""
        self._returns = 0
        self.pending_bytes = [0] * partitions
        """Bytes that wait, by partition."""

    def streams(self) -> dict[int, int]:
        """Return the number of the next word of each stream, those used last at the end."""
        return {stream: state.next for stream, state in self._streams.items()}

    @property
    def mixed(self) -> list[int]:
        """Numbers of streams that go on at once; none as long as they follow one another.

        One that goes on after another one has begun may be a sender that was started again.
        """
        return self._turns[-2:] if self._returns >= _RETURNS else []

    def push(self, part: Part, front: Front, now_s: float) -> None:
        """Take the next part of a partition; it bears a number."""
        number = part.number
        assert number
        self.pending_bytes[part.partition] += part.size
        stream = self._streams.get(number.stream) or self._new_stream(number.stream)
        if not (stream.latest or stream.next) and number.stream != next(iter(self._streams)):
            stream.barrier = dict(front.ends)
        stream.seen_s = now_s
        stream.latest[part.partition] = number.first
        if number.first + number.words <= stream.next:
            self._again.append(part)
            return
        chunk = _Chunk(number.first, number.words, number.pieces)
        at = _find(stream.chunks, chunk)
        if at is None:
            insort(stream.chunks, chunk)
        else:
            chunk = at
        if number.piece in chunk.have:
            self._again.append(part)
        else:
            chunk.have[number.piece] = part

    def release(self, front: Front, now_s: float) -> list[Release]:
        """Return what is in order by now."""
        released = self._twice()
        for stream in list(self._streams.values()):
            if stream.barrier and any(
                front.reached.get(p, 0) < end for p, end in stream.barrier.items()
            ):
                continue
            stream.barrier = None
            released += self._advance(stream)
            while stream.chunks and self._hopeless(stream, front, now_s):
                released += self._give_up(stream) + self._advance(stream)
        while sum(self.pending_bytes) > MAX_PENDING_BYTES:
            stuck = [s for s in self._streams.values() if s.chunks]
            if not stuck:
                break
            released += self._give_up(stuck[0]) + self._advance(stuck[0])
        return released

    def flush(self) -> list[Release]:
        """Return all that waits: nothing more comes."""
        released = self._twice()
        for stream in self._streams.values():
            released += self._advance(stream)
            while stream.chunks:
                released += self._give_up(stream) + self._advance(stream)
        return released

    def _new_stream(self, number: int) -> _Stream:
        stream = self._streams[number] = _Stream(number, 0)
        for old in [s for s, state in self._streams.items() if not state.chunks][:-_STREAMS]:
            del self._streams[old]
        return stream

    def _twice(self) -> list[Release]:
        again, self._again = self._again, []
        return [self._released(np.empty(0, np.uint64), (p,), duplicate=True) for p in again]

    def _advance(self, stream: _Stream) -> list[Release]:
        """Release the chunks that follow on what was released."""
        released = []
        while stream.chunks and stream.chunks[0].first <= stream.next:
            chunk = next(
                (
                    c
                    for c in stream.chunks
                    if c.first <= stream.next and (c.complete or c.end <= stream.next)
                ),
                None,
            )
            if chunk is None:
                break
            released += self._take(stream, chunk)
        return released

    def _take(self, stream: _Stream, chunk: _Chunk) -> list[Release]:
        """Release a chunk, whole or not, or what of it is new."""
        stream.chunks.remove(chunk)
        stream.stuck_s = None
        parts = tuple(chunk.have.values())
        if chunk.end <= stream.next:
            return [self._released(np.empty(0, np.uint64), parts, duplicate=True)]
        self._note_turn(stream.number)
        words, missing = chunk.taken(max(stream.next, chunk.first))
        missing += max(0, chunk.first - stream.next)
        stream.next = chunk.end
        release = self._released(words, parts)
        return [replace(release, next=(stream.number, chunk.end), missing=missing)]

    def _note_turn(self, number: int) -> None:
        if self._turns and self._turns[-1] == number:
            return
        if number in self._turns:
            self._returns += 1
            self._turns.remove(number)
        self._turns = [*self._turns[-_STREAMS:], number]

    def _give_up(self, stream: _Stream) -> list[Release]:
        return self._take(stream, stream.chunks[0])

    def _hopeless(self, stream: _Stream, front: Front, now_s: float) -> bool:
        """Tell whether what the first waiting chunk waits for can come no more."""
        if stream.stuck_s is None:
            stream.stuck_s = now_s
        if now_s - stream.seen_s > ABANDON_S:
            return any(s.seen_s > stream.seen_s for s in self._streams.values())
        first = stream.chunks[0].first
        passed = all(
            stream.latest.get(p, -1) > first or front.caught_up(p) for p in range(self._partitions)
        )
        if front.cut and stream.next == 0:
            return passed
        return passed and stream.seen_s - stream.stuck_s > PATIENCE_S

    def _released(
        self, words: Words, parts: tuple[Part, ...], *, duplicate: bool = False
    ) -> Release:
        for part in parts:
            self.pending_bytes[part.partition] -= part.size
        return Release(words, parts, duplicate)


def _find(chunks: list[_Chunk], wanted: _Chunk) -> _Chunk | None:
    """Return the chunk of the same words and pieces, if it waits."""
    at = bisect_left(chunks, wanted)
    return chunks[at] if at < len(chunks) and chunks[at] == wanted else None
