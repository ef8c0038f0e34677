"""Common parts of all Kafka clients: waiting for brokers, errors as muonscope's own, topics."""

import logging
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its __init__ imports them
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from muonscope.errors import (
    MuonscopeError,
    OptionError,
    SinkError,
    SourceDeniedError,
    SourceError,
    SourceLostError,
)
from muonscope.events import Event, EventKind
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl

__all__ = [
    "FoundTopic",
    "Topics",
    "await_readable",
    "failure",
    "made",
    "passes",
    "topics_at",
    "watermarks",
]

_TIMEOUT_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_AGAIN_S = 0.1
_LOOK_S = 0.005

_PASSING = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 the names that the client gives them
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._NODE_UPDATE,  # noqa: SLF001
        KafkaError._WAIT_CACHE,  # noqa: SLF001
        KafkaError._WAIT_COORD,  # noqa: SLF001
        KafkaError._TIMED_OUT_QUEUE,  # noqa: SLF001
        KafkaError._UNKNOWN_BROKER,  # noqa: SLF001
        KafkaError._DESTROY_BROKER,  # noqa: SLF001
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
    }
)

_DENIED = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError._SSL,  # noqa: SLF001
    }
)
_UNKNOWN = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.TOPIC_EXCEPTION,
    }
)

_LOG = logging.getLogger("muonscope.kafka")
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


def passes(error: KafkaError) -> bool:
    """Tell whether ``error`` passes by itself, so that trying again helps."""
    return bool(error.code() in _PASSING or error.retriable())


def failure(error: KafkaError, what: str, *, writing: bool = False) -> MuonscopeError:
    """Return ``error`` of ``what`` as one of muonscope's own."""
    text = error.str()
    if error.code() in _DENIED:
        return SourceDeniedError(f"{what}: refused: {text}")
    if error.code() in _UNKNOWN:
        return SourceLostError(f"{what}: the topic is not there, or was deleted: {text}")
    if writing:
        return SinkError(f"{what}: {text}")
    return (SourceLostError if passes(error) else SourceError)(f"{what}: {text}")


def made(client: Callable[[dict[str, Any]], Any], configuration: Mapping[str, Any]) -> Any:
    """Return ``client(configuration)``.

    Raises
    ------
    OptionError
        If librdkafka does not know a setting, or refuses its value.
    """
    try:
        return client({"logger": _LOG, **configuration})
    except KafkaException as exc:
        raise OptionError(f"kafka settings: {exc.args[0].str()}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic that is there."""

    partitions: int
    """How many it has."""
    led: bool
    """Whether each of them has a broker that leads it."""
    mark: int
    """CRC-32 of its id, which no other topic has, of the same name neither; 0 where the
    brokers do not tell it (before Kafka 2.8)."""


def watermarks(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """Return the first offset of a partition and the one after its last, asked of its broker.

    What passes by itself is asked again; so is a topic that the broker does not know, for
    it was there a moment ago: a broker that has just started finds its topics little by little.

    Raises
    ------
    KafkaException
        If it does not pass within ten seconds, or is something else.
    """
    end = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
        except KafkaException as exc:
            error = exc.args[0]
            passing = passes(error) or error.code() in _UNKNOWN
            if not passing or time.monotonic() > end:
                raise
            time.sleep(_AGAIN_S)
        else:
            return low, high


def await_readable(
    settings: KafkaSettings, servers: str, last: Mapping[tuple[str, int], int], longest_s: float
) -> None:
    """Wait until readers of committed messages can see the ``last`` offsets of partitions.

    A commit returns once the brokers are bound to it; the partitions get the marks that
    readers wait for a little later: one commit in ten is not to be seen at once. What cannot
    be asked, or takes longer than ``longest_s``, is committed all the same.
    """
    if not last:
        return
    configuration = settings.with_ours(
        bootstrap_servers=servers, group_id="muonscope", isolation_level="read_committed"
    )
    consumer: Consumer = made(Consumer, configuration)
    end = time.monotonic() + longest_s
    with closing(consumer), suppress(KafkaException):
        for (topic, partition), offset in last.items():
            place = TopicPartition(topic, partition)
            while watermarks(consumer, place)[1] <= offset and time.monotonic() < end:
                time.sleep(_LOOK_S)


class Topics:
    """The topics of some brokers: what is there, and what is made where it is missing."""

    def __init__(self, servers: str, settings: KafkaSettings) -> None:
        """Connect lazily."""
        self._servers = servers
        self._trouble = ""
        self._admin = made(
            AdminClient,
            settings.with_ours(bootstrap_servers=servers, error_cb=self._note_error),
        )

    def _note_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 tells nothing of why
            self._trouble = error.str()

    def wait_for_brokers(self, options: KafkaOptions) -> None:
        """Return when a broker answers; say so and try again, ever slower, until one does.

        Raises
        ------
        SourceError
            If none answers and that is not to be waited for.
        SourceDeniedError
            If a broker refuses.
        """
        pause = _FIRST_WAIT_S
        while True:
            try:
                self._admin.list_topics(timeout=3.0 if options.patient else _TIMEOUT_S / 2)
            except KafkaException as exc:
                self._admin.poll(0)  # only this tells of errors
                error = exc.args[0]
                if error.code() in _DENIED or any(t in self._trouble for t in ("SASL", "SSL")):
                    raise SourceDeniedError(f"{self._servers}: {self._trouble or error}") from exc
                why = self._trouble or error.str()
                if not options.patient:
                    raise SourceError(
                        f"{self._servers}: no Kafka broker answers ({why}); start one with:"
                        " make kafka"
                    ) from exc
                options.tell(
                    Event(
                        kind=EventKind.NO_BROKER, where=self._servers, detail=why,
                        numbers={"pause_s": pause},
                    )
                )  # fmt: skip
                options.wait(pause)
                pause = min(2 * pause, _LONGEST_WAIT_S)
            else:
                return

    def found(self, topic: str) -> FoundTopic | None:
        """Return what is known of ``topic``, or None if it is not there.

        Raises
        ------
        SourceError
            If the brokers do not tell.
        """
        asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)
        try:
            told = asked[topic].result()
        except KafkaException as exc:
            if exc.args[0].code() in _UNKNOWN:
                return None
            raise failure(exc.args[0], f"topic {topic}") from exc
        identity = str(told.topic_id).encode()
        return FoundTopic(
            partitions=len(told.partitions),
            led=all(partition.leader is not None for partition in told.partitions),
            mark=zlib.crc32(identity) if told.topic_id.get_most_significant_bits() else 0,
        )

    def names(self) -> list[str]:
        """Return the names of all topics but Kafka's own."""
        found = self._called(lambda: self._admin.list_topics(timeout=_TIMEOUT_S), "topics")
        return sorted(name for name in found.topics if not name.startswith("__"))

    def config(self, topic: str) -> dict[str, str]:
        """Return the settings of ``topic``."""
        resource = ConfigResource(ResourceType.TOPIC, topic)
        futures = self._admin.describe_configs([resource], request_timeout=_TIMEOUT_S)
        entries = self._called(futures[resource].result, topic)
        return {name: entry.value for name, entry in entries.items()}

    def ensure(
        self, topic: str, *, partitions: int | None, default_partitions: int,
        replication: int, config: Mapping[str, str],
    ) -> bool:  # fmt: skip
        """Make ``topic`` if it is missing; return whether it was made.

        Raises
        ------
        SinkError
            If it is there with another number of partitions than was asked for, or cannot
            be made.
        """
        there = self.found(topic)
        if there:
            if partitions is not None and there.partitions != partitions:
                raise SinkError(
                    f"topic {topic}: has {there.partitions} partitions, --partitions asks for"
                    f" {partitions}; it is left as it is: give the number it has, or another topic"
                )
            return False
        new = NewTopic(
            topic, num_partitions=partitions or default_partitions,
            replication_factor=replication, config=dict(config),
        )  # fmt: skip
        try:
            self._admin.create_topics([new], request_timeout=_TIMEOUT_S)[topic].result()
        except KafkaException as exc:
            error, what = exc.args[0], f"topic {topic}: cannot be made"
            uncounted = error.code() == KafkaError.INVALID_REPLICATION_FACTOR
            if uncounted and replication == 1:  # a broker that has just started answers so
                raise SourceLostError(f"{what} yet: {error.str()}") from exc
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise failure(error, what, writing=not passes(error)) from exc
        self._await(topic)
        return True

    def _await(self, topic: str) -> None:
        """Wait until the brokers agree that ``topic`` is there."""
        for _ in range(50):
            with suppress(SourceLostError):  # it has no leader yet
                found = self.found(topic)
                if found and found.led:
                    return
            self._admin.poll(0.1)

    def _called(self, call: Callable[[], Any], what: str) -> Any:
        try:
            return call()
        except KafkaException as exc:
            raise failure(exc.args[0], what) from exc


def topics_at(url: KafkaUrl, options: KafkaOptions) -> Topics:
    """Return the topics of the brokers, once one of them answers.

    Raises
    ------
    SourceError
        If none answers and that is not to be waited for, or one refuses.
    """
    topics = Topics(url.servers, options.settings)
    topics.wait_for_brokers(options)
    return topics
