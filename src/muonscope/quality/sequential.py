"""The one statistic of counts: a CUSUM of log-likelihood ratios against a rate that is expected.

A target's score grows with each window by ``(n ln r - (r - 1) e) / phi``, where ``n`` was
counted, ``e`` expected, ``r`` is the ratio to be found and ``phi`` the dispersion of the
counts; it never falls below 0 (Page 1954). At ``A = ln(tests a week / budget)`` it alarms: the
mean time to a false alarm of one test is at least e^A windows (Lorden 1971). A target that
alarms is clear again once the score of the opposite reaches 7 (by chance once in a thousand) and
three windows have passed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.verdict import State

__all__ = ["Rule", "SequentialTest", "threshold"]

Array = npt.NDArray[Any]

_CLEAR_SCORE, _CLEAR_WINDOWS = 7.0, 3
_WEEK_S = 604_800.0


def threshold(tests: int, window_s: float, budget: float) -> float:
    """Return the score at which ``tests`` together alarm falsely ``budget`` times a week.

    Examples
    --------
    >>> round(threshold(256, 1.0, 0.05), 1)
    21.9
    """
    return math.log(max(1, tests) * max(1.0, _WEEK_S / window_s) / budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A ratio to the expected rate that is to be found, and the state that it means."""

    ratio: float
    state: State


class SequentialTest:
    """Tests of several targets by several rules; arrays have the shape (rules, targets)."""

    def __init__(self, rules: Sequence[Rule], targets: int, limit: float) -> None:
        """Begin without a window; ``limit`` is the score of an alarm."""
        self.rules, self.limit = list(rules), limit
        shape = len(self.rules), targets
        ratios = np.array([rule.ratio for rule in self.rules])[:, None]
        self._log, self._less = np.log(ratios), ratios - 1
        self.score = np.zeros(shape)
        self._back, self._windows = np.zeros(shape), np.zeros(shape, np.int64)
        self.alarms, self._alarming = np.zeros(shape, np.bool_), False
        self._states = np.array([int(rule.state) for rule in self.rules])[:, None]
        self.counted, self.expected, self.span_s = (np.zeros(shape) for _ in range(3))
        """Since the score left 0."""
        lows = [1 - rule.ratio for rule in self.rules if rule.ratio < 1]
        self._most_less = max(lows, default=math.inf)
        self.informed = np.zeros(targets)
        """The score that a target would have by now if it had never counted anything."""
        self._unsure, self._counting = True, False

    def step(self, n: Array, e: Array, phi: Array, span_s: float, frozen: Array) -> None:
        """Take the counts of a window; shapes (targets,); what is ``frozen`` stays as it is."""
        grows = (n * self._log - self._less * e) / phi
        self.step_scores(grows, n, e, span_s, frozen)
        if self._unsure:
            more = ~frozen & (e > 0)
            self.informed[more] += self._most_less * (e / phi)[more]
            self._unsure = bool((self.informed < self.limit).any())

    def step_scores(self, grows: Array, n: Array, e: Array, span_s: float, frozen: Array) -> None:
        """Take by how much the scores of a window grow."""
        if frozen.any():
            grows = np.where(frozen, 0.0, grows)
        if self._alarming:
            self._step_back(grows, frozen)
        score = np.maximum(self.score + grows, 0.0)
        if self._alarming:
            score = np.where(self.alarms, self.score, score)
        self.score = score
        resting = (score == 0) & ~self.alarms
        rising = ~resting & ~frozen
        if rising.any() or self._counting:
            self._counting = bool(rising.any())
            sums = (self.counted, n), (self.expected, e), (self.span_s, span_s)
            for kept, more in sums:
                np.add(kept, more, out=kept, where=rising)
                kept[resting] = 0.0
        if score.max(initial=0.0) >= self.limit or self._alarming:
            self.alarms |= (score >= self.limit) & ~frozen
            self._alarming = bool(self.alarms.any())

    def _step_back(self, grows: Array, frozen: Array) -> None:
        """Let what alarms go back towards being clear."""
        self._back = np.where(self.alarms, np.maximum(0.0, self._back - grows), 0.0)
        self._windows = np.where(self.alarms, self._windows + ~frozen, 0)
        clear = self.alarms & (self._back >= _CLEAR_SCORE) & (self._windows >= _CLEAR_WINDOWS)
        self.alarms &= ~clear
        self.score[clear] = 0.0

    def states(self) -> Array:
        """Return the state of each target, by the worst rule that alarms."""
        unknown = self.informed < self.limit
        if not self._alarming:
            return np.where(unknown, int(State.NOT_ENOUGH), int(State.GOOD))
        found = np.where(self.alarms, self._states, int(State.GOOD)).max(axis=0)
        return np.where((found == State.GOOD) & unknown, int(State.NOT_ENOUGH), found)

    def rule_of(self, target: int) -> int:
        """Return the number of the worst rule that alarms for a target."""
        order = [
            (self.alarms[i, target], rule.state, self.score[i, target])
            for i, rule in enumerate(self.rules)
        ]
        return max(range(len(order)), key=order.__getitem__)
