"""Where reading begins, and whether the topic is the one that was read before; no broker."""

from collections.abc import Callable
from typing import Any

import pytest

from muonscope.errors import SourceLostError, StateError
from muonscope.transports.base import PartitionPosition
from muonscope.transports.kafka import consumer
from muonscope.transports.kafka.clients import FoundTopic, Topics
from muonscope.transports.kafka.consumer import Begin, TopicProbe
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl

LOW, HIGH = 3, 10
Opened = Callable[..., TopicProbe]


def place(offset: int, mark: int = 7) -> PartitionPosition:
    return PartitionPosition(offset=offset, mark=mark)


class Asked:
    """Brokers that tell of a topic what they are told to."""

    def __init__(self) -> None:
        self.partitions, self.mark, self.away = 1, 7, False

    def found(self, _topic: str) -> FoundTopic:
        if self.away:
            raise SourceLostError("timed out")
        return FoundTopic(partitions=self.partitions, led=True, mark=self.mark)


class Silent:
    """A client that gets nothing, and notes where it was to begin."""

    begun: list[int]

    def assign(self, places: list[Any]) -> None:
        self.begun = [place.offset for place in places]

    def committed(self, places: list[Any], _timeout: float) -> list[Any]:
        return places

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return LOW, HIGH

    def pause(self, places: list[Any]) -> None:
        pass

    def resume(self, places: list[Any]) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def asked() -> Asked:
    """What the brokers tell."""
    return Asked()


@pytest.fixture
def opened(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Open the topic, of which some places are known."""
    monkeypatch.setattr(consumer, "made", lambda *_: Silent())
    topics: Any = asked

    def opened(known: dict[int, PartitionPosition] | None = None, query: str = "") -> TopicProbe:
        brokers: Topics = topics
        begin = Begin(group="g", known=known or {}, remedy="start anew")
        url = KafkaUrl.parse(f"kafka://h:1/words{query}")
        return TopicProbe(url, KafkaSettings(), brokers, asked.found("words"), begin)

    return opened


def begun(source: TopicProbe) -> list[int]:
    """Return the offsets that the client was to begin at."""
    client: Any = source._consumer
    offsets: list[int] = client.begun
    return offsets


@pytest.mark.parametrize(("query", "first"), [("", LOW), ("?start=latest", HIGH)])
def test_a_partition_that_was_added_is_read_from_its_beginning(
    opened: Opened, asked: Asked, query: str, first: int
) -> None:
    asked.partitions = 2
    assert begun(opened(query=query)) == [first, first]
    assert begun(opened({0: place(5)}, query)) == [5, LOW]


@pytest.mark.parametrize(("known", "now"), [(7, 7), (0, 7), (7, 0), (0, 0)])
def test_a_topic_that_may_be_the_one_before_is_gone_on_with(
    opened: Opened, asked: Asked, known: int, now: int
) -> None:
    asked.mark = now
    source = opened({0: place(5, known)})
    assert begun(source) == [5]
    asked.mark = known
    assert source.look({0: 6}).reached == {0: 6}


@pytest.mark.parametrize("known", [place(5, 8), place(HIGH + 1)])
def test_a_topic_that_was_made_anew_is_refused_with_the_way_out(
    opened: Opened, known: PartitionPosition
) -> None:
    with pytest.raises(StateError, match=r"made anew.*; start anew$"):
        opened({0: known})


def test_a_topic_that_is_made_anew_meanwhile_ends_the_reading(opened: Opened, asked: Asked) -> None:
    source = opened()
    asked.mark = 8
    with pytest.raises(SourceLostError, match="was made anew"):
        source.look({0: 5})


@pytest.mark.parametrize("away", [False, True])
def test_partitions_that_another_reader_has_seen_end_the_reading(
    opened: Opened, asked: Asked, *, away: bool
) -> None:
    source = opened()
    asked.away = away
    with pytest.raises(SourceLostError, match="has 2 partitions now, 1 before"):
        source.look({0: 5, 1: 3})


def test_brokers_that_do_not_tell_are_waited_for_and_their_trouble_ends(
    opened: Opened, asked: Asked
) -> None:
    source = opened()
    asked.away = True
    assert source.look({0: 5}).reached == {0: 5}
    assert source.trouble == "timed out"
    asked.away = False
    source.look({0: 6})
    assert source.trouble == ""


class Sent:
    """A message of a partition."""

    def __init__(self, offset: int, value: bytes | None) -> None:
        self._offset, self._value = offset, value

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000


def test_messages_without_a_value_are_counted_and_given_as_empty(opened: Opened) -> None:
    probe = opened()
    messages: Any = [Sent(3, b"a"), Sent(4, None), Sent(5, b""), Sent(6, None)]
    assert probe._columns(0, messages).values == [b"a", b"", b"", b""]
    assert probe.nulls == 2
