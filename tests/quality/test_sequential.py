"""The sequential test: what it finds, when, how seldom it errs, and how it clears."""

import math

import numpy as np
import pytest

from muonscope.quality.sequential import Rule, SequentialTest, threshold
from muonscope.quality.verdict import State

LOW = Rule(ratio=0.5, state=State.BAD)
HIGH = Rule(ratio=2.0, state=State.WARN)
NO = np.zeros(1, np.bool_)
ONE = np.ones(1)


def fed(test: SequentialTest, counts: list[int], e: float) -> list[int]:
    """Return the states of the one target after each window."""
    states = []
    for n in counts:
        test.step(np.array([n]), np.array([e]), ONE, 1.0, NO)
        states.append(int(test.states()[0]))
    return states


@pytest.mark.parametrize(
    ("tests", "window_s", "expected"), [(256, 1.0, 21.9), (4, 1.0, 17.7), (1, 1.0, 16.3)]
)
def test_the_threshold_is_that_of_five_false_alarms_in_a_hundred_weeks(
    tests: int, window_s: float, expected: float
) -> None:
    assert threshold(tests, window_s, 0.05) == pytest.approx(expected, abs=0.05)


def test_shorter_windows_are_more_tests() -> None:
    more = threshold(1, 0.01, 0.05) - threshold(1, 1.0, 0.05)
    assert more == pytest.approx(math.log(100))


def test_the_score_is_the_sum_of_log_likelihood_ratios() -> None:
    test = SequentialTest([LOW], 1, 100.0)
    fed(test, [3, 2], 10.0)
    expected = sum(n * math.log(0.5) + 0.5 * 10.0 for n in (3, 2))
    assert test.score[0, 0] == pytest.approx(expected)
    assert (test.counted[0, 0], test.expected[0, 0], test.span_s[0, 0]) == (5, 20, 2)


def test_the_score_never_falls_below_nothing_and_what_was_before_is_forgotten() -> None:
    test = SequentialTest([LOW], 1, 100.0)
    fed(test, [3, 50, 4], 10.0)
    assert test.score[0, 0] == pytest.approx(4 * math.log(0.5) + 5.0)
    assert test.counted[0, 0] == 4


def test_silence_is_found_as_soon_as_it_can_be_told_from_chance() -> None:
    test = SequentialTest([LOW], 1, 20.0)
    states = fed(test, [0] * 6, 10.0)
    assert states == [State.NOT_ENOUGH] * 3 + [State.BAD] * 3


def test_nothing_is_said_before_even_the_worst_could_be_told() -> None:
    test = SequentialTest([LOW], 1, 20.0)
    assert fed(test, [10] * 5, 10.0) == [State.NOT_ENOUGH] * 3 + [State.GOOD] * 2


def test_it_clears_after_three_windows_and_a_score_of_seven() -> None:
    test = SequentialTest([LOW], 1, 20.0)
    states = fed(test, [0] * 4 + [10] * 8, 10.0)
    cleared = states.index(State.GOOD)
    back = 0.0
    for n, state in enumerate(states[4:], 1):
        back = max(0.0, back - (10 * math.log(0.5) + 5.0))
        assert (state == State.GOOD) == (n >= 3 and back >= 7.0)
    assert cleared == 7
    assert test.score[0, 0] == 0


def test_what_is_frozen_stays_as_it_is() -> None:
    test = SequentialTest([LOW, HIGH], 1, 20.0)
    fed(test, [0, 0], 10.0)
    score = test.score.copy()
    test.step(np.array([500]), np.array([10.0]), ONE, 1.0, np.ones(1, np.bool_))
    assert (test.score == score).all()
    assert test.counted[0, 0] == 0


def test_the_worst_rule_that_alarms_is_told() -> None:
    rules = [Rule(ratio=2.0, state=State.WARN), Rule(ratio=5.0, state=State.BAD)]
    test = SequentialTest(rules, 1, 20.0)
    assert fed(test, [80], 10.0) == [State.BAD]
    assert test.rule_of(0) == 1


def test_a_dispersion_slows_it_by_as_much() -> None:
    plain, wide = SequentialTest([LOW], 1, 20.0), SequentialTest([LOW], 1, 20.0)
    for _ in range(8):
        plain.step(np.zeros(1), np.array([10.0]), ONE, 1.0, NO)
        wide.step(np.zeros(1), np.array([10.0]), 2 * ONE, 1.0, NO)
        if not plain.alarms.any():
            assert wide.score[0, 0] == pytest.approx(plain.score[0, 0] / 2)
    assert wide.alarms.any()


@pytest.mark.slow
def test_false_alarms_are_no_more_than_the_budget_says() -> None:
    """At a score of 6 the bound is one in e^6 = 403 windows of a target; fewer come."""
    rng = np.random.default_rng(5)
    targets, windows, alarms = 500, 2_000, 0
    test = SequentialTest([LOW], targets, 6.0)
    no, one = np.zeros(targets, np.bool_), np.ones(targets)
    for _ in range(windows):
        before = test.alarms.copy()
        test.step(rng.poisson(8.5, targets), np.full(targets, 8.5), one, 1.0, no)
        alarms += int((test.alarms & ~before).sum())
    assert 0 < alarms < targets * windows / math.exp(6.0)
