"""The newest messages themselves, packed, to go back to."""

from collections import OrderedDict
from typing import NamedTuple

import zstandard

__all__ = ["KeptMessage", "KeptMessages", "unpacked"]


class KeptMessage(NamedTuple):
    """A message, and where its window is in the time of the run, orbits."""

    begin: int
    end: int
    packed: bytes


def unpacked(kept: KeptMessage) -> bytes:
    """Return the message as it came."""
    return zstandard.decompress(kept.packed)


class KeptMessages:
    """Messages by epoch and window, of the last ``orbits``, in at most ``most_bytes``."""

    def __init__(self, orbits: float, most_bytes: int) -> None:
        """Begin without messages."""
        self._orbits, self._most_bytes = orbits, most_bytes
        self._messages: OrderedDict[tuple[int, int], KeptMessage] = OrderedDict()
        self._bytes = 0

    def add(self, place: tuple[int, int], begin: int, end: int, data: bytes) -> None:
        """Keep the message of the window at ``place``."""
        # a copy, for what the compressor gives stands in a buffer of the size of its input
        packed = bytes(memoryview(zstandard.compress(data, 1)))
        self._messages[place] = KeptMessage(begin, end, packed)
        self._bytes += len(packed)

    def forget_before(self, end_orbit: int) -> None:
        """Forget the oldest that are too old at ``end_orbit``, or too many bytes."""
        keep_from = end_orbit - self._orbits
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if oldest.begin >= keep_from and self._bytes <= self._most_bytes:
                break
            self._messages.popitem(last=False)
            self._bytes -= len(oldest.packed)

    def get(self, place: tuple[int, int]) -> KeptMessage | None:
        """Return the message of a window, if it is still kept."""
        return self._messages.get(place)

    def between(self, first: int, last: int) -> dict[tuple[int, int], KeptMessage]:
        """Return the messages of windows that begin at ``first`` up to ``last``, inclusive."""
        return {p: m for p, m in self._messages.items() if first <= m.begin <= last}
