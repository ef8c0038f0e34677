"""Topics as tests use them: names, and what a reader of committed messages sees."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its __init__ imports them
    AdminClient,
    NewPartitions,
    NewTopic,
)

from helpers.patience import patience

__all__ = [
    "Topic",
    "add_partitions",
    "delete_before",
    "delete_topic",
    "make_topic",
    "read_topic",
    "send",
]

_NUMBERS = itertools.count()


def read_topic(servers: str, topic: str, *, committed: bool = True) -> list[Message]:
    """Return all messages of a topic, by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers, "group.id": "tests", "enable.auto.commit": False,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.partition.eof": True, "auto.offset.reset": "earliest",
        }
    )  # fmt: skip
    found = consumer.list_topics(topic, timeout=patience(20.0)).topics[topic]
    left = set(found.partitions)
    consumer.assign([TopicPartition(topic, p, 0) for p in left])
    messages: list[Message] = []
    while left:
        message = consumer.poll(patience(20.0))
        assert message is not None, f"{topic} cannot be read to its end"
        error = message.error()
        if error is None:
            messages.append(message)
        else:
            assert error.code() == KafkaError._PARTITION_EOF, error
            left.discard(message.partition() or 0)
    consumer.close()
    return messages


def make_topic(servers: str, topic: str, partitions: int = 1, **config: str) -> None:
    """Make a topic."""
    admin = AdminClient({"bootstrap.servers": servers})
    named = {name.replace("_", "."): value for name, value in config.items()}
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=named)
    admin.create_topics([new])[topic].result(patience(20.0))


def add_partitions(servers: str, topic: str, partitions: int) -> None:
    """Let a topic have ``partitions``, more than before."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(patience(20.0))


def delete_topic(servers: str, topic: str) -> None:
    """Delete a topic."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.delete_topics([topic])[topic].result(patience(20.0))


def delete_before(servers: str, topic: str, offset: int) -> None:
    """Delete the messages of partition 0 below ``offset``, as retention does."""
    admin = AdminClient({"bootstrap.servers": servers})
    place = TopicPartition(topic, 0, offset)
    admin.delete_records([place])[place].result(patience(20.0))


def send(
    servers: str, topic: str, values: list[bytes | None], partition: int = -1, **options: Any
) -> None:
    """Send messages."""
    producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    for value in values:
        producer.produce(topic, value, partition=partition, **options)
        producer.poll(0)
    assert producer.flush(patience(20.0)) == 0


@dataclass(frozen=True, slots=True)
class Topic:
    """A stream and the results that are made from it."""

    servers: str
    name: str

    @classmethod
    def named(cls, servers: str, test: str) -> "Topic":
        """Return new names."""
        plain = re.sub(r"[^a-z0-9_]", "_", test.lower())[:60]
        return cls(servers, f"{plain}_{next(_NUMBERS)}")

    @property
    def stream(self) -> str:
        """URL of the words."""
        return f"kafka://{self.servers}/{self.name}"

    @property
    def results(self) -> str:
        """URL of the results."""
        return f"kafka://{self.servers}/{self.name}_results"

    def published(self) -> int:
        """Return how many results are committed; none if there is no topic yet."""
        topic = f"{self.name}_results"
        admin = AdminClient({"bootstrap.servers": self.servers})
        there = topic in admin.list_topics(timeout=patience(20.0)).topics
        return len(read_topic(self.servers, topic)) if there else 0

    def lines(self, *, windows_only: bool = False) -> list[bytes]:
        """Return the results that are committed, sorted, as lines; none must be there twice."""
        messages = read_topic(self.servers, f"{self.name}_results")
        keys = [m.key() for m in messages]
        lines = sorted(m.value() or b"" for m in messages)
        windows = [key for key in keys if not str(key).endswith("remainder'")]
        assert len(windows) == len(set(windows)), "a window was published twice"
        if windows_only:
            lines = [line for line in lines if orjson.loads(line)["window"] is not None]
        return lines

    def rejects(self) -> list[dict[str, Any]]:
        """Return what was rejected."""
        messages = read_topic(self.servers, f"{self.name}_rejects")
        return [orjson.loads(m.value() or b"") for m in messages]
