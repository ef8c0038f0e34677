"""Where the words of a run come from, and what there is to tell of it meanwhile."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from muonscope.events import Event, EventKind
from muonscope.intake.batch import Position, WordSource
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import MessageBook, partitions_in
from muonscope.intake.opening import is_simulated, open_bytes, simulations_in
from muonscope.intake.side_by_side import FileEnding, intake_of
from muonscope.intake.streams import StreamPosition
from muonscope.intake.topic import Ending, TopicIntake, book_of
from muonscope.processing.outputs import Output
from muonscope.processing.plan import Plan
from muonscope.stopping import Stop
from muonscope.transports.base import SourceStatus

if TYPE_CHECKING:
    from muonscope.transports.kafka.consumer import TopicReader
    from muonscope.transports.kafka.url import KafkaUrl

__all__ = ["FileWatch", "Input", "TopicWatch", "Watch", "open_input", "partitions_of"]

_SHOW_POSITIONS_S = 2.0
_STREAMS_SHOWN = 20


class Watch(Protocol):
    """An observer of a source while it is read."""

    def standing(self, positions: Mapping[str, Position]) -> list[SourceStatus]:
        """Return how far each source was read, of which those of files are ``positions``."""

    def events(self, *, last: bool = False) -> list[Event]:
        """Return what has happened since the last call; ``last``: what is to be said at the end."""

    def notices(self) -> dict[str, int]:
        """Return the messages of the source by what was noticed of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Words, and who watches where they come from."""

    words: WordSource
    watch: Watch


class FileWatch:
    """Watches files, objects, simulations, standard input."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.size: Callable[[], int | None] = lambda: None
        """Tells the bytes there are to read; None where that is not known."""
        self._told: deque[Event] = deque()

    def tell(self, event: Event) -> None:
        """Take note of what happened; may be called in another thread."""
        self._told.append(event)

    def standing(self, positions: Mapping[str, Position]) -> list[SourceStatus]:
        """Return how far all streams together were read, and the last ones that were begun."""
        read, there = sum(p.read for p in positions.values()), self.size()
        behind = None if there is None else max(0, there - read)
        last = [
            SourceStatus(name=p.name, read=p.read, behind=0 if p.ended else None)
            for p in islice(reversed(list(positions.values())), _STREAMS_SHOWN)
        ]
        if len(positions) < 2:
            return [replace(only, behind=behind) for only in last]
        name = f"{len(positions):,} streams in all"
        return [SourceStatus(name=name, read=read, behind=behind), *last]

    def events(self, *, last: bool = False) -> list[Event]:
        """Return what has happened since the last call."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def notices(self) -> dict[str, int]:
        """Return nothing."""
        return {}


class TopicWatch:
    """Watches a topic of Kafka, and lets its group show how far the run is."""

    def __init__(self, book: MessageBook, reader: "TopicReader") -> None:
        """Take the book of its messages, and what reads or watches it."""
        self._book, self._reader = book, reader
        self._trouble, self._gaps = "", 0
        self._shown = time.monotonic()

    def standing(self, positions: Mapping[str, Position]) -> list[SourceStatus]:
        """Return how far each partition was read."""
        return partitions_of(self._reader)

    def notices(self) -> dict[str, int]:
        """Return the messages by what was noticed of them."""
        return asdict(self._book.notices)

    def events(self, *, last: bool = False) -> list[Event]:
        """Return gaps and trouble with the brokers; at the end, what messages did not tell."""
        if time.monotonic() - self._shown > _SHOW_POSITIONS_S:
            self._shown = time.monotonic()
            self._reader.show_positions(self._book.offsets())
        return self._told_at_the_end() if last else [*self._new_gaps(), *self._new_trouble()]

    def _new_gaps(self) -> Iterator[Event]:
        gaps = self._reader.gaps[self._gaps :]
        self._gaps = len(self._reader.gaps)
        for gap in gaps:
            where = f"{self._reader.name}[{gap.partition}]"
            numbers = {"begin": gap.begin, "end": gap.end}
            yield Event(kind=EventKind.OFFSETS_GONE, where=where, numbers=numbers)

    def _new_trouble(self) -> Iterator[Event]:
        trouble, before = self._reader.trouble, self._trouble
        self._trouble = trouble
        if trouble and not before:
            yield Event(kind=EventKind.SOURCE_TROUBLE, where=self._reader.name, detail=trouble)

    def _told_at_the_end(self) -> list[Event]:
        notices = self._book.notices
        told = (
            (EventKind.DUPLICATES, "messages", notices.duplicates),
            (EventKind.MISSING_WORDS, "words", notices.missing_words),
            (EventKind.EXPIRED, "messages", notices.expired),
            (EventKind.OUT_OF_ORDER, "messages", notices.out_of_order),
            (EventKind.NULL_MESSAGES, "messages", self._reader.nulls),
        )
        return [Event(kind=kind, numbers={name: n}) for kind, name, n in told if n]


def partitions_of(reader: "TopicReader") -> list[SourceStatus]:
    """Return how far each partition of a topic was read."""
    front = reader.front()
    return [
        SourceStatus(
            name=reader.name, partition=p, read=reached, behind=front.ends[p] - reached,
            unit="messages",
        )
        for p, reached in sorted(front.reached.items())
    ]  # fmt: skip


@contextmanager
def open_input(plan: Plan, output: Output, stop: Stop) -> Iterator[Input]:
    """Give the words of ``plan``, from where ``output`` says that an earlier run stood.

    Raises
    ------
    SourceError
        If a source is not there, or cannot be read.
    StateError
        If it is not what it was.
    """
    if plan.topic:
        yield from _topic_input(plan, plan.topic, output, stop)
        return
    checkpoints = Checkpoints(time.monotonic, wanted=output.ledger.keeps_state)
    if is_simulated(plan.sources):
        words = _simulated_words(plan, output, stop, checkpoints)
        yield Input(words=words, watch=FileWatch())
        return
    positions = output.positions.items()
    known = {key: p for key, p in positions if isinstance(p, StreamPosition)}
    watch = FileWatch()
    source = open_bytes(
        plan.sources,
        follow=plan.options.follow,
        idle_exit_s=plan.idle_exit_s,
        exclude=[Path(p) for p in (plan.results, plan.options.state) if p],
        known={key: position.file for key, position in known.items()},
        once=plan.once(watch.tell),
    )
    watch.size = source.size
    intake = intake_of(
        source,
        plan.detector.readout,
        positions=known,
        checkpoints=checkpoints,
        ending=FileEnding(stop=lambda: bool(stop), grows=plan.options.follow),
    )
    yield Input(words=intake, watch=watch)


def _simulated_words(
    plan: Plan, output: Output, stop: Stop, checkpoints: Checkpoints
) -> WordSource:
    from muonscope.intake.simulated import (  # brings the simulation
        SimulatedIntake,
        SimulatedPosition,
    )

    known = output.positions.items()
    return SimulatedIntake(
        simulations_in(plan.sources, plan.detector),
        positions={key: p for key, p in known if isinstance(p, SimulatedPosition)},
        stop=lambda: bool(stop),
        checkpoints=checkpoints,
    )


def _topic_input(plan: Plan, url: "KafkaUrl", output: Output, stop: Stop) -> Iterator[Input]:
    from muonscope.transports.kafka.consumer import Begin  # brings the client
    from muonscope.transports.kafka.opening import open_topic

    known = partitions_in(output.positions)
    begin = Begin(group=plan.group, known=known, remedy=output.remedy)
    reader = open_topic(url, plan.kafka, begin)
    keeps_state = output.ledger.keeps_state
    try:
        checkpoints = Checkpoints(
            time.monotonic, wanted=keeps_state, quick=not output.ledger.can_cut_back
        )
        book = book_of(reader, plan.detector.readout, output.positions, checkpoints)
        ending = Ending(
            stop=lambda: bool(stop), keeps_rest=keeps_state, idle_exit_s=plan.idle_exit_s
        )
        intake = TopicIntake(reader, plan.detector.readout, book, ending)
        yield Input(words=intake, watch=TopicWatch(book, reader))
    finally:
        reader.close()
