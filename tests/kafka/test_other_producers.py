"""Everyone's producers: messages without numbers give every window of the file they are from."""

import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from helpers.cases import case
from helpers.command import Command
from helpers.kafka_topics import Topic, make_topic
from helpers.streams import read_words
from muonscope.detector import shipped_detector
from muonscope.words.binary import DatEncoder

READOUT = shipped_detector("legnaro").readout
OWN = {"accounting", "run", "invalid_by_kind"}
"""Fields that are not those of the file: words without a time stay with their stream."""


def windows(lines: Iterable[bytes]) -> dict[tuple[int, int], Any]:
    """Return what is exact of each window, by epoch and number."""
    found = {}
    for message in map(orjson.loads, lines):
        if message.get("window") is not None:
            counts = {name: value for name, value in message.items() if name not in OWN}
            for name, value in counts.items():
                if isinstance(value, dict) and "DRIFTIME" in value:
                    counts[name] = value | {"DRIFTIME": sorted(value["DRIFTIME"])}
            found[message["epoch"], message["window"]] = counts
    return found


@pytest.fixture(scope="module")
def rows() -> Path:
    return case("0-parallel-parts") / "rows.csv"


@pytest.fixture(scope="module")
def of_file(command: Command, rows: Path) -> dict[tuple[int, int], Any]:
    return windows(command("process", rows, "--run", "r").out.splitlines())


def messages(rows: Path, style: str) -> list[bytes]:
    """Return the rows as a producer sends them: a row a message, but for buffers."""
    names, *lines = rows.read_bytes().splitlines()
    if style == "csv":
        return lines
    if style == "json":
        keys = names.decode().split(",")
        return [
            orjson.dumps(dict(zip(keys, line.decode().split(","), strict=True))) for line in lines
        ]
    words = read_words(rows, shipped_detector("legnaro"))
    if style == "word":
        return [word.tobytes() for word in words]
    cuts = [*range(0, len(words), 128), len(words)]
    return [DatEncoder(run_number=42).encode(words[a:b]) for a, b in pairwise(cuts)]


def send_in_turn(
    servers: str, topic: str, values: list[bytes], partitions: int, rate: float
) -> None:
    """Send messages to each partition in turn, without keys; 0 is as fast as can be."""
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 200})
    begin = time.monotonic()
    for i, value in enumerate(values):
        producer.produce(topic, value, partition=i % partitions)
        producer.poll(0)
        if rate and (early := begin + i / rate - time.monotonic()) > 0:
            time.sleep(early)
    producer.flush()


@pytest.mark.parametrize(
    ("partitions", "style"),
    [(1, "json"), (4, "json"), (12, "json"), (12, "csv"), (12, "word"), (4, "buffer")],
)
def test_a_topic_that_was_filled_before_gives_the_windows_of_the_file(
    command: Command, topic: Topic, rows: Path, of_file: dict[tuple[int, int], Any],
    partitions: int, style: str,
) -> None:  # fmt: skip
    make_topic(topic.servers, topic.name, partitions)
    send_in_turn(topic.servers, topic.name, messages(rows, style), partitions, 0)
    done = command("process", topic.stream, "--run", "r", "--idle-exit", "1500ms")
    assert done.code == 0, done.err
    assert windows(done.out.splitlines()) == of_file
    assert done.err.count("new epoch") == 2, done.err  # one line for each FPGA


@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_a_topic_that_is_being_filled_gives_the_windows_of_the_file(
    command: Command, topic: Topic, rows: Path, of_file: dict[tuple[int, int], Any], partitions: int
) -> None:
    make_topic(topic.servers, topic.name, partitions)
    running = command.start(
        "process", topic.stream, "--run", "r", "--to", topic.results, "--idle-exit", "3s"
    )
    values = messages(rows, "json")[:6_000]
    send_in_turn(topic.servers, topic.name, values, partitions, 2_000)
    assert running.wait().code == 0
    found = windows(topic.lines(windows_only=True))
    places = sorted(of_file)[:-2]  # 6,000 rows end in the last but one
    assert [found[place] for place in places[:-1]] == [of_file[place] for place in places[:-1]]


def test_a_process_that_is_killed_goes_on_with_the_same_windows(
    command: Command, topic: Topic, rows: Path, of_file: dict[tuple[int, int], Any]
) -> None:
    make_topic(topic.servers, topic.name, 4)
    values = messages(rows, "json")
    arguments = ("process", topic.stream, "--run", "r", "--to", topic.results)
    for begin in range(0, len(values), 4_000):
        running = command.start(*arguments)
        send_in_turn(topic.servers, topic.name, values[begin : begin + 4_000], 4, 4_000)
        running.signal(9)
        running.wait()
    done = command(*arguments, "--idle-exit", "1500ms")
    assert done.code == 0, done.err
    assert windows(topic.lines(windows_only=True)) == of_file
    assert done.account()["words in"] == len(values)


def test_spark_gives_the_same_windows(
    spark_jars: Path, command: Command, topic: Topic, rows: Path,
    of_file: dict[tuple[int, int], Any], tmp_path: Path,
) -> None:  # fmt: skip
    make_topic(topic.servers, topic.name, 4)
    send_in_turn(topic.servers, topic.name, messages(rows, "json"), 4, 0)
    done = command(
        "process", topic.stream, "--run", "r", "--to", topic.results, "--idle-exit", "2s",
        "--engine", "spark", "--trigger", "200ms", "--master", "local[2]",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert windows(topic.lines(windows_only=True)) == of_file
