"""Where ``process`` and ``dashboard`` get words, and what there is to tell while they run.

What takes words in is made elsewhere (:mod:`muonscope.processing.plan`, and Spark's own part);
here it is only joined with what tells how far it is.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from muonscope.intake.batch import Stream, Taking
from muonscope.processing.run import Status
from muonscope.transports.base import SourceStatus

if TYPE_CHECKING:
    from muonscope.intake.topic import MessageBook
    from muonscope.transports.kafka.consumer import KafkaSource

__all__ = ["FileSupply", "Supply", "TopicSupply", "partitions_of"]

_SHOW_POSITIONS_S = 2.0
_STREAMS_SHOWN = 20


class Supply(Protocol):
    """Where words come from, and what there is to tell of it."""

    endless: bool
    """Whether more may come later: then nothing so far is no error."""

    @property
    def intake(self) -> Taking:
        """What takes the words in."""

    def behind(self, status: Status, /) -> str:
        """Tell how much is still to be read."""

    def standing(self, status: Status, streams: dict[str, Stream], /) -> list[SourceStatus]:
        """Return how far each source was read, of which those of files are ``streams``."""

    def notices(self) -> dict[str, int]:
        """Return the messages of the source by what was noticed of them."""

    def note(self) -> list[str]:
        """Return what has happened since the last call, for people."""

    def remarks(self) -> list[str]:
        """Return what should be said when all is over."""


class FileSupply:
    """Files, objects, simulations, standard input."""

    endless = False

    def __init__(self, intake: Taking, size: Callable[[], int | None]) -> None:
        """Take the intake, and what tells the bytes there are."""
        self.intake, self._size, self._behind = intake, size, 0

    def behind(self, status: Status) -> str:
        """Tell the bytes to go, if that is known."""
        total = self._size()
        if total is None:
            return ""
        self._behind = max(0, total - status.bytes_read)
        return f"{self._behind / 1e6:,.1f} MB to go"

    def standing(self, status: Status, streams: dict[str, Stream]) -> list[SourceStatus]:
        """Return how far all streams together were read, and the last ones that were begun."""
        self.behind(status)
        behind = None if self._size() is None else self._behind
        last = [
            SourceStatus(name=s.name, read=s.place.read, behind=0 if s.place.ended else None)
            for s in islice(reversed(streams.values()), _STREAMS_SHOWN)
        ]
        if len(streams) < 2:
            return [replace(only, behind=behind) for only in last]
        name = f"{len(streams):,} streams in all"
        return [SourceStatus(name=name, read=status.bytes_read, behind=behind), *last]

    def notices(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def note(self) -> list[str]:
        """Return nothing."""
        return []

    def remarks(self) -> list[str]:
        """Return nothing."""
        return []


class _OfMessages(Taking, Protocol):
    book: "MessageBook"


class TopicSupply:
    """A topic of Kafka."""

    endless = True

    def __init__(self, intake: "_OfMessages", source: "KafkaSource") -> None:
        """Take the intake and its source."""
        self.intake, self._source = intake, source
        self._trouble, self._gaps = "", 0
        self._shown = time.monotonic()

    def behind(self, _status: Status) -> str:
        """Tell the messages to go."""
        return f"{self._source.lag():,} messages behind"

    def standing(self, _status: Status, _streams: dict[str, Stream]) -> list[SourceStatus]:
        """Return how far each partition was read."""
        return partitions_of(self._source)

    def notices(self) -> dict[str, int]:
        """Return the messages by what was noticed of them."""
        return asdict(self.intake.book.notices)

    def note(self) -> list[str]:
        """Return gaps, and trouble with the brokers; show the group's positions."""
        name, gaps = self._source.name, self._source.gaps[self._gaps :]
        self._gaps = len(self._source.gaps)
        lines = [
            f"{name}[{gap.partition}]: offsets {gap.begin:,} .. {gap.end - 1:,}"
            " are gone, deleted before they were read"
            for gap in gaps
        ]
        trouble, before = self._source.trouble, self._trouble
        self._trouble = trouble
        if trouble and not before:
            lines.append(f"{name}: {trouble}; waiting for it to come back")
        if time.monotonic() - self._shown > _SHOW_POSITIONS_S:
            self._shown = time.monotonic()
            self._source.show_positions(self.intake.book.positions())
        return lines

    def remarks(self) -> list[str]:
        """Return what the messages themselves did not tell."""
        notices = self.intake.book.notices
        told = (
            (notices.duplicates, "messages came more than once and were counted once"),
            (notices.missing_words, "words of numbered streams never came"),
            (notices.expired, "messages were deleted before they were read"),
        )
        return [f"{number:,} {text}" for number, text in told if number]


def partitions_of(source: "KafkaSource") -> list[SourceStatus]:
    """Return how far each partition of a topic was read."""
    front = source.front()
    return [
        SourceStatus(
            name=source.name, partition=p, read=reached, behind=front.ends[p] - reached,
            unit="messages",
        )
        for p, reached in sorted(front.reached.items())
    ]  # fmt: skip
