"""Asking brokers: what passes by itself is waited for, what does not is told."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from muonscope.errors import MuonscopeError, SinkError, SourceLostError
from muonscope.transports.kafka import clients
from muonscope.transports.kafka.clients import Topics, watermarks
from muonscope.transports.kafka.settings import KafkaSettings

PLACE = TopicPartition("words", 0)


class Starting:
    """A consumer whose broker fails a number of times before it answers."""

    def __init__(self, code: int, times: int) -> None:
        self.code, self.left = code, times

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        assert timeout > 0
        if self.left:
            self.left -= 1
            raise KafkaException(KafkaError(self.code))
        return 3, 8


def starting(code: int, times: int) -> Any:
    """Return such a consumer."""
    return Starting(code, times)


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._TRANSPORT,
        KafkaError._NODE_UPDATE, KafkaError._UNKNOWN_BROKER, KafkaError._DESTROY_BROKER,
    ],
)  # fmt: skip
def test_a_broker_that_has_just_started_is_asked_again(code: int) -> None:
    assert watermarks(starting(code, 3), PLACE) == (3, 8)


def test_a_topic_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_TIMEOUT_S", 0.3)
    with pytest.raises(KafkaException):
        watermarks(starting(KafkaError._UNKNOWN_PARTITION, 10**6), PLACE)


def test_a_refusal_is_told_at_once() -> None:
    refusing = starting(KafkaError.TOPIC_AUTHORIZATION_FAILED, 2)
    with pytest.raises(KafkaException):
        watermarks(refusing, PLACE)
    assert refusing.left == 1


class Refusing:
    """An admin client whose brokers have no topic, and make none."""

    def __init__(self, code: int) -> None:
        self.code = code

    def describe_topics(self, _topics: object, **_: object) -> dict[str, Future[Any]]:
        return {"words": self._failing(KafkaError.UNKNOWN_TOPIC_OR_PART)}

    def create_topics(self, _topics: object, **_: object) -> dict[str, Future[Any]]:
        return {"words": self._failing(self.code)}

    @staticmethod
    def _failing(code: int) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(KafkaException(KafkaError(code)))
        return future


@pytest.mark.parametrize(
    ("code", "replication", "kind"),
    [
        (KafkaError.INVALID_REPLICATION_FACTOR, 1, SourceLostError),
        (KafkaError.INVALID_REPLICATION_FACTOR, 3, SinkError),
        (KafkaError._TIMED_OUT, 1, SourceLostError),
        (KafkaError.POLICY_VIOLATION, 1, SinkError),
    ],
)
def test_a_topic_that_cannot_be_made_is_lost_only_if_that_passes(
    monkeypatch: pytest.MonkeyPatch, code: int, replication: int, kind: type[MuonscopeError]
) -> None:
    monkeypatch.setattr(clients, "made", lambda *_: Refusing(code))
    topics = Topics("h:1", KafkaSettings())
    with pytest.raises(kind, match="topic words: cannot be made"):
        topics.ensure(
            "words", partitions=None, default_partitions=1, replication=replication, config={}
        )
