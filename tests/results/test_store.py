"""The store: each window counts once, views are merges of windows, memory is bounded."""

import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.simulated import BRIGHT, simulated_words
from helpers.window_messages import SECOND, ends_of, moved, simulated_lines
from muonscope.api import summarise
from muonscope.counting.summary import Summary
from muonscope.dashboard.contract import encoded
from muonscope.dashboard.documents import view_document
from muonscope.detector import shipped_detector
from muonscope.errors import FormatError
from muonscope.results.message import window_messages
from muonscope.results.read_message import WindowResult, read_result
from muonscope.results.store import ResultStore, Taken, View
from muonscope.units import ORBIT_S

LEGNARO = shipped_detector("legnaro")
LINES = simulated_lines(6000, window_s=0.1)
"""Windows that all differ; ``window`` makes one of a second of each."""


def window(n: int, epoch: int = 0, run: str = "r", orbits: int = SECOND) -> bytes:
    """Return the message of a window."""
    return moved(LINES[(7 * n + 3 * epoch) % len(LINES)], n, epoch=epoch, run=run, orbits=orbits)


def oracle(lines: list[bytes]) -> Summary:
    """Return the merge of the windows of some messages, by a loop."""
    total = Summary.empty(LEGNARO).condensed()
    for line in lines:
        total += read_result(line, LEGNARO).summary
    return total


def store_of(lines: list[bytes], store: ResultStore | None = None) -> ResultStore:
    """Return a store that has taken some messages."""
    store = store or ResultStore(LEGNARO)
    for line in lines:
        store.take(line)
    return store


def seen(store: ResultStore, name: str) -> View:
    """Return a view that must be there."""
    view = store.view(name)
    assert view is not None
    return view


def test_there_are_windows_to_test_with() -> None:
    assert len(LINES) > 10
    assert len({read_result(line, LEGNARO).summary.total_hits for line in LINES}) > 5


# --- what is counted -----------------------------------------------------------------------


def test_before_the_first_window_there_is_nothing_to_see() -> None:
    store = ResultStore(LEGNARO)
    assert [store.view(name) for name in ("window", "recent", "run")] == [None] * 3
    assert store.latest is None
    assert store.message((0, 0)) is None
    assert store.kept("recent", (0, 0)) is None


def test_the_run_is_the_merge_of_its_windows() -> None:
    lines = [window(n) for n in range(100)]
    view = seen(store_of(lines), "run")
    assert view.summary == oracle(lines)
    assert view.windows == 100
    assert view.summary.live_s == pytest.approx(100 * SECOND * ORBIT_S)
    assert [view.first_s, view.run_s] == pytest.approx([0.0, 100 * SECOND * ORBIT_S])


def test_the_window_is_the_latest_one() -> None:
    store = store_of([window(n) for n in (0, 5, 3)])
    view = seen(store, "window")
    assert view.latest.place == (0, 5)
    assert view.summary == oracle([window(5)])
    assert view.windows == 1
    assert view.first_s == pytest.approx(5 * SECOND * ORBIT_S)


def test_recent_is_the_last_minute_at_every_moment() -> None:
    store, lines = ResultStore(LEGNARO), [window(n) for n in range(130)]
    for n, line in enumerate(lines):
        store.take(line)
        if n in (0, 1, 58, 59, 60, 61, 119, 129):
            view, last = seen(store, "recent"), lines[max(0, n - 59) : n + 1]
            assert view.summary == oracle(last)
            assert view.windows == len(last)
            assert view.first_s == pytest.approx(max(0, n - 59) * SECOND * ORBIT_S)


def test_recent_is_the_last_minute_of_short_windows_to_a_second() -> None:
    orbits = SECOND // 5
    store = store_of([window(n, orbits=orbits) for n in range(400)])
    view = seen(store, "recent")
    assert 59.0 <= view.summary.live_s <= 60.01
    assert view.summary == oracle(
        [window(n, orbits=orbits) for n in range(400 - view.windows, 400)]
    )


def test_recent_is_the_latest_window_where_that_is_longer_than_a_minute() -> None:
    lines = [window(n, orbits=120 * SECOND) for n in range(3)]
    assert seen(store_of(lines), "recent").summary == oracle(lines[-1:])


def test_recent_leaves_out_what_came_before_a_pause() -> None:
    lines = [window(n) for n in (0, 1, 2, 200, 201)]
    assert seen(store_of(lines), "recent").summary == oracle(lines[-2:])


def test_a_window_that_comes_twice_counts_once() -> None:
    lines = [window(n) for n in range(20)]
    store = store_of(lines)
    assert {store.take(line) for line in lines} == {Taken.DUPLICATE}
    for name in ("recent", "run"):
        assert seen(store, name).summary == oracle(lines)
        assert seen(store, name).windows == 20
    assert store.windows == 20
    assert store.history.columns(1e6)["hits"].sum() == oracle(lines).total_hits


@examples(12)
@given(st.randoms(use_true_random=False), st.integers(1, 3))
def test_any_order_of_messages_gives_the_same_totals(rng: random.Random, copies: int) -> None:
    lines = [window(n, epoch) for epoch in range(3) for n in range(12)]
    given = lines * copies
    rng.shuffle(given)
    store = store_of(given)
    assert seen(store, "run").summary == store.whole == oracle(lines)
    assert store.windows == len(lines)
    assert seen(store, "window").summary == oracle(lines[-1:])
    assert store.history.columns(1e6)["hits"].sum() == oracle(lines).total_hits
    assert all(store.message((e, n)) == window(n, e) for e in range(3) for n in range(12))


@pytest.mark.slow
def test_what_holes_remember_is_bounded_and_still_counts_each_window_once() -> None:
    store = ResultStore(LEGNARO)
    for n in range(0, 2400, 2):
        store.take(window(n))
    assert len(store._seen._intervals[0]) <= 1000
    assert {store.take(window(n)) for n in range(1000, 1400, 2)} == {Taken.DUPLICATE}
    assert {store.take(window(n)) for n in range(1801, 1900, 2)} == {Taken.WINDOW}
    assert store.windows == 1250


def test_what_is_malformed_changes_nothing() -> None:
    store = store_of([window(0)])
    message = orjson.loads(window(1))
    message["accounting"]["late"] += 1
    with pytest.raises(FormatError):
        store.take(orjson.dumps(message))
    assert seen(store, "run").summary == oracle([window(0)])
    assert store.take(window(1)) is Taken.WINDOW


# --- epochs and runs -----------------------------------------------------------------------


def test_epochs_are_put_one_after_the_other() -> None:
    lines = [*(window(n + 1000) for n in range(5)), *(window(n, epoch=1) for n in range(3))]
    store = store_of(lines)
    second = SECOND * ORBIT_S
    assert seen(store, "run").run_s == pytest.approx(8 * second)
    assert seen(store, "window").first_s == pytest.approx(7 * second)
    assert seen(store, "recent").summary == oracle(lines)
    assert store.history.columns(1e6)["run_s"] == pytest.approx(
        [n * second for n in range(8)], abs=1e-4
    )


@pytest.mark.slow
def test_many_epochs_are_remembered_within_bounds() -> None:
    store = store_of([window(0, epoch=e) for e in range(1050)])
    assert len(store._time._shift) <= 1000
    assert len(store._seen._intervals) <= 1000
    assert store.windows == 1050


def test_another_run_begins_anew_and_runs_that_were_left_are_not_returned_to() -> None:
    store = store_of([window(n, run="first") for n in range(3)])
    assert store.take(window(0, run="second")) is Taken.WINDOW
    assert store.run == "second"
    assert seen(store, "run").summary == oracle([window(0, run="second")])
    assert len(store.history.columns(1e6)["run_s"]) == 1
    assert store.message((0, 2)) is None
    assert store.take(window(3, run="first")) is Taken.OTHER_RUN
    assert store.take(ends_of("first")) is Taken.OTHER_RUN
    assert store.run == "second"


def test_a_run_that_was_published_earlier_is_no_newer_one_whenever_it_comes() -> None:
    store = ResultStore(LEGNARO)
    assert store.take(window(0, run="new"), 30.0) is Taken.WINDOW
    assert store.take(window(0, run="old"), 10.0) is Taken.OTHER_RUN
    assert store.take(ends_of("old"), 11.0) is Taken.OTHER_RUN
    assert store.take(window(1, run="new"), 25.0) is Taken.WINDOW
    assert (store.run, store.windows) == ("new", 2)
    assert store.take(window(1, run="old"), 31.0) is Taken.WINDOW, "it goes on after the other"
    assert store.run == "old"


@pytest.mark.slow
def test_runs_that_were_left_are_remembered_within_bounds() -> None:
    store = store_of([window(0, run=f"run {n}") for n in range(1050)])
    assert len(store._choice._left) <= 1000
    assert store.take(window(1, run="run 900")) is Taken.OTHER_RUN
    assert store.run == "run 1049"


def test_of_several_runs_only_the_one_that_was_asked_for_is_shown() -> None:
    store = ResultStore(LEGNARO, run="mine")
    taken = [store.take(window(0, run=run)) for run in ("other", "mine", "other", "mine")]
    assert taken == [Taken.OTHER_RUN, Taken.WINDOW, Taken.OTHER_RUN, Taken.DUPLICATE]
    assert seen(store, "run").summary == oracle([window(0)])


def test_a_window_that_was_published_before_the_end_is_no_sign_that_the_run_goes_on() -> None:
    store = ResultStore(LEGNARO)
    store.take(window(0), 10.0)
    store.take(ends_of(), 12.0)
    for n, published_s in enumerate((11.0, 12.0), 1):
        assert store.take(window(n), published_s) is Taken.WINDOW
        assert store.remainder is not None
    store.take(window(3), 12.1)
    assert store.remainder is None


def test_the_remainder_tells_of_the_end_until_the_run_goes_on() -> None:
    store = store_of([window(0)])
    assert store.take(ends_of()) is Taken.REMAINDER
    assert store.remainder is not None
    assert store.remainder.bytes.rejects == {"TRUNCATED": 1}
    assert seen(store, "run").summary == oracle([window(0)])
    store.take(window(1))
    assert store.remainder is None


def test_reset_begins_the_view_of_the_run_anew_and_nothing_else() -> None:
    lines = [window(n) for n in range(10)]
    store = store_of(lines[:6])
    store.reset()
    empty = seen(store, "run")
    assert (empty.windows, empty.summary) == (0, Summary.empty(LEGNARO).condensed())
    store_of(lines[6:], store)
    view = seen(store, "run")
    assert view.summary == oracle(lines[6:])
    assert view.first_s == pytest.approx(6 * SECOND * ORBIT_S)
    assert store.whole == seen(store, "recent").summary == oracle(lines)
    assert store.windows == len(store.history.columns(1e6)["run_s"]) == 10


# --- what is kept --------------------------------------------------------------------------


def test_messages_are_kept_byte_for_byte() -> None:
    odd = window(1).replace(b'{"schema"', b'{ "schema"', 1)
    store = store_of([window(0), odd, window(2)])
    assert store.message((0, 1)) == odd
    assert store.message((0, 2)) == window(2)
    assert store.message((0, 3)) is None
    assert store.message((1, 0)) is None


def test_messages_are_kept_for_the_time_of_history() -> None:
    store = store_of([window(n) for n in range(50)], ResultStore(LEGNARO, history_s=20.0))
    there = [n for n in range(50) if store.message((0, n))]
    assert there == list(range(50 - len(there), 50))
    assert 19 <= len(there) <= 21


def test_messages_are_kept_up_to_so_many_bytes() -> None:
    store = store_of([window(n) for n in range(50)], ResultStore(LEGNARO, history_bytes=10_000))
    kept = [n for n in range(50) if store.message((0, n))]
    assert kept == list(range(50 - len(kept), 50))
    assert 0 < len(kept) < 20
    messages = store._messages
    packed = sum(len(message.packed) for message in messages._messages.values())
    assert messages._bytes == packed <= 10_000


def test_a_message_that_is_larger_than_all_that_is_kept_is_shown_all_the_same() -> None:
    store = store_of([window(0)], ResultStore(LEGNARO, history_bytes=10))
    assert store.message((0, 0)) is None
    assert seen(store, "run").summary == oracle([window(0)])


@pytest.mark.parametrize("orbits", [SECOND, SECOND // 2, 10 * SECOND, 100 * SECOND])
def test_views_at_an_earlier_window_are_what_they_were_then(orbits: int) -> None:
    store, then = ResultStore(LEGNARO), {}
    for n in range(140):
        store.take(window(n, orbits=orbits))
        then[n] = {name: seen(store, name) for name in ("window", "recent")}
    for n in (n for n in (0, 1, 60, 61, 119, 139) if store.message((0, n))):
        for name, was in then[n].items():
            kept = store.kept(name, (0, n))
            assert kept is not None
            view = kept.view()
            assert view.summary == was.summary
            assert (view.windows, view.latest.place) == (was.windows, (0, n))
            assert (view.first_s, view.run_s) == pytest.approx((was.first_s, was.run_s))


def test_the_window_kept_is_that_window_although_another_epoch_has_one_at_its_time() -> None:
    store = store_of([window(0), window(1, epoch=1), window(1)])
    kept = store.kept("window", (0, 1))
    assert kept is not None
    assert kept.view().summary == oracle([window(1)])


@pytest.mark.slow
def test_memory_does_not_grow_over_a_week() -> None:
    store, hits, sizes = ResultStore(LEGNARO), 0, []
    told = [read_result(line, LEGNARO).summary.total_hits for line in LINES]
    for n in range(7 * 480):
        store.take(moved(LINES[n % len(LINES)], n, orbits=180 * SECOND))
        hits += told[n % len(LINES)]
        if n % 480 == 479:
            rows = sum(map(len, store.history._grains))
            kept, seconds = store._messages._messages, store._recent._seconds
            sizes.append((len(kept), len(seconds), rows))
    assert store.whole.total_hits == store.history.columns(1e6)["hits"].sum() == hits
    messages, groups, rows = (max(column) for column in zip(*sizes, strict=True))
    assert messages <= 41
    assert groups <= 62
    assert rows <= 41 + 2 * 481 + 5 * 145
    assert len(store.fresh_rows()) == 1000


def test_windows_that_were_counted_here_are_taken_without_reading_their_messages() -> None:
    table = summarise(simulated_words(3000, profile=BRIGHT), LEGNARO, window=0.1)
    lines = list(window_messages(table, "here"))
    read, direct = store_of(lines), ResultStore(LEGNARO)
    for row, line in zip(table, lines, strict=True):
        assert direct.add(WindowResult.of(row, "here"), line) is Taken.WINDOW
    for name in ("window", "recent", "run"):
        one, other = view_document(seen(read, name)), view_document(seen(direct, name))
        assert encoded(one) == encoded(other)
    with pytest.raises(ValueError, match="needs a summary with detail"):
        WindowResult.of(replace(table[0], summary=table[0].summary.condensed()), "here")
