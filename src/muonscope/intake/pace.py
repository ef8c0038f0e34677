"""Words at the pace at which a detector wrote them, or at a rate that was asked for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from muonscope.detector.model import Readout
from muonscope.errors import OptionError
from muonscope.intake.batch import WordBatch, WordSource
from muonscope.stopping import Stop
from muonscope.units import ORBIT_S
from muonscope.words.clock import StreamClock
from muonscope.words.layout import Words

__all__ = ["Pace", "Paced", "check_speed"]

_SLICE_S = 0.02
_MAX_SPEED = 1e6


def check_speed(speed: float | None) -> None:
    """Refuse a ``--speed`` that makes no sense.

    Raises
    ------
    OptionError
        If it is not above 0, or is more than 1e6.
    """
    if speed is not None and not 0 < speed <= _MAX_SPEED:
        raise OptionError(f"--speed: found {speed:g}, expected more than 0, at most {_MAX_SPEED:g}")


class Pace:
    """Cuts words into what is due, at a rate of words or of detector time."""

    def __init__(
        self, stop: Stop, *, speed: float | None = None, words_a_second: float | None = None
    ) -> None:
        """Begin now; ``speed`` is in detector time per time, without either all is due."""
        self._stop, self._speed, self._rate = stop, speed, words_a_second
        self._start = time.monotonic()
        self._sent = 0
        self._origin: int | None = None

    def parts(
        self, words: Words, passed: Any, meanwhile: Callable[[], None] = lambda: None
    ) -> Iterator[Words]:
        """Give parts of ``words`` as they are due.

        ``passed`` are the orbits that have passed at each word, shape (n,); ``meanwhile``
        is called about fifty times a second while nothing is due.
        """
        if self._speed is None and self._rate is None:
            yield words
            return
        at = 0
        while at < len(words) and not self._stop:
            end = self._due(words, passed, at)
            if end > at:
                yield words[at:end]
                self._sent += end - at
                at = end
            if at < len(words):
                meanwhile()
                time.sleep(_SLICE_S)

    def _due(self, words: Words, passed: Any, at: int) -> int:
        now = time.monotonic() - self._start
        if self._speed is not None:
            if self._origin is None:
                self._origin = int(passed[at])
            orbits = self._origin + now * self._speed / ORBIT_S
            return max(at, int(passed.searchsorted(orbits, side="right")))
        assert self._rate
        debt = now * self._rate - self._sent
        if debt > self._rate:  # never more than a second to catch up
            self._start += (debt - self._rate) / self._rate
            debt = self._rate
        return min(len(words), at + max(0, int(debt)))


class Paced:
    """Gives the words of another at the pace of detector time."""

    def __init__(self, inner: WordSource, readout: Readout, speed: float, stop: Stop) -> None:
        """Take what gives the words, and how many times as fast as the detector to go."""
        self._inner, self._stop = inner, stop
        self._clock = StreamClock(readout.version, readout.hit_head)
        self._speed = speed

    def batches(self) -> Iterator[WordBatch]:
        """Yield all of each batch but its words, then its words as they are due."""
        pace = Pace(self._stop, speed=self._speed)
        for batch in self._inner.batches():
            words = batch.words
            yield replace(batch, words=words[:0])
            for part in pace.parts(words, self._clock.take(words)) if len(words) else ():
                yield WordBatch(words=part)
            if self._stop:
                return
