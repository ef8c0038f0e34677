"""How to deal with brokers and topics; brings no client, so it costs nothing to make."""

import time
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
    patient: bool = False
    """Whether to wait for brokers that do not answer."""
    wait: Callable[[float], None] = time.sleep
    """Sleeps so many seconds; raises when there is no use in going on."""
    say: Callable[[str], None] = lambda _: None
    """Tells people what is waited for, and what is made."""
