"""Words go to the window of orbits they belong to, however they arrive."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.streams import (
    ACTS,
    CSV,
    DAT,
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
from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import NoteKind, WindowSpec
from muonscope.counting.window_table import WindowSummary
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import Timeless, class_table
from muonscope.detector import Detector, parse_detector, setup_text, shipped_detector
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


@examples(150)
@given(words=STREAMS, lengths=SPECS, data=st.data())
def test_any_split_of_a_stream_gives_the_same_windows(
    words: list[int], lengths: tuple[int, int, int], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(words)), max_size=12))
    whole, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    split, split_remainder = count(as_array(words), LEGNARO, spec_of(*lengths), cuts)
    assert by_place(split) == by_place(whole)
    assert split_remainder == remainder


@examples(25)
@given(words=st.lists(ACTS, max_size=8).map(played), lengths=SPECS)
def test_words_pushed_one_by_one_give_the_same_windows(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    whole, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    split, split_remainder = count(as_array(words), LEGNARO, spec_of(*lengths), range(len(words)))
    assert by_place(split) == by_place(whole)
    assert split_remainder == remainder


@examples(150)
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
    """Merge FPGAs so that none runs ahead of what another has yet to say by the lateness.

    An FPGA jumps to its next stretch when the others have at most one group of the DAQ,
    four words, left of the one before.
    """
    left = [[(s, o, w) for s, stretch in enumerate(lane) for o, w in stretch] for lane in lanes]
    words: list[int] = []
    while any(left):
        behind = min((lane for lane in left if lane), key=lambda lane: lane[0][:2])
        stretch, orbit, _ = behind[0]
        nearly_done = all(s > stretch for s, _, _ in behind[4:5])
        reach = next((o for s, o, _ in behind if s > stretch), 0)
        ready = [
            lane
            for lane in left
            if lane
            and lane[0][1] - (orbit if lane[0][0] == stretch else reach) <= 600
            and (lane[0][0] == stretch or nearly_done)
        ]
        pick = picks[len(words) % len(picks)] % len(ready) if picks else ready.index(behind)
        words.append(ready[pick].pop(0)[2])
    return words


@st.composite
def stretches(
    draw: st.DrawFn, firsts: Sequence[int], *, timeless: bool = False, steady: bool = True
) -> list[list[Stretch]]:
    """Draw what two FPGAs say: hits that step back a little, specials, other words.

    A steady start has the first words of a stretch close to each other.
    """
    lanes: list[list[Stretch]] = []
    for fpga in (0, 1):
        lane = []
        for first in firsts:
            at, words = first + draw(st.integers(0, 50)), list[tuple[int, int]]()
            kinds = draw(
                st.lists(
                    st.tuples(
                        st.sampled_from([0, 0, 1, 5, 300, 4000]),
                        st.integers(0, 9),
                        st.integers(0, 127),
                    ),
                    min_size=8,
                    max_size=40,
                )
            )
            for step, kind, channel in kinds:
                at += min(step, 5) if steady and len(words) < 8 else step
                orbit = at - (1 if kind == 9 else 0)
                special = SCINTILLATOR if fpga else TRIGGER
                is_timeless = timeless and kind == 7 and len(words) > 7
                words.append(
                    (
                        orbit,
                        other(fpga, 0)
                        if is_timeless
                        else hit(fpga, orbit, special if kind == 8 else channel),
                    )
                )
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


@examples(100)
@given(lanes=stretches([START], timeless=True), picks=PICKS, window=WINDOWS)
def test_any_interleaving_of_the_fpgas_within_the_lateness_gives_the_same_windows(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)


@examples(100)
@given(lanes=stretches([3_387_200_947, 5000], timeless=True), picks=PICKS, window=WINDOWS)
def test_interleaving_around_a_reset_does_not_matter_to_any_word(
    lanes: list[list[Stretch]], picks: list[int], window: int
) -> None:
    assert_interleaving_does_not_matter(lanes, picks, window)


@examples(60)
@given(lanes=stretches([START], timeless=True), cut=st.integers(0, 80), window=WINDOWS)
def test_reading_that_starts_later_gives_the_same_later_windows(
    lanes: list[list[Stretch]], cut: int, window: int
) -> None:
    words = interleaved(lanes, [])
    whole, _ = counted(words, window)
    part, _ = counted(words[cut:], window)
    begin = min(((w >> 17) & 0xFFFFFFFF for w in words[cut:] if w >> 61 == 2), default=0)
    for (epoch, number), summary in part.items():
        assert epoch == 0
        if number * window > begin + 600:
            assert np.array_equal(summary.class_words, whole[0, number].class_words)
            assert np.array_equal(summary.multiplicity, whole[0, number].multiplicity)


def test_hits_in_order_at_the_start_are_not_late() -> None:
    words = [hit(0, START + i) for i in range(4)]
    words += [hit(1, START + 4000 + i) for i in range(5)]
    words += [hit(0, START + 4010 + i) for i in range(2)]
    assert late_words(counted(words, window=1000)) == 0


def test_hits_in_order_after_a_reset_are_not_late() -> None:
    words = both(3_387_200_947, 10) + [hit(0, START + i) for i in range(4)]
    words += [hit(1, START + 4000 + i) for i in range(5)]
    words += [hit(0, START + 4010 + i) for i in range(2)]
    assert late_words(counted(words, window=1000)) == 0


def test_last_group_of_one_fpga_that_comes_after_the_other_passed_a_hole_is_not_late() -> None:
    words = both(START, 20) + run_of(0, START + 2_357_589, 5) + run_of(1, START + 20, 4)
    words += both(START + 2_357_600, 20)
    assert late_words(counted(words)) == 0


def test_last_groups_of_two_fpgas_that_come_after_others_passed_a_hole_are_not_late() -> None:
    text = setup_text("legnaro") + (
        '[[chamber]]\nfpga = 2\nchannels = [0, 63]\nview = "phi"\nz_mm = 2000\n'
    )
    three, resumed = parse_detector(text), START + 2_357_589
    words = [hit(fpga, START + i) for i in range(20) for fpga in (0, 1, 2)]
    words += run_of(0, resumed, 5) + run_of(1, resumed + 9, 5) + run_of(2, START + 20, 4)
    words += [hit(fpga, resumed + 20 + i) for i in range(20) for fpga in (0, 1, 2)]
    windows, remainder = count(as_array(words), three, spec_of(SECOND))
    assert late_words((by_place(windows), remainder)) == 0


def test_garbage_before_the_first_words_of_an_fpga_does_not_make_them_late() -> None:
    words = [hit(1, START - 10**6), *run_of(0, START, 40, 50), *run_of(1, START + 20, 10, 50)]
    words += both(START + 2000, 10)
    assert late_words(counted(words, window=100)) == 0


def test_bad_words_that_take_an_fpga_ahead_do_not_part_it_from_the_others_for_good() -> None:
    words = [*both(START, 10), hit(0, START + 56_000), hit(0, START + 56_001)]
    words += both(START + 10, 50)
    windows = hits_of(counted(words))
    assert windows == {(0, START // SECOND): 120, (0, (START + 56_000) // SECOND): 2}


def test_scintillator_on_an_fpga_of_its_own_is_waited_for() -> None:
    text = setup_text("legnaro").replace(
        '[[scintillator]]\nlabel = "scintillator"\nfpga = 1', "[[scintillator]]\nfpga = 2"
    )
    apart = parse_detector(text)
    words = both(START, 4000, 10) + [hit(2, START + 10_000 * i, 128) for i in range(5)]
    windows, remainder = count(as_array(words), apart, spec_of(SECOND))
    assert late_words((by_place(windows), remainder)) == 0
    assert sum(w.summary.scintillator_words for w in windows) == 5


# where a word goes


def test_windows_are_numbered_by_orbit_from_the_epoch_on() -> None:
    words = both(5 * 100 - 3, 10)
    windows, remainder = count(as_array(words), LEGNARO, spec_of(100))
    assert [(w.epoch, w.window, w.summary.total_hits) for w in windows] == [(0, 4, 6), (0, 5, 14)]
    assert [(w.first_orbit, w.last_orbit) for w in windows] == [(400, 499), (500, 599)]
    assert remainder == Summary.empty(LEGNARO)


def test_window_of_three_seconds_is_whole_although_it_is_made_of_panes() -> None:
    first = 33_670 * 7
    windows, _ = counted(both(first, 3368, 10), 33_670)
    assert {k: v.total_hits for k, v in windows.items()} == {(0, 7): 2 * 3367, (0, 8): 2}
    assert windows[0, 7].live_orbits == 33_670


def test_stale_buffer_is_an_epoch_of_its_own() -> None:
    words = both(3_387_200_947, 20) + both(616_953, 30)
    assert hits_of(counted(words)) == {(0, 3_387_200_947 // SECOND): 40, (1, 54): 60}


def test_reset_of_the_counters_begins_an_epoch_that_all_fpgas_join() -> None:
    words = both(START, 10) + run_of(0, 50, 5) + run_of(1, START + 10, 4) + run_of(1, 40, 3)
    words += both(60, 10)
    assert hits_of(counted(words)) == {(0, 1000): 24, (1, 0): 28}


def test_wrap_of_the_orbit_counter_begins_an_epoch() -> None:
    words = [hit(fpga, orbit % 2**32) for orbit in range(2**32 - 9, 2**32 + 9) for fpga in (0, 1)]
    assert hits_of(counted(words)) == {(0, (2**32 - 1) // SECOND): 18, (1, 0): 18}


def test_hole_has_no_windows_and_does_not_begin_an_epoch() -> None:
    words = both(START, 10) + both(START + 210 * SECOND, 10)
    assert hits_of(counted(words)) == {(0, 1000): 20, (0, 1210): 20}


def test_hole_of_more_than_an_hour_begins_an_epoch() -> None:
    longest, clock = 40_404_040, START + 8  # two words in a row must have reached an orbit
    words = both(START, 10) + both(clock + longest, 10)
    assert {epoch for epoch, _ in counted(words)[0]} == {0}
    words = both(START, 10) + both(clock + longest + 1, 10)
    assert {epoch for epoch, _ in counted(words)[0]} == {0, 1}


def test_lone_far_orbit_is_invalid_and_moves_no_clock() -> None:
    words = [*both(START, 10), hit(0, 4_000_000_000), *both(START + 10, 10)]
    windows, remainder = counted(words)
    assert {k: v.total_hits for k, v in windows.items()} == {(0, 1000): 40}
    assert windows[0, 1000].other_words[Timeless.INVALID_ORBIT] == 1
    assert remainder == Summary.empty(LEGNARO)


def test_lone_orbit_a_few_seconds_ahead_is_kept_and_moves_no_clock() -> None:
    ahead = START + 9 * SECOND
    words = [*both(START, 10), hit(0, ahead), hit(1, ahead), *both(START + 10, 10)]
    assert hits_of(counted(words)) == {(0, 1000): 40, (0, 1009): 2}


@pytest.mark.parametrize(("n", "epochs"), [(1, {0}), (4, {0}), (5, {0, 1})])
def test_five_words_in_a_row_are_believed_and_four_are_not(n: int, epochs: set[int]) -> None:
    words = both(START, 10) + run_of(0, 77, n) + both(START + 10, 3)
    found = counted(words)
    assert {epoch for epoch, _ in found[0]} == epochs
    assert late_words(found) == (n if n < 5 else 0)


def test_words_that_disagree_are_not_believed_together() -> None:
    words = both(START, 10) + [hit(0, 10**9 + 10**7 * i) for i in range(20)] + both(START + 10, 2)
    [window] = counted(words)[0].values()
    assert window.other_words[Timeless.INVALID_ORBIT] == 20
    assert window.total_hits == 24


def test_jump_to_where_another_fpga_is_already_is_believed_at_once() -> None:
    words = both(START, 10) + run_of(0, 50, 5) + [hit(1, 52), hit(1, 4_000_000_000), hit(1, 53)]
    assert hits_of(counted(words)) == {(0, 1000): 20, (1, 0): 7}


@pytest.mark.parametrize("back", [1, 606, 1122])
def test_step_back_within_the_lateness_is_in_time(back: int) -> None:
    begin = START + 2 * SECOND + 1121
    words = both(START, 2) + both(begin, 3) + [hit(0, begin + 2 - back)] + both(begin + 3, 3)
    found = counted(words)
    assert late_words(found) == 0
    assert sum(hits_of(found).values()) == len(words)


def test_step_back_beyond_the_lateness_into_a_closed_window_is_late() -> None:
    words = both(START, 10) + both(START + SECOND + 1200, 10)
    words += [hit(0, START + 5), *both(START + SECOND + 1300, 5)]
    windows, _ = counted(words)
    assert [(s.total_hits, s.accounting.late) for s in windows.values()] == [(20, 0), (30, 1)]


def test_dead_fpga_holds_windows_only_until_the_idle_time_out() -> None:
    counter = Counter(LEGNARO, WindowSpec())
    counter.push(as_array(both(START, 10)))
    until = [len(counter.push(as_array(run_of(0, START + s * SECOND, 3)))) for s in range(1, 10)]
    assert until[:4] == [0] * 4
    assert sum(until) > 0
    counter.push(as_array(run_of(1, START + 20, 3)))
    closed = [*counter.push(as_array(run_of(0, START + 10 * SECOND, 3))), *counter.finish()]
    assert sum(w.summary.accounting.late for w in closed) + counter.remainder.accounting.late == 3


def test_fpga_that_never_speaks_holds_windows_only_until_the_idle_time_out() -> None:
    counter = Counter(LEGNARO, WindowSpec())
    assert len(counter.push(as_array(run_of(0, START, 400, 112)))) == 0
    assert len(counter.push(as_array(run_of(0, START + 400 * 112, 400, 112)))) > 0


def test_slow_fpga_within_the_idle_time_out_loses_nothing() -> None:
    words = run_of(1, START, 5) + run_of(0, START, 500, 100) + run_of(1, START + 5, 500, 100)
    found = counted(words)
    assert late_words(found) == 0
    assert sum(hits_of(found).values()) == len(words)


def test_words_without_a_time_are_counted_where_the_clock_of_their_fpga_stands() -> None:
    ahead = START + 3 * SECOND
    timeless = [
        other(0, 0, ahead),
        other(0, 6),
        other(0, 7),
        hit(0, ahead, UNMAPPED),
        hit(0, ahead, bx=3564),
    ]
    words = both(START, 3) + run_of(1, START + SECOND, 3) + timeless + [other(1, 5, 7)]
    windows, remainder = counted([*words, hit(0, START + 4)])
    assert windows[0, 1000].other_words.tolist() == [1, 1, 2, 1, 0, 0]
    assert windows[0, 1001].other_words.tolist() == [1, 0, 0, 0, 0, 0]
    assert remainder == Summary.empty(LEGNARO)


def test_words_without_a_time_before_the_first_hit_are_counted_with_it() -> None:
    windows, remainder = counted([other(0), other(0, 1), *both(START, 6)])
    assert windows[0, 1000].accounting.ancillary == 2
    assert remainder == Summary.empty(LEGNARO)


def test_words_of_an_fpga_without_a_clock_remain() -> None:
    windows, remainder = counted([other(5), hit(6, START), *both(START, 6)])
    assert windows[0, 1000].accounting.words_in == 12
    assert remainder.accounting.as_dict() | {"words_in": 0} == (
        dict.fromkeys(remainder.accounting.as_dict(), 0) | {"ancillary": 1, "unmapped": 1}
    )


@pytest.mark.parametrize(("bx", "hits"), [(0, 1), (3563, 1), (3564, 0), (4095, 0)])
def test_bx_up_to_3563_is_valid(bx: int, hits: int) -> None:
    windows, _ = counted([*both(START, 5), hit(0, START + 5, bx=bx)])
    assert windows[0, 1000].total_hits == 10 + hits
    assert windows[0, 1000].other_words[Timeless.INVALID_BX] == 1 - hits


def test_end_of_the_stream_closes_all_and_a_second_end_gives_nothing() -> None:
    counter = Counter(LEGNARO)
    assert len(counter.push(as_array(both(START, 10)))) == 0
    assert len(counter.finish()) == 1
    assert len(counter.finish()) == 0
    assert counter.words_in == 20


def test_notes_tell_what_was_noticed_and_at_which_word() -> None:
    counter = Counter(LEGNARO)
    words = both(START, 5) + run_of(0, START + 30 * SECOND, 5) + run_of(1, START + 30 * SECOND, 1)
    counter.push(as_array([*words, hit(0, 10**9), *run_of(0, START + 30 * SECOND, 1)]))
    notes = [(n.kind, n.word, n.lane, n.after) for n in counter.notes()]
    assert notes == [
        (NoteKind.EPOCH, 8, 0, START),
        (NoteKind.EPOCH, 9, 1, START),
        (NoteKind.HOLE, 14, 0, START + 30 * SECOND),
        (NoteKind.HOLE, 15, 1, START + 30 * SECOND),
        (NoteKind.LONE, 17, 0, 10**9),
    ]
    assert counter.notes() == []


def test_late_words_are_noted_each_with_its_fpga_and_orbit() -> None:
    """An FPGA is silent for longer than it is waited for, and goes on where it stood."""
    counter = Counter(LEGNARO, spec_of(10, lateness=20, idle=50))
    words = both(START, 5) + [hit(1, START + i) for i in range(5, 400)]
    behind = [hit(0, START + 15), hit(0, START + 16)]
    windows = [*counter.push(as_array(words + behind)), *counter.finish()]
    notes = [(n.word, n.lane, n.after) for n in counter.notes() if n.kind is NoteKind.LATE]
    assert notes == [(len(words), 0, START + 15), (len(words) + 1, 0, START + 16)]
    assert late_words((by_place(windows), counter.remainder)) == 2


# nothing is lost


@examples(150)
@given(words=STREAMS, lengths=SPECS)
def test_every_word_is_in_a_window_or_in_the_remainder(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    windows, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    accounts = [s.accounting for s in [*(w.summary for w in windows), remainder]]
    assert sum(a.words_in for a in accounts) == len(words)
    assert all(sum(a.as_dict().values()) == 2 * a.words_in for a in accounts)


FLOOD = 200_000


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_flood_of_words_in_one_orbit_takes_bounded_memory_and_loses_none(pieces: int) -> None:
    windower = Windower(class_table(LEGNARO), WindowSpec(), max_open_words=1 << 16)
    words = as_array([*both(START, 10), *[hit(0, START + 10)] * FLOOD, *both(START + 11, 10)])
    panes = [windower.push(piece) for piece in np.array_split(words, pieces)]
    assert windower._state.pool.size <= 1 << 16
    panes.append(windower.finish())
    placed = sum(len(p.words) for p in panes)
    others = sum(int(p.other.sum()) for p in panes) + int(windower.remainder.sum())
    assert placed + others == len(words) == windower.words_in
    assert 60_000 < placed <= 1 << 16
    late = sum(int(p.other[:, Timeless.LATE].sum()) for p in panes)
    assert late + windower.remainder[Timeless.LATE] == others


def test_flood_over_many_windows_loses_none_and_is_not_late_when_in_order() -> None:
    windower = Windower(class_table(LEGNARO), WindowSpec(), max_open_words=1 << 17)
    orbits = np.repeat(np.arange(START, START + 60_000, dtype=np.uint64), 6)
    fpgas = np.tile(np.array([0, 1], np.uint64), len(orbits) // 2)
    words = np.uint64(hit(0, 0)) | fpgas << np.uint64(58) | orbits << np.uint64(17)
    panes = [windower.push(words), windower.finish()]
    assert sum(len(p.words) for p in panes) == len(words)
    assert sum(int(p.other.sum()) for p in panes) == 0
    assert windower._state.pool.size < len(words) // 2


# go on where it stopped


def split_by_snapshots(
    words: Words, spec: WindowSpec, cuts: Sequence[int]
) -> tuple[list[WindowSummary], Summary]:
    """Count with a new counter after each cut, which gets nothing but the snapshot."""
    counter, windows = Counter(LEGNARO, spec), list[WindowSummary]()
    for piece in np.split(words, sorted(cuts)):
        snapshot = {name: array.copy() for name, array in counter.snapshot().items()}
        assert all(array.dtype != object for array in snapshot.values())
        counter = Counter(LEGNARO, spec)
        counter.restore(snapshot)
        windows += counter.push(piece)
    windows += counter.finish()
    assert counter.words_in == len(words)
    return windows, counter.remainder


@examples(100)
@given(words=STREAMS, lengths=SPECS, data=st.data())
def test_snapshot_and_restore_at_any_point_give_the_same_as_an_unbroken_run(
    words: list[int], lengths: tuple[int, int, int], data: st.DataObject
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(words)), min_size=1, max_size=4))
    whole, remainder = count(as_array(words), LEGNARO, spec_of(*lengths))
    broken, broken_remainder = split_by_snapshots(as_array(words), spec_of(*lengths), cuts)
    assert by_place(broken) == by_place(whole)
    assert broken_remainder == remainder


@pytest.mark.parametrize("window", [11_223, 33_670, 500_000])
def test_snapshots_of_the_real_run_change_nothing(
    realdata: Path, legnaro: Detector, window: int
) -> None:
    words = read_words(realdata / CSV, legnaro)
    whole, remainder = count(words, legnaro, spec_of(window))
    broken, broken_remainder = split_by_snapshots(words, spec_of(window), range(1, 999, 50))
    assert (by_place(broken), broken_remainder) == (by_place(whole), remainder)


def test_snapshot_is_not_changed_by_what_comes_after() -> None:
    counter = Counter(LEGNARO)
    counter.push(as_array([*both(START, 10), hit(0, 10**9)]))
    snapshot = counter.snapshot()
    before = {name: array.copy() for name, array in snapshot.items()}
    counter.push(as_array(both(START + 10, 3000, 10)))
    counter.finish()
    assert snapshot.keys() == before.keys()
    assert all(np.array_equal(snapshot[name], before[name]) for name in before)


def test_snapshot_of_other_window_lengths_is_refused() -> None:
    snapshot = Counter(LEGNARO, WindowSpec(window_s=1)).snapshot()
    with pytest.raises(StateError, match="window"):
        Counter(LEGNARO, WindowSpec(window_s=2)).restore(snapshot)


def test_restored_windower_keeps_its_bound_on_memory() -> None:
    table = class_table(LEGNARO)
    small = Windower(table, WindowSpec(), max_open_words=1 << 16)
    again = Windower.restore(table, WindowSpec(), small.snapshot())
    again.push(np.full(FLOOD, hit(0, START), np.uint64))
    assert again._state.pool.size <= 1 << 17


# lengths


@pytest.mark.parametrize(
    ("window_s", "orbits", "panes", "pane_orbits"),
    [
        (1.0, 11_223, 1, 11_223),
        (89.1e-6, 1, 1, 1),
        (1e-9, 1, 1, 1),
        (3.0, 33_670, 3, 11_224),
        (3600.0, 40_404_040, 2467, 16_378),
    ],
)
def test_window_is_whole_orbits_in_panes(
    window_s: float, orbits: int, panes: int, pane_orbits: int
) -> None:
    spec = WindowSpec(window_s=window_s)
    assert (spec.window_orbits, spec.panes, spec.pane_orbits) == (orbits, panes, pane_orbits)


@pytest.mark.parametrize(
    "lengths",
    [
        {"window_s": 0.0},
        {"window_s": -1.0},
        {"window_s": float("nan")},
        {"window_s": 3601.0},
        {"lateness_s": float("inf")},
        {"lateness_s": 6.0},
        {"idle_s": 0.05},
    ],
)
def test_lengths_that_make_no_sense_are_refused(lengths: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        WindowSpec(**lengths)


# recordings


def test_real_stream_sample_has_its_known_counts_in_two_epochs(
    realdata: Path, legnaro: Detector
) -> None:
    windows, remainder = count(read_words(realdata / CSV, legnaro), legnaro, WindowSpec())
    total = sum((w.summary for w in windows), start=remainder)
    assert total.hits_per_chamber.tolist() == [80, 171, 103, 143]
    account = total.accounting
    assert (account.words_in, account.trigger, account.ancillary) == (999, 2, 500)
    assert (account.scintillator, account.unmapped, account.invalid, account.late) == (0, 0, 0, 0)
    assert {w.epoch for w in windows} == {0, 1}
    stale = sum((w.summary for w in windows if w.epoch == 0), start=Summary.empty(legnaro))
    assert stale.detail is not None
    orbits = np.concatenate(stale.detail.orbits)
    assert (orbits.min(), orbits.max()) == (3_387_200_947, 3_387_201_636)


def test_real_run000591_has_its_known_counts_and_its_hole(
    realdata: Path, run000591: Detector
) -> None:
    windows, remainder = count(read_words(realdata / DAT, run000591), run000591, WindowSpec())
    total = sum((w.summary for w in windows), start=remainder)
    assert total.hits_per_chamber.tolist() == [24_253, 35_907, 60_564, 36_572]
    assert total.accounting.words_in == 159_616
    assert total.trigger_words == 980 + 1340
    assert {w.epoch for w in windows} == {0}
    numbers = [w.window for w in windows]
    [jump] = [(a, b) for a, b in pairwise(numbers) if b - a > 1]
    assert jump == (341_373 // SECOND, 2_698_963 // SECOND)
    assert jump[1] - jump[0] == 210


def test_more_resets_than_epochs_are_remembered_count_every_hit() -> None:
    resets = 40
    words = [word for n in range(resets) for word in both((resets - n) * 10**6, 300)]
    windows, remainder = counted(words)
    assert {epoch for epoch, _ in windows} == set(range(resets))
    assert sum(hits_of((windows, remainder)).values()) == len(words)
    assert late_words((windows, remainder)) == 0


def test_an_epoch_waits_for_a_lane_that_is_behind_by_less_than_idle_time_and_a_pane() -> None:
    spec, begin = spec_of(100, 10, 50), 10**6
    words = both(begin, 30)
    words += run_of(0, 5000, 120)  # FPGA 0 was reset, and is past the idle time-out since
    words += run_of(1, begin + 30, 40)
    windows, _ = count(as_array(words), LEGNARO, spec)
    hits = {(w.epoch, w.window): w.summary.total_hits for w in windows}
    assert sum(n for (epoch, _), n in hits.items() if epoch == 0) == 2 * 30 + 40
    assert sum(n for (epoch, _), n in hits.items() if epoch == 1) == 120


def test_a_dense_pane_in_random_order_gives_sorted_lists() -> None:
    rng, n = np.random.default_rng(3), 900
    first, rest = run_of(1, START, 6), [hit(1, START, SCINTILLATOR, 0, 0)]
    rest += [hit(0, START, 5, int(bx), int(tdc)) for bx, tdc in rng.integers(0, (3564, 30), (n, 2))]
    rest += [hit(0, START + int(o), 9) for o in rng.permutation(n)]
    (window,) = counted([*first, *run_of(0, START, 6), *rng.permutation(rest).tolist()])[0].values()
    detail = window.detail
    assert detail is not None
    ticks, orbits = detail.drift_ticks[0].tolist(), detail.orbits[0].tolist()
    assert len(ticks) > n
    assert ticks == sorted(ticks)
    assert orbits == list(range(START, START + n))
