"""The pace of a detector: words are due when it would have written them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from muonscope.detector import shipped_detector
from muonscope.errors import OptionError
from muonscope.intake import pace as paces
from muonscope.intake.batch import Position, WordBatch
from muonscope.intake.pace import Pace, Paced, check_speed
from muonscope.stopping import Stop
from muonscope.units import ORBIT_S
from muonscope.words.layout import Words, pack_hits
from muonscope.words.rejects import Reject

READOUT = shipped_detector("legnaro").readout
SECOND = 11_223


class Time:
    """Time that passes only while something sleeps."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time that passes only while the pace sleeps."""
    time = Time()
    monkeypatch.setattr(paces, "time", time)
    return time


def hits(orbits: Any) -> Words:
    """Return a hit in each of some orbits."""
    return pack_hits(2, 0, 5, orbits, 10, 3)


class Batches:
    """Gives batches of words."""

    def __init__(self, *words: Words) -> None:
        """Take the words of each."""
        self._words = words

    def batches(self) -> Iterator[WordBatch]:
        """Yield them."""
        for words in self._words:
            yield WordBatch(words=words)


def given(time: Time, batches: Iterator[WordBatch]) -> tuple[list[int], list[float]]:
    """Return the words that come, and when each does."""
    words: list[int] = []
    when: list[float] = []
    for batch in batches:
        words += batch.words.tolist()
        when += [time.now - 1000.0] * len(batch.words)
    return words, when


# --- Pace ----------------------------------------------------------------------------------


def test_without_a_pace_all_is_due_at_once(time: Time) -> None:
    words = hits(range(0, 90 * SECOND, SECOND))
    assert [part.tolist() for part in Pace(Stop()).parts(words, None)] == [words.tolist()]
    assert time.now == 1000.0


@pytest.mark.parametrize("speed", [0.5, 1.0, 20.0])
def test_words_come_when_their_orbit_has_passed(time: Time, speed: float) -> None:
    passed = 77_000 + np.arange(0, 10 * SECOND, 500)
    words, got, due = hits(passed), [], []
    for part in Pace(Stop(), speed=speed).parts(words, passed):
        due += [(time.now - 1000.0) * speed / ORBIT_S] * len(part)
        got += part.tolist()
    assert got == words.tolist()
    late = np.array(due) - (passed - passed[0])
    assert late.min() >= 0
    assert late.max() <= 0.0201 * speed / ORBIT_S


def test_words_come_at_a_rate(time: Time) -> None:
    pace, words = Pace(Stop(), words_a_second=1000.0), hits(range(3000))
    came = [(time.now - 1000.0, len(part)) for part in pace.parts(words, None)]
    assert sum(n for _, n in came) == 3000
    assert came[-1][0] == pytest.approx(3.0, abs=0.05)
    assert max(n for _, n in came) <= 25


def test_after_a_pause_at_most_a_second_is_caught_up(time: Time) -> None:
    pace, words = Pace(Stop(), words_a_second=1000.0), hits(range(10_000))
    parts = pace.parts(words, None)
    next(parts)
    time.now += 3600.0
    assert len(next(parts)) <= 1000
    rest = sum(map(len, parts))
    assert rest > 8000
    assert time.now == pytest.approx(1000.0 + 3600.0 + 9.0, abs=0.2)


def test_meanwhile_something_else_can_be_done(time: Time) -> None:
    calls: list[float] = []
    words = hits([0, SECOND])
    list(Pace(Stop(), speed=1.0).parts(words, np.array([0, SECOND]), lambda: calls.append(0)))
    assert 45 <= len(calls) <= 55


def test_a_pace_ends_when_it_is_told_to_stop(time: Time) -> None:
    stop = Stop()

    def after_a_while() -> None:
        if time.now > 1000.5:
            stop.set(2)

    words = hits([0, 1000 * SECOND])
    parts = list(Pace(stop, speed=1.0).parts(words, np.array([0, 1000 * SECOND]), after_a_while))
    assert [len(part) for part in parts] == [1]
    assert time.now < 1000.6


# --- Paced ---------------------------------------------------------------------------------


def test_the_words_are_those_of_the_other_in_order_at_their_time(time: Time) -> None:
    orbits = 5000 + np.arange(0, 5 * SECOND, 701)
    words = hits(orbits)
    source = Batches(words[:20], words[20:21], words[20:20], words[21:])
    got, when = given(time, Paced(source, READOUT, 2.0, Stop()).batches())
    assert got == words.tolist()
    wanted = (orbits - orbits[0]) * ORBIT_S / 2.0
    assert np.array(when) == pytest.approx(wanted, abs=0.021)


def test_a_step_of_the_orbit_counter_is_not_waited_for(time: Time) -> None:
    words = hits([*range(0, SECOND, 100), *range(4_000_000_000, 4_000_000_000 + SECOND, 100)])
    got, _ = given(time, Paced(Batches(words), READOUT, 1.0, Stop()).batches())
    assert got == words.tolist()
    assert time.now == pytest.approx(1002.0, abs=0.2)


def test_what_was_read_is_told_once_and_before_its_words_are_due(time: Time) -> None:
    words = hits([0, 10 * SECOND])
    positions: list[dict[str, Position]] = [{}, {}]
    rejects: list[list[Reject]] = [[], []]

    class Told:
        def batches(self) -> Iterator[WordBatch]:
            for some, at, reject in zip((words, words[:0]), positions, rejects, strict=True):
                yield WordBatch(words=some, rejects=reject, positions=at)

    told = list(Paced(Told(), READOUT, 1.0, Stop()).batches())
    first, *rest = told
    assert first.positions is positions[0]
    assert first.rejects is rejects[0]
    assert len(first.words) == 0
    assert [batch.positions is positions[1] for batch in rest] == [False] * (len(rest) - 1) + [True]
    assert sum(batch.rejects is rejects[0] for batch in told) == 1


def test_when_it_is_told_to_stop_no_more_is_read(time: Time) -> None:
    stop = Stop()
    stop.set(15)
    words = hits(range(10))
    got, _ = given(time, Paced(Batches(words, words), READOUT, 1.0, stop).batches())
    assert got == []


# --- the option ----------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [None, 1e-6, 1.0, 1e6])
def test_a_speed_that_makes_sense_is_taken(speed: float | None) -> None:
    check_speed(speed)


@pytest.mark.parametrize("speed", [0.0, -1.0, 1.1e6, float("inf"), float("nan")])
def test_a_speed_that_makes_no_sense_is_refused(speed: float) -> None:
    with pytest.raises(OptionError, match=r"--speed: found .*, expected more than 0"):
        check_speed(speed)
