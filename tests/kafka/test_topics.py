"""``muonscope topics``: what it tells of topics, whatever is in them."""

import socket
import time
import zlib
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # its __init__ imports them
    AdminClient,
    NewTopic,
)

from helpers.command import Command
from helpers.patience import patience
from helpers.simulated import simulated_words
from muonscope.cli.topics import plain
from muonscope.transports.kafka.contents import Kind, content_of
from muonscope.words.binary import BLOCK_MAGIC

WORDS = simulated_words(30_000)
HIT = b'{"HEAD":"2","FPGA":"0","TDC_CHANNEL":"3","ORBIT_CNT":"7","BX_COUNTER":"1","TDC_MEAS":"2"}'
HOSTILE = {
    "escapes": b"\x1b[31m\x1b]0;title\x07[bold]x[/bold]\r\n",
    "binary": bytes(range(256)) * 40,
    "empty": b"",
    "null": None,
    "not json": b"{" * 5000,
    "an array": b"[1, 2, 3]",
    "another schema": b'{"schema": "muonscope.window/9"}',
    "fields of wrong types": b'{"schema": "muonscope.window/1", "run": 5, "window": [1]}',
    "negative": b'{"schema":"muonscope.window/1","run":"r","epoch":-1,"window":0,"end_ns":0}',
    "huge": b"\x00" * 900_000,
    "deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
}


class _Broker(Protocol):
    servers: str


class Outside:
    """The topics of a broker, each with a name of its own."""

    def __init__(self, servers: str, command: Command) -> None:
        self.servers, self._command = servers, command

    def make(self, kind: str, partitions: int = 1, **config: str) -> str:
        """Make a topic and return its name."""
        name = f"ht_{uuid4().hex[:8]}_{kind}"
        named = {key.replace("_", "."): value for key, value in config.items()}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=named)
        admin = AdminClient({"bootstrap.servers": self.servers})
        admin.create_topics([new])[name].result(20)
        return name

    def send(self, topic: str, *values: bytes | None, **options: Any) -> None:
        """Send messages."""
        producer = Producer({"bootstrap.servers": self.servers})
        for value in values:
            producer.produce(topic, value, **options)
        assert producer.flush(patience(20.0)) == 0

    def commit(self, group: str, topic: str, positions: dict[int, int]) -> None:
        """Let a group have positions."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": group})
        places = [TopicPartition(topic, p, offset) for p, offset in positions.items()]
        end = time.monotonic() + patience(20.0)
        while True:
            try:
                consumer.commit(offsets=places, asynchronous=False)
            except Exception:  # the coordinator may still be starting
                assert time.monotonic() < end
                time.sleep(0.2)
            else:
                break
        consumer.close()

    def json(self, topic: str = "") -> Any:
        """Return what the command tells, of one topic or of all."""
        done = self._command("topics", f"kafka://{self.servers}/{topic}", "--json")
        assert done.code == 0, done.err
        found = orjson.loads(done.out)
        return found["topics"][0] if topic else found

    def table(self, topic: str = "") -> str:
        """Return the table."""
        url = f"kafka://{self.servers}/{topic}"
        done = self._command("topics", url, env={"COLUMNS": "250"})
        assert done.code == 0, done.err
        return done.out.decode()


@pytest.fixture
def outside(broker: _Broker, command: Command) -> Outside:
    return Outside(broker.servers, command)


@pytest.fixture(scope="module")
def processed(broker: _Broker, command: Command, recording: Path) -> dict[str, str]:
    """Names of topics of a replay and of what became of it."""
    name = f"ht_{uuid4().hex[:8]}"
    stream, results = (f"kafka://{broker.servers}/{name}{end}" for end in ("", "_results"))
    assert command("replay", recording, "--to", stream, "--max").code == 0
    Outside(broker.servers, command).send(name, b"bad", partition=0)
    done = command(
        "process", stream, "--run", f"run-{name}", "--to", results, "--idle-exit", "600ms"
    )
    assert done.code == 0, done.err
    kinds = ("results", "rejects", "state")
    return {"run": f"run-{name}", "words": name} | {kind: f"{name}_{kind}" for kind in kinds}


def test_the_topics_of_a_run(outside: Outside, processed: dict[str, str]) -> None:
    found = {topic["name"]: topic for topic in outside.json()["topics"]}
    words, results = found[processed["words"]], found[processed["results"]]
    assert "words (block)" in words["holds"]
    assert words["partitions"] == 12
    assert results["holds"] == ["results"]
    assert found[processed["rejects"]]["holds"] == ["rejects"]
    assert found[processed["state"]]["holds"] == ["state"]
    assert found[processed["state"]]["partitions"] == 1
    assert all(0 <= found[processed[n]]["age_s"] < 600 for n in ("results", "rejects", "state"))
    assert not any(found[name]["trouble"] for name in processed.values() if name in found)
    assert not any(name.startswith("__") for name in found)


def test_the_last_window_is_that_of_the_results(
    outside: Outside, processed: dict[str, str], command: Command, recording: Path
) -> None:
    messages = command("process", recording, "--run", "r").messages
    last = max(
        (m for m in messages if m["window"] is not None), key=lambda m: (m["epoch"], m["window"])
    )
    found = outside.json(processed["results"])["last_window"]
    assert found == {
        "run": processed["run"],
        **{name: last[name] for name in ("epoch", "window", "end_ns")},
    }
    assert f"{last['end_ns'] / 1e9:,.3f} s" in outside.table(processed["results"])


def test_the_group_of_a_run_is_shown_with_its_lag(outside: Outside) -> None:
    topic = outside.make("lag", 3)
    for partition in range(3):
        outside.send(topic, *[HIT] * 10, partition=partition)
    group, other = f"muonscope-{topic}", f"other-{topic}"
    outside.commit(group, topic, {0: 4, 1: 10, 2: 0})
    outside.commit(other, topic, {0: 10})
    found = outside.json(topic)
    assert found["holds"] == ["words (json)"]
    assert found["messages"] == 30
    assert found["groups"] == [{"group": group, "behind": 16}, {"group": other, "behind": 0}]
    assert f"{group}: 16" in outside.table(topic)


def test_groups_without_positions_on_a_topic_are_left_out(outside: Outside) -> None:
    topic, other = outside.make("mine"), outside.make("others")
    outside.commit(f"g-{other}", other, {0: 0})
    assert outside.json(topic)["groups"] == []
    assert [g["group"] for g in outside.json(other)["groups"]] == [f"g-{other}"]


def test_positions_beyond_the_end_are_no_lag(outside: Outside) -> None:
    topic = outside.make("ahead")
    outside.send(topic, HIT)
    outside.commit(f"g-{topic}", topic, {0: 1000})
    assert outside.json(topic)["groups"] == [{"group": f"g-{topic}", "behind": 0}]


def test_blocks_tell_detector_time_instead_of_an_age(
    outside: Outside, processed: dict[str, str]
) -> None:
    topic = outside.make("detector", retention_ms="-1")
    block = BLOCK_MAGIC + bytes([2, 0, 0, 0]) + bytes(4) + (12_345_678_900).to_bytes(8, "little")
    outside.send(topic, block + bytes(8), timestamp=12_345)
    found = outside.json(topic)
    assert (found["newest_ms"], found["age_s"]) == (None, None)
    assert found["newest_detector_ns"] == 12_345_678_900
    assert "12.346 s" in outside.table(topic)


def test_an_empty_topic(outside: Outside) -> None:
    topic = outside.make("empty", 5)
    found = outside.json(topic)
    assert found["holds"] == found["groups"] == []
    assert (found["partitions"], found["messages"], found["newest_ms"]) == (5, 0, None)
    assert "empty" in outside.table(topic)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_unknown_and_harmless(outside: Outside, name: str) -> None:
    topic = outside.make("hostile")
    outside.send(topic, HOSTILE[name], key=b"\x1b[2J/0", headers=[("part", b"\x1b")])
    found = outside.json(topic)
    assert (found["holds"], found["messages"], found["trouble"]) == (["unknown"], 1, "")
    assert "\x1b" not in outside.table(topic)


def test_a_message_larger_than_is_looked_at(outside: Outside) -> None:
    topic = outside.make("large", max_message_bytes=str(32 << 20))
    producer = Producer({"bootstrap.servers": outside.servers, "message.max.bytes": 32 << 20})
    producer.produce(topic, b"{" + b" " * (20 << 20))
    assert producer.flush(30) == 0
    outside.send(topic, HIT)
    assert outside.json(topic)["holds"] == ["words (json)"]


def test_hostile_names_of_runs_and_groups_are_escaped(outside: Outside) -> None:
    topic, evil = outside.make("names_results"), "\x1b[31m[red]r\u202e\n" + "x" * 500
    message = {"schema": "muonscope.window/1", "run": evil, "epoch": 0, "window": 3, "end_ns": 4}
    outside.send(topic, orjson.dumps(message))
    outside.commit(f"\x1b[5m[blink]{topic}", topic, {0: 0})
    found = outside.json(topic)
    assert found["last_window"]["run"] == evil
    table = outside.table(topic)
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert r"\x1b[31m[red]r\u202e\n" in table
    assert r"\x1b[5m[blink]" in table
    assert max(map(len, table.splitlines())) <= 250
    done = outside._command("topics", f"kafka://{outside.servers}/{topic}", "--json")
    assert b"\x1b" not in done.out
    assert done.out.isascii()


def test_kinds_in_one_topic_are_all_named(outside: Outside) -> None:
    topic = outside.make("mixed", 3)
    for partition, value in enumerate((HIT, BLOCK_MAGIC + bytes(24), b"?")):
        outside.send(topic, value, partition=partition)
    assert outside.json(topic)["holds"] == ["words (block)", "words (json)", "unknown"]
    assert "words (block), words (json), unknown" in outside.table(topic)


def test_only_committed_messages_are_looked_at(outside: Outside) -> None:
    topic = outside.make("transactions")
    outside.send(topic, HIT)
    producer = Producer(
        {"bootstrap.servers": outside.servers, "transactional.id": f"t-{topic}", "linger.ms": 0}
    )
    producer.init_transactions(20)
    for _ in range(20):  # marks that push what is there far from the end
        producer.begin_transaction()
        producer.produce(topic, b"aborted")
        producer.flush(patience(20.0))
        producer.abort_transaction(20)
    assert outside.json(topic)["holds"] == ["words (json)"]
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(patience(20.0))
    assert outside.json(topic)["holds"] == ["words (json)"]
    producer.abort_transaction(20)


def test_the_last_window_is_found_behind_a_remainder(outside: Outside) -> None:
    topic = outside.make("one_results")
    window = {"schema": "muonscope.window/1", "run": "r", "epoch": 1, "window": 7, "end_ns": 9}
    nothing = window | dict.fromkeys(("epoch", "window", "end_ns"))
    outside.send(topic, orjson.dumps(window), *[orjson.dumps(nothing)] * 5)
    found = outside.json(topic)
    assert found["holds"] == ["results"]
    assert found["last_window"] == {"run": "r", "epoch": 1, "window": 7, "end_ns": 9}


def test_looking_changes_nothing(outside: Outside) -> None:
    topic = outside.make("still")
    outside.send(topic, HIT)
    before = outside.json(topic)
    again = outside.json(topic)
    assert again["groups"] == before["groups"] == []
    assert again["messages"] == before["messages"] == 1


def test_a_topic_that_is_not_there(outside: Outside, command: Command) -> None:
    there = outside.make("there")
    done = command("topics", f"kafka://{outside.servers}/ht_not_there")
    assert done.code == 3
    assert "no such topic" in done.err
    assert there in done.err
    assert done.err.count("\n") == 1


def test_no_broker(command: Command) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{nobody.getsockname()[1]}"
        done = command("topics", f"kafka://{servers}", "--no-wait")
    assert done.code == 3
    assert f"{servers}: no Kafka broker answers" in done.err
    assert done.err.count("\n") == 1


def test_a_broker_that_refuses(outside: Outside, command: Command) -> None:
    env = {"MUONSCOPE_KAFKA_SECURITY_PROTOCOL": "ssl"}
    done = command("topics", f"kafka://{outside.servers}", "--no-wait", env=env)
    assert done.code == 3
    assert "SSL" in done.err  # the client has two texts for it, by who hangs up first
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://x", "expected kafka://host:port"),
        ("kafka://", "expected host:port"),
        ("kafka://u:p@h:1", "credentials belong"),
        ("kafka://h:1?group=x", "without options"),
        ("kafka://h:1/a b", "expected letters"),
    ],
)
def test_urls_that_make_no_sense(command: Command, url: str, expected: str) -> None:
    done = command("topics", url)
    assert done.code == 2
    assert expected in done.err


def test_settings_come_from_a_file(outside: Outside, command: Command, tmp_path: Path) -> None:
    (tmp_path / "client").write_text("client.id = me\n")
    url = f"kafka://{outside.servers}"
    assert command("topics", url, "--kafka-config", tmp_path / "client").code == 0
    (tmp_path / "client").write_text("no.such.setting = me\n")
    done = command("topics", url, "--kafka-config", tmp_path / "client")
    assert done.code == 2
    assert "no.such.setting" in done.err


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (HIT, Kind.JSON),
        (HIT + b"\n" + HIT, Kind.JSON),
        (b" " + HIT, Kind.JSON),
        (BLOCK_MAGIC, Kind.BLOCK),
        (b'{"schema":"muonscope.reject/1"}', Kind.REJECTS),
        (b"PK\x03\x04", Kind.UNKNOWN),
        (b"{}", Kind.UNKNOWN),
    ],
)
def test_kinds(value: bytes, kind: Kind) -> None:
    assert content_of(value).kind is kind


def test_state_is_told_by_its_header() -> None:
    part = f"0/1/{zlib.crc32(b'x'):08x}".encode()
    assert content_of(b"PK\x03\x04", [("part", part)]).kind is Kind.STATE
    assert content_of(b"PK\x03\x04", [("part", None)]).kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run", "run"),
        ("Mühlon µ", "Mühlon µ"),
        ("\x9b\x7f", r"\x9b\x7f"),
        ("a" * 70, "a" * 57 + "..."),
    ],
)
def test_text_is_shown_plainly(text: str, shown: str) -> None:
    assert plain(text) == shown
