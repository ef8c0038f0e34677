"""Doubts: each kind arises at its limit and not below, and names what would help."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from helpers.simulated import simulated_words
from muonscope.counting.counter import Counter
from muonscope.counting.doubts import Counts, Doubter, Tally, doubts_of, nothing_decoded
from muonscope.counting.window_spec import Note, NoteKind, WindowSpec
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector, shipped_detector
from muonscope.events import DOUBTS, Event, EventKind
from muonscope.simulation.profiles import PROFILES
from muonscope.units import orbits_in
from muonscope.wording import describe
from muonscope.words.layout import Words, pack_ancillary, pack_hits
from muonscope.words.rejects import Reject, RejectCode, Rejects

NONE = Rejects()
KINDS = [
    (EventKind.MANY_UNMAPPED, Timeless.UNMAPPED),
    (EventKind.MANY_BAD_HEADS, Timeless.INVALID_HEAD),
    (EventKind.MANY_BAD_BX, Timeless.INVALID_BX),
    (EventKind.MANY_BAD_ORBITS, Timeless.INVALID_ORBIT),
    (EventKind.MANY_LATE, Timeless.LATE),
]


def counts(words: int, hits: int | None = None, **more: Any) -> Counts:
    """Return the counts of words, of which all are hits unless it is said how many."""
    return replace(Counts(words=words, hits=words if hits is None else hits), **more)


def kinds(doubts: Iterable[Event]) -> list[EventKind]:
    """Return the kinds of some doubts."""
    return [doubt.kind for doubt in doubts]


@pytest.mark.parametrize(("kind", "timeless"), KINDS)
def test_a_hundredth_of_the_words_is_doubtful_and_less_is_not(
    kind: EventKind, timeless: Timeless
) -> None:
    at, below = counts(10_000, others={timeless: 100}), counts(10_000, others={timeless: 99})
    (doubt,) = doubts_of(at, "legnaro")
    assert doubt.kind is kind
    assert doubt.doubtful
    assert "1.0% of the words (100 of 10,000)" in describe(doubt)
    assert doubts_of(below, "legnaro") == []


def test_a_few_words_are_never_doubtful() -> None:
    lost = {timeless: 99 for _, timeless in KINDS}
    assert doubts_of(counts(99, 0, others=lost), "legnaro") == []
    assert len(doubts_of(counts(100, 0, others=lost), "legnaro")) == len(KINDS)


def test_the_largest_loss_comes_first() -> None:
    lost = {Timeless.UNMAPPED: 20, Timeless.LATE: 500, Timeless.INVALID_BX: 90}
    found = doubts_of(counts(1000, others=lost), "legnaro")
    assert kinds(found) == [
        EventKind.MANY_LATE, EventKind.MANY_BAD_BX, EventKind.MANY_UNMAPPED,
    ]  # fmt: skip


def test_ancillary_words_alone_are_doubtful_and_one_hit_is_not() -> None:
    others = {Timeless.ANCILLARY: 3424}
    (doubt,) = doubts_of(counts(3424, 0, others=others), "legnaro")
    assert doubt.kind is EventKind.NO_HITS
    assert "no hit among 3,424 words: is legnaro the right detector" in describe(doubt)
    assert doubts_of(counts(3424, 1, others=others), "legnaro") == []
    assert doubts_of(counts(99, 0, others={Timeless.ANCILLARY: 99}), "legnaro") == []


def test_that_there_is_no_hit_is_not_said_where_the_reason_is() -> None:
    found = doubts_of(counts(500, 0, others={Timeless.UNMAPPED: 500}), "legnaro")
    assert kinds(found) == [EventKind.MANY_UNMAPPED]


@pytest.mark.parametrize(
    ("more", "doubtful"),
    [
        ({"words": 12_000, "bytes_in": 100_000, "bytes_rejected": 1000}, True),
        ({"words": 12_000, "bytes_in": 100_000, "bytes_rejected": 999}, False),
        ({"words": 0, "bytes_in": 800, "bytes_rejected": 800}, True),
        ({"words": 0, "bytes_in": 799, "bytes_rejected": 799}, False),
        ({"words": 12_000, "bytes_in": 1 << 20}, False),  # rows of Parquet have no length
    ],
)
def test_a_hundredth_of_the_bytes_is_doubtful(more: dict[str, int], doubtful: bool) -> None:
    found = doubts_of(counts(rejects={"UNKNOWN_FORMAT": 1}, **more), "legnaro")
    assert kinds(found) == [EventKind.MANY_REJECTED] * doubtful


@pytest.mark.parametrize(("pieces", "doubtful"), [(100, True), (99, False)])
def test_a_hundredth_of_the_rows_is_doubtful_where_they_have_no_length(
    pieces: int, doubtful: bool
) -> None:
    found = doubts_of(counts(9900, bytes_in=50_000, rejects={"OUT_OF_RANGE": pieces}), "legnaro")
    assert kinds(found) == [EventKind.MANY_REJECTED] * doubtful


@pytest.mark.parametrize("code", RejectCode)
def test_rejects_are_told_with_a_cause(code: RejectCode) -> None:
    found = doubts_of(counts(100, bytes_in=9000, rejects={code.name: 200}), "legnaro")
    (text,) = map(describe, found)
    if code is RejectCode.BAD_COMPRESSION:
        assert "compressed streams are damaged or cut short" in text
    else:
        assert f"most of them as {code.name.lower().replace('_', ' ')}: " in text
        assert "muonscope inspect shows where" not in text


def test_a_code_of_another_version_is_told_all_the_same() -> None:
    (doubt,) = doubts_of(counts(100, rejects={"OF_TOMORROW": 200}), "legnaro")
    assert "66.7% of the data was rejected, in 200 pieces, most of them as of tomorrow" in (
        describe(doubt)
    )


def test_one_damaged_compressed_stream_is_enough() -> None:
    found = doubts_of(counts(10**9, rejects={"BAD_COMPRESSION": 1}), "legnaro")
    assert kinds(found) == [EventKind.DAMAGED_COMPRESSION]


@pytest.mark.parametrize(
    ("epochs", "streams", "doubtful"),
    [(5, 1, False), (6, 1, True), (20, 10, False), (21, 10, True), (6, 3, False)],
)
def test_more_epochs_than_files_may_have_are_doubtful(
    epochs: int, streams: int, doubtful: bool
) -> None:
    found = doubts_of(counts(1000, epochs=epochs, streams=streams), "legnaro")
    assert kinds(found) == [EventKind.MANY_EPOCHS] * doubtful
    assert all("wrong order" in describe(doubt) for doubt in found)


def test_all_doubts_are_known_as_such() -> None:
    assert {kind for kind in EventKind if kind.name.startswith("MANY_")} <= DOUBTS
    assert not any(Event(kind=kind).doubtful for kind in set(EventKind) - DOUBTS)


def late(before: int, after: int) -> Note:
    """Return what the windower notes of a late word."""
    return Note(kind=NoteKind.LATE, word=5, lane=1, before=before, after=after)


def test_late_words_behind_another_fpga_name_the_idle_timeout(legnaro: Detector) -> None:
    doubter, orbits = Doubter(legnaro, WindowSpec(idle_s=5.0)), orbits_in(60.0)
    doubter.note([late(100, 100), late(orbits_in(20.0), orbits_in(20.0))], orbits)
    (doubt,) = doubter.conclude(counts(1000, others={Timeless.LATE: 10}), NONE)
    text = describe(doubt)
    assert "up to 60.0 s behind another FPGA" in text
    assert "--idle-timeout 66s or more" in text
    assert "--lateness" not in text


def test_late_words_that_step_back_name_the_lateness(legnaro: Detector) -> None:
    doubter, at = Doubter(legnaro), orbits_in(60.0)
    doubter.note([late(at, at - orbits_in(2.0))], at)
    (doubt,) = doubter.conclude(counts(1000, others={Timeless.LATE: 10}), NONE)
    text = describe(doubt)
    assert "step back by up to 2.0 s within their FPGA" in text
    assert "--lateness 2.3s or more" in text
    assert "--idle-timeout" not in text


def test_late_words_of_unknown_reason_name_both_options() -> None:
    (doubt,) = doubts_of(counts(1000, others={Timeless.LATE: 10}), "legnaro")
    assert "--idle-timeout and --lateness say how long windows wait" in describe(doubt)


def test_the_detector_that_fits_is_named(legnaro: Detector) -> None:
    doubter = Doubter(shipped_detector("bologna2"))
    doubter.sample(simulated_words(5000, detector=legnaro), "dat")
    (doubt,) = doubter.conclude(counts(5000, others={Timeless.UNMAPPED: 2500}), NONE)
    assert doubt.detail == "legnaro"
    assert "legnaro maps 100% of a sample: use --detector legnaro" in describe(doubt)


def test_where_none_fits_better_a_file_of_ones_own_is_advised(legnaro: Detector) -> None:
    doubter = Doubter(legnaro)
    doubter.sample(pack_hits(2, 5, np.arange(100), 1000, 7, 8), "dat")
    (doubt,) = doubter.conclude(counts(100, 0, others={Timeless.UNMAPPED: 100}), NONE)
    assert doubt.detail == ""
    assert "describe your cabling" in describe(doubt)


def test_the_detector_that_reads_rejected_rows_is_named(legnaro: Detector) -> None:
    rejects = Rejects()
    rejects.add(
        Reject(
            code=RejectCode.OUT_OF_RANGE, offset=0, length=20,
            evidence=b"1,0,%d,617000,12,0" % (n + 1),
        )
        for n in range(128)
    )  # fmt: skip
    lost: dict[str, Any] = {
        "bytes_in": 2560,
        "bytes_rejected": 2560,
        "rejects": {"OUT_OF_RANGE": 128},
    }
    (doubt,) = Doubter(legnaro).conclude(counts(0, **lost), rejects)
    assert "100.0% of the data was rejected, in 128 pieces" in describe(doubt)
    assert "detector run000591 reads such rows: use --detector run000591" in describe(doubt)
    assert "; detector run000591 reads it: use --detector run000591; first: byte 0" in (
        nothing_decoded(rejects)
    )


def test_a_stretch_is_doubtful_once_and_only_when_it_is_long(legnaro: Detector) -> None:
    doubter = Doubter(legnaro)
    bad = {Timeless.UNMAPPED: 9_999}
    assert doubter.look(counts(9_999, 0, others=bad), NONE) == []
    assert doubter.look(counts(10_000, 0, others=bad), NONE) != []
    assert doubter.look(counts(20_000, 0, others={Timeless.UNMAPPED: 19_999}), NONE) == []


def test_a_loss_late_in_a_long_run_is_told_and_stays_in_the_account(legnaro: Detector) -> None:
    doubter, good = Doubter(legnaro), 10_000_000
    assert doubter.look(counts(good), NONE) == []
    (doubt,) = doubter.look(counts(good + 10_000, others={Timeless.UNMAPPED: 100}), NONE)
    assert doubt.numbers["of"] == 10_000
    assert doubter.doubts == [doubt]
    after = counts(good + 20_000, others={Timeless.UNMAPPED: 100})
    assert doubter.look(after, NONE) == []
    assert doubter.doubts == []
    assert doubter.conclude(after, NONE) == []
    assert doubter.doubts == [doubt]


def test_what_was_told_is_not_told_again_in_the_same_words(legnaro: Detector) -> None:
    doubter, bad = Doubter(legnaro), counts(10_000, 0, others={Timeless.LATE: 10_000})
    told = doubter.look(bad, NONE)
    assert doubter.conclude(bad, NONE) == []
    assert doubter.doubts == told
    more = counts(10_001, 0, others={Timeless.LATE: 10_000})
    assert kinds(doubter.conclude(more, NONE)) == [EventKind.MANY_LATE]


def all_kinds() -> Words:
    """Return words of every kind that can be told without a clock."""
    return np.concatenate(
        [
            simulated_words(3000, profile=PROFILES["legnaro"]),
            pack_hits(2, 7, np.arange(50), 700_000, 5, 6),
            pack_hits(7, 1, np.arange(60), 700_000, 5, 6),
            pack_hits(2, 0, np.arange(40), 700_000, np.arange(3560, 3600), 6),
            pack_hits(2, 1, [128, 138], 700_000, 4095, 6),
            pack_ancillary(4, 1, 700_000, np.arange(70)),
        ]
    )


@pytest.mark.parametrize("cut", [1, 7, 1000, 1 << 20])
def test_a_tally_counts_as_the_windows_do(legnaro: Detector, cut: int) -> None:
    words, tally, counter = all_kinds(), Tally(legnaro), Counter(legnaro)
    for at in range(0, len(words), cut):
        tally.take(words[at : at + cut])
    total = counter.push(words).total().merge(counter.finish().total()).merge(counter.remainder)
    expected, found = Counts.of(total), tally.counts()
    assert total.accounting.late == 0
    assert found.words == expected.words == len(words)
    assert found.hits == expected.hits
    assert found.others == expected.others
