"""A Kafka broker on this machine, from jars: for trying things out, and for the tests.

The jars come from Maven Central by way of Ivy, which pyspark ships, and stay in a folder.
The broker listens on 127.0.0.1 only and keeps its data in a folder of its own. Run as a
script it stays in the foreground until Ctrl-C.
"""

import argparse
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Broker", "java", "kafka_jars", "spark_kafka_jars"]

KAFKA = ("org.apache.kafka", "kafka_2.13", "4.3.1")
SPARK_KAFKA = ("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.2.0")
SPARK_OWN = ("hadoop-", "scala-library", "slf4j-", "snappy-", "lz4-", "jsr305", "spark-tags",
             "scala-parallel")  # fmt: skip
"""Begins of the names of jars that Spark has itself."""

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
JARS = Path(os.environ.get("MUONSCOPE_JARS", CACHE / "muonscope" / "jars"))
"""Where jars are kept, for all checkouts."""
START_S = 60.0

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "log.retention.check.interval.ms": "1000",
    "log.initial.task.delay.ms": "500",
}


def java() -> str:
    """Return the name of the Java launcher.

    Raises
    ------
    SystemExit
        If there is none; the message says what to install.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if not found:
        raise SystemExit(
            "java is not there: install a Java 17 or newer (Debian: openjdk-17-jre-headless)"
        )
    return found


def _pyspark_jars() -> Path:
    import pyspark

    return Path(pyspark.__file__).parent / "jars"


def _retrieve(artifact: tuple[str, str, str]) -> list[Path]:
    """Return the jars of an artifact and all that it needs, fetched once."""
    folder = JARS / f"{artifact[1]}-{artifact[2]}"
    JARS.mkdir(parents=True, exist_ok=True)
    with (JARS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that fetch at once spoil each other's downloads
        if not (folder / "complete").exists():
            _fetch(artifact, folder)
    return sorted(folder.glob("*.jar"))


def _fetch(artifact: tuple[str, str, str], folder: Path) -> None:
    print(f"fetching {artifact[1]} {artifact[2]} from Maven Central ...", file=sys.stderr)
    ivy = next(_pyspark_jars().glob("ivy-*.jar"))
    command = [
        java(), "-cp", str(ivy), "org.apache.ivy.Main", "-cache", str(JARS / "cache"),
        "-m2compatible", "-dependency", *artifact, "-confs", "default",
        "-types", "jar", "bundle", "-retrieve",
        f"{folder}/[artifact]-[revision](-[classifier]).[ext]",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not list(folder.glob("*.jar")):
        raise SystemExit(f"{artifact[1]}: cannot be fetched:\n{done.stdout[-3000:]}")
    (folder / "complete").touch()


def kafka_jars() -> list[Path]:
    """Return the jars of the broker, with a logger."""
    loggers = ("log4j-api-", "log4j-core-", "log4j-slf4j2-")
    return _retrieve(KAFKA) + [
        jar for jar in _pyspark_jars().glob("*.jar") if jar.name.startswith(loggers)
    ]


def spark_kafka_jars() -> list[Path]:
    """Return the jars that Spark's Kafka connector needs beyond those that Spark has."""
    return [jar for jar in _retrieve(SPARK_KAFKA) if not jar.name.startswith(SPARK_OWN)]


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Broker:
    """One broker, which can be stopped, killed and started again on its data."""

    def __init__(
        self, folder: Path, port: int = 0, settings: Mapping[str, str] | None = None
    ) -> None:
        """Keep data and logs in ``folder``; a port of 0 takes a free one."""
        self.folder, self.port = folder, port or free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        controller = f"127.0.0.1:{free_port()}"
        values = SETTINGS | {
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{self.servers},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.servers}",
            "log.dir": str(folder / "data"),
            **(settings or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "server.properties"
        self._file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        (folder / "log4j2.properties").write_text(
            "rootLogger.level = warn\nrootLogger.appenderRef.a.ref = A\n"
            "appender.a.type = Console\nappender.a.name = A\nappender.a.target = SYSTEM_ERR\n"
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not (self.folder / "data" / "meta.properties").exists():
            made = self._java("kafka.tools.StorageTool", "random-uuid")
            identity = made.stdout.split()[-1]
            self._java(
                "kafka.tools.StorageTool", "format", "--standalone", "-t", identity,
                "-c", str(self._file), "--ignore-formatted",
            )  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command("kafka.Kafka"), str(self._file)], stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._wait()

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it; ``SIGKILL`` stops it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_S)
            self._process = None

    def wait(self) -> int:
        """Wait for its end; return its exit code."""
        assert self._process
        return self._process.wait()

    def _wait(self) -> None:
        assert self._process
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.stop(signal.SIGKILL)
        raise SystemExit(f"the broker does not start:\n{(self.folder / 'log').read_text()[-3000:]}")

    def _command(self, main: str) -> list[str]:
        path = ":".join(map(str, kafka_jars()))
        logging = f"-Dlog4j2.configurationFile={self.folder}/log4j2.properties"
        return [java(), "-Xmx1g", "-XX:+UseSerialGC", logging, "-cp", path, main]

    def _java(self, main: str, *args: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*self._command(main), *args], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{main} {' '.join(args)}:\n{done.stdout}{done.stderr}")
        return done


@contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Give a broker that runs."""
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def main() -> int:
    """Run a broker until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--folder", type=Path, default=JARS.parent / "broker")
    parser.add_argument("--fetch", action="store_true", help="only fetch the jars")
    options = parser.parse_args()
    kafka_jars()
    spark_kafka_jars()
    if options.fetch:
        return 0
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", options.port)) == 0:
            print(f"port {options.port} is in use: is a broker running there?", file=sys.stderr)
            return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running(Broker(options.folder, options.port)) as broker:
        print(f"Kafka listens on {broker.servers}; Ctrl-C stops it", file=sys.stderr)
        try:
            broker.wait()
        except KeyboardInterrupt:
            print("\nstopping ...", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
