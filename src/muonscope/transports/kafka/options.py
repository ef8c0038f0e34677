"""How to deal with brokers and topics; brings no client, so it costs nothing to make."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from muonscope.errors import OptionError
from muonscope.events import Tell, ignore
from muonscope.stopping import Stop
from muonscope.transports.kafka.settings import KafkaSettings

__all__ = ["KafkaOptions", "kafka_options", "kafka_settings"]

_MOST = 10_000
"""Of partitions and replicas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """How to deal with brokers and topics."""

    settings: KafkaSettings = field(default_factory=KafkaSettings)
    partitions: int | None = None
    """Partitions of a topic that is made; None: the default of its kind."""
    replication: int = 1
    patient: bool = False
    """Whether to wait for brokers that do not answer."""
    wait: Callable[[float], None] = time.sleep
    """Sleeps so many seconds; raises when there is no use in going on."""
    tell: Tell = ignore
    """Tells people what is waited for, and what is created."""


def kafka_settings(file: str = "") -> KafkaSettings:
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
            raise OptionError(f"kafka settings {file}: cannot be read: {exc}") from exc
    return KafkaSettings.of(text, os.environ, file)


def kafka_options(
    config: str,
    *,
    stop: Stop,
    tell: Tell = ignore,
    partitions: int | None = None,
    replication: int = 1,
    no_wait: bool = True,
) -> KafkaOptions:
    """Return how to deal with brokers; waiting raises Stopped when ``stop`` says so.

    ``config`` is a file of settings, or empty; those of the environment count, too.

    Raises
    ------
    OptionError
        If a number makes no sense, or the settings do not.
    """
    for name, number in (("--partitions", partitions), ("--replication", replication)):
        if number is not None and not 1 <= number <= _MOST:
            raise OptionError(f"{name}: found {number}, expected 1 .. {_MOST}")
    return KafkaOptions(
        settings=kafka_settings(config), partitions=partitions, replication=replication,
        patient=not no_wait, wait=stop.wait, tell=tell,
    )  # fmt: skip
