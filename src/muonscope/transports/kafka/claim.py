"""The claim to the id of a run; brings no client, so it costs nothing to make."""

from dataclasses import dataclass, field
from uuid import uuid4

__all__ = ["Claim"]


@dataclass(slots=True)
class Claim:
    """That one process has an id; it outlives the producers that are lost meanwhile."""

    owner: str = field(default_factory=lambda: uuid4().hex)
    """Mark of the process."""
    made: bool = False
    """Whether the brokers have it."""
