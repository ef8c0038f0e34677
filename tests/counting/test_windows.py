"""Words go to the window of orbits they belong to, however they arrive."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from counting.streams import (
    ACTS,
    CSV,
    DAT,
    IDLE,
    LATENESS,
    SCINTILLATOR,
    SPECS,
    STREAMS,
    TRIGGER,
    UNMAPPED,
    as_array,
    by_place,
    count,
    hit,
    other,
    played,
    read_words,
    spec_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import pytest
from muonscope.counting.classes import Timeless, class_table
from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary, WindowSummary
from muonscope.counting.windows import NoteKind, Windower, WindowSpec
from muonscope.detector import Detector, shipped_detector
from muonscope.errors import OptionError, StateError
from muonscope.words.layout import Words

LEGNARO = shipped_detector("legnaro")
SECOND = 11_223
"""Orbits in a window of one second."""
START = 1000 * SECOND
"""First orbit of window 1000."""

Counted = tuple[dict[tuple[int, int], Summary], Summary]


def counted(words: Sequence[int], window: int = SECOND) -> Counted:
    """Return the windows by (epoch, window), and the remainder, of words in one push."""
    windows, remainder = count(as_array(words), LEGNARO, spec_of(window))
    return by_place(windows), remainder


def hits_of(counted_: Counted) -> dict[tuple[int, int], int]:
    """Return the hits of each window."""
    return {place: summary.total_hits for place, summary in counted_[0].items()}


def run_of(fpga: int, first: int, n: int, step: int = 1) -> list[int]:
    """Return hits of one FPGA at a steady rate."""
    return [hit(fpga, first + step * i) for i in range(n)]


def both(first: int, n: int, step: int = 1) -> list[int]:
    """Return hits of both FPGAs, one after the other."""
    return [hit(fpga, first + step * i) for i in range(n) for fpga in (0, 1)]


def late_words(counted_: Counted) -> int:
    """Return the number of late words, in windows and remainder."""
    windows, remainder = counted_
    return sum(s.accounting.late for s in [*windows.values(), remainder])


# the same words give the same windows


@settings(deadline=None, max_examples=150)
@given(words=STREAMS, lengths=SPECS, data=st.data())
def test_any_split_of_a_stream_gives_the_same_windows(
    words: list[int], lengths: tuple[int, int, int], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(words)), max_size=12))
    whole, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    split, split_remainder = count(as_array(words), LEGNARO, spec_of(*lengths), cuts)
    assert by_place(split) == by_place(whole)
    assert split_remainder == remainder


@settings(deadline=None, max_examples=25)
@given(words=st.lists(ACTS, max_size=8).map(played), lengths=SPECS)
def test_words_pushed_one_by_one_give_the_same_windows(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    whole, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    split, split_remainder = count(as_array(words), LEGNARO, spec_of(*lengths), range(len(words)))
    assert by_place(split) == by_place(whole)
    assert split_remainder == remainder


@settings(deadline=None, max_examples=150)
@given(words=STREAMS, lengths=SPECS)
def test_windows_of_an_epoch_are_closed_in_order_and_each_once(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    windows, _ = count(as_array(words), LEGNARO, spec_of(*lengths), range(0, len(words), 7))
    by_place(windows)
    for epoch in {w.epoch for w in windows}:
        numbers = [w.window for w in windows if w.epoch == epoch]
        assert numbers == sorted(numbers)


Stretch = list[tuple[int, int]]
"""Words of one FPGA between two jumps: (orbit, word)."""


def interleaved(lanes: Sequence[Sequence[Stretch]], picks: Sequence[int]) -> list[int]:
    """Merge FPGAs so that none runs ahead of what another has yet to say by the lateness."""
    left = [[(s, o, w) for s, stretch in enumerate(lane) for o, w in stretch] for lane in lanes]
    first = [min(o for lane in lanes for o, _ in lane[s]) for s in range(len(lanes[0]))]
    words: list[int] = []
    turn = 0
    while any(left):
        behind = min((lane[0] for lane in left if lane), key=lambda at: at[:2])
        ready = [
            lane
            for lane in left
            if lane
            and lane[0][0] <= behind[0] + 1
            and lane[0][1] - (behind[1] if lane[0][0] == behind[0] else first[lane[0][0]]) <= 600
        ]
        lane = ready[picks[turn % len(picks)] % len(ready)] if picks else ready[0]
        words.append(lane.pop(0)[2])
        turn += 1
    return words


@st.composite
def stretches(draw: st.DrawFn, firsts: Sequence[int], *, timeless: bool) -> list[list[Stretch]]:
    """Draw what two FPGAs say: hits that step back a little, specials, other words."""
    lanes: list[list[Stretch]] = []
    for fpga in (0, 1):
        lane = []
        for first in firsts:
            at, words = first + draw(st.integers(0, 50)), list[tuple[int, int]]()
            kinds = draw(
                st.lists(
                    st.tuples(
                        st.sampled_from([0, 0, 1, 5, 300, 4000]), st.integers(0, 9), st.integers(0, 127)
                    ),
                    min_size=6,
                    max_size=40,
                )
            )
            for step, kind, channel in kinds:
                at += step
                orbit = at - (1 if kind == 9 else 0)
                if kind == 8:
                    channel = SCINTILLATOR if fpga else TRIGGER
                is_timeless = timeless and kind == 7 and len(words) > 5
                words.append((orbit, other(fpga, 0) if is_timeless else hit(fpga, orbit, channel)))
            lane.append(words)
        lanes.append(lane)
    return lanes


def assert_interleaving_does_not_matter(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    """Compare with the FPGAs merged by their orbits."""
    expected, remainder = counted(interleaved(lanes, []), window)
    assert counted(interleaved(lanes, picks), window) == (expected, remainder)
    assert sum(s.accounting.late for s in expected.values()) + remainder.accounting.late == 0


PICKS = st.lists(st.integers(0, 1), min_size=1, max_size=60)
WINDOWS = st.sampled_from([1, 100, SECOND, 33_670])


@settings(deadline=None, max_examples=100)
@given(lanes=stretches([START], timeless=True), picks=PICKS, window=WINDOWS)
def test_any_interleaving_of_the_fpgas_within_the_lateness_gives_the_same_windows(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)


@settings(deadline=None, max_examples=100)
@given(lanes=stretches([START, 5000], timeless=False), picks=PICKS, window=WINDOWS)
def test_interleaving_around_a_reset_does_not_matter_to_words_with_a_time(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)


@settings(deadline=None, max_examples=100)
@given(lanes=stretches([START, 5000], timeless=True), picks=PICKS, window=WINDOWS)
def test_interleaving_around_a_reset_does_not_matter_to_any_word(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)


@settings(deadline=None, max_examples=100)
@given(
    lanes=stretches([START, START + 2_357_589], timeless=False), picks=PICKS, window=WINDOWS
)
def test_interleaving_around_a_hole_does_not_matter(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)
