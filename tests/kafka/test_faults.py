"""Kills, broken brokers, poison: nothing is lost, nothing counted twice, and it says why.

With those of Spark's driver, 100 kills at moments chosen by chance; ``soak.py`` does more.
"""

import random
import signal
import time
from pathlib import Path

import orjson
import pytest

from helpers.command import Command, Running, until
from helpers.hostile import PARQUET, STREAMS
from helpers.kafka_topics import Topic, delete_before, delete_topic, make_topic, read_topic, send
from helpers.simulated import simulated_words
from local_kafka import Broker, free_port
from muonscope.detector import shipped_detector
from muonscope.stream.numbering import HEADER_NAME, Number, split_by_orbits
from muonscope.transports.kafka.opening import STREAM_PARTITIONS
from muonscope.words.binary import BlockEncoder

WORDS = simulated_words(40_000)
READOUT = shipped_detector().readout


def process(command: Command, topic: Topic, *more: object, idle: str = "600ms") -> Running:
    return command.start(
        "process", topic.stream, "--run", "r", "--to", topic.results, "--idle-exit", idle, *more
    )


def replay(command: Command, topic: Topic, recording: Path, *more: object) -> Running:
    return command.start("replay", recording, "--to", topic.stream, *more)


@pytest.mark.parametrize("seed", range(4))
def test_a_processor_killed_again_and_again_publishes_each_window_once(
    command: Command, topic: Topic, recording: Path, expected: list[bytes], seed: int
) -> None:
    chance = random.Random(seed)
    make_topic(topic.servers, topic.name, 3)
    sender = replay(command, topic, recording, "--rate", 8_000)
    for _ in range(16):
        running = process(command, topic, idle="30s")
        time.sleep(chance.uniform(0.05, 0.6))
        running.signal(signal.SIGKILL)
        running.wait()
    assert sender.wait().code == 0
    done = process(command, topic).wait()
    assert done.code == 0, done.err
    assert topic.lines() == expected


@pytest.mark.parametrize("encoding", ["block", "json"])
def test_a_replay_killed_again_and_again_is_counted_once(
    command: Command, topic: Topic, recording: Path, expected: list[bytes], tmp_path: Path,
    encoding: str,
) -> None:  # fmt: skip
    chance = random.Random(encoding)
    more = ("--rate", 10_000, "--encoding", encoding, "--state", tmp_path, "--partitions", 4)
    running = process(command, topic, "--partitions", 4, idle="4s")
    for _ in range(16):
        sender = replay(command, topic, recording, *more)
        time.sleep(chance.uniform(0.05, 0.5))
        sender.signal(signal.SIGKILL)
        sender.wait()
    assert replay(command, topic, recording, *more).wait().code == 0
    done = running.wait()
    assert done.code == 0, done.err
    assert topic.lines(windows_only=True) == [
        line for line in expected if orjson.loads(line)["window"] is not None
    ]
    assert done.account()["words in"] == len(WORDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_stops_and_comes_back_is_waited_for(
    command: Command, fragile: Broker, recording: Path, expected: list[bytes], number: int
) -> None:
    topic = Topic.named(fragile.servers, f"restart_{number}")
    running = process(command, topic, "--partitions", 3, idle="8s")
    sender = replay(command, topic, recording, "--rate", 20_000, "--partitions", 3)
    time.sleep(1.2)
    fragile.stop(number)
    time.sleep(1.5)
    fragile.start()
    assert sender.wait().code == 0, sender.err()
    done = running.wait()
    assert done.code == 0, done.err
    assert topic.lines() == expected


def test_a_broker_that_is_not_there_is_waited_for(
    command: Command, tmp_path: Path, recording: Path
) -> None:
    broker = Broker(tmp_path / "late")
    topic = Topic.named(broker.servers, "late")
    sender = replay(command, topic, recording, "--max")
    running = process(command, topic)
    until(lambda: "no Kafka broker answers" in running.err(), "what it says")
    assert "trying again in" in running.err()
    broker.start()
    try:
        assert sender.wait().code == 0, sender.err()
        assert running.wait().code == 0, running.err()
    finally:
        broker.stop()


def test_waiting_can_be_forgone(command: Command) -> None:
    at_once = command("process", f"kafka://127.0.0.1:{free_port()}/nothing", "--no-wait")
    assert at_once.code == 3
    assert "no Kafka broker answers" in at_once.err
    assert "make kafka" in at_once.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "args",
    [
        ("process", "URL"),
        ("process", "URL", "--debug"),
        ("replay", "sim:?words=9", "--to", "URL"),
        ("dashboard", "URL", "--port", "0"),
        ("dashboard", "URL_results", "--port", "0"),
    ],
    ids=" ".join,
)
def test_a_signal_ends_waiting(
    command: Command, args: tuple[str, ...], number: signal.Signals
) -> None:
    url = f"kafka://127.0.0.1:{free_port()}/nothing"
    running = command.start(*[arg.replace("URL", url) for arg in args])
    until(lambda: "trying again" in running.err(), "waiting")
    running.signal(number)
    done = running.wait()
    assert done.code == (0 if args[0] == "dashboard" else 128 + number)
    assert "muonscope: error" not in done.err


def test_a_second_processor_takes_over_and_the_first_one_says_so(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    first = process(command, topic, idle="60s")
    sender = replay(command, topic, recording, "--rate", 15_000)
    until(lambda: bool(windows_there(topic)), "the first windows")
    second = process(command, topic, idle="3s")
    assert sender.wait().code == 0
    assert second.wait().code == 0, second.err()
    done = first.wait()
    assert done.code == 5
    assert "another process with the id" in done.err
    assert "has taken over" in done.err
    assert topic.lines() == expected


def test_a_processor_whose_producer_is_lost_to_nobody_goes_on(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    from confluent_kafka import Producer

    running = process(command, topic, idle="8s")
    sender = replay(command, topic, recording, "--rate", 10_000)
    until(lambda: bool(windows_there(topic)), "the first windows")
    identity = f"muonscope-r.{topic.results.rpartition('/')[2]}"
    fencing = Producer({"bootstrap.servers": topic.servers, "transactional.id": identity})
    fencing.init_transactions(30.0)
    assert sender.wait().code == 0, sender.err()
    done = running.wait()
    assert done.code == 0, done.err
    assert "the transaction was lost" in done.err
    assert topic.lines() == expected


def test_a_topic_of_states_with_partitions_is_read_where_it_was_written(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    make_topic(topic.servers, f"{topic.name}_state", 3)
    sender = replay(command, topic, recording, "--rate", 20_000)
    first = process(command, topic, idle="60s")
    until(lambda: bool(windows_there(topic)), "the first windows")
    first.signal(signal.SIGTERM)
    assert first.wait().code == 128 + signal.SIGTERM
    assert sender.wait().code == 0, sender.err()
    assert process(command, topic).wait().code == 0
    assert topic.lines() == expected


def windows_there(topic: Topic) -> list[bytes]:
    try:
        return topic.lines()
    except KeyError:
        return []


def test_another_member_of_the_group_disturbs_nothing(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    from confluent_kafka import Consumer

    make_topic(topic.servers, topic.name, 3)
    running = process(command, topic, idle="3s")
    member = Consumer({"bootstrap.servers": topic.servers, "group.id": "muonscope-r"})
    member.subscribe([topic.name])
    sender = replay(command, topic, recording, "--rate", 20_000)
    until(lambda: member.poll(0.1) is not None, "a message for the other member")
    member.close()
    assert sender.wait().code == 0
    assert running.wait().code == 0, running.err()
    assert topic.lines() == expected


def test_a_topic_that_is_deleted_ends_the_run_with_a_word(
    command: Command, topic: Topic, recording: Path
) -> None:
    assert replay(command, topic, recording, "--max").wait().code == 0
    running = process(command, topic, idle="60s")
    until(lambda: bool(windows_there(topic)), "windows")
    delete_topic(topic.servers, topic.name)
    done = running.wait()
    assert done.code == 3, done.err
    assert "deleted" in done.err


def test_a_topic_that_was_made_anew_is_not_taken_for_the_one_that_was_read(
    command: Command, topic: Topic, recording: Path, expected: list[bytes], tmp_path: Path
) -> None:
    short = tmp_path / "short.dat"
    WORDS[: len(WORDS) // 4].astype("<u8").tofile(short)
    assert replay(command, topic, short, "--max", "--partitions", 1).wait().code == 0
    assert process(command, topic).wait().code == 0
    delete_topic(topic.servers, topic.name)
    assert replay(command, topic, recording, "--max", "--partitions", 1).wait().code == 0
    done = process(command, topic).wait()
    assert done.code == 6, done.err
    assert "the topic was made anew" in done.err
    assert "use another ?group= in the URL and another --run" in done.err
    anew = Topic(topic.servers, f"{topic.name}_anew")
    source = f"{topic.stream}?group=anew"
    assert (
        command("process", source, "--run", "r", "--to", anew.results, "--idle-exit", "600ms").code
        == 0
    )
    assert anew.lines() == expected


def test_messages_that_expired_are_counted_and_told(
    command: Command, topic: Topic, recording: Path
) -> None:
    assert replay(command, topic, recording, "--max", "--partitions", 1).wait().code == 0
    there = len(read_topic(topic.servers, topic.name))
    delete_before(topic.servers, topic.name, there // 2)
    done = process(command, topic).wait()
    assert done.code == 0, done.err
    assert "words of numbered streams never came" in done.err
    left = done.account()["words in"]
    missing = int(done.err.split(" words of numbered")[0].split()[-1].replace(",", ""))
    assert left + missing == len(WORDS)
    assert left > 0
    assert missing > 0


def test_messages_that_expire_under_a_stopped_run_are_counted_and_told(
    command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name)
    half = recording.with_name("half.dat")
    WORDS[:20_000].astype("<u8").tofile(half)
    assert replay(command, topic, half, "--max").wait().code == 0
    assert process(command, topic).wait().code == 0
    begin = len(read_topic(topic.servers, topic.name))
    assert replay(command, topic, recording, "--max").wait().code == 0
    delete_before(topic.servers, topic.name, begin + 3)
    done = process(command, topic).wait()
    assert done.code == 0, done.err
    assert f"offsets {begin:,} .. {begin + 2:,} are gone" in done.err
    assert "3 messages were deleted before they were read" in done.err


def test_poison_is_rejected_with_its_bytes_and_the_stream_lives_on(
    command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name, 3)
    poison = [case.data for case in [*STREAMS, *PARQUET] if len(case.data) < 900_000]
    send(topic.servers, topic.name, [*poison, b"", None, b"{", b"\xff" * 1000])
    assert replay(command, topic, recording, "--max").wait().code == 0
    send(topic.servers, topic.name, list(poison))
    done = process(command, topic, idle="2s").wait()
    assert done.code == 0, done.err
    account = done.account()
    assert account["words in"] >= len(WORDS)
    assert account["bytes in"] == account["decoded"] + account["rejected"]
    rejects = topic.rejects()
    assert len(rejects) >= len(poison)
    for reject in rejects:
        assert reject["schema"] == "muonscope.reject/1"
        assert reject["topic"] == topic.name
        assert reject["where"].startswith("partition ")
    hits = sum(orjson.loads(line)["total_hits"] for line in topic.lines(windows_only=True))
    assert hits == account["hits"]


def test_a_damaged_block_costs_only_itself(command: Command, topic: Topic) -> None:
    make_topic(topic.servers, topic.name, 2)
    encoder = BlockEncoder(READOUT, "legnaro")
    from muonscope.words.layout import orbits

    for n, at in enumerate(range(0, len(WORDS), 4000)):
        chunk = WORDS[at : at + 4000]
        for piece in split_by_orbits(chunk, orbits(chunk, 2, 2), 7, at):
            value = bytearray(encoder.encode(piece.words))
            if n == 3 and piece.number.piece == 0:
                value[-1] ^= 1
                lost = len(piece.words)
            header = [(HEADER_NAME, piece.number.pack())]
            send(topic.servers, topic.name, [bytes(value)], partition=n % 2, headers=header)
    done = process(command, topic).wait()
    assert done.code == 0, done.err
    assert done.account()["words in"] == len(WORDS) - lost
    assert [reject["code"] for reject in topic.rejects()] == ["BAD_BLOCK"]


def test_partitions_may_come_in_any_interleaving(command: Command, topic: Topic) -> None:
    """The second half of the words lies in a partition that is full before the other is."""
    make_topic(topic.servers, topic.name, 2)
    encoder = BlockEncoder(READOUT, "legnaro")
    chunks = [(at, WORDS[at : at + 1000]) for at in range(0, len(WORDS), 1000)]
    for at, chunk in [*chunks[1::2], *chunks[::2]]:
        number = Number(9, at, len(chunk))
        send(
            topic.servers, topic.name, [encoder.encode(chunk)], partition=at // 1000 % 2,
            headers=[(HEADER_NAME, number.pack())],
        )  # fmt: skip
    done = process(command, topic).wait()
    assert done.code == 0, done.err
    assert done.account()["words in"] == len(WORDS)
    assert done.account()["late"] == 0


def test_a_partition_that_stays_empty_holds_nothing_up(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    make_topic(topic.servers, topic.name, 40)
    sender = replay(command, topic, recording, "--rate", 30_000)
    running = process(command, topic, idle="3s")
    assert sender.wait().code == 0
    until(lambda: len(windows_there(topic)) >= len(expected) - 2, "windows before the end")
    assert running.wait().code == 0
    assert topic.lines() == expected


def test_a_result_that_is_too_large_is_told_with_its_remedy(
    command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name)
    make_topic(topic.servers, f"{topic.name}_results", 4, max_message_bytes="2000")
    assert replay(command, topic, recording, "--max").wait().code == 0
    done = process(command, topic).wait()
    assert done.code == 5, done.err
    assert "max.message.bytes" in done.err
    assert "--window" in done.err


def test_a_topic_with_other_partitions_is_told_and_left(
    command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name, 3)
    done = replay(command, topic, recording, "--max", "--partitions", 5).wait()
    assert done.code == 5
    assert "has 3 partitions, --partitions asks for 5" in done.err
    assert read_topic(topic.servers, topic.name) == []


def test_a_stopped_run_goes_on_where_it_was(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    sender = replay(command, topic, recording, "--rate", 20_000)
    running = process(command, topic, idle="60s")
    until(lambda: bool(windows_there(topic)), "the first windows")
    running.signal(signal.SIGTERM)
    stopped = running.wait()
    assert stopped.code == 143
    assert "the same command goes on" in stopped.err
    assert sender.wait().code == 0
    assert process(command, topic).wait().code == 0
    assert topic.lines() == expected


def test_a_run_with_other_options_is_refused(
    command: Command, topic: Topic, recording: Path
) -> None:
    assert replay(command, topic, recording, "--max").wait().code == 0
    assert process(command, topic).wait().code == 0
    done = process(command, topic, "--window", "2s").wait()
    assert done.code == 6
    assert "window" in done.err
    assert "?group=" in done.err


def test_a_reader_who_joins_late_sees_every_result(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    assert replay(command, topic, recording, "--max").wait().code == 0
    assert process(command, topic).wait().code == 0
    assert [
        m.value()
        for m in sorted(
            read_topic(topic.servers, f"{topic.name}_results"), key=lambda m: m.value() or b""
        )
    ] == expected


def test_secrets_do_not_reach_the_terminal(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "kafka.conf"
    config.write_text("security.protocol = SASL_PLAINTEXT\nsasl.mechanism = PLAIN\n")
    secret = {"MUONSCOPE_KAFKA_SASL_USERNAME": "me", "MUONSCOPE_KAFKA_SASL_PASSWORD": "hunter2"}
    url = f"kafka://127.0.0.1:{free_port()}/t"
    done = command("process", url, "--no-wait", "--kafka-config", config, env=secret)
    assert done.code == 3
    assert "hunter2" not in done.err
    config.write_text("sasl.password = hunter2\nno setting at all: hunter2\n")
    done = command("process", url, "--no-wait", "--kafka-config", config)
    assert done.code == 2
    assert "line 2" in done.err
    assert "hunter2" not in done.err
    config.write_text("made.up = 1\n")
    done = command("process", url, "--no-wait", "--kafka-config", config)
    assert done.code == 2
    assert "made.up" in done.err


def test_metrics_tell_what_the_account_tells(
    command: Command, topic: Topic, recording: Path
) -> None:
    import urllib.request

    port = free_port()
    running = process(command, topic, "--metrics-port", port, idle="60s")
    assert replay(command, topic, recording, "--max").wait().code == 0

    def metrics() -> dict[str, float]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {k: float(v) for k, v in (x.rsplit(" ", 1) for x in lines if x[:1] != "#")}

    until(lambda: metrics().get('muonscope_words_total{kind="hits"}', 0) > 0, "hits")
    found = metrics()
    chambers = [v for k, v in found.items() if k.startswith("muonscope_hits_total")]
    assert sum(chambers) == found['muonscope_words_total{kind="hits"}']
    assert found["muonscope_windows_total"] > 3
    behind = [v for k, v in found.items() if k.startswith("muonscope_behind_messages{")]
    assert len(behind) == STREAM_PARTITIONS

    def words() -> float:
        return sum(v for k, v in metrics().items() if k.startswith("muonscope_words_total"))

    until(lambda: words() > len(WORDS) - 10_000, "all")
    assert metrics()['muonscope_messages_total{kind="duplicates"}'] == 0
    running.signal(signal.SIGINT)
    running.wait()
    taken = command("process", recording, "--metrics-port", topic.servers.rsplit(":")[-1])
    assert taken.code == 2
    assert "--metrics-port" in taken.err
