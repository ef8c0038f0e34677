"""The commands of the README that need a broker run as they stand there, side by side."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.command import until
from helpers.kafka_topics import read_topic
from helpers.patience import patience
from helpers.served import serving
from local_kafka import Broker

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
COMMANDS = [
    line for line in README.splitlines() if line.startswith("muonscope") and "kafka:" in line
]
PORT = "localhost:9092"


@contextmanager
def running(line: str, broker: Broker) -> Iterator["subprocess.Popen[bytes]"]:
    words = shlex.split(line.replace(PORT, broker.servers))
    words[0] = str(Path(sys.executable).with_name("muonscope"))
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "300"},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=patience(60.0))


def windows(broker: Broker, topic: str) -> int:
    try:
        return len(read_topic(broker.servers, topic))
    except (KeyError, AssertionError):
        return 0


def test_the_three_terminals(broker: Broker, spark_jars: Path) -> None:
    replay, process, spark, topics, dashboard = COMMANDS
    with running(replay, broker):
        with running(process, broker):
            until(lambda: windows(broker, "topic_results") >= 3, "windows")
        before = windows(broker, "topic_results")
        with running(spark, broker):
            until(lambda: windows(broker, "topic_results") > before, "windows of Spark")
        with running(topics, broker) as shown:
            out, _ = shown.communicate(timeout=patience(30.0))
        assert shown.returncode == 0
        assert b"topic_stream" in out
        assert b"topic_results" in out
    with serving(shlex.split(dashboard.replace(PORT, broker.servers))[1:]) as served:
        served.wait_for_windows(before)
