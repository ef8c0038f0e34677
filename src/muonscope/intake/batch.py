"""The seam between what brings words and what uses them: batches of words in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, Protocol, TypeVar

from muonscope.errors import FormatError, SourceError
from muonscope.transports.base import Place
from muonscope.words.codec import Decoded
from muonscope.words.detect import Guess
from muonscope.words.rejects import Reject

__all__ = ["Batch", "Checkpoint", "Stream", "Taking", "Token"]

T = TypeVar("T")


class Checkpoint(IntEnum):
    """Whether a snapshot is wanted."""

    NO = 0
    YES = 1
    IF_CLOSED = 2
    """If windows were closed since the last one."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[T]):
    """Decoded words on their way to the counter."""

    decoded: Decoded
    token: T
    """Whatever the caller needs to know of this batch: the engine hands it through."""
    checkpoint: Checkpoint = Checkpoint.NO
    """Whether a snapshot is wanted right after this batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """How far one stream has been taken in; goes to the saved state as JSON."""

    name: str
    place: Place
    bytes_in: int = 0
    """Bytes after decompression that were decoded or rejected."""
    decoder: dict[str, Any] = field(default_factory=dict)
    left: tuple[tuple[str, int], ...] = ()
    """Codes and lengths of what was rejected at its end, to be taken back if it grows."""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        place = {name: getattr(self.place, name) for name in ("restart", "read", "mark", "ended")}
        return {
            "name": self.name,
            "place": place,
            "bytes_in": self.bytes_in,
            "decoder": self.decoder,
            "left": self.left,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Stream":
        """Return what ``as_json`` gave."""
        return cls(
            name=value["name"],
            place=Place(**value["place"]),
            bytes_in=value["bytes_in"],
            decoder=value["decoder"],
            left=tuple((code, length) for code, length in value["left"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What goes along with a batch of words from a stream."""

    key: str = ""
    stream: Stream | None = None
    """The stream as it stands after the batch."""
    guess: Guess | None = None
    compression: str | None = None
    taken_back: tuple[tuple[str, int], ...] = ()
    """Rejects, by code and length, that count no more: their stream had not ended."""
    final: bool = False
    """The source is at its end; what streams leave over at theirs follows."""
    error: SourceError | FormatError | None = None
    others: Mapping[str, Stream] = field(default_factory=dict)
    """More streams as they stand after the batch, by key."""
    poison: tuple[tuple[Reject, bytes], ...] = ()
    """Rejects with the whole messages that gave them."""


class Taking(Protocol):
    """What gives words, in order."""

    def batches(self) -> Iterator[Batch[Token]]:
        """Yield the words, in order, each batch with what must be known of it."""
