"""The stream through a real broker on this machine: rates, latency, Spark, and their peers.

Run as a script. The broker shares the cores with everything else. Answers are asserted:
each run must account for every word.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson
from confluent_kafka import Consumer, KafkaError, TopicPartition

import muonscope
from helpers.kafka_topics import make_topic, read_topic
from local_kafka import Broker, running, spark_kafka_jars
from muonscope.processing.run import Run, Status
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.telescope import simulate
from muonscope.stream.messages import Part
from muonscope.words.layout import Words

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

T = TypeVar("T")

ORIGINAL_MS = {10_000: "2,400-3,100", 1_000_000: "6,900"}
"""Micro-batches of the original on Spark, ms (published)."""


WARM_UP = 10
"""Windows whose latency is told apart: the engine's first ones."""

_LATENESS_ORBITS = 1123


def words_of(n: int, rate_scale: float = 1.0) -> Words:
    """Return ``n`` words of a simulated telescope."""
    simulation = Simulation(
        detector=muonscope.shipped_detector(), profile=PROFILES["legnaro"], words=n,
        rate_scale=rate_scale, seconds=np.inf,
    )  # fmt: skip
    return np.concatenate([batch.stream.words for batch in simulate(simulation)])


def replay(file: Path, url: str, encoding: str = "block", **more: Any) -> float:
    """Send a file; return how long that took, s."""
    paced: dict[str, Any] = {} if "rate" in more else {"max": True}
    start = time.perf_counter()
    muonscope.replay(file, url, encoding=encoding, partitions=4, **paced, **more)
    return time.perf_counter() - start


class Account:
    """Reads topics of results for what ``process`` printed nowhere."""

    @staticmethod
    def words(servers: str, topic: str) -> int:
        """Return the words in all results."""
        messages = read_topic(servers, topic)
        return sum(orjson.loads(m.value() or b"")["accounting"]["words_in"] for m in messages)


def process(stream: str, results: str, **more: Any) -> None:
    """Process a topic that is full."""
    options: dict[str, Any] = {"run": "bench", "idle_exit": "1s"} | more
    muonscope.process(stream, to=results, without=("tracking",), **options)


def process_rate(stream: str, results: str) -> float:
    """Process a topic that is full; return the words a second once words come."""
    seen: list[tuple[float, int]] = []
    steps = Run.steps

    def watched(self: Run) -> Iterator[Status]:
        start = time.perf_counter()
        for status in steps(self):
            if not seen and status.words:
                seen.append((start, 0))
            seen.append((time.perf_counter(), status.words))
            yield status

    Run.steps = watched  # type: ignore[method-assign]
    try:
        process(stream, results)
    finally:
        Run.steps = steps  # type: ignore[method-assign]
    first = next(s for s in seen if s[1])
    last = next(s for s in seen if s[1] == seen[-1][1])
    return (last[1] - first[1]) / (last[0] - first[0])


def quiet(call: Callable[[], T]) -> T:
    """Return what ``call`` returns, with what it tells people kept from the screen."""
    keep, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    sys.stderr.flush()
    os.dup2(nothing, 2)
    try:
        return call()
    finally:
        sys.stderr.flush()
        os.dup2(keep, 2)
        os.close(keep)
        os.close(nothing)


def rate(name: str, words_a_second: float, note: str = "") -> None:
    """Print a rate."""
    print(f"{name:<58} {words_a_second / 1e6:8.2f} M/s  {note}", flush=True)


def client_alone(servers: str, topic: str, parse: Callable[[bytes], object] | None) -> float:
    """Return how long one Python consumer takes for a topic, s."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "bench", "enable.auto.commit": False,
         "auto.offset.reset": "earliest", "enable.partition.eof": True,
         "fetch.queue.backoff.ms": 5}
    )  # fmt: skip
    left = set(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    start = 0.0
    consumer.assign([TopicPartition(topic, p, 0) for p in left])
    while left:
        for message in consumer.consume(2000, 0.02):
            start = start or time.perf_counter()
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF
                left.discard(message.partition() or 0)
            elif parse:
                parse(message.value() or b"")
    took = time.perf_counter() - start
    consumer.close()
    return took


def native_section(broker: Broker, folder: Path, n: int) -> dict[float, float]:
    """Block and JSON encoding through the native engine; return its best rates of blocks."""
    servers, best = broker.servers, {}
    for label, scale in (("3 kHz", 1.0), ("1 M words/s", 320.0)):
        words = words_of(n, scale)
        file = folder / "run.dat"
        words.astype("<u8").tofile(file)
        topic = f"native_{scale:g}"
        url = f"kafka://{servers}/{topic}"
        sent = quiet(partial(replay, file, url))
        rate(f"replay --max, blocks, of {label}", n / sent)
        alone = n / client_alone(servers, topic, None)
        rate("  the client alone, reading the blocks", alone)
        rates = []
        for repeat in range(2):
            results = f"{topic}_{repeat}_results"
            got = quiet(partial(process_rate, url, f"kafka://{servers}/{results}"))
            assert Account.words(servers, results) == n
            rate("  process, topic to committed results", got, f"{got / alone:.2f} x client")
            rates.append(got)
        best[scale] = max(rates)
    n_json = min(n, 600_000)
    file = folder / "json.dat"
    words[:n_json].astype("<u8").tofile(file)
    url = f"kafka://{servers}/json"
    sent = n_json / quiet(partial(replay, file, url, "json"))
    rate("replay --max, one JSON hit a message", sent, "the original's producer: 0.002")
    alone = n_json / client_alone(servers, "json", orjson.loads)
    rate("  one Python consumer that only parses (orjson)", alone)
    got = quiet(partial(process_rate, url, f"kafka://{servers}/json_results"))
    assert Account.words(servers, "json_results") == n_json
    rate("  process, topic to committed results", got, f"{got / alone:.2f} x client")
    return best


@contextmanager
def daemon(command: list[str], env: dict[str, str] | None = None) -> Iterator[None]:
    """Run a command beside."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
    ) as process_:
        try:
            yield
        finally:
            process_.terminate()
            process_.wait(60)


def latency_section(broker: Broker, folder: Path, *, spark: bool) -> None:
    """From the send of the block that lets a window close, to its message at a reader."""
    engine = "spark" if spark else "native"
    for label, scale, seconds in (("3 kHz", 1.0, 40), ("1 M words/s", 320.0, 25)):
        topic = f"latency_{engine}_{scale:g}"
        make_topic(broker.servers, topic, 4)
        make_topic(broker.servers, f"{topic}_results", 4)
        url = f"kafka://{broker.servers}/{topic}"
        command = [
            sys.executable, "-m", "muonscope", "process", url, "--to", f"{url}_results",
            "--engine", engine, *(["--trigger", "100ms", "--master", "local[2]"] if spark else []),
        ]  # fmt: skip
        words = words_of(int(3150 * scale * seconds) + 20_000, scale)
        file = folder / "latency.dat"
        words.astype("<u8").tofile(file)
        with daemon(command):
            time.sleep(16 if spark else 4)
            sender = threading.Thread(target=paced, args=(file, url), daemon=True)
            took = arrivals(broker.servers, topic, sender, seconds)
        start, delays = [1e3 * d for d in took[:WARM_UP]], sorted(1e3 * d for d in took[WARM_UP:])
        assert len(delays) > seconds // 3, delays
        print(
            f"latency, {engine}, {label:<12} {len(delays)} windows: p50"
            f" {statistics.median(delays):.0f} ms, p99 {np.percentile(delays, 99):.0f} ms,"
            f" longest {delays[-1]:.0f} ms; the {WARM_UP} before, while it warms up:"
            f" longest {max(start):.0f} ms",
            flush=True,
        )


def paced(file: Path, url: str) -> None:
    """Send a file as fast as the detector was."""
    subprocess.run(
        [sys.executable, "-m", "muonscope", "replay", str(file), "--to", url, "--speed", "1"],
        check=True, capture_output=True,
    )  # fmt: skip


class _Marks:
    """When the detector's time had reached an orbit, as the blocks at the broker tell it."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def take(self, block: bytes) -> None:
        """Take a block; its last word tells how far the detector is."""
        word = int.from_bytes(block[-8:], "little")
        orbit = word >> 17 & 0xFFFFFFFF
        last = self.seen[-1][1] if self.seen else 0
        if word >> 61 == 2 and last < orbit < 1 << 31:
            self.seen.append((time.monotonic(), orbit))


def arrivals(servers: str, topic: str, sender: threading.Thread, seconds: int) -> list[float]:
    """Return, for each window, the time from its closing block at the broker to its message.

    The block that closes window w is the first with a hit beyond its end and the
    lateness; both times are the clock of this machine.
    """
    blocks = Consumer({"bootstrap.servers": servers, "group.id": "a", "fetch.wait.max.ms": 5})
    results = Consumer(
        {"bootstrap.servers": servers, "group.id": "b", "fetch.wait.max.ms": 5,
         "isolation.level": "read_committed"}
    )  # fmt: skip
    for consumer, name in ((blocks, topic), (results, f"{topic}_results")):
        consumer.assign([TopicPartition(name, p, 0) for p in range(4)])
    marks, seen = _Marks(), []
    sender.start()
    end = time.monotonic() + seconds + 6
    while time.monotonic() < end:
        for message in blocks.consume(500, 0.001):
            if message.error() is None:
                marks.take(message.value() or b"")
        for message in results.consume(500, 0.001):
            window = json.loads(message.value() or b"{}") if message.error() is None else {}
            if window.get("epoch") == 1:
                seen.append((time.monotonic(), window["last_orbit"] + _LATENESS_ORBITS))
    blocks.close()
    results.close()
    delays = []
    for at, needed in seen:
        sent = next((t for t, orbit in marks.seen if orbit > needed), None)
        if sent is not None:
            delays.append(max(0.0, at - sent))
    return delays


def spark_section(broker: Broker, folder: Path, n: int, native: dict[float, float]) -> None:
    """Block encoding through Spark on one and two cores; micro-batches of two sizes."""
    from muonscope.engines.spark.session import make_session

    jars = linked(folder)
    os.environ["MUONSCOPE_SPARK_JARS"] = str(jars)
    servers = broker.servers
    for cores in (1, 2):
        session = make_session(f"local[{cores}]", jars=str(jars))
        for label, scale in (("3 kHz", 1.0), ("1 M words/s", 320.0)):
            for repeat in range(3):  # the first one warms up
                stream = f"kafka://{servers}/native_{scale:g}"
                results = f"spark_{cores}_{scale:g}_{repeat}_results"
                took, batches = with_spark(stream, f"kafka://{servers}/{results}")
                assert Account.words(servers, results) == n
                if repeat:
                    rate(
                        f"Spark local[{cores}], blocks of {label}",
                        n / took,
                        f"{n / took / native[scale]:.2f} x native, {batches} micro-batches",
                    )
        micro_batches(servers, cores)
        session.stop()


def with_spark(stream: str, results: str) -> tuple[float, int]:
    """Process a topic that is full with Spark; return how long that took, s, and micro-batches.

    From the first one on: decoded by workers, ordered, counted, and committed.
    """
    from muonscope.engines.spark.topic import TopicQuery

    begins: list[float] = []
    ends: list[float] = []
    decode, run = TopicQuery._decode, TopicQuery.run

    def timed_decode(self: TopicQuery, rows: "DataFrame") -> list[Part]:
        begins.append(time.perf_counter())
        return decode(self, rows)

    def timed_run(self: TopicQuery, *args: Any, **more: Any) -> None:
        take = self._take

        def timed_take(parts: list[Part]) -> None:
            take(parts)
            ends.append(time.perf_counter())

        self._take = timed_take
        run(self, *args, **more)

    TopicQuery._decode = timed_decode  # type: ignore[method-assign]
    TopicQuery.run = timed_run  # type: ignore[method-assign]
    try:
        quiet(partial(process, stream, results, engine="spark", trigger="1ms"))
    finally:
        TopicQuery._decode, TopicQuery.run = decode, run  # type: ignore[method-assign]
    return ends[-1] - begins[0], len(ends)


def micro_batches(servers: str, cores: int) -> None:
    """Time single micro-batches of topics that hold no more than one."""
    for size, ms in ORIGINAL_MS.items():
        with tempfile.NamedTemporaryFile(suffix=".dat") as file:
            words_of(size).astype("<u8").tofile(file.name)
            took = []
            for repeat in range(6):  # the first one warms up
                url = f"kafka://{servers}/micro_{cores}_{size}_{repeat}"
                quiet(partial(replay, Path(file.name), url))
                seconds, _ = with_spark(url, f"{url}_results")
                took.append(seconds)
        print(
            f"  a micro-batch of {size:,} words: {statistics.median(took[1:]) * 1e3:.0f} ms;"
            f" the original {ms} ms",
            flush=True,
        )


def main() -> int:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", default=["native", "latency", "spark"])
    parser.add_argument("--words", type=int, default=20_000_000)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, shared with the broker; Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory() as name, running(Broker(Path(name) / "broker")) as broker:
        folder = Path(name)
        if "native" in options.sections or "spark" in options.sections:
            native = native_section(broker, folder, options.words)
        if "spark" in options.sections:
            spark_section(broker, folder, options.words, native)
        if "latency" in options.sections:
            latency_section(broker, folder, spark=False)
            os.environ.setdefault("MUONSCOPE_SPARK_JARS", str(linked(folder)))
            latency_section(broker, folder, spark=True)
    return 0


def linked(folder: Path) -> Path:
    """Return a folder with Spark's Kafka connector."""
    jars = folder / "jars"
    jars.mkdir(exist_ok=True)
    for jar in spark_kafka_jars():
        if not (jars / jar.name).exists():
            (jars / jar.name).symlink_to(jar)
    return jars


if __name__ == "__main__":
    sys.exit(main())
