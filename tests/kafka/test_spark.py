"""The Spark engine gives the messages of the native one, byte for byte."""

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

import muonscope
from helpers.command import MUONSCOPE, Command, until
from helpers.kafka_topics import Topic, add_partitions, make_topic, send
from helpers.patience import patience
from helpers.simulated import simulated_words
from local_kafka import free_port, java
from muonscope.cli.process import process_command
from muonscope.engines.spark.session import make_session
from muonscope.engines.spark.topic import TopicQuery
from muonscope.errors import SourceLostError
from muonscope.processing.options import ProcessOptions
from muonscope.words.layout import Words

WORDS = simulated_words(30_000)


@pytest.fixture(scope="module")
def session(spark_jars: Path) -> Iterator[Any]:
    """The Spark session of all tests here."""
    started = make_session("local[2]", jars=str(spark_jars))
    yield started
    started.stop()


def spark(source: object, dest: object, **more: Any) -> int:
    """Process with Spark, in this process, so that one session serves all."""
    options: dict[str, Any] = {
        "sources": source if isinstance(source, list) else [str(source)], "to": str(dest),
        "run": "r", "detector": "", "window": "1s", "lateness": "100ms", "idle_timeout": "5s",
        "follow": False, "idle_exit": "", "state": "", "force": False, "engine": "spark",
        "trigger": "100ms",
    }  # fmt: skip
    return process_command(ProcessOptions(**options | more))


def write(path: Path, words: Words) -> Path:
    words.astype("<u8").tofile(path)
    return path


def disturbed(chance: random.Random) -> Words:
    """Return words with jumps, lone bad orbits, late and foreign words, in some disorder."""
    words = simulated_words(chance.randrange(5_000, 25_000)).copy()
    n = len(words)
    for _ in range(chance.randrange(4)):
        at, length = chance.randrange(n), chance.randrange(1, 600)
        words[at : at + length] += np.uint64(chance.randrange(1 << 30) << 17)
    for _ in range(chance.randrange(30)):
        words[chance.randrange(n)] = np.uint64(chance.randrange(1 << 64))
    order = np.argsort(np.arange(n) + np.random.default_rng(n).integers(0, 40, n), kind="stable")
    return words[order]


def without_bytes(lines: list[bytes]) -> list[bytes]:
    """Return messages without the account of bytes: messages have others than a file."""
    messages = [orjson.loads(line) for line in lines]
    return sorted(orjson.dumps({k: v for k, v in m.items() if k != "bytes"}) for m in messages)


@pytest.mark.parametrize("seed", range(6))
def test_engines_agree_on_any_stream_cut_and_partitions(
    session: Any, command: Command, topic: Topic, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    file = write(tmp_path / "run.dat", disturbed(chance))
    encoding = chance.choice(["block", "json", "block"])
    if encoding == "json":  # which holds no word with bits that no column shows
        file = write(tmp_path / "run.dat", simulated_words(8_000))
    window = chance.choice(["1s", "300ms", "4s"])
    more = ("--run", "r", "--window", window)
    direct = sorted(command("process", file, *more).out.splitlines())
    sent = command(
        "replay", file, "--to", topic.stream, "--partitions", chance.randrange(1, 9),
        "--encoding", encoding, "--rate", chance.choice([30_000, 200_000]),
    )  # fmt: skip
    assert sent.code == 0, sent.err
    native = Topic(topic.servers, f"{topic.name}_native")
    done = command("process", topic.stream, "--to", native.results, "--idle-exit", "600ms", *more)
    assert done.code == 0, done.err
    assert without_bytes(native.lines()) == without_bytes(direct)
    assert spark(topic.stream, topic.results, idle_exit="1s", window=window) == 0
    assert topic.lines() == native.lines()


@pytest.mark.parametrize("fault", ["hv-off:ch1", "dead:ch0:5", "desync:fpga1:100"])
def test_results_of_both_engines_are_judged_alike(
    session: Any, command: Command, topic: Topic, tmp_path: Path, fault: str
) -> None:
    words = muonscope.simulate("quiet", seconds=60.0, seed=4, faults=[f"{fault}@30s-"]).words
    file = write(tmp_path / "run.dat", words)
    good = write(tmp_path / "good.dat", muonscope.simulate("quiet", seconds=600.0, seed=9).words)
    assert command("replay", file, "--to", topic.stream, "--max", "--partitions", 4).code == 0
    assert spark(topic.stream, topic.results, idle_exit="1s") == 0
    assert spark(file, tmp_path / "spark.jsonl") == 0
    assert command("process", file, "--to", tmp_path / "native.jsonl", "--run", "r").code == 0
    found = [
        muonscope.judge(source, reference=good)[0].changes
        for source in (file, tmp_path / "native.jsonl", tmp_path / "spark.jsonl", topic.results)
    ]
    assert found[0]
    assert all(changes == found[0] for changes in found)


def test_words_that_come_during_many_micro_batches(
    session: Any, command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    make_topic(topic.servers, topic.name, 4)
    sender = command.start("replay", recording, "--to", topic.stream, "--rate", 8_000)
    assert spark(topic.stream, topic.results, idle_exit="3s") == 0
    assert sender.wait().code == 0
    assert topic.lines() == expected


def test_a_query_that_starts_anew_for_small_messages_loses_nothing(
    session: Any, command: Command, topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []
    start = TopicQuery._start

    def watched(self: TopicQuery, *args: Any) -> Any:
        starts.append(self._bound.messages)
        return start(self, *args)

    monkeypatch.setattr(TopicQuery, "_start", watched)
    file = write(tmp_path / "run.dat", WORDS[:6_000])
    sent = command("replay", file, "--to", topic.stream, "--encoding", "json", "--max")
    assert sent.code == 0, sent.err
    assert spark(topic.stream, topic.results, idle_exit="1s") == 0
    assert len(starts) == 2, starts
    assert starts[0] < 6_000 < starts[1]
    direct = command("process", file, "--run", "r").out.splitlines()
    assert without_bytes(topic.lines()) == without_bytes(direct)


def test_poison_is_rejected_by_workers_as_by_the_native_engine(
    session: Any, command: Command, topic: Topic, recording: Path
) -> None:
    make_topic(topic.servers, topic.name, 3)
    send(topic.servers, topic.name, [b"", None, b"{", b"\xff" * 1000, b"MUONWRD1", b'{"HEAD": 1}'])
    assert command("replay", recording, "--to", topic.stream, "--max").code == 0
    native = Topic(topic.servers, f"{topic.name}_native")
    more = ("--run", "r", "--idle-exit", "1500ms")
    assert command("process", topic.stream, "--to", native.results, *more).code == 0
    assert spark(topic.stream, topic.results, idle_exit="1500ms") == 0
    assert topic.lines() == native.lines()

    def without_order(rejects: list[dict[str, Any]]) -> list[str]:
        return sorted(str(reject) for reject in rejects)

    assert len(topic.rejects()) == 6
    assert without_order(topic.rejects()) == without_order(native.rejects())


def test_files_of_every_kind(
    session: Any, command: Command, recording: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n, ending in enumerate(["dat", "csv", "json", "parquet", "block"]):
        part = write(tmp_path / "part.dat", WORDS[n * 6000 : (n + 1) * 6000])
        assert command("convert", part, folder / f"{n}.{ending}").code == 0
    (folder / "1.csv.gz").write_bytes(gzip.compress((folder / "1.csv").read_bytes()))
    (folder / "1.csv").unlink()
    with (folder / "4.block").open("ab") as file:
        file.write(b"cut short")
    native = command("process", folder, "--run", "r")
    out = tmp_path / "out.jsonl"
    assert spark(folder, out) == 0
    assert out.read_bytes() == native.out


def test_large_binary_files_are_decoded_in_ranges(
    session: Any, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.engines.spark.files.RANGE_BYTES", 129 * 8 * 20)
    file = write(tmp_path / "run.dat", WORDS)
    with file.open("ab") as tail:
        tail.write(b"123")
    native = command("process", file, "--run", "r")
    out = tmp_path / "out.jsonl"
    assert spark(file, out) == 0
    assert out.read_bytes() == native.out


def test_a_state_made_by_one_engine_is_gone_on_with_by_the_other(
    session: Any, command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    make_topic(topic.servers, topic.name, 3)
    sender = command.start("replay", recording, "--to", topic.stream, "--rate", 10_000)
    more = ("--run", "r", "--to", topic.results)
    running = command.start("process", topic.stream, *more)
    time.sleep(1.2)
    running.signal(signal.SIGKILL)
    running.wait()
    assert sender.wait().code == 0
    assert spark(topic.stream, topic.results, idle_exit="1s") == 0
    assert topic.lines() == expected


def test_partitions_that_are_added_end_the_run_and_the_next_one_reads_them(
    session: Any, command: Command, topic: Topic, tmp_path: Path
) -> None:
    file = write(tmp_path / "run.dat", WORDS)
    first = write(tmp_path / "1.dat", WORDS[:15_000])
    second = write(tmp_path / "2.dat", WORDS[15_000:])
    make_topic(topic.servers, topic.name)
    assert command("replay", first, "--to", topic.stream, "--max").code == 0

    def later() -> None:
        until(lambda: bool(topic.lines()))
        add_partitions(topic.servers, topic.name, 3)
        assert command("replay", second, "--to", topic.stream, "--max").code == 0

    with ThreadPoolExecutor() as pool:
        added = pool.submit(later)
        # a broker makes them known one after the other: the first look may see two
        with pytest.raises(SourceLostError, match=r"has [23] partitions now, 1 before"):
            spark(topic.stream, topic.results, idle_exit="60s")
        added.result()
    assert spark(topic.stream, topic.results, idle_exit="1s") == 0
    direct = command("process", file, "--run", "r").out.splitlines()
    assert without_bytes(topic.lines()) == without_bytes(direct)


def run_driver(topic: Topic, *more: str) -> "subprocess.Popen[bytes]":
    """Start the command as a user does: with a JVM of its own."""
    command = [
        str(MUONSCOPE), "process", topic.stream, "--run", "r", "--to", topic.results,
        "--engine", "spark", "--trigger", "100ms", *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def test_a_driver_killed_at_random_moments_publishes_each_window_once(
    spark_jars: Path, command: Command, topic: Topic, recording: Path, expected: list[bytes]
) -> None:
    chance = random.Random(1)
    make_topic(topic.servers, topic.name, 3)
    sender = command.start("replay", recording, "--to", topic.stream, "--rate", 800)
    for _ in range(4):
        driver, before = run_driver(topic), topic.published()
        until(lambda before=before: topic.published() > before or sender.done(), "windows")  # type: ignore[misc]
        time.sleep(chance.uniform(0.0, 0.5))
        os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
    assert sender.wait().code == 0
    driver = run_driver(topic, "--idle-exit", "1s")
    _, err = driver.communicate(timeout=patience(90.0))
    assert driver.returncode == 0, err.decode()
    assert topic.lines() == expected


def test_a_standalone_cluster_with_two_workers(
    spark_jars: Path, command: Command, topic: Topic, recording: Path, expected: list[bytes],
    tmp_path: Path,
) -> None:  # fmt: skip
    import pyspark

    home = Path(pyspark.__file__).parent
    master = f"spark://127.0.0.1:{free_port()}"
    port = master.rsplit(":", 1)[1]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1",
                   "SPARK_SCALA_VERSION": "2.13",
                   "PYSPARK_PYTHON": sys.executable}  # fmt: skip
    base = [java(), "-Xmx256m", "-cp", f"{home}/jars/*"]
    deploy = "org.apache.spark.deploy"
    commands = [
        [*base, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", port,
         "--webui-port", "0"],
        *(
            [*base, f"{deploy}.worker.Worker", "--host", "127.0.0.1", "--cores", "1", "--memory",
             "700m", "--webui-port", "0", "--work-dir", str(tmp_path / f"work{n}"), master]
            for n in range(2)
        ),
    ]  # fmt: skip
    log = tmp_path / "cluster.log"
    with log.open("wb") as out:
        cluster = [subprocess.Popen(c, stdout=out, stderr=out, env=environment) for c in commands]
    try:
        until(lambda: log.read_text().count("registered with master") >= 2, "two workers")
        assert command("replay", recording, "--to", topic.stream, "--max").code == 0
        environment["PYSPARK_SUBMIT_ARGS"] = "--executor-memory 600m pyspark-shell"
        done = subprocess.run(
            [str(MUONSCOPE), "process", topic.stream, "--run", "r", "--to", topic.results,
             "--engine", "spark", "--master", master, "--idle-exit", "2s"],
            capture_output=True, env=environment, timeout=patience(120.0), check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert topic.lines() == expected
        executors = [p for p in (tmp_path).glob("work*/app-*/*") if p.is_dir()]
        assert len({p.parents[1].name for p in executors}) == 2
    finally:
        for process in cluster:
            process.kill()
            process.wait()


def test_what_makes_no_sense_is_refused(command: Command, recording: Path) -> None:
    done = command("process", "-", "--engine", "spark")
    assert done.code == 2
    assert "neither --follow nor -" in done.err
    done = command("process", recording, "--engine", "flink")
    assert done.code == 2
    assert "native or spark" in done.err
