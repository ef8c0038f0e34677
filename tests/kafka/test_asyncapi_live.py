"""Messages read from real topics are those that the AsyncAPI document describes."""

from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import pytest
from confluent_kafka import Message, Producer

from helpers.asyncapi_document import validate_headers, validate_key, validate_payload
from helpers.command import Command
from helpers.kafka_topics import read_topic
from helpers.simulated import simulated_words
from muonscope.stream.numbering import Number

WORDS = simulated_words(30_000)


class _Broker(Protocol):
    servers: str


def check(name: str, messages: list[Message]) -> None:
    """Check all of them against message ``name`` of the document."""
    for message in messages:
        headers: Any = message.headers() or []
        key: Any = message.key()
        validate_payload(name, message.value())
        validate_headers(name, dict(headers))
        validate_key(name, key)


@pytest.mark.parametrize(("encoding", "name"), [("block", "block"), ("json", "hit")])
def test_the_topics_of_a_run(
    broker: _Broker, command: Command, tmp_path: Path, encoding: str, name: str
) -> None:
    words = WORDS if encoding == "block" else WORDS[:2000]
    recording, topic = tmp_path / "run.dat", f"ht_{uuid4().hex[:8]}"
    words.astype("<u8").tofile(recording)
    stream = f"kafka://{broker.servers}/{topic}"
    sent = command("replay", recording, "--to", stream, "--max", "--encoding", encoding)
    assert sent.code == 0, sent.err
    messages = read_topic(broker.servers, topic)
    assert messages
    check(name, messages)
    for message in messages:
        headers: Any = message.headers()
        assert Number.unpack(dict(headers)["muonscope.number"])

    producer = Producer({"bootstrap.servers": broker.servers})
    for value in (b"\x00\x1b[31m", b"{}", None, b"MUONWRD1 and no more"):
        producer.produce(topic, value)
    assert producer.flush(20) == 0
    results = f"{stream}_results"
    done = command("process", stream, "--run", "r", "--to", results, "--idle-exit", "600ms")
    assert done.code == 0, done.err
    windows = read_topic(broker.servers, f"{topic}_results")
    assert len(windows) > 1
    check("window", windows)
    rejects = read_topic(broker.servers, f"{topic}_rejects")
    assert len(rejects) == 4
    check("reject", rejects)
    parts = read_topic(broker.servers, f"{topic}_state")
    claims = [message for message in parts if (message.key() or b"").endswith(b".owner")]
    assert len(claims) == 1
    check("claim", claims)
    parts = [message for message in parts if message not in claims]
    assert parts
    check("part", parts)
