"""The clock of a replay: time passes as the hits say; jumps and lone bad words take none."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from muonscope.words.clock import StreamClock
from muonscope.words.layout import Words, pack_ancillary, pack_hits

LEAP = 112_233
STEPS = st.lists(st.integers(0, 900), min_size=1, max_size=300)


def hits(orbits: list[int]) -> Words:
    """Return a hit at each orbit."""
    return pack_hits(2, 0, 5, np.array(orbits, np.int64), 7, 9)


def running(first: int, steps: list[int]) -> list[int]:
    """Return orbits from ``first`` on."""
    return [first + int(at) for at in np.cumsum([0, *steps])]


def taken(words: Words, cuts: list[int]) -> tuple[list[int], StreamClock]:
    """Give words to a clock in pieces."""
    clock = StreamClock(2, 2)
    ends = [0, *sorted(min(cut, len(words)) for cut in cuts), len(words)]
    return [int(t) for a, b in pairwise(ends) for t in clock.take(words[a:b])], clock


@given(first=st.integers(0, 2**31), steps=STEPS, cuts=st.lists(st.integers(0, 300), max_size=5))
def test_time_passes_as_the_hits_say(first: int, steps: list[int], cuts: list[int]) -> None:
    orbits = running(first, steps)
    passed, clock = taken(hits(orbits), cuts)
    assert passed == [orbit - first for orbit in orbits]
    assert clock.length == orbits[-1] - first + 1


@given(
    orbits=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 300_000), max_size=400),
    cuts=st.lists(st.integers(0, 400), max_size=5),
)
def test_time_never_goes_back_nor_leaps(orbits: list[int], cuts: list[int]) -> None:
    passed, clock = taken(hits(orbits), cuts)
    assert len(passed) == len(orbits)
    steps = [b - a for a, b in pairwise([0, *passed])]
    assert all(0 <= step <= LEAP for step in steps)
    assert clock.length >= 1


@given(steps=STEPS, bad=st.integers(0, 2**32 - 1), at=st.integers(0, 300))
def test_a_lone_bad_orbit_does_not_disturb_the_pace(steps: list[int], bad: int, at: int) -> None:
    good = running(2**31, [*steps, 1, 1])
    at %= len(good)
    passed, clock = taken(hits([*good[:at], bad, *good[at:]]), [])
    if abs(bad - 2**31) > 4 * LEAP:
        expected = [orbit - 2**31 for orbit in good]
        found = passed[:at] + passed[at + 1 :]
        block = at // 64 * 64
        assert found[:block] == expected[:block]
        assert all(abs(a - b) <= 64 * 900 for a, b in zip(found, expected, strict=True))
        assert abs(clock.length - expected[-1] - 1) <= 64 * 900


def test_a_lone_bad_orbit_does_not_cut_a_recording_in_two() -> None:
    good = running(2**31, [100] * 2000)
    for bad in (5, 2**32 - 1):
        passed, clock = taken(hits([*good[:1000], bad, *good[1000:]]), [])
        assert clock.length == 200_001
        assert passed[-1] == 200_000


def test_a_jump_takes_no_time_and_the_longest_part_is_the_length() -> None:
    first, second = running(1000, [10] * 639), running(2**31, [10] * 127)
    passed, clock = taken(hits(first + second), [])
    assert passed[:640] == [orbit - 1000 for orbit in first]
    assert passed[640:] == [6390 + orbit - 2**31 for orbit in second]
    assert clock.length == 6391
    assert taken(hits(second + first), [])[1].length == 6391


def test_a_step_of_ten_seconds_is_time_and_one_more_orbit_is_a_jump() -> None:
    for step, time in ((LEAP, LEAP), (LEAP + 1, 0), (-LEAP - 1, 0), (-LEAP, 0)):
        clock = StreamClock(2, 2)
        clock.take(hits([2**31]))
        assert clock.take(hits([2**31 + step])).tolist() == [time]


def test_other_words_have_the_time_of_the_hit_before_them() -> None:
    other = pack_ancillary(1, 0, 77, 0)
    words = np.concatenate([other, hits([50]), other, hits([60]), other, other])
    clock = StreamClock(2, 2)
    assert clock.take(words).tolist() == [0, 0, 0, 10, 10, 10]
    assert clock.take(other).tolist() == [10]
    assert clock.take(words[:0]).tolist() == []
    assert clock.take(hits([75])).tolist() == [25]


def test_a_stream_without_a_hit_takes_no_time() -> None:
    clock = StreamClock(2, 2)
    assert clock.take(pack_ancillary(1, 0, [5, 500], 0)).tolist() == [0, 0]
    assert clock.length == 1


def test_hits_of_the_first_version_are_known_by_their_own_head() -> None:
    words = pack_hits(1, 9, 5, [100, 130], 7, 9, version=1)
    assert StreamClock(1, 1).take(words).tolist() == [0, 30]
