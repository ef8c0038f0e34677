"""The seams of input and output.

A source yields the bytes of its streams (files, objects, standard input) piece by piece;
it knows nothing of words. A sink takes whole messages and can be cut back to a position
it named before, so that what is published twice after a crash counts once.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from muonscope.errors import SourceError

__all__ = ["Piece", "Place", "Published", "Sink", "Source", "SourceStatus", "Store"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a stream was read, and by what it is known again."""

    restart: int
    """Raw bytes that need not be read again."""
    read: int
    """Raw bytes that were read."""
    mark: int
    """CRC-32 of the first ``min(64, read)`` bytes; of a topic, of its id."""
    ended: bool
    """Whether it was read to an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some bytes of one stream, or its end, or what stopped it from being read."""

    key: str
    """Identity of the stream, the same after a restart."""
    name: str
    """Its name for people."""
    data: bytes = b""
    read: int = 0
    """Raw bytes of the stream up to the end of this piece."""
    mark: int = 0
    """As in :class:`Place`."""
    changed_s: float = math.inf
    """When the stream had changed last, s since 1970; infinity where that is not known."""
    ended: bool = False
    """Nothing more comes from this stream, as far as is known."""
    error: SourceError | None = None
    """Why the stream could not be read (further); the other streams go on."""
    idle: bool = False
    """No data, only a sign of life from a source that waits for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How far one source, or one partition of it, was read."""

    name: str
    partition: int | None = None
    read: int = 0
    behind: int | None = None
    """What is there and not read yet; None where that is not known."""
    unit: str = "bytes"


class Source(Protocol):
    """Where bytes come from."""

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces of all streams, each stream's in order."""

    def size(self) -> int | None:
        """Return the raw bytes there are to read, as far as is known."""


class Published(NamedTuple):
    """A message on its way out."""

    name: str
    """What makes it the same message again: run, epoch and window."""
    data: bytes
    """A line of JSON."""


class Sink(Protocol):
    """Where messages go."""

    def publish(self, messages: Sequence[Published]) -> None:
        """Write whole messages, each a line."""

    def commit(self) -> int:
        """Make all that was published durable; return the position reached."""

    def close(self) -> None:
        """Finish."""


class Store(Protocol):
    """Where a run keeps its state."""

    def load(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]] | None:
        """Return what was saved last, or None."""

    def save(self, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Replace what was saved; after a crash either the old or the new is there."""

    def close(self) -> None:
        """Let go."""
