"""The messages of a topic, by partition, from positions that the caller keeps.

All partitions are assigned to this one reader: exact windows need every word. There is
no group management, and so nothing to rebalance; the group only bears the positions that
tools show as lag.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from muonscope.errors import SourceDeniedError, SourceError, SourceLostError, StateError
from muonscope.stream.messages import Messages
from muonscope.stream.numbering import HEADER_NAME
from muonscope.stream.ordering import Front
from muonscope.transports.base import PartitionPosition
from muonscope.transports.kafka.clients import (
    FoundTopic,
    Topics,
    failure,
    made,
    passes,
    watermarks,
)
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl

__all__ = ["Begin", "BoundedReader", "Gap", "TopicProbe", "TopicReader"]

_QUERY_S = 10.0
_POLL_S = 0.02
_BYTES = 4 << 20
_FEWEST, _MOST = 64, 20_000
_REFRESH_POLLS = 500


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages of a partition that are there no more."""

    partition: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Where a reader begins, and in whose name."""

    group: str
    """Consumer group that bears the positions which tools show."""
    known: Mapping[int, PartitionPosition] = field(default_factory=dict)
    """Where partitions were read to before; the others begin as the URL says."""
    remedy: str = ""
    """How people start anew where the topic is not the one that is known."""


class TopicReader:
    """Reads all partitions of a topic, and goes on for ever."""

    def __init__(
        self,
        url: KafkaUrl,
        settings: KafkaSettings,
        topics: Topics,
        found: FoundTopic,
        begin: Begin,
    ) -> None:
        """Begin where the partitions are known to have been read to, or as the URL says.

        Raises
        ------
        SourceError
            If the brokers refuse, or do not tell where partitions begin.
        StateError
            If it is another topic than the one that is known.
        """
        self.url, self.partitions, self.mark = url, found.partitions, found.mark
        self.name = str(url)
        self.gaps: list[Gap] = []
        """What was gone by the time it should have been read."""
        self.nulls = 0
        """Messages that came without a value."""
        self.trouble = ""
        """What hinders the client at present; empty when all is well."""
        self._topics, self._remedy = topics, begin.remedy
        self._consumer: Consumer = made(
            Consumer,
            settings.with_ours(
                bootstrap_servers=url.servers, group_id=begin.group, enable_auto_commit=False,
                enable_auto_offset_store=False, auto_offset_reset="error",
                isolation_level="read_committed", enable_partition_eof=True,
                fetch_wait_max_ms=50, queued_max_messages_kbytes=65536,
                fetch_queue_backoff_ms=5, error_cb=self._note,
            ),
        )  # fmt: skip
        self._low: dict[int, int] = {}
        self._high: dict[int, int] = {}
        self._reached: dict[int, int] = {}
        self._eof: dict[int, int] = {}
        self._held: set[int] = set()
        self._size, self._polls = 1 << 14, 0
        self._begin(begin.known)

    def fetch(self) -> list[Messages]:
        """Return what has come, a few hundredths of a second at most; each partition in order.

        Raises
        ------
        SourceError
            If reading is refused; SourceLostError if the topic is gone, was made anew, or has
            more partitions.
        """
        most = max(_FEWEST, min(_MOST, _BYTES // self._size))
        got = self._consumer.consume(most, _POLL_S)
        self._polls += 1
        by_partition: dict[int, list[Message]] = {}
        for message in got:
            error = message.error()
            if error is not None:
                self._take_error(message, error)
                continue
            by_partition.setdefault(_int(message.partition()), []).append(message)
        if by_partition:
            self.trouble = ""
        if self._polls % _REFRESH_POLLS == 0:
            self._look_again()
        return [self._columns(partition, some) for partition, some in by_partition.items()]

    def front(self) -> Front:
        """Return how far each partition was read, and how far it reaches."""
        ends = {}
        for partition, reached in self._reached.items():
            if self._at_end(partition):
                ends[partition] = reached
                continue
            _, high = self._consumer.get_watermark_offsets(self._place(partition), cached=True)
            self._high[partition] = max(self._high[partition], high)
            ends[partition] = max(self._high[partition], reached + 1)
        cut = self.url.start == "latest" or any(low > 0 for low in self._low.values())
        return Front(self._reached, ends, cut)

    def ended(self) -> bool:
        """Tell whether nothing more is to be read: never."""
        return False

    def expired(self) -> int:
        """Return how many messages were gone by the time they should have been read."""
        return sum(gap.end - gap.begin for gap in self.gaps)

    def lag(self) -> int:
        """Return the messages that are there and not read yet."""
        return self.front().behind()

    def hold(self, partitions: Iterable[int]) -> None:
        """Read nothing from ``partitions`` until they are left out of a later call."""
        wanted = set(partitions)
        if wanted != self._held:
            self._consumer.pause([self._place(p) for p in wanted - self._held])
            self._consumer.resume([self._place(p) for p in self._held - wanted])
            self._held = wanted

    def show_positions(self, positions: Mapping[int, int]) -> None:
        """Let the group bear ``positions``, for tools that show lag; nothing depends on it."""
        places = [TopicPartition(self.url.topic, p, at) for p, at in positions.items()]
        with contextlib.suppress(KafkaException):
            self._consumer.commit(offsets=places, asynchronous=True)

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _begin(self, known: Mapping[int, PartitionPosition]) -> None:
        places = [self._place(p) for p in range(self.partitions)]
        with contextlib.ExitStack() as stack, self._told():
            stack.callback(self._consumer.close)
            committed = {}
            if self.url.start == "committed" and len(known) < self.partitions:
                committed = {
                    p.partition: p.offset for p in self._consumer.committed(places, _QUERY_S)
                }
            for place in places:
                self._begin_at(place, known, committed)
            self._consumer.assign(places)
            stack.pop_all()

    def _begin_at(
        self,
        place: TopicPartition,
        known: Mapping[int, PartitionPosition],
        committed: Mapping[int, int],
    ) -> None:
        partition = place.partition
        low, high = watermarks(self._consumer, place)
        before = known.get(partition)
        if before and self._is_other(before.mark):
            raise StateError(
                f"{self.name}: the topic was made anew; the saved state is of the one before it;"
                f" {self._remedy}"
            )
        wanted = before.offset if before else committed.get(partition, -1)
        if wanted < 0:  # a partition that was added since has nothing that was to be left out
            wanted = high if self.url.start == "latest" and not known else low
        place.offset = self._possible(partition, wanted, low, high)
        self._low[partition], self._high[partition] = low, high
        self._reached[partition] = place.offset
        if place.offset >= high:
            self._eof[partition] = place.offset

    def _possible(self, partition: int, wanted: int, low: int, high: int) -> int:
        """Return where to read instead of ``wanted``; note what is gone."""
        if wanted > high:
            raise StateError(
                f"{self.name}: the topic was made anew: partition {partition} ends at offset"
                f" {high}, but the saved state is at {wanted}; {self._remedy}"
            )
        if wanted < low:
            self.gaps.append(Gap(partition, wanted, low))
        return max(wanted, low)

    def _take_error(self, message: Message, error: KafkaError) -> None:
        code, partition = error.code(), _int(message.partition())
        if code == KafkaError._PARTITION_EOF:  # noqa: SLF001
            self._reached[partition] = max(self._reached[partition], _int(message.offset()))
            self._eof[partition] = self._reached[partition]
        elif code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            self._jump_over_gap(partition)
        elif passes(error):
            self.trouble = error.str()
        else:
            raise failure(error, self.name)

    def _jump_over_gap(self, partition: int) -> None:
        """Go on where a partition begins now: what should have been read was deleted."""
        place = self._place(partition)
        with self._told():
            low, high = watermarks(self._consumer, place)
            reached = self._reached[partition]
            if reached > high:
                raise SourceLostError(
                    f"{self.name}: partition {partition} ends at offset {high}, but was read up"
                    f" to {reached}: the topic was made anew"
                )
            place.offset = self._possible(partition, reached, low, high)
            self._consumer.seek(place)
        self._low[partition], self._reached[partition] = low, place.offset

    def _look_again(self, read: int = 0) -> None:
        """Look whether the topic is what it was; another reader may have ``read`` partitions."""
        self._check_partitions(read)
        try:
            found = self._topics.found(self.url.topic)
        except SourceDeniedError:
            raise
        except SourceError as exc:
            self.trouble = str(exc)
            return
        self.trouble = ""
        if found is None:
            raise SourceLostError(f"{self.name}: the topic was deleted")
        if self._is_other(found.mark):
            raise SourceLostError(f"{self.name}: the topic was made anew")
        self._check_partitions(found.partitions)

    def _check_partitions(self, there: int) -> None:
        if there > self.partitions:
            raise SourceLostError(
                f"{self.name}: has {there} partitions now, {self.partitions} before;"
                " the same command goes on with all of them"
            )

    def _is_other(self, mark: int) -> bool:
        """Tell whether ``mark`` is that of another topic; some brokers do not tell it."""
        return 0 not in {mark, self.mark} and mark != self.mark

    def _columns(self, partition: int, messages: list[Message]) -> Messages:
        found = [message.value() for message in messages]
        self.nulls += found.count(None)
        values = [value or b"" for value in found]
        self._size = max(1, sum(map(len, values)) // len(values))
        offsets = cast("list[int]", [message.offset() for message in messages])
        self._reached[partition] = max(self._reached[partition], offsets[-1] + 1)
        headers = [_number_header(some) for some in [message.headers() for message in messages]]
        return Messages(
            partition=partition,
            offsets=offsets,
            values=values,
            headers=headers,
            times_ms=[  # which order only messages without a number
                0 if header is not None else message.timestamp()[1]
                for header, message in zip(headers, messages, strict=True)
            ],
        )

    def _at_end(self, partition: int) -> bool:
        """Tell whether a partition was read to its end, as far as is known."""
        return self._reached[partition] == self._eof.get(partition)

    def _place(self, partition: int) -> TopicPartition:
        return TopicPartition(self.url.topic, partition)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raise what goes wrong as muonscope's own error."""
        try:
            yield
        except KafkaException as exc:
            raise failure(exc.args[0], self.name) from exc

    def _note(self, error: KafkaError) -> None:
        self.trouble = error.str()


class BoundedReader(TopicReader):
    """Reads what a topic holds now, and no more."""

    def ended(self) -> bool:
        """Tell whether all was read that was there at the beginning."""
        return all(
            self._at_end(partition) or reached >= self._high[partition]
            for partition, reached in self._reached.items()
        )


class TopicProbe(TopicReader):
    """Reads nothing; tells how far a topic reaches, for another that reads it."""

    def _begin(self, known: Mapping[int, PartitionPosition]) -> None:
        super()._begin(known)
        self.hold(range(self.partitions))

    def look(self, reached: Mapping[int, int]) -> Front:
        """Return the front of another reader, that has ``reached`` so far, as it is now.

        Raises
        ------
        SourceError
            As ``fetch``.
        """
        self._look_again(read=len(reached))
        for partition, at in reached.items():
            self._reached[partition] = max(self._reached[partition], at)
            try:
                _, high = self._consumer.get_watermark_offsets(self._place(partition), _QUERY_S)
            except KafkaException as exc:
                if not passes(exc.args[0]):
                    raise failure(exc.args[0], self.name) from exc
                continue
            self._high[partition] = high
            if self._reached[partition] >= high:
                self._eof[partition] = self._reached[partition]
        return self.front()


def _int(value: int | None) -> int:
    """Return a number that a message from a broker always has."""
    assert value is not None
    return value


def _number_header(headers: Any) -> bytes | None:
    """Return the record header that numbers a message, if it has one."""
    if not headers:
        return None
    name, value = headers[0]
    if name != HEADER_NAME:
        value = dict(headers).get(HEADER_NAME)
    return value  # type: ignore[no-any-return]
