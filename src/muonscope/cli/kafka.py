"""How a command deals with brokers: settings, numbers of its options, and patience."""

from muonscope.cli.say import say
from muonscope.cli.stopping import Stop
from muonscope.errors import OptionError
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.wiring import kafka_settings

__all__ = ["kafka_options"]


def kafka_options(
    config: str,
    stop: Stop,
    *,
    partitions: int | None = None,
    replication: int = 1,
    no_wait: bool = False,
) -> KafkaOptions:
    """Return how to deal with brokers; waiting raises Stopped when ``stop`` says so.

    ``config`` is a file of settings, or empty; those of the environment count, too.

    Raises
    ------
    OptionError
        If a number makes no sense, or the settings do not.
    """
    for name, number in (("--partitions", partitions), ("--replication", replication)):
        if number is not None and not 1 <= number <= 10_000:
            raise OptionError(f"{name}: found {number}, expected 1 .. 10000")

    return KafkaOptions(
        settings=kafka_settings(config), partitions=partitions, replication=replication,
        patient=not no_wait, wait=stop.wait, say=say,
    )  # fmt: skip
