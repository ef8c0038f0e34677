"""One broker and one Spark session for all tests; a broker of its own for those that hurt it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.command import Command
from helpers.kafka_topics import Topic
from local_kafka import Broker, running, spark_kafka_jars


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker that all tests share; each takes topics of its own."""
    with running(Broker(tmp_path_factory.mktemp("broker"))) as started:
        yield started


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker that tests may stop and kill; they leave it running."""
    with running(Broker(tmp_path_factory.mktemp("fragile"))) as started:
        yield started


@pytest.fixture(scope="module")
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of the ``WORDS`` of the module."""
    path = tmp_path_factory.mktemp("recordings") / "run.dat"
    request.module.WORDS.astype("<u8").tofile(path)
    return path


@pytest.fixture(scope="module")
def expected(command: Command, recording: Path) -> list[bytes]:
    """What ``process`` makes of the recording as a file, sorted."""
    return sorted(command("process", recording, "--run", "r").out.splitlines())


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> Topic:
    """Names for a stream and its results that no other test has."""
    return Topic.named(broker.servers, request.node.name)


@pytest.fixture(scope="session")
def spark_jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Spark's Kafka connector."""
    folder = tmp_path_factory.mktemp("spark-jars")
    for jar in spark_kafka_jars():
        (folder / jar.name).symlink_to(jar)
    os.environ["MUONSCOPE_SPARK_JARS"] = str(folder)
    return folder
