"""How fresh the windows are: their age, the lag of the run, the latency of the broadcast.

Pure bookkeeping: every time is an argument, s since 1970 as ``time.time`` gives it.
"""

import math
from bisect import bisect_left
from collections import deque
from typing import NamedTuple

import numpy as np

from muonscope.dashboard.contract import Latency

__all__ = ["FRESH_S", "LATENCY_BOUNDS_S", "OLD_S", "Freshness", "LatencyCounts"]

FRESH_S, OLD_S = 5.0, 30.0
"""Data are fresh up to the first age, and old from the second on, at the least."""

LATENCY_BOUNDS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes in which latencies are counted; the last class has none."""

_LATENCIES = 1_000
_SPEEDS = 10


class LatencyCounts(NamedTuple):
    """Latencies by their class."""

    counts: tuple[int, ...]
    """Windows of each class of ``LATENCY_BOUNDS_S``, and beyond."""
    sum_s: float


class Freshness:
    """When windows came, and when they should have come."""

    def __init__(self, window_s: float, speed: float) -> None:
        """Begin before the first window.

        ``window_s`` is the length of windows until one tells it, s; ``speed`` the speed at
        which they come, relative to detector time.
        """
        self._speed = speed
        self._first_window_s = self._window_s = window_s
        self._last_at: float | None = None
        self._lag, self._lag_base = 0.0, math.inf
        self._speeds: deque[tuple[float, int]] = deque(maxlen=_SPEEDS)
        self._arrived: deque[float] = deque(maxlen=_LATENCIES)
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._slower = [0] * (len(LATENCY_BOUNDS_S) + 1)
        self._latency_sum_s = 0.0

    def begin_run(self) -> None:
        """Forget the length of windows and the lag of the run before."""
        self._window_s, self._lag_base = self._first_window_s, math.inf

    def note_window(self, live_s: float, run_s: float, came: float, now: float) -> None:
        """Take note of a window of ``live_s`` that ``came`` when the run was at ``run_s``."""
        self._last_at = max(came, self._last_at or came)
        self._window_s = max(self._window_s, live_s)
        self._lag_base = min(self._lag_base, came - run_s / self._speed)
        self._lag = self.lag_at(now, run_s)

    def note_arrived(self, windows: int, arrived: float) -> None:
        """Take note of when the words of so many windows, or their messages, were there."""
        self._arrived.extend([arrived] * min(windows, _LATENCIES))

    def note_words(self, words: int, now: float) -> None:
        """Take note of the number of words so far."""
        self._speeds.append((now, words))

    def note_broadcast(self, now: float) -> None:
        """Take note that all windows that have arrived go out now."""
        for arrived in self._arrived:
            latency = max(0.0, now - arrived)
            self._latencies.append(latency)
            self._slower[bisect_left(LATENCY_BOUNDS_S, latency)] += 1
            self._latency_sum_s += latency
        self._arrived.clear()

    @property
    def latencies(self) -> LatencyCounts:
        """Latencies of all windows since the beginning."""
        return LatencyCounts(counts=tuple(self._slower), sum_s=self._latency_sum_s)

    @property
    def last_at(self) -> float | None:
        """When the newest window came; None before the first."""
        return self._last_at

    @property
    def fresh_s(self) -> float:
        """Age up to which data are fresh: more where windows come less often."""
        return max(FRESH_S, 3 * self._window_s / self._speed)

    @property
    def old_s(self) -> float:
        """Age from which on data are old."""
        return max(OLD_S, 6 * self.fresh_s)

    @property
    def lag(self) -> float:
        """Lag of the run when its newest window came, s."""
        return self._lag

    def lag_at(self, now: float, run_s: float) -> float:
        """Return how far the run is behind the clock, compared with when it was least so, s."""
        return now - run_s / self._speed - self._lag_base

    @property
    def words_per_s(self) -> float | None:
        """Speed over the last reports; None before the second."""
        if len(self._speeds) < 2:
            return None
        (then, before), (now, words) = self._speeds[0], self._speeds[-1]
        return round((words - before) / (now - then), 1) if now > then else None

    @property
    def latency(self) -> Latency | None:
        """Latency of the last windows, ms; None before the first broadcast."""
        if not self._latencies:
            return None
        p50, p99 = np.percentile(np.array(self._latencies), [50, 99]) * 1e3
        return Latency(
            p50=round(float(p50), 2), p99=round(float(p99), 2), windows=len(self._latencies)
        )
