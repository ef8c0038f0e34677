"""Kafka topics by URL, made where they are missing: for reading, for sending, for results."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from muonscope.errors import SourceLostError, SourceNotFoundError
from muonscope.events import Event, EventKind
from muonscope.transports.kafka.claim import Claim
from muonscope.transports.kafka.clients import Topics, topics_at
from muonscope.transports.kafka.consumer import Begin, BoundedReader, TopicProbe, TopicReader
from muonscope.transports.kafka.ledger import KafkaLedger, LedgerTopics
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl

__all__ = [
    "beside", "make_stream_topic", "open_bounded", "open_ledger", "open_topic", "probe_topic",
]  # fmt: skip

_T = TypeVar("_T")
_Reader = TypeVar("_Reader", bound=TopicReader)

_PAUSE_S = 0.5

STREAM_PARTITIONS, RESULT_PARTITIONS = 12, 4
"""Partitions of topics that are made, as in the original pipeline."""

_STREAM = {"retention.ms": "-1", "retention.bytes": str(8 << 30), "max.message.bytes": "8388608"}
"""Blocks bear detector time, which no clock on the wall may let expire."""
_RESULTS = {"max.message.bytes": "8388608"}
_REJECTS = {"max.message.bytes": "8388608"}
_STATE = {
    "cleanup.policy": "compact", "max.message.bytes": "8388608", "segment.ms": "600000",
    "segment.bytes": str(64 << 20), "min.cleanable.dirty.ratio": "0.1",
}  # fmt: skip


def beside(topic: str, kind: str) -> str:
    """Return the name of the topic of ``kind`` that goes with the results in ``topic``.

    Examples
    --------
    >>> beside("topic_results", "rejects"), beside("site_a", "state")
    ('topic_rejects', 'site_a_state')
    """
    return topic.replace("results", kind) if "results" in topic else f"{topic}_{kind}"


def make_stream_topic(url: KafkaUrl, options: KafkaOptions) -> tuple[int, bool]:
    """Make the topic of words if it is missing.

    Return its partitions, and whether it keeps messages however old they say they are.
    """

    def made(topics: Topics) -> tuple[int, bool]:
        _make(topics, url.topic, options, STREAM_PARTITIONS, _STREAM)
        config = topics.config(url.topic)
        lasting = config.get("retention.ms") == "-1" or config.get("cleanup.policy") == "compact"
        found = topics.found(url.topic)
        return found.partitions if found else 0, lasting

    return _patiently(url, options, made)


def open_topic(url: KafkaUrl, options: KafkaOptions, begin: Begin) -> TopicReader:
    """Open a topic of words, to be read for ever; one that is missing is created.

    Raises
    ------
    SourceError
        If it cannot be read.
    StateError
        If it is another topic than the one that is known.
    """
    return _opened(url, options, begin, TopicReader)


def probe_topic(url: KafkaUrl, options: KafkaOptions, begin: Begin) -> TopicProbe:
    """Open a topic of words to tell how far it reaches, as :func:`open_topic`."""
    return _opened(url, options, begin, TopicProbe)


def open_bounded(url: KafkaUrl, options: KafkaOptions, begin: Begin) -> BoundedReader:
    """Open a topic to read what it holds now.

    Raises
    ------
    SourceError
        If it cannot be read, or is not there.
    """
    return _opened(url, options, begin, BoundedReader)


def _opened(url: KafkaUrl, options: KafkaOptions, begin: Begin, kind: type[_Reader]) -> _Reader:
    def opened(topics: Topics) -> _Reader:
        if not issubclass(kind, BoundedReader):
            _make(topics, url.topic, options, STREAM_PARTITIONS, _STREAM)
        found = topics.found(url.topic)
        if found is None:
            names = ", ".join(topics.names()) or "none"
            raise SourceNotFoundError(f"{url}: no such topic; there are: {names}")
        named = replace(begin, group=url.group or begin.group)
        return kind(url, options.settings, topics, found, named)

    return _patiently(url, options, opened)


def open_ledger(
    url: KafkaUrl, options: KafkaOptions, *, identity: str, claim: Claim, source: str = ""
) -> KafkaLedger:
    """Open the topic of results, and those of rejects and state beside it.

    ``claim`` is that of this process to ``identity``; ``source`` is the topic that the words
    come from, if they do.
    """
    names = LedgerTopics(beside(url.topic, "rejects"), beside(url.topic, "state"), source)

    def opened(topics: Topics) -> KafkaLedger:
        _make(topics, url.topic, options, RESULT_PARTITIONS, _RESULTS)
        for topic, config in ((names.rejects, _REJECTS), (names.state, _STATE)):
            topics.ensure(
                topic, partitions=None, default_partitions=1, replication=options.replication,
                config=config,
            )  # fmt: skip
        return KafkaLedger(url, options.settings, identity=identity, topics=names, claim=claim)

    return _patiently(url, options, opened)


def _patiently(url: KafkaUrl, options: KafkaOptions, opened: Callable[[Topics], _T]) -> _T:
    """Return what ``opened`` makes of the topics, made again if their brokers went meanwhile."""
    while True:
        topics = topics_at(url, options)
        try:
            return opened(topics)
        except SourceLostError as exc:
            if not options.patient:
                raise
            options.tell(Event(kind=EventKind.TRYING_AGAIN, detail=str(exc)))
            options.wait(_PAUSE_S)


def _make(
    topics: Topics, topic: str, options: KafkaOptions, partitions: int, config: Mapping[str, str]
) -> None:
    made = topics.ensure(
        topic, partitions=options.partitions, default_partitions=partitions,
        replication=options.replication, config=config,
    )  # fmt: skip
    if made:
        number = options.partitions or partitions
        options.tell(
            Event(kind=EventKind.TOPIC_CREATED, where=topic, numbers={"partitions": number})
        )
