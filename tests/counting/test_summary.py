"""Summaries add up in any order, and say what they hold."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.streams import NOISE, SCINTILLATOR, TRIGGER, as_array, count, hit, other, spec_of
from muonscope.counting.blocks.drift import drift_ns
from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary, merged
from muonscope.counting.window_table import WindowSummary, WindowTable
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector, parse_detector, setup_text, shipped_detector

LEGNARO = shipped_detector("legnaro")
EMPTY = Summary.empty(LEGNARO)
ORBITS = 400
START = 100 * ORBITS


def summary_of(words: list[int], detector: Detector = LEGNARO) -> Summary:
    """Return the summary of words that all lie in one window."""
    windows, remainder = count(as_array(words), detector, spec_of(ORBITS))
    assert len(windows) <= 1
    return merged([*(w.summary for w in windows), remainder], detector)


def busy_window() -> Summary:
    """Return a summary with every kind of count in it."""
    words = [hit(1, START + o, SCINTILLATOR, 1000, 4) for o in range(0, 40, 2)]
    words += [
        hit(c // 2, START + o, 64 * (c % 2) + o, 990 + 3 * o, o % 30)
        for o in range(40)
        for c in range(4)
    ]
    words += [hit(0, START + 40, TRIGGER), other(1, 0), other(1, 7), hit(0, START, 300)]
    return summary_of(words)


SUMMARIES = st.lists(
    st.builds(
        hit,
        st.integers(0, 1),
        st.integers(START, START + 20),
        st.sampled_from([0, 5, 63, 64, 127, SCINTILLATOR, SCINTILLATOR, TRIGGER, 300]),
        st.sampled_from([0, 99, 100, 101, 130, 3563, 3564]),
        st.integers(0, 31),
    ),
    max_size=40,
).map(summary_of)


@examples(100)
@given(a=SUMMARIES, b=SUMMARIES, c=SUMMARIES)
def test_merge_does_not_depend_on_grouping_or_order(a: Summary, b: Summary, c: Summary) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert merged([c, a, b], LEGNARO) == merged([a, b, c], LEGNARO)


@examples(50)
@given(a=SUMMARIES)
def test_empty_summary_changes_nothing(a: Summary) -> None:
    assert a + EMPTY == a == EMPTY + a
    assert merged([], LEGNARO) == EMPTY


@examples(100)
@given(words=NOISE, owner=st.lists(st.integers(0, 2), min_size=64, max_size=64))
def test_words_split_by_orbit_and_merged_count_as_if_never_split(
    words: list[int], owner: list[int]
) -> None:
    near = [w & ~(0xFFFFFFFF << 17) | (START + (w >> 17) % 64) << 17 for w in words]
    parts = [[w for w in near if owner[(w >> 17) % 64] == part] for part in range(3)]
    total = merged(map(summary_of, parts), LEGNARO)
    whole = summary_of(near)
    of_time = {name: whole.arrays[name] for name in ("occupied", "lane_orbits", "lane_holes")}
    assert replace(total.with_arrays(**of_time), live_orbits=whole.live_orbits) == whole


def test_merge_adds_live_time_and_keeps_its_parts_as_they_were() -> None:
    window = busy_window()
    again = busy_window()
    total = window + again
    assert total.live_orbits == 2 * ORBITS
    assert total.live_s == pytest.approx(2 * ORBITS * 89.1e-6)
    assert total.total_hits == 2 * window.total_hits == 320
    assert window == again


def test_merge_of_the_same_orbit_adds_its_hits_and_keeps_drift_times_sorted() -> None:
    one = summary_of([hit(1, START, SCINTILLATOR), *[hit(0, START, 3, 104, t) for t in range(5)]])
    two = summary_of([hit(1, START, SCINTILLATOR), *[hit(0, START, 3, 103, t) for t in range(5)]])
    detail = (one + two).detail
    assert detail is not None
    assert (detail.orbits[0].tolist(), detail.orbit_hits[0].tolist()) == ([START], [10])
    assert detail.drift_ticks[0].tolist() == [*range(83, 88), *range(113, 118)]


def test_summaries_of_different_detectors_cannot_be_merged() -> None:
    moved = parse_detector(setup_text("legnaro").replace("z_mm = 219.8", "z_mm = 220.0"))
    for stranger in (moved, shipped_detector("run000591")):
        with pytest.raises(ValueError, match="cannot be merged"):
            EMPTY.merge(Summary.empty(stranger))
        assert Summary.empty(stranger) != EMPTY


def test_summary_adds_to_nothing_else() -> None:
    with pytest.raises(TypeError):
        EMPTY + 1
    assert EMPTY != 0


def test_equality_looks_at_every_count() -> None:
    window = busy_window()
    assert window == busy_window()
    for name in ("class_words", "other_words", "scint_hits", "drift_histogram", "multiplicity"):
        array = getattr(window, name).copy()
        array.flat[-1] += 1
        assert window.with_arrays(**{name: array}) != window
    assert replace(window, live_orbits=1) != window
    assert window.lists is not None
    ticks = tuple(t + 1 for t in window.lists["drift_ticks"])
    assert replace(window, lists={**window.lists, "drift_ticks": ticks}) != window


def test_condensed_summary_has_the_same_counts_without_lists() -> None:
    window = busy_window()
    small = window.condensed()
    assert small.detail is None
    assert small != window
    assert small.accounting == window.accounting
    assert np.array_equal(small.drift_histogram, window.drift_histogram)
    assert (small + window).detail is None
    assert (window + small) == (window + window).condensed()
    with pytest.raises(ValueError, match="condensed"):
        small.drift_ns(0)


def test_accounting_tells_each_word_once() -> None:
    account = busy_window().accounting
    expected = {"words_in": 184, "hits": 160, "scintillator": 20, "trigger": 1}
    expected |= {"ancillary": 1, "unmapped": 1, "invalid": 1, "late": 0}
    assert account.as_dict() == expected
    assert sum(account.as_dict().values()) == 2 * account.words_in


def test_invalid_words_are_of_three_kinds() -> None:
    other_words = np.zeros(len(Timeless), np.int64)
    other_words[[Timeless.INVALID_HEAD, Timeless.INVALID_BX, Timeless.INVALID_ORBIT]] = 1, 10, 100
    account = EMPTY.with_arrays(other_words=other_words).accounting
    assert (account.invalid, account.words_in) == (111, 111)


# drift times


@pytest.mark.parametrize(
    ("chamber", "bx", "tdc", "expected"),
    [
        # 25 ns for each BX after 100, 25/30 ns for each tick after 10, and the offset
        (0, 100, 10, 93.9),
        (0, 104, 10, 193.9),
        (1, 104, 10, 201.4),
        (2, 104, 25, 208.0),
        (3, 90, 16, -152.6),
        (0, 101, 11, 119.733),
        (1, 115, 9, 475.567),
    ],
)
def test_drift_time_is_that_of_the_assignment(
    chamber: int, bx: int, tdc: int, expected: float
) -> None:
    words = [hit(1, START, SCINTILLATOR, 300, 1), hit(1, START, SCINTILLATOR, 100, 10)]
    words += [hit(chamber // 2, START, 64 * (chamber % 2) + 9, bx, tdc)] * 3
    window = summary_of([*words, hit(1, START + 1, 3)])
    assert window.drift_ns(chamber).tolist() == [expected] * 3
    assert window.scint_hits.sum() == 3
    assert window.detail is not None
    orbits = (window.detail.drift_orbits[chamber] + np.uint32(0)).tolist()
    assert orbits == [START] * 3
    in_bin = int((expected + 100) // 2.5) + 1 if expected >= -100 else 0
    assert window.drift_histogram[chamber].nonzero()[0].tolist() == [in_bin]


def test_tdc_of_32_ticks_divides_a_bx_by_32() -> None:
    text = setup_text("legnaro").replace("ticks_per_bx = 30", "ticks_per_bx = 32")
    detector = parse_detector(text)
    words = [hit(1, START, SCINTILLATOR, 100, 0), *[hit(0, START, 3, 104, 8)] * 3]
    window = summary_of([*words, hit(1, START + 1, 3)], detector)
    assert window.drift_ns(0).tolist() == [100 + 25 * 8 / 32 + 93.9] * 3
    assert drift_ns(detector, 3, np.array([32, -32, 1], np.int32)).tolist() == [117.4, 67.4, 93.181]


@pytest.mark.parametrize(
    ("ticks", "place"),
    [(-121, 0), (-120, 1), (-118, 1), (-117, 2), (0, 41), (839, 320), (840, 321), (9999, 321)],
)
def test_edges_of_the_histogram_belong_to_the_bin_above(ticks: int, place: int) -> None:
    text = setup_text("legnaro").replace("drift_offset_ns = 93.9", "drift_offset_ns = 0")
    detector = parse_detector(text)
    t0, t = 1000 * 30, 1000 * 30 + ticks
    words = [hit(1, START, SCINTILLATOR, t0 // 30, 0), *[hit(0, START, 3, t // 30, t % 30)] * 4]
    window = summary_of([*words, hit(1, START + 1, 3)], detector)
    assert window.drift_histogram[0].nonzero()[0].tolist() == [place]
    assert window.drift_histogram[0, place] == 4


# what people see


def test_repr_names_detector_time_and_words() -> None:
    assert repr(EMPTY) == "<Summary legnaro 0.000 s: no words>"
    text = repr(busy_window())
    assert text == (
        "<Summary legnaro 0.036 s: words_in 184, hits 160, scintillator 20, trigger 1,"
        " ancillary 1, unmapped 1, invalid 1>"
    )


def test_html_shows_each_chamber_and_is_escaped() -> None:
    text = setup_text("legnaro").replace('label = "chamber 0"', 'label = "<script>&"')
    window = summary_of([hit(0, START, 1), *[hit(1, START, 1)] * 6], parse_detector(text))
    html = window._repr_html_()
    assert "<script>" not in html
    assert "<td>&lt;script&gt;&amp;</td><td>1</td><td>28.1</td><td>0</td>" in html
    assert html.count("<tr>") == 1 + 4
    assert "nan" not in EMPTY._repr_html_()
    assert EMPTY._repr_html_().count("<tr>") == 1 + 4


# tables


def table_of_three() -> WindowTable:
    """Return windows 100, 101 and 103."""
    words = [
        hit(fpga, ORBITS * window + o, 10 * window % 64 + o)
        for window in (100, 101, 103)
        for o in range(7)
        for fpga in (0, 1)
    ]
    words += [hit(1, ORBITS * 103 + 5, SCINTILLATOR, 90)]
    counter = Counter(LEGNARO, spec_of(ORBITS))
    assert len(counter.push(as_array(words))) == 0
    return counter.finish()


def test_table_is_a_sequence_of_windows() -> None:
    table = table_of_three()
    assert len(table) == 3
    assert [w.window for w in table] == [100, 101, 103]
    assert table[-1].window == table[2].window == 103
    assert table[np.int64(1)].first_orbit == 101 * ORBITS
    assert table[1].last_orbit == 102 * ORBITS - 1
    assert [w.window for w in table[1:]] == [101, 103]
    assert table[5:] == []
    assert [w.window for w in reversed(table)] == [103, 101, 100]
    for index in (3, -4):
        with pytest.raises(IndexError, match="of 3"):
            table[index]


def test_table_of_its_own_windows_is_the_same_table() -> None:
    table = table_of_three()
    again = WindowTable.of(LEGNARO, ORBITS, list(table))
    assert [(w.epoch, w.window, w.first_orbit) for w in again] == [
        (w.epoch, w.window, w.first_orbit) for w in table
    ]
    assert [w.summary for w in again] == [w.summary for w in table]
    assert again.total() == table.total()
    assert again.total() == merged((w.summary for w in table), LEGNARO).condensed()


def test_table_of_nothing_is_empty() -> None:
    table = WindowTable.of(LEGNARO, ORBITS, [])
    assert len(table) == 0
    assert list(table) == []
    assert table.total() == EMPTY.condensed()


def test_table_refuses_condensed_summaries() -> None:
    with pytest.raises(ValueError, match="detail"):
        WindowTable.of(LEGNARO, ORBITS, [WindowSummary(0, 1, 0, EMPTY.condensed())])


def test_repr_of_a_table_is_one_line() -> None:
    assert repr(table_of_three()).startswith(
        "<3 windows of 0.03564 s; total <Summary legnaro 0.107 s:"
    )
