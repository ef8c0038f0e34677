"""What commands need for Kafka: settings from a file and the environment, and patience."""

import os
import time
from pathlib import Path

from muonscope.cli.say import say
from muonscope.cli.stopping import Stop
from muonscope.errors import OptionError
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.settings import KafkaSettings

__all__ = ["kafka_options", "kafka_settings"]

_LOOK_S = 0.1


def kafka_settings(file: str) -> KafkaSettings:
    """Return the settings in ``file``, if one is named, and those of the environment.

    Raises
    ------
    OptionError
        If the file cannot be read, or a line of it is no setting.
    """
    text = ""
    if file:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise OptionError(f"--kafka-config {file}: cannot be read: {exc}") from exc
    return KafkaSettings.of(text, os.environ, file)


def kafka_options(
    config: str, stop: Stop, *, partitions: int | None, replication: int, no_wait: bool
) -> KafkaOptions:
    """Return how to deal with brokers; waiting ends when ``stop`` says so.

    Raises
    ------
    OptionError
        If a number makes no sense, or the settings do not.
    """
    for name, number in (("--partitions", partitions), ("--replication", replication)):
        if number is not None and not 1 <= number <= 10_000:
            raise OptionError(f"{name}: found {number}, expected 1 .. 10000")

    def wait(seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not stop and time.monotonic() < end:
            time.sleep(_LOOK_S)
        return bool(stop)

    return KafkaOptions(
        settings=kafka_settings(config), partitions=partitions, replication=replication,
        patient=not no_wait, wait=wait, say=say,
    )  # fmt: skip
