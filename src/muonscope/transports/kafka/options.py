"""How to deal with brokers and topics; brings no client, so it costs nothing to make."""

from collections.abc import Callable
from dataclasses import dataclass, field

from muonscope.transports.kafka.settings import KafkaSettings

__all__ = ["KafkaOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaOptions:
    """How to deal with brokers and topics."""

    settings: KafkaSettings = field(default_factory=KafkaSettings)
    partitions: int | None = None
    """Partitions of a topic that is made; None: the default of its kind."""
    replication: int = 1
    patient: bool = True
    """Whether to wait for brokers that do not answer."""
    wait: Callable[[float], bool] = lambda _: True
    """Sleeps so many seconds; returns True when there is no use in going on."""
    say: Callable[[str], None] = lambda _: None
    """Tells people what is waited for, and what is made."""
