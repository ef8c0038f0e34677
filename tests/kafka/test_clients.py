"""What the readers and writers of a topic promise to whoever comes after them."""

from confluent_kafka import Consumer, TopicPartition

from helpers.command import until
from helpers.kafka_topics import Topic, make_topic, send
from muonscope.transports.base import Published
from muonscope.transports.kafka.claim import Claim
from muonscope.transports.kafka.consumer import Begin
from muonscope.transports.kafka.opening import RESULT_PARTITIONS, open_bounded, open_ledger
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl


def test_what_was_committed_can_be_read_once_the_ledger_is_closed(topic: Topic) -> None:
    url = KafkaUrl.parse(topic.results)
    reader = Consumer(
        {
            "bootstrap.servers": topic.servers, "group.id": "tests",
            "isolation.level": "read_committed",
        }
    )  # fmt: skip
    ledger = open_ledger(url, KafkaOptions(), identity="tests", claim=Claim())
    for number in range(100):  # one in ten cannot be read at once
        ledger.publish([Published(f"window {number}", b"{}")])
        ledger.commit(None)
        ledger.close()
        places = [TopicPartition(url.topic, p) for p in range(RESULT_PARTITIONS)]
        ends = [reader.get_watermark_offsets(place, timeout=20)[1] for place in places]
        assert sum(ends) == 2 * (number + 1)  # each message, and the mark of its transaction
    reader.close()


def test_messages_without_a_value_are_counted_over_all_fetches(topic: Topic) -> None:
    make_topic(topic.servers, topic.name)
    send(topic.servers, topic.name, [None, b"x", None])
    with_more = open_bounded(KafkaUrl.parse(topic.stream), KafkaOptions(), Begin(group="tests"))
    until(lambda: bool(with_more.fetch()) and with_more.nulls == 2, "the first messages")
    send(topic.servers, topic.name, [b"y"])
    until(lambda: bool(with_more.fetch()), "the next message")
    assert with_more.nulls == 2
    with_more.close()
