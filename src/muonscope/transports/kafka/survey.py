"""Topics seen from outside: what they hold, how much, how new, and who lags behind.

Nothing is taken, committed or made. Of each partition only the newest committed messages
are read: one offset back, further where that is a mark of a transaction, and never more
than a few megabytes beyond what one message needs.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its __init__ imports them
    AdminClient,
    OffsetSpec,
)

from muonscope.errors import MuonscopeError, SourceNotFoundError
from muonscope.transports.kafka.clients import failure, made, passes, topics_at
from muonscope.transports.kafka.contents import Content, Kind, LastWindow, content_of
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl

__all__ = ["GroupLag", "Survey", "TopicView", "survey"]

_TIMEOUT_S = 10.0
_POLL_S = 0.1
_BACK = (1, 2, 16, 128, 1024)
"""How many offsets from the end to look at, until messages are found."""
_MOST_BYTES = 4 << 20
"""Bytes of a partition after which no further message of it is looked at."""
_AT_ONCE = 128
"""Partitions that are read together."""

_Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLag:
    """How far a consumer group is behind."""

    group: str
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicView:
    """A topic as it is seen from outside."""

    name: str
    holds: tuple[Kind, ...]
    """What the newest messages are, each kind once; none where there are none."""
    partitions: int
    messages: int
    """Offsets that are there; marks of transactions have some, compacted ones are counted."""
    newest_ms: int | None = None
    """When the newest message was sent, ms since 1970; None if it does not say."""
    newest_ns: int | None = None
    """Detector time of the newest block, ns from orbit 0, where that is all that is known."""
    last_window: LastWindow | None = None
    """Of results: the last window of the run that published last."""
    lags: tuple[GroupLag, ...] = ()
    """Of the groups that have committed offsets on it, the furthest behind first."""
    trouble: str = ""
    """Why it could not be looked at in whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All topics of some brokers, by name."""

    servers: str
    topics: tuple[TopicView, ...]
    notes: tuple[str, ...] = ()
    """What could not be found out."""


def survey(url: KafkaUrl, options: KafkaOptions) -> Survey:
    """Look at all topics of the brokers of ``url``, or at the one it names.

    Raises
    ------
    SourceError
        If no broker answers, one refuses, or there is no such topic.
    """
    topics_at(url, options)  # waits for the brokers
    return _Look(url, options).survey()


@dataclass(slots=True)
class _Tail:
    """The end of a partition, as far as it was read."""

    low: int
    high: int
    begin: int = 0
    """From here on to the end it was read."""
    end: int = 0
    """Where the present reading ends."""
    bytes: int = 0
    newest: tuple[int, int, Content] | None = None
    """Offset, Kafka's time (ms, negative for none), content."""
    window: tuple[int, int, LastWindow] | None = None
    """The same of the newest message that is of a window."""
    trouble: str = ""

    @property
    def wanting(self) -> bool:
        """Whether an earlier message may tell more."""
        told = self.newest is not None and (
            self.newest[2].kind is not Kind.RESULTS or self.window is not None
        )
        possible = self.begin > self.low and self.bytes < _MOST_BYTES and not self.trouble
        return possible and not told

    def take(self, message: Message) -> bool:
        """Look at a message; return whether it is the last one to look at for now."""
        offset, value = message.offset() or 0, message.value()
        if offset >= self.end:
            return True
        self.bytes += len(value or b"")
        content = content_of(value, _headers(message))
        kind, time_ms = message.timestamp()
        seen = (offset, time_ms if kind else -1)
        if self.newest is None or offset > self.newest[0]:
            self.newest = (*seen, content)
        if content.window and (self.window is None or offset > self.window[0]):
            self.window = (*seen, content.window)
        return offset + 1 >= self.end or self.bytes >= _MOST_BYTES


class _Look:
    """One look at the topics."""

    def __init__(self, url: KafkaUrl, options: KafkaOptions) -> None:
        self._url, self._settings = url, options.settings
        self._admin = made(AdminClient, self._settings.with_ours(bootstrap_servers=url.servers))
        self._notes: list[str] = []

    def survey(self) -> Survey:
        partitions = self._partitions()
        tails = self._tails(partitions)
        self._read(tails)
        lags = self._lags(tails)
        views = [
            _view(name, {p: tails[name, p] for p in some}, lags.get(name, {}))
            for name, some in sorted(partitions.items())
        ]
        return Survey(servers=self._url.servers, topics=tuple(views), notes=tuple(self._notes))

    def _partitions(self) -> dict[str, list[int]]:
        """Return the partitions of each topic that is to be looked at."""
        found = self._called(lambda: self._admin.list_topics(timeout=_TIMEOUT_S), "topics")
        names = {name for name in found.topics if not name.startswith("__")}
        if self._url.topic:
            if self._url.topic not in found.topics:
                there = ", ".join(sorted(names)) or "none"
                raise SourceNotFoundError(f"{self._url}: no such topic; there are: {there}")
            names = {self._url.topic}
        return {name: sorted(found.topics[name].partitions) for name in names}

    def _tails(self, partitions: Mapping[str, Iterable[int]]) -> dict[_Place, _Tail]:
        """Return where each partition begins and ends."""
        places = [(name, p) for name, some in partitions.items() for p in some]
        earliest: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        lows, highs = self._offsets(places, earliest), self._offsets(places, latest)
        tails = {}
        for place in places:
            low, high = lows[place], highs[place]
            if isinstance(low, int) and isinstance(high, int):
                tails[place] = _Tail(low, high, high)
            else:
                tails[place] = _Tail(0, 0, trouble=next(str(x) for x in (low, high) if x))
        return tails

    def _offsets(self, places: Iterable[_Place], spec: Any) -> dict[_Place, int | str]:
        """Return an offset of each partition, or what is wrong with it.

        What passes by itself, as where a topic was made a moment ago, is asked again.
        """
        result: dict[_Place, int | str] = {}
        left, end = list(places), time.monotonic() + _TIMEOUT_S
        while left:
            asked, left = {TopicPartition(*place): spec for place in left}, []
            for found, future in self._asked(asked).items():
                place = (found.topic, found.partition)
                try:
                    result[place] = int(future.result().offset)
                except KafkaException as exc:
                    result[place] = exc.args[0].str()
                    if passes(exc.args[0]) and time.monotonic() < end:
                        left.append(place)
            if left:
                time.sleep(_POLL_S)
        return result

    def _asked(self, asked: Mapping[TopicPartition, Any]) -> Any:
        """Ask for offsets; return a future for each."""
        return self._called(
            lambda: self._admin.list_offsets(
                dict(asked), isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=_TIMEOUT_S,
            ),
            "offsets",
        )  # fmt: skip

    def _read(self, tails: Mapping[_Place, _Tail]) -> None:
        """Look at the newest messages."""
        consumer: Consumer = made(
            Consumer,
            self._settings.with_ours(
                bootstrap_servers=self._url.servers, group_id="muonscope-topics",
                enable_auto_commit=False, enable_auto_offset_store=False,
                auto_offset_reset="earliest", isolation_level="read_committed",
                enable_partition_eof=True, fetch_message_max_bytes=1 << 20,
                queued_max_messages_kbytes=1 << 14, fetch_queue_backoff_ms=10, fetch_wait_max_ms=50,
            ),
        )  # fmt: skip
        try:
            for back in _BACK:
                wanting = [place for place, tail in tails.items() if tail.wanting]
                for at in range(0, len(wanting), _AT_ONCE):
                    some = wanting[at : at + _AT_ONCE]
                    self._read_back(consumer, {place: tails[place] for place in some}, back)
        except KafkaException as exc:
            raise failure(exc.args[0], self._url.servers) from exc
        finally:
            consumer.close()

    def _read_back(self, consumer: Consumer, tails: Mapping[_Place, _Tail], back: int) -> None:
        """Look at what lies between ``back`` offsets from the end and what was seen before."""
        for tail in tails.values():
            tail.begin, tail.end = max(tail.low, tail.high - back), tail.begin
        places = [TopicPartition(*place, tail.begin) for place, tail in tails.items()]
        consumer.assign(places)
        open_places, end = set(tails), time.monotonic() + _TIMEOUT_S
        while open_places and time.monotonic() < end:
            message = consumer.poll(_POLL_S)
            if message is None or message.topic() is None:
                continue
            place = (str(message.topic()), message.partition() or 0)
            if place not in open_places:
                continue
            error = message.error()
            done = tails[place].take(message) if error is None else _ends(error, tails[place])
            if done:
                open_places.remove(place)
                consumer.incremental_unassign([TopicPartition(*place)])
        for place in open_places:
            tails[place].trouble = "no answer in time"

    def _lags(self, tails: Mapping[_Place, _Tail]) -> dict[str, dict[str, int]]:
        """Return how far each group is behind, by topic and group."""
        try:
            listed = self._called(
                lambda: self._admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result(),
                "consumer groups",
            )
        except MuonscopeError as exc:
            self._notes.append(str(exc))
            return {}
        self._notes += [f"consumer groups: {exc.args[0].str()}" for exc in listed.errors]
        futures = {
            group.group_id: self._admin.list_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group.group_id)], request_timeout=_TIMEOUT_S
            )[group.group_id]
            for group in listed.valid
        }
        lags: dict[str, dict[str, int]] = {}
        for group, future in futures.items():
            try:
                places = future.result().topic_partitions
            except KafkaException as exc:
                self._notes.append(f"consumer group {group}: {exc.args[0].str()}")
                continue
            for place in places:
                tail = tails.get((place.topic, place.partition))
                if tail is None or place.error or place.offset < 0:
                    continue
                of_topic = lags.setdefault(place.topic, {})
                behind = max(0, tail.high - max(place.offset, tail.low))
                of_topic[group] = of_topic.get(group, 0) + behind
        return lags

    def _called(self, call: Callable[[], Any], what: str) -> Any:
        try:
            return call()
        except KafkaException as exc:
            raise failure(exc.args[0], f"{self._url.servers}: {what}") from exc


def _ends(error: KafkaError, tail: _Tail) -> bool:
    """Tell whether ``error`` ends the reading of a partition; note what is wrong with it."""
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the name that the client gives it
        return True
    if passes(error):
        return False
    tail.trouble = error.str()
    return True


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    found: Any = message.headers()
    return list(found or [])


def _view(name: str, tails: Mapping[int, _Tail], lags: Mapping[str, int]) -> TopicView:
    newest = [tail.newest for tail in tails.values() if tail.newest]
    contents = [content for _, _, content in newest]
    windows = [(time_ms, w) for _, time_ms, w in (t.window for t in tails.values() if t.window)]
    _, time_ms, content = max(newest, key=lambda n: n[1], default=(0, -1, None))
    newest_ns = None
    if content and content.time_ns is not None and content.time_ns // 1_000_000 == time_ms:
        newest_ns = content.time_ns
    troubles = [f"partition {p}: {tail.trouble}" for p, tail in tails.items() if tail.trouble]
    return TopicView(
        name=name,
        holds=tuple(kind for kind in Kind if any(c.kind is kind for c in contents)),
        partitions=len(tails),
        messages=sum(tail.high - tail.low for tail in tails.values()),
        newest_ms=time_ms if time_ms >= 0 and newest_ns is None else None,
        newest_ns=newest_ns,
        last_window=_last(windows),
        lags=tuple(
            GroupLag(group=group, messages=messages)
            for group, messages in sorted(lags.items(), key=lambda item: (-item[1], item[0]))
        ),
        trouble="; ".join(troubles[:3]) + ("; ..." if len(troubles) > 3 else ""),
    )


def _last(windows: list[tuple[int, LastWindow]]) -> LastWindow | None:
    """Return the last window of the run that published last."""
    if not windows:
        return None
    _, newest = max(windows, key=lambda item: item[0])
    mine = [window for _, window in windows if window.run == newest.run]
    return max(mine, key=lambda window: (window.epoch, window.window))
