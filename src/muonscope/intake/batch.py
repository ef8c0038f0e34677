"""The seam between what brings words and what uses them: batches of words, in order.

A source of words yields batches until it has come to its end or is told to stop. A batch
carries the words, what could not be decoded, and how far its streams have been read: the
position of a stream is known to its own source alone; to everybody else it is something to
count bytes by and to save.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol

import numpy as np

from muonscope.errors import FormatError, SourceError
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.words.detect import Guess
from muonscope.words.layout import Words
from muonscope.words.rejects import Reject

__all__ = ["Checkpoint", "Position", "WordBatch", "WordSource"]


class Checkpoint(IntEnum):
    """Whether a snapshot is wanted after a batch."""

    NO = 0
    YES = 1
    IF_CLOSED = 2
    """If windows were closed since the last one."""


class Position(Protocol):
    """How far one stream has been taken in."""

    @property
    def name(self) -> str:
        """Name of the stream for people."""

    @property
    def bytes_in(self) -> int:
        """Bytes, after decompression, that were decoded or rejected."""

    @property
    def read(self) -> int:
        """Raw bytes that were read."""

    @property
    def ended(self) -> bool:
        """Whether the stream was read to an end."""

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, from which its source makes it again."""


def _no_words() -> Words:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordBatch:
    """Some words of one stream or of several, and all that must be known of them."""

    words: Words = field(default_factory=_no_words)
    """Shape (n,), in order."""
    streams: StreamNumbers | None = None
    """Which stream each word is from, where several run side by side."""
    rejects: Sequence[Reject] = ()
    """Data that could not be decoded, in order."""
    stream: str = ""
    """Key of the stream that the words are from, where it is one."""
    positions: Mapping[str, Position] = field(default_factory=dict)
    """Streams as they stand after the batch, by key; those that have not moved may be left out."""
    guess: Guess | None = None
    """Format of the stream, where it was found out."""
    compression: str | None = None
    """Compression of the stream, where it has one."""
    taken_back: tuple[tuple[str, int], ...] = ()
    """Rejects, by code and length, that count no more: their stream had not ended."""
    poison: tuple[tuple[Reject, bytes], ...] = ()
    """Rejects with the whole messages that gave them."""
    error: SourceError | FormatError | None = None
    """Reason why a stream could not be read, or read further; the others go on."""
    final: bool = False
    """The source is at its end; what streams leave over at theirs follows."""
    checkpoint: Checkpoint = Checkpoint.NO
    """Whether a snapshot is wanted right after this batch."""


class WordSource(Protocol):
    """A place that words come from: files, a topic, a simulation, memory."""

    def batches(self) -> Iterator[WordBatch]:
        """Yield the words, in order; an empty batch now and then while none come."""
