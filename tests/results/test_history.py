"""The history: rows of windows that are thinned as they grow old, their sums unchanged."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import orjson
import pytest

from helpers.window_messages import SECOND, simulated_lines
from muonscope.counting.summary import Summary
from muonscope.counting.word_classes import Timeless
from muonscope.detector import shipped_detector
from muonscope.results.history import History, counter_names
from muonscope.results.read_message import WindowResult, read_result
from muonscope.units import ORBIT_S

LEGNARO = shipped_detector("legnaro")
LINES = simulated_lines(3000, window_s=0.1)


@cache
def told(n: int) -> WindowResult:
    """Return the counts of one of the messages."""
    result = read_result(LINES[n], LEGNARO)
    assert isinstance(result, WindowResult)
    return result


def filled(windows: int, *, orbits: int = SECOND, full_s: float = 7200.0) -> History:
    """Return a history of windows that follow one another."""
    history = History(LEGNARO, full_s=full_s)
    for n in range(windows):
        history.add(result_of(n, orbits), n * orbits)
    return history


def result_of(n: int, orbits: int = SECOND) -> WindowResult:
    """Return what is told of a window."""
    result = told(n % len(LINES))
    lanes = np.full_like(result.summary.arrays["lane_orbits"], orbits)
    summary = replace(result.summary, live_orbits=orbits).with_arrays(lane_orbits=lanes)
    return replace(result, epoch=0, window=n, summary=summary)


def test_a_row_has_the_counts_of_its_window() -> None:
    columns = filled(9).columns(1e6)
    names = counter_names(LEGNARO)
    assert list(columns) == ["run_s", "at", "epoch", "window", "live_s", *names[1:]]
    for n in range(9):
        row = {name: column[n] for name, column in columns.items()}
        summary = result_of(n).summary
        account = summary.accounting.as_dict()
        assert {name: row[name] for name in account} == account
        assert [row[f"hits{c}"] for c in range(4)] == summary.hits_per_chamber.tolist()
        assert [row[f"scint{c}"] for c in range(4)] == summary.scint_hits_per_chamber.tolist()
        assert row["scint"] == summary.scint_hits.sum()
        assert row["orbits"] == summary.multiplicity[-1].sum()
        assert (row["epoch"], row["window"]) == (0, n)
        assert row["run_s"] == pytest.approx(n * SECOND * ORBIT_S, abs=1e-4)
        assert row["live_s"] == pytest.approx(SECOND * ORBIT_S, abs=1e-6)


def test_every_class_of_words_is_in_its_own_column() -> None:
    names = ("scintillator", "trigger", "ancillary", "unmapped", "invalid", "late")
    line = orjson.loads(LINES[0])
    classes = {name: 1000 + n for n, name in enumerate(names)}
    hits = line["accounting"]["hits"]
    line["accounting"] |= classes | {"words_in": hits + sum(classes.values())}
    result = read_result(orjson.dumps(line) + b"\n", LEGNARO)
    assert isinstance(result, WindowResult)
    history = History(LEGNARO)
    history.add(result, 0)
    columns = history.columns(60.0)
    assert {name: columns[name].tolist() for name in names} == {n: [c] for n, c in classes.items()}


def test_each_kind_of_word_has_its_own_counter() -> None:
    summary = Summary.empty(LEGNARO)
    words, other = summary.class_words + 1, np.arange(100, 100 + len(Timeless))
    whole = replace(result_of(0), summary=summary.with_arrays(class_words=words, other_words=other))
    account = whole.summary.accounting.as_dict()
    assert len({*account.values()}) == len(account) - 1, "one scintillator, one trigger"
    history = History(LEGNARO)
    history.add(whole, 0)
    columns = history.columns(60.0)
    assert {name: int(columns[name][0]) for name in account} == account


def test_without_windows_there_are_columns_without_rows() -> None:
    columns = History(LEGNARO).columns(60.0)
    assert set(map(len, columns.values())) == {0}
    assert "hits3" in columns


def test_the_time_of_a_short_window_is_exact() -> None:
    columns = filled(3, orbits=112).columns(60.0)
    assert columns["live_s"] == pytest.approx([112 * ORBIT_S] * 3, rel=1e-4)


def test_only_the_last_seconds_are_given() -> None:
    history = filled(100)
    assert history.columns(10.5)["window"].tolist() == list(range(89, 100))
    assert len(history.columns(1e9)["window"]) == 100


def test_a_window_that_began_exactly_so_long_ago_is_given_too() -> None:
    history = filled(60)
    for n in range(1, 50):
        assert len(history.columns(n * SECOND * ORBIT_S)["window"]) == n + 1


def test_rows_have_the_time_when_their_first_window_came() -> None:
    history = History(LEGNARO)
    for n in range(4):
        history.add(result_of(n), n * SECOND, 1.7e9 + n if n != 1 else math.nan)
    at = history.columns(60.0)["at"]
    assert at[[0, 2, 3]].tolist() == [1.7e9, 1.7e9 + 2, 1.7e9 + 3]
    assert math.isnan(at[1])
    assert history.columns(60.0, most=2)["at"].tolist() == [1.7e9, 1.7e9 + 2]


def test_rows_come_in_the_order_of_windows() -> None:
    history = History(LEGNARO)
    for n in (3, 0, 2, 1):
        history.add(result_of(n), n * SECOND)
    assert history.columns(60.0)["window"].tolist() == [0, 1, 2, 3]
    assert history.rows_ever == 4


@pytest.mark.slow
def test_old_rows_are_thinned_to_minutes_and_ten_minutes_and_no_count_is_lost() -> None:
    windows, orbits = 4 * 8640, 10 * SECOND  # four days of windows of ten seconds
    history = filled(windows, orbits=orbits)
    columns = history.columns(1e9, most=1 << 30)
    full, minutes, tens = history._grains
    assert (len(full), len(minutes), len(tens)) == pytest.approx((721, 2760, 288), abs=3)
    wanted = np.bincount(np.arange(windows) % len(LINES), minlength=len(LINES))
    for name in counter_names(LEGNARO)[1:]:
        of_lines = [filled_once(n)[name] for n in range(len(LINES))]
        assert columns[name].sum() == wanted @ of_lines
    assert columns["live_s"].sum() == pytest.approx(windows * orbits * ORBIT_S)
    assert (np.diff(columns["run_s"]) > 0).all()
    assert (np.diff(columns["window"]) > 0).all()
    assert columns["window"][0] == 0


def filled_once(n: int) -> dict[str, int]:
    """Return the row of one message."""
    history = History(LEGNARO)
    history.add(result_of(n, 10 * SECOND), 0)
    return {name: int(column[0]) for name, column in history.columns(60.0).items() if name != "at"}


def test_more_rows_than_asked_for_are_merged_and_no_count_is_lost() -> None:
    history = filled(100)
    all_rows, few = history.columns(1e9), history.columns(1e9, most=30)
    assert len(few["run_s"]) == 25
    assert few["window"].tolist() == list(range(0, 100, 4))
    for name in counter_names(LEGNARO)[1:]:
        assert few[name].tolist() == all_rows[name].reshape(25, 4).sum(axis=1).tolist()


def test_short_windows_do_not_make_more_rows_than_there_may_be() -> None:
    history = filled(10_300, orbits=112)
    assert len(history._grains[0]) == 10_000
    columns = history.columns(1e9, most=1 << 30)
    assert columns["live_s"].sum() == pytest.approx(10_300 * 112 * ORBIT_S, rel=1e-4)


def test_what_is_older_than_two_months_is_forgotten() -> None:
    history = History(LEGNARO)
    for day in range(100):
        history.add(result_of(day), round(day * 86_400 / ORBIT_S))
    assert 60 <= len(history.columns(1e9)["window"]) <= 66
