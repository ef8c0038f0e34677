"""How much detector time words tell of, for those who send them again.

Not the clock of the windows: here a damaged orbit must only not disturb the pace, and a
recording that is sent again and again must know how long it is. Times are in orbits.
"""

import numpy as np
import numpy.typing as npt

from muonscope.words.layout import Words, head, orbit

__all__ = ["StreamClock"]

_BLOCK = 64
_LEAP_ORBITS = 112_233
"""10 s: a step by more is a jump, and takes no time."""


class StreamClock:
    """Follows the hits of a stream; jumps and lone bad words take no time."""

    def __init__(self, version: int, hit_head: int) -> None:
        """Start before the first word."""
        self._version, self._hit_head = version, hit_head
        self._passed = 0
        self._begin = self._mark = self._words = 0
        self._longest = (0, 0)

    @property
    def length(self) -> int:
        """Orbits in the part of the stream that has most words, between two jumps."""
        return max(self._longest, (self._words, self._mark - self._begin + 1))[1]

    def take(self, words: Words) -> npt.NDArray[np.int64]:
        """Return the orbits that have passed at each of ``words``, which come next."""
        is_hit = head(words, self._version) == self._hit_head
        passed = np.full(len(words), self._passed, np.int64)
        places = np.flatnonzero(is_hit)
        if len(places):
            at_hits = self._follow(_cleaned(orbit(words[places])))
            which = np.searchsorted(places, np.arange(len(words)), side="right") - 1
            after = which >= 0
            passed[after] = at_hits[which[after]]
        return passed

    def _follow(self, orbits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the orbits passed at each hit."""
        before = orbits[0] if self._words == 0 else self._mark
        jumps = np.flatnonzero(np.abs(np.diff(orbits, prepend=before)) > _LEAP_ORBITS)
        result = np.empty(len(orbits), np.int64)
        if self._words == 0:
            self._begin = self._mark = int(orbits[0])
        for begin, end in zip([0, *jumps.tolist()], [*jumps.tolist(), len(orbits)], strict=True):
            if begin == end:
                continue
            if begin in jumps:
                self._longest = max(self._longest, (self._words, self._mark - self._begin + 1))
                self._begin = self._mark = int(orbits[begin])
                self._words = 0
            marks = np.maximum.accumulate(np.maximum(orbits[begin:end], self._mark))
            result[begin:end] = self._passed + marks - self._mark
            self._passed = int(result[end - 1])
            self._mark, self._words = int(marks[-1]), self._words + end - begin
        return result


def _cleaned(orbits: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return ``orbits`` with those that stand alone replaced by what is around them."""
    whole = len(orbits) // _BLOCK * _BLOCK
    middle = np.empty_like(orbits)
    if whole:
        rows = orbits[:whole].reshape(-1, _BLOCK)
        middle[:whole] = np.repeat(np.partition(rows, _BLOCK // 2)[:, _BLOCK // 2], _BLOCK)
    if whole < len(orbits):
        middle[whole:] = np.sort(orbits[whole:])[(len(orbits) - whole) // 2]
    return np.where(np.abs(orbits - middle) > _LEAP_ORBITS, middle, orbits)
