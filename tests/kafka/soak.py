"""Kill replay, processor and Spark driver at random moments, again and again; then compare.

Run as a script: ``python tests/kafka/soak.py --kills 1000``. Each round sends a recording
while whoever is chosen by chance is killed with SIGKILL and started again; at its end
the results must be those of the file, each once. Prints a line a round.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "tools")]

import orjson

from helpers.kafka_topics import Topic, make_topic
from helpers.simulated import simulated_words
from local_kafka import Broker, running, spark_kafka_jars

MUONSCOPE = str(Path(sys.executable).with_name("muonscope"))
WORDS = 40_000
KILLS_A_ROUND = 20
SPARK_KILLS_A_ROUND = 3


def start(*args: object) -> "subprocess.Popen[bytes]":
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        [MUONSCOPE, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def windows(lines: list[bytes]) -> list[bytes]:
    """Return the messages of windows, sorted."""
    return sorted(line for line in lines if orjson.loads(line)["window"] is not None)


class Round:
    """One recording through one pair of topics, with kills."""

    def __init__(self, broker: Broker, folder: Path, recording: Path, *, spark: bool) -> None:
        self.topic = Topic.named(broker.servers, f"soak_{time.time_ns()}")
        make_topic(broker.servers, self.topic.name, 3)
        rate = 2_000 if spark else 15_000
        self._replay = (
            "replay", recording, "--to", self.topic.stream, "--rate", rate, "--state",
            folder / self.topic.name,
        )  # fmt: skip
        self._process = (
            "process", self.topic.stream, "--run", "r", "--to", self.topic.results,
            *(("--engine", "spark", "--trigger", "100ms") if spark else ()),
        )  # fmt: skip
        self._spark = spark

    def run(self, chance: random.Random, kills: int) -> None:
        """Send and process, kill as often as asked, and finish in order."""
        sender, processor = start(*self._replay), start(*self._process)
        for _ in range(kills):
            time.sleep(chance.uniform(5, 11) if self._spark else chance.uniform(0.05, 0.8))
            if chance.random() < 0.5 and sender.poll() is None:
                kill(sender)
                sender = start(*self._replay)
            else:
                kill(processor)
                processor = start(*self._process)
        _, err = sender.communicate(timeout=300)
        assert sender.returncode == 0, err.decode()
        kill(processor)
        last = start(*self._process, "--idle-exit", "3s")
        _, err = last.communicate(timeout=300)
        assert last.returncode == 0, err.decode()


def main() -> int:
    """Soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, done, rounds = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as name, running(Broker(Path(name) / "broker")) as broker:
        folder = Path(name)
        jars = folder / "jars"
        jars.mkdir()
        for jar in spark_kafka_jars():
            (jars / jar.name).symlink_to(jar)
        os.environ["MUONSCOPE_SPARK_JARS"] = str(jars)
        recording = folder / "run.dat"
        simulated_words(WORDS).astype("<u8").tofile(recording)
        direct = subprocess.run(
            [MUONSCOPE, "process", str(recording), "--run", "r"], capture_output=True, check=True
        )
        expected = windows(direct.stdout.splitlines())
        while done < options.kills:
            spark = rounds % 5 == 4
            kills = min(SPARK_KILLS_A_ROUND if spark else KILLS_A_ROUND, options.kills - done)
            this = Round(broker, folder, recording, spark=spark)
            this.run(chance, kills)
            found = this.topic.lines(windows_only=True)
            assert found == expected, f"{this.topic.name}: {len(found)} of {len(expected)} windows"
            done, rounds = done + kills, rounds + 1
            engine = "Spark" if spark else "native"
            print(f"{done:5} kills, round {rounds} ({engine}): all windows, each once", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
