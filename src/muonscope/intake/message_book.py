"""The book of a topic: which messages are done, in which order, and where to go on.

It keeps what must be known to go on exactly after a crash: how far each partition is done,
which messages beyond that are done already, and how far each numbered stream has come. All
of it travels with the batches, as positions.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from muonscope.detector import Readout
from muonscope.errors import SourceError
from muonscope.intake.batch import Position, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.stream.messages import Part
from muonscope.stream.ordering import Front, Ordering, Release
from muonscope.stream.side_by_side import joined_streams
from muonscope.stream.unnumbered import Unnumbered
from muonscope.transports.base import PartitionPosition
from muonscope.words.detect import Guess
from muonscope.words.rejects import Reject

__all__ = [
    "ORDER_KEY",
    "MessageBook",
    "Notices",
    "OrderPosition",
    "TopicIdentity",
    "TopicPosition",
    "partitions_in",
    "topic_position",
]

ORDER_KEY = "order"
"""Key of the position that keeps the numbers; the others are those of partitions."""

_GUESS = Guess("messages", 1.0, "blocks or JSON, each message for itself")
_BATCH_WORDS = 1 << 17
_LIVE_MESSAGES = 1000
"""Fewer messages behind than so many is live: then results should be seen soon."""


class TopicIdentity(NamedTuple):
    """The name of a topic, and by what it is known again."""

    name: str
    partitions: int
    mark: int
    """CRC-32 of its id; 0 where the brokers do not tell one."""


@dataclass(slots=True)
class Notices:
    """Counts, since the run began, of what people should know of the messages."""

    messages: int = 0
    duplicates: int = 0
    """Messages that came more than once; they are counted once."""
    missing_words: int = 0
    """Words that numbered streams should have had."""
    expired: int = 0
    """Messages that were deleted before they were read."""
    out_of_order: int = 0
    """Messages without numbers whose order could not be restored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPosition:
    """How far one partition of a topic has been taken in."""

    name: str
    partition: PartitionPosition
    bytes_in: int = 0
    """Bytes of the values that were decoded or rejected."""
    done: tuple[tuple[int, int], ...] = ()
    """Ranges of offsets (begin, end) beyond the position that are done already."""
    begun: tuple[int, int] | None = None
    """Offset of a message of which only the first words were taken, and how many."""

    @property
    def read(self) -> int:
        """Bytes of the values that were read."""
        return self.bytes_in

    @property
    def ended(self) -> bool:
        """Never: a topic may always go on."""
        return False

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        place = {
            "restart": self.partition.offset, "read": self.bytes_in,
            "mark": self.partition.mark, "ended": False,
        }  # fmt: skip
        return {
            "name": self.name,
            "place": place,
            "bytes_in": self.bytes_in,
            "decoder": {"done": [list(r) for r in self.done], "begun": self.begun},
            "left": [],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TopicPosition":
        """Return what :meth:`as_json` gave."""
        place = value["place"]
        return cls(
            name=value["name"],
            partition=PartitionPosition(offset=place["restart"], mark=place["mark"]),
            bytes_in=value["bytes_in"],
            done=tuple((begin, end) for begin, end in value["decoder"].get("done", [])),
            begun=_pair(value["decoder"].get("begun")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPosition:
    """How far the numbered streams of a topic have come, and what was noticed of it so far."""

    name: str
    next_words: dict[int, int] = field(default_factory=dict)
    """Number of the next word of each stream; those used last at the end."""
    notices: Notices = field(default_factory=Notices)
    first_stream: int | None = None
    """Number of the stream of partition 0, once a message without a number has come."""
    unnumbered: dict[str, Any] | None = None
    """How far the messages without numbers have come in detector time."""
    bytes_in: int = 0
    """Always 0: bytes belong to partitions."""
    read: int = 0
    """Always 0."""
    ended: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values; numbers of streams have 64 bits, more than JSON's."""
        return {
            "name": self.name,
            "place": {"restart": 0, "read": 0, "mark": 0, "ended": False},
            "bytes_in": 0,
            "decoder": {
                "next": [[str(stream), at] for stream, at in self.next_words.items()],
                "notices": asdict(self.notices),
                "first_stream": self.first_stream,
                "unnumbered": self.unnumbered,
            },
            "left": [],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "OrderPosition":
        """Return what :meth:`as_json` gave."""
        state = value["decoder"]
        return cls(
            name=value["name"],
            next_words={int(stream): at for stream, at in state.get("next", [])},
            notices=Notices(**state.get("notices", {})),
            first_stream=state.get("first_stream"),
            unnumbered=state.get("unnumbered"),
        )


def _pair(value: Any) -> tuple[int, int] | None:
    return None if value is None else (value[0], value[1])


def topic_position(key: str, value: Mapping[str, Any]) -> Position:
    """Return the position that was saved under ``key``, of a partition or of the order."""
    return (OrderPosition if key == ORDER_KEY else TopicPosition).from_json(value)


def partitions_in(positions: Mapping[str, Position]) -> dict[int, PartitionPosition]:
    """Return where to read on in each partition, from saved ``positions``."""
    return {int(k): p.partition for k, p in positions.items() if isinstance(p, TopicPosition)}


class _Done:
    """The offsets of a partition that are done: all below ``restart``, and ranges above."""

    def __init__(self, restart: int, ranges: Iterable[tuple[int, int]]) -> None:
        self.restart = restart
        self._before = list(ranges)
        self._order: deque[list[int]] = deque()
        self._entries: dict[int, list[int]] = {}

    def expect(self, part: Part) -> None:
        """Note that ``part`` was received, in order."""
        entry = [part.begin, part.end, 0]
        self._order.append(entry)
        self._entries[part.begin] = entry

    def finish(self, part: Part) -> None:
        """Note that ``part`` is done, or the first messages of one that was received."""
        entry = self._entries.pop(part.begin)
        if part.end < entry[1]:
            rest = self._entries[part.end] = [part.end, entry[1], 0]
            self._order.insert(self._order.index(entry) + 1, rest)
        entry[1:] = part.end, 1
        while self._order and self._order[0][2]:
            self.restart = self._order.popleft()[1]
        self._before = [r for r in self._before if r[1] > self.restart]

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges above ``restart`` that are done."""
        return (*self._before, *((begin, end) for begin, end, done in self._order if done))


class MessageBook:
    """Keeps the order of the messages of a topic, and account of what is done with them."""

    def __init__(
        self,
        topic: TopicIdentity,
        reached: Mapping[int, int],
        readout: Readout,
        *,
        positions: Mapping[str, Position] | None = None,
        checkpoints: Checkpoints,
        expired: Callable[[], int] = lambda: 0,
    ) -> None:
        """Go on from ``positions``; partitions that are new begin where they are ``reached``.

        ``readout`` says what words look like; ``expired`` tells how many messages were gone
        when they should have been read.
        """
        self._topic, self._checkpoints, self._clock = topic, checkpoints, checkpoints.clock
        self._expired, self._live = expired, True
        saved = dict(positions or {})
        order = saved.pop(ORDER_KEY, None)
        if not isinstance(order, OrderPosition):
            order = OrderPosition(name=topic.name)
        self._next_words = dict(order.next_words)
        self._ordering = Ordering(topic.partitions, self._next_words)
        self._unnumbered = Unnumbered(readout, topic.partitions, order.unnumbered)
        self._first_stream = order.first_stream
        self.notices = replace(order.notices)
        self._expired_before = self.notices.expired
        self._partitions = {
            p: _partition(topic, p, saved.get(str(p)), reached.get(p, 0))
            for p in range(topic.partitions)
        }
        self._unsaved = {p for p in range(topic.partitions) if str(p) not in saved}
        self._sizes = {p: s.bytes_in for p, s in self._partitions.items()}
        self.done_before = {p: s.done for p, s in self._partitions.items()}
        """Ranges of offsets, by partition, that are not to be taken again."""
        self._done = {p: _Done(s.partition.offset, s.done) for p, s in self._partitions.items()}
        self._begun = {p: s.begun for p, s in self._partitions.items()}
        self._before: dict[int, tuple[int, int]] = {}
        """By partition, a message that an earlier run had begun, and the words it took."""

    def offsets(self) -> dict[int, int]:
        """Return where each partition is to be read on after a restart."""
        return {p: done.restart for p, done in self._done.items()}

    @property
    def pending_bytes(self) -> list[int]:
        """Bytes that wait, by partition."""
        both = zip(self._ordering.pending_bytes, self._unnumbered.pending_bytes, strict=True)
        return [a + b for a, b in both]

    def receive(self, parts: Iterable[Part], front: Front) -> None:
        """Take the next parts, those of each partition in order."""
        now = self._clock()
        for part in parts:
            self._done[part.partition].expect(part)
            if part.number is not None:
                self._ordering.push(part, front, now)
                continue
            if self._first_stream is None:  # stream 0 is that of numbered messages
                self._first_stream = int(bool(self._ordering.streams()))
            self._unnumbered.push(self._left_of(part), front, now, self._first_stream)

    def _left_of(self, part: Part) -> Part:
        """Return ``part`` without the words that an earlier run took."""
        begun = self._begun[part.partition]
        if begun is None or begun[0] != part.begin:
            return part
        self._before[part.partition] = begun
        return replace(part, words=part.words[begun[1] :])

    def ready(self, front: Front) -> Iterator[WordBatch]:
        """Yield what is in order by now; an empty batch if nothing is.

        Raises
        ------
        SourceError
            If two numbered streams arrive at once.
        """
        self._live = front.behind() < _LIVE_MESSAGES
        now = self._clock()
        released = self._ordering.release(front, now) + self._unnumbered.release(front, now)
        if self._ordering.mixed:
            one, other = self._ordering.mixed
            raise SourceError(
                f"{self._topic.name}: two streams of words arrive at once (numbers {one} and"
                f" {other}): two replays, or two telescopes. Send each to a topic of its own, or"
                " stop one and start this again with a new ?group= and --run"
            )
        yield from self._batches(released)

    def rest(self) -> Iterator[WordBatch]:
        """Yield all that waits: nothing more comes."""
        yield from self._batches(self._ordering.flush() + self._unnumbered.flush())

    def _batches(self, released: list[Release]) -> Iterator[WordBatch]:
        at = 0
        while at < len(released):
            words, end = 0, at
            while end < len(released) and words < _BATCH_WORDS:
                words += len(released[end].words)
                end += 1
            yield self._batch(released[at:end])
            at = end
        if not released:
            yield WordBatch(
                positions=self._changed(set()), checkpoint=self._checkpoints.due(live=self._live)
            )

    def _batch(self, released: list[Release]) -> WordBatch:
        rejects: list[Reject] = []
        poison: list[tuple[Reject, bytes]] = []
        touched: set[int] = set()
        for release in released:
            self.notices.missing_words += release.missing
            if release.next:
                self._next_words[release.next[0]] = release.next[1]
            if release.out_of_order:
                self.notices.out_of_order += sum(part.messages for part in release.parts)
            for part in release.parts:
                self._finish(part, duplicate=release.duplicate)
                touched.add(part.partition)
                if not release.duplicate and part.rejects:
                    rejects += part.rejects
                    poison += [(part.rejects[0], value) for value in part.poison]
            for partition, offset, n in release.begun:
                message, before = self._before.get(partition, (-1, 0))
                taken = n + before if message == offset else n
                self._begun[partition] = (offset, taken) if taken else None
                touched.add(partition)
        words, streams = joined_streams([(r.words, r.streams) for r in released])
        return WordBatch(
            words=words,
            streams=streams,
            rejects=rejects,
            positions=self._changed(touched),
            guess=_GUESS,
            poison=tuple(poison),
            checkpoint=self._checkpoints.due(live=self._live),
        )

    def _finish(self, part: Part, *, duplicate: bool) -> None:
        self._done[part.partition].finish(part)
        if part.number is None:
            self._begun[part.partition] = None
        self.notices.messages += part.messages
        if duplicate:
            self.notices.duplicates += part.messages
            return
        self._sizes[part.partition] += part.size

    def _changed(self, touched: set[int]) -> dict[str, Position]:
        """Return the positions that are new, by key.

        At first those of all partitions are: where one begins is known even if nothing comes.
        """
        changed: dict[str, Position] = {}
        touched, self._unsaved = touched | self._unsaved, set()
        for p in touched:
            done = self._done[p]
            changed[str(p)] = replace(
                self._partitions[p],
                partition=PartitionPosition(offset=done.restart, mark=self._topic.mark),
                bytes_in=self._sizes[p],
                done=done.ranges(),
                begun=self._begun[p],
            )
        self.notices.expired = self._expired_before + self._expired()
        if touched:
            numbers = {s: self._next_words.get(s, 0) for s in self._ordering.streams()}
            changed[ORDER_KEY] = OrderPosition(
                name=self._topic.name,
                next_words=numbers,
                notices=replace(self.notices),
                first_stream=self._first_stream,
                unnumbered=self._unnumbered.snapshot(),
            )
        return changed


def _partition(
    topic: TopicIdentity, partition: int, saved: Position | None, restart: int
) -> TopicPosition:
    if isinstance(saved, TopicPosition):
        return saved
    begin = PartitionPosition(offset=restart, mark=0)
    return TopicPosition(name=f"{topic.name}[{partition}]", partition=begin)
