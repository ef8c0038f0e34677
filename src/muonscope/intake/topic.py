"""Taking messages in: what the partitions of a topic hold, in order, to batches of words.

Beside the words it keeps what must be known to go on exactly after a crash: how far each
partition is done, which messages beyond that are done already, and how far each numbered
stream has come. All of it travels with the batches, as streams of the saved state.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np

from muonscope.detector import Detector, Readout
from muonscope.intake.batch import Batch, Checkpoint, Stream, Token
from muonscope.stream.messages import Messages, Part, decode_messages, without
from muonscope.stream.ordering import Front, Ordering, Release
from muonscope.transports.base import Piece, Place
from muonscope.words.binary import BlockEncoder
from muonscope.words.codec import Decoded
from muonscope.words.rejects import Reject

__all__ = [
    "MessageBook",
    "MessageIntake",
    "MessagePieces",
    "MessageSource",
    "Notices",
    "places_of",
]

ORDER_KEY = "order"
"""Key of the stream that keeps the numbers, not a partition."""

_BATCH_WORDS = 1 << 17
_QUICK_S, _SLOW_S = 0.1, 1.0
_LIVE_MESSAGES = 1000
"""Fewer messages behind than so many is live: then results should be seen soon."""

_HOLD_BYTES = 96 << 20
"""When more waits altogether, partitions that are ahead are held until half of it is gone.

Rarely, for what a client has fetched of a partition is lost to it when it is held."""


class MessageSource(Protocol):
    """Where messages come from."""

    name: str
    partitions: int
    mark: int
    """By which the topic is known again; 0 if by nothing."""

    def fetch(self) -> list[Messages]:
        """Return what has come within a moment, by partition."""

    def front(self) -> Front:
        """Return how far each partition was read and how far it reaches."""

    def ended(self) -> bool:
        """Tell whether nothing more is to be read."""

    def hold(self, partitions: list[int]) -> None:
        """Read nothing from some partitions for now."""


@dataclass(slots=True)
class Notices:
    """What people should know of the messages; counts since the run began."""

    messages: int = 0
    duplicates: int = 0
    """Messages that came more than once; they are counted once."""
    missing_words: int = 0
    """Words that numbered streams should have had."""
    expired: int = 0
    """Messages that were deleted before they were read."""


class _Done:
    """Which offsets of a partition are done: all below ``restart``, and some ranges above."""

    def __init__(self, restart: int, ranges: list[list[int]]) -> None:
        self.restart = restart
        self._before = ranges
        self._order: deque[list[int]] = deque()
        self._entries: dict[int, list[int]] = {}

    def expect(self, part: Part) -> None:
        """Note that ``part`` was received, in order."""
        entry = [part.begin, part.end, 0]
        self._order.append(entry)
        self._entries[part.begin] = entry

    def finish(self, part: Part) -> None:
        """Note that ``part`` is done."""
        self._entries.pop(part.begin)[2] = 1
        while self._order and self._order[0][2]:
            self.restart = self._order.popleft()[1]
        self._before = [r for r in self._before if r[1] > self.restart]

    def ranges(self) -> list[list[int]]:
        """Return the ranges above ``restart`` that are done."""
        return self._before + [[begin, end] for begin, end, done in self._order if done]


def places_of(streams: Mapping[str, Stream]) -> dict[int, Place]:
    """Return where to read on in each partition, from the saved ``streams``."""
    return {int(key): s.place for key, s in streams.items() if key != ORDER_KEY}


class MessageBook:
    """Keeps the order of the messages of a topic, and account of what is done with them."""

    def __init__(
        self,
        name: str,
        partitions: int,
        *,
        mark: int,
        streams: Mapping[str, Stream] | None = None,
        reached: Mapping[int, int],
        checkpoints: bool = False,
        quick: bool = False,
        expired: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on from ``streams``; partitions that are new begin where they are ``reached``.

        ``mark`` is what the topic is known by when it is opened again.
        ``quick`` asks for a checkpoint soon after windows close. ``expired`` tells how
        many messages were gone when they should have been read.
        """
        self._name, self._mark = name, mark
        self._checkpoints, self._quick = checkpoints, quick
        self._live = True
        self._expired, self._clock = expired, clock
        saved = dict(streams or {})
        order = saved.pop(ORDER_KEY, None)
        state: Mapping[str, Any] = order.decoder if order else {}
        numbers = {int(stream): at for stream, at in state.get("next", [])}
        self.ordering = Ordering(partitions, numbers)
        self._next_words = numbers
        self.notices = Notices(**state.get("notices", {}))
        self._expired_before = self.notices.expired
        self._partitions = {
            p: saved.get(str(p)) or _partition(name, p, reached.get(p, 0))
            for p in range(partitions)
        }
        self._unsaved = {p for p in range(partitions) if str(p) not in saved}
        self._sizes = {p: s.bytes_in for p, s in self._partitions.items()}
        self.done_before: dict[int, list[list[int]]] = {
            p: s.decoder.get("done", []) for p, s in self._partitions.items()
        }
        """Ranges of offsets, by partition, that are not to be taken again."""
        self._done = {
            p: _Done(s.place.restart, self.done_before[p]) for p, s in self._partitions.items()
        }
        self._next = {Checkpoint.IF_CLOSED: clock() + _QUICK_S, Checkpoint.YES: clock() + _SLOW_S}

    def positions(self) -> dict[int, int]:
        """Return where each partition is to be read on after a restart."""
        return {p: done.restart for p, done in self._done.items()}

    def receive(self, parts: Iterable[Part], front: Front) -> None:
        """Take the next parts, those of each partition in order."""
        now = self._clock()
        for part in parts:
            self._done[part.partition].expect(part)
            self.ordering.push(part, front, now)

    def ready(self, front: Front) -> Iterator[Batch[Token]]:
        """Yield what is in order by now; an empty batch if nothing is."""
        self._live = front.behind() < _LIVE_MESSAGES
        yield from self._batches(self.ordering.release(front, self._clock()))

    def rest(self) -> Iterator[Batch[Token]]:
        """Yield all that waits: nothing more comes."""
        yield from self._batches(self.ordering.flush())

    def _batches(self, released: list[Release]) -> Iterator[Batch[Token]]:
        at = 0
        while at < len(released):
            words, end = 0, at
            while end < len(released) and words < _BATCH_WORDS:
                words += len(released[end].words)
                end += 1
            yield self._batch(released[at:end])
            at = end
        if not released:
            yield Batch(Decoded(), Token(others=self._changed(set())), checkpoint=self._due())

    def _batch(self, released: list[Release]) -> Batch[Token]:
        rejects: list[Reject] = []
        poison: list[tuple[Reject, bytes]] = []
        touched: set[int] = set()
        for release in released:
            self.notices.missing_words += release.missing
            if release.next:
                self._next_words[release.next[0]] = release.next[1]
            for part in release.parts:
                self._finish(part, duplicate=release.duplicate)
                touched.add(part.partition)
                if not release.duplicate and part.rejects:
                    rejects += part.rejects
                    poison += [(part.rejects[0], value) for value in part.poison]
        words = [release.words for release in released]
        return Batch(
            Decoded(words[0] if len(words) == 1 else np.concatenate(words), rejects),
            Token(others=self._changed(touched), poison=tuple(poison)),
            checkpoint=self._due(),
        )

    def _finish(self, part: Part, *, duplicate: bool) -> None:
        self._done[part.partition].finish(part)
        self.notices.messages += part.messages
        if duplicate:
            self.notices.duplicates += part.messages
            return
        self._sizes[part.partition] += part.size

    def _changed(self, touched: set[int]) -> dict[str, Stream]:
        """Return the streams of the saved state that are new, by key.

        At first all partitions are: where one begins is known even if nothing comes.
        """
        changed = {}
        touched, self._unsaved = touched | self._unsaved, set()
        for p in touched:
            done, size = self._done[p], self._sizes[p]
            changed[str(p)] = replace(
                self._partitions[p],
                place=Place(restart=done.restart, read=size, mark=self._mark, ended=False),
                bytes_in=size,
                decoder={"done": done.ranges()},
            )
        self.notices.expired = self._expired_before + self._expired()
        if touched:
            state = {
                "next": [[str(s), self._next_words.get(s, 0)] for s in self.ordering.streams()],
                "notices": asdict(self.notices),
            }
            place = Place(restart=0, read=0, mark=0, ended=False)
            changed[ORDER_KEY] = Stream(name=self._name, place=place, decoder=state)
        return changed

    def _due(self) -> Checkpoint:
        if not self._checkpoints:
            return Checkpoint.NO
        now = self._clock()
        for kind, after in ((Checkpoint.YES, _SLOW_S), (Checkpoint.IF_CLOSED, _QUICK_S)):
            wanted = kind is Checkpoint.YES or (self._quick and self._live)
            if wanted and now >= self._next[kind]:
                self._next[Checkpoint.IF_CLOSED] = now + _QUICK_S
                if kind is Checkpoint.YES:
                    self._next[kind] = now + after
                return kind
        return Checkpoint.NO


class MessageIntake:
    """Decodes and orders the messages of a source."""

    def __init__(
        self,
        source: MessageSource,
        readout: Readout,
        *,
        streams: Mapping[str, Stream] | None = None,
        stop: Callable[[], bool] = lambda: False,
        checkpoints: bool = False,
        quick: bool = False,
        idle_exit_s: float | None = None,
        expired: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Go on from ``streams``, as :class:`MessageBook` does.

        With ``idle_exit_s`` it ends after so long without a message, s.
        """
        self._source, self._readout, self._stop = source, readout, stop
        self._checkpoints, self._idle_exit_s, self._clock = checkpoints, idle_exit_s, clock
        self.book = MessageBook(
            source.name, source.partitions, mark=source.mark, streams=streams,
            reached=source.front().reached, checkpoints=checkpoints, quick=quick,
            expired=expired, clock=clock,
        )  # fmt: skip

    def batches(self) -> Iterator[Batch[Token]]:
        """Yield words in order, until the source ends, or is idle for too long, or at a stop."""
        book, last_message = self.book, self._clock()
        held: list[int] = []
        while True:
            fetched = self._source.fetch()
            front = self._source.front()
            for messages in fetched:
                wanted = without(messages, book.done_before[messages.partition])
                if wanted.offsets:
                    book.receive(decode_messages(wanted, self._readout), front)
            yield from book.ready(front)
            if fetched:
                last_message = self._clock()
            if self._stop():
                if self._checkpoints:
                    return
                break
            if self._source.ended() or self._is_idle(last_message, front):
                break
            held = self._to_hold(book.ordering.pending_bytes, front, held)
            self._source.hold(held)
        yield from book.rest()

    @staticmethod
    def _to_hold(pending: Sequence[int], front: Front, held: list[int]) -> list[int]:
        """Return the partitions that are to wait for others, if any has more to give."""
        if sum(pending) < (_HOLD_BYTES // 2 if held else _HOLD_BYTES):
            return []
        share = sum(pending) // (2 * len(pending))
        ahead = [p for p, size in enumerate(pending) if size > share]
        awaited = any(p not in ahead and not front.caught_up(p) for p in range(len(pending)))
        return ahead if awaited else []

    def _is_idle(self, last_message: float, front: Front) -> bool:
        """Tell whether nothing has come for long, and nothing is there."""
        quiet = self._clock() - last_message
        return self._idle_exit_s is not None and quiet > self._idle_exit_s and not front.behind()


def _partition(source: str, partition: int, restart: int) -> Stream:
    place = Place(restart=restart, read=0, mark=0, ended=False)
    return Stream(name=f"{source}[{partition}]", place=place)


class MessagePieces:
    """What a topic holds now, as a source of packed blocks; what is no word stays as it is."""

    def __init__(
        self, intake: MessageIntake, name: str, detector: Detector, *, close: Callable[[], None]
    ) -> None:
        """Take an intake that ends; ``close`` is called when it has."""
        self._intake, self._name, self._close = intake, name, close
        self._encoder = BlockEncoder(detector.readout, detector.name)

    def size(self) -> None:
        """Return nothing: how many words come is not known."""

    def pieces(self) -> Iterator[Piece]:
        """Yield the words, then each message that is none as a stream of its own."""
        read = 0
        poison: list[tuple[Reject, bytes]] = []
        try:
            for batch in self._intake.batches():
                poison += batch.token.poison
                data = self._encoder.encode(batch.decoded.words)
                read += len(data)
                if data:
                    yield Piece(key=self._name, name=self._name, data=data, read=read)
        finally:
            self._close()
        yield Piece(key=self._name, name=self._name, read=read, ended=True)
        for reject, value in poison:
            name = f"{self._name} {reject.where}"
            yield Piece(key=name, name=name, data=value, read=len(value))
            yield Piece(key=name, name=name, read=len(value), ended=True)
