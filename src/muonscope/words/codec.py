"""The seam of all codecs: a decoder takes pieces of bytes, an encoder gives them.

Codecs touch no files. A decoder may be fed any split of its data; it keeps an unfinished
record until the rest comes, and ``state`` tells how to go on from ``position``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from muonscope.words.layout import Words
from muonscope.words.rejects import Reject

__all__ = ["Decoded", "Decoder", "Encoder", "joined"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Words and rejects of a piece of data."""

    words: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    """Shape (n,), in the order of the data."""
    rejects: list[Reject] = field(default_factory=list)
    """What could not be decoded, in the order of the data."""


class Decoder(Protocol):
    """Bytes to words."""

    position: int
    """Number of bytes that are decoded or rejected; the rest waits for more."""

    def feed(self, data: bytes) -> Decoded:
        """Take the next bytes."""

    def finish(self) -> Decoded:
        """Take it that no more bytes come: decode or reject what is left."""

    def state(self) -> dict[str, Any]:
        """Return what a new decoder needs, besides ``position``, to go on; JSON values."""

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position`` of the data with the ``state`` of another decoder."""


class Encoder(Protocol):
    """Words to bytes."""

    def begin(self) -> bytes:
        """Return what stands before the first word."""

    def encode(self, words: Words) -> bytes:
        """Return the bytes of ``words``.

        Raises
        ------
        FormatError
            If a word cannot be written so that reading gives it back.
        """

    def end(self) -> bytes:
        """Return what stands after the last word."""


def joined(parts: list[Decoded]) -> Decoded:
    """Return several pieces as one."""
    if len(parts) == 1:
        return parts[0]
    words = [np.empty(0, np.uint64), *(part.words for part in parts)]
    return Decoded(np.concatenate(words), [r for part in parts for r in part.rejects])
