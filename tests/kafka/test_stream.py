"""From a recording through a topic to results: the same, byte for byte, as from the file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import orjson
import pytest

from helpers.command import Command
from helpers.kafka_topics import Topic, make_topic, read_topic, send
from helpers.simulated import simulated_words
from muonscope.words.layout import Words

WORDS = simulated_words(30_000)
IDLE = ("--idle-exit", "600ms")


def process(command: Command, topic: Topic, *more: object) -> dict[str, int]:
    """Process the topic until it is idle; return the account."""
    done = command("process", topic.stream, "--run", "r", "--to", topic.results, *IDLE, *more)
    assert done.code == 0, done.err
    return done.account()


@pytest.mark.parametrize("encoding", ["block", "json"])
@pytest.mark.parametrize("partitions", [1, 5])
def test_results_are_those_of_the_file(
    command: Command, topic: Topic, recording: Path, expected: list[bytes],
    encoding: str, partitions: int,
) -> None:  # fmt: skip
    sent = command(
        "replay", recording, "--to", topic.stream, "--max", "--encoding", encoding,
        "--partitions", partitions,
    )  # fmt: skip
    assert sent.code == 0, sent.err
    account = process(command, topic)
    assert topic.lines() == expected
    assert account["words in"] == len(WORDS)
    assert account["bytes in"] == account["decoded"]


def test_words_arrive_while_they_are_processed(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    running = command.start(
        "process", topic.stream, "--run", "r", "--to", topic.results, "--idle-exit", "2s"
    )
    sent = command("replay", recording, "--to", topic.stream, "--rate", 60_000)
    assert sent.code == 0, sent.err
    assert "60,000 words/s asked" in sent.err
    assert running.wait().code == 0
    assert topic.lines() == expected


def test_the_file_straight_to_a_topic_of_results(
    command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    done = command("process", recording, "--run", "r", "--to", topic.results)
    assert done.code == 0, done.err
    assert topic.lines() == expected
    again = command("process", recording, "--run", "r", "--to", topic.results)
    assert again.code == 0, again.err
    assert topic.lines() == expected


def test_a_topic_to_a_file_of_results(
    command: Command, topic: Topic, recording: Path, expected: list[bytes], tmp_path: Path
) -> None:
    command("replay", recording, "--to", topic.stream, "--max")
    out = tmp_path / "out.jsonl"
    state = ("--state", tmp_path / "state")
    done = command("process", topic.stream, "--run", "r", "--to", out, *state, *IDLE)
    assert done.code == 0, done.err
    assert sorted(out.read_bytes().splitlines()) == expected


def test_json_messages_are_what_the_original_producer_sends(
    command: Command, topic: Topic, recording: Path
) -> None:
    command("replay", recording, "--to", topic.stream, "--max", "--encoding", "json")
    messages = read_topic(topic.servers, topic.name)
    assert len(messages) == len(WORDS)
    row = json.loads(messages[0].value() or b"")
    assert list(row) == ["HEAD", "FPGA", "TDC_CHANNEL", "ORBIT_CNT", "BX_COUNTER", "TDC_MEAS"]
    assert all(isinstance(value, str) for value in row.values())


def test_an_orbit_never_spans_partitions(command: Command, topic: Topic, recording: Path) -> None:
    from muonscope.detector import shipped_detector
    from muonscope.words.binary import BlockDecoder
    from muonscope.words.layout import orbits

    command("replay", recording, "--to", topic.stream, "--max", "--partitions", 7)
    readout = shipped_detector().readout
    where: dict[int, int | None] = {}
    keys: dict[object, int | None] = {}
    for message in read_topic(topic.servers, topic.name):
        words = BlockDecoder(readout).feed(message.value() or b"").words
        for orbit in set(orbits(words, 2, 2).tolist()):
            assert where.setdefault(orbit, message.partition()) == message.partition()
        assert keys.setdefault(message.key(), message.partition()) == message.partition()
        assert len(message.value() or b"") <= (64 << 10) + 128
    assert len(set(where.values())) > 1


def test_blocks_bear_detector_time(command: Command, topic: Topic, recording: Path) -> None:
    from muonscope.words.layout import orbit

    command("replay", recording, "--to", topic.stream, "--max")
    times = [message.timestamp()[1] for message in read_topic(topic.servers, topic.name)]
    hits = orbit(WORDS[WORDS >> np.uint64(61) == 2])
    assert min(times) >= int(hits.min() * 89.1e-3) - 1
    assert max(times) <= (hits.max() * 89.1e-3) + 15_000  # trigger words run ahead


def test_a_topic_that_forgets_by_time_gets_the_clock_on_the_wall(
    command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name, 2, retention_ms="604800000")
    done = command("replay", recording, "--to", topic.stream, "--max")
    assert "deletes messages by their age" in done.err
    times = [message.timestamp()[1] for message in read_topic(topic.servers, topic.name)]
    assert min(times) > 1_600_000_000_000


def shifted(words: Words, orbits: int) -> Words:
    from muonscope.words.layout import shift_orbits

    return shift_orbits(words, orbits, 2, 2)


@pytest.mark.parametrize("keep", [False, True])
def test_looped_data_continue_the_orbit_count(
    command: Command, topic: Topic, recording: Path, keep: bool
) -> None:
    more = ["--keep-orbits"] if keep else []
    running = command.start("replay", recording, "--to", topic.stream, "--max", "--loop", *more)
    from helpers.command import until

    def passes() -> int:
        try:
            return len(read_topic(topic.servers, topic.name))
        except (KeyError, AssertionError):
            return 0

    until(lambda: passes() > 60, "some passes of the recording")
    running.signal(2)
    assert running.wait().code == 130
    account = process(command, topic, "--idle-timeout", "30s")
    assert account["words in"] % len(WORDS) == 0 or account["words in"] > len(WORDS)
    epochs = {orjson.loads(line)["epoch"] for line in topic.lines(windows_only=True)}
    assert (len(epochs) == 1) != keep


def test_a_script_like_the_original_producer_is_understood(command: Command, topic: Topic) -> None:
    make_topic(topic.servers, topic.name, 4)
    script = f"""
import json
from kafka import KafkaProducer
producer = KafkaProducer(bootstrap_servers={topic.servers!r})
for i in range(3000):
    row = {{"HEAD": "2", "FPGA": str(i % 2), "TDC_CHANNEL": str(1 + i % 120), "ORBIT_CNT":
           str(3_000_000_000 + 20 * i), "BX_COUNTER": "17", "TDC_MEAS": "3.0"}}
    producer.send({topic.name!r}, json.dumps(row).encode("utf-8"))
producer.flush()
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True)
    account = process(command, topic)
    assert account["words in"] == account["hits"] == 3000
    assert account["late"] == 0
    found = [orjson.loads(line) for line in topic.lines(windows_only=True)]
    orbits = 3_000_000_000 + 20 * np.arange(3000)
    expected = dict(zip(*np.unique(orbits // 11_223, return_counts=True), strict=True))
    assert {m["window"]: m["total_hits"] for m in found} == expected
    assert {m["epoch"] for m in found} == {0}


ORIGINAL_CONSUMER = """
import json, sys
import numpy as np
from kafka import KafkaConsumer
consumer = KafkaConsumer({topic!r}, bootstrap_servers={servers!r}, consumer_timeout_ms=4000,
                         auto_offset_reset="earliest")
counts, seen = {{c: np.zeros(128) for c in range(4)}}, 0
for message in consumer:
    text = json.loads(message.value)
    for c in range(4):
        chamber = text[f"chamber{{c}}"]
        for name in ("hist_CHANNEL", "hist_SCINT"):
            edges = np.array(chamber[name]["bin_edges"])
            counts[c][edges] = np.array(chamber[name]["bin_counts"])
        orbits = np.array(chamber["hist_ORBIT"]["bin_edges"]) * 3564 * 25 / 10**9
        assert len(orbits) == len(chamber["hist_ORBIT"]["bin_counts"])
        density, edges = np.histogram(chamber["DRIFTIME"], np.linspace(0, 600, 10))
        chamber["total_hits"] + text["total_hits"]
    seen += 1
print(seen)
"""


def test_the_original_consumer_reads_every_message_of_ten_minutes(
    command: Command, topic: Topic
) -> None:
    done = command(
        "process", "sim:legnaro?seconds=600&seed=4", "--run", "some", "--to", topic.results
    )
    assert done.code == 0, done.err
    script = ORIGINAL_CONSUMER.format(topic=f"{topic.name}_results", servers=topic.servers)
    read = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert read.returncode == 0, read.stderr
    assert int(read.stdout) >= 600


def test_other_commands_read_a_topic(
    command: Command, topic: Topic, recording: Path, tmp_path: Path
) -> None:
    command("replay", recording, "--to", topic.stream, "--max")
    send(topic.servers, topic.name, [b"no words at all"])
    looked = command("inspect", topic.stream, "--json")
    assert looked.code == 0, looked.err
    report = orjson.loads(looked.out)
    assert report["accounting"]["words_in"] == len(WORDS)
    assert report["chosen"] == "maps 100% of the first words"
    send_back = tmp_path / "back.dat"
    refused = command("convert", topic.stream, send_back)
    assert refused.code == 4
    assert "no words at all" in refused.err
    clean = Topic(topic.servers, f"{topic.name}_clean")
    command("replay", topic.stream, "--to", clean.stream, "--max")
    assert command("convert", clean.stream, send_back).code == 0
    assert np.array_equal(np.fromfile(send_back, "<u8"), WORDS)


def test_reading_may_start_at_the_end(command: Command, topic: Topic, recording: Path) -> None:
    command("replay", recording, "--to", topic.stream, "--max", "--partitions", 3)
    latest = f"{topic.stream}?start=latest"
    done = command("process", latest, "--run", "r", "--to", topic.results, *IDLE)
    assert done.code == 0, done.err
    assert done.account()["words in"] == 0
