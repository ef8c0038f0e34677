"""Which of several streams that run side by side each word is from.

Order is only promised inside of one stream: a partition of a topic, the files of one board.
Words of several streams that travel together therefore bear the numbers of their streams.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.words.layout import Words

__all__ = ["StreamNumbers", "joined_streams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamNumbers:
    """The streams of some words."""

    of_word: npt.NDArray[np.uint16]
    """Number of the stream of each word, 0 .. ``count`` - 1; shape (n,)."""
    count: int
    """Streams that run side by side, those included that have no word here."""


def joined_streams(
    parts: list[tuple[Words, StreamNumbers | None]],
) -> tuple[Words, StreamNumbers | None]:
    """Return the words of all ``parts`` with their streams; without streams, they are of 0."""
    words = [some for some, _ in parts]
    joined: Words = words[0] if len(words) == 1 else np.concatenate(words)
    counts = [streams.count for _, streams in parts if streams is not None]
    if not counts:
        return joined, None
    of_word = [
        np.zeros(len(some), np.uint16) if streams is None else streams.of_word
        for some, streams in parts
    ]
    return joined, StreamNumbers(of_word=np.concatenate(of_word), count=max(counts))
