"""The messages of a topic, decoded and in order, as batches of words."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from muonscope.detector import Readout
from muonscope.intake.batch import Position, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import MessageBook, TopicIdentity
from muonscope.stream.messages import Messages, decode_messages, without
from muonscope.stream.ordering import Front

__all__ = ["Ending", "MessageSource", "TopicIntake", "book_of"]

_HOLD_BYTES = 96 << 20
"""When more waits altogether, partitions that are ahead are held until half of it is gone.

Rarely, for what a client has fetched of a partition is lost to it when it is held."""


class MessageSource(Protocol):
    """A place that messages come from."""

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

    def expired(self) -> int:
        """Return how many messages were gone when they should have been read."""


def book_of(
    source: MessageSource,
    readout: Readout,
    positions: Mapping[str, Position] | None = None,
    checkpoints: Checkpoints | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> MessageBook:
    """Return the book of what ``source`` gives, going on from ``positions``."""
    return MessageBook(
        TopicIdentity(source.name, source.partitions, source.mark),
        source.front().reached,
        readout,
        positions=positions,
        checkpoints=checkpoints or Checkpoints(clock, wanted=False),
        expired=source.expired,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """When the reading of a topic ends, though the topic may go on."""

    stop: Callable[[], bool] = lambda: False
    """Whether it is to stop; asked after each fetch."""
    keeps_rest: bool = False
    """Whether a later run goes on: then what waits for its turn is not given at a stop."""
    idle_exit_s: float | None = None
    """Time without a message after which it ends, s; None: never."""


class TopicIntake:
    """Decodes and orders the messages of a source."""

    def __init__(
        self,
        source: MessageSource,
        readout: Readout,
        book: MessageBook,
        ending: Ending | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Enter what comes into ``book``; without an ``ending``, until the source ends."""
        self._source, self._readout, self.book = source, readout, book
        self._ending, self._clock = ending or Ending(), clock

    def batches(self) -> Iterator[WordBatch]:
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
            if self._ending.stop():
                if self._ending.keeps_rest:
                    return
                break
            if self._source.ended() or self._is_idle(last_message, front):
                break
            held = self._to_hold(book.pending_bytes, front, held)
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
        longest, quiet = self._ending.idle_exit_s, self._clock() - last_message
        return longest is not None and quiet > longest and not front.behind()
