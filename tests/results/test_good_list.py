"""Good-run lists: which windows they hold, and what is none."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muonscope.errors import FormatError, OptionError
from muonscope.results.good_list import (
    GoodList,
    Range,
    epochs_of,
    joined_ranges,
    key_of,
    run_in,
    without_ranges,
)

RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda r: (r[0], r[0] + r[1])), max_size=8
)


def windows(ranges: list[Range] | tuple[Range, ...]) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(RANGES, RANGES)
def test_ranges_hold_what_their_windows_do(some: list[Range], others: list[Range]) -> None:
    joined = joined_ranges(some)
    assert windows(joined) == windows(some)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(joined))
    assert windows(without_ranges(some, others)) == windows(some) - windows(others)
    good = GoodList({"R": joined})
    assert {n for n in range(80) if good.holds("R", 0, n)} == windows(some)


@given(st.lists(st.tuples(st.sampled_from(["R", "R.1", "R.1.2", "r", "a.b"]), st.integers(0, 3))))
def test_no_two_epochs_of_any_runs_have_the_same_key(places: list[tuple[str, int]]) -> None:
    keys = {key_of(*place): place for place in places}
    assert len(keys) == len(set(places))
    good = GoodList(dict.fromkeys(keys, ((0, 1),)))
    for run in {run for run, _ in places}:
        assert epochs_of(good, run) == sorted({e for r, e in places if r == run})


def test_a_list_that_is_written_is_read_again(tmp_path: Path) -> None:
    good = GoodList({"R1": ((0, 4), (9, 9)), "R1.1": ((7, 8),)})
    path = tmp_path / "good.json"
    path.write_text(json.dumps(good.as_json()), "utf-8")
    assert GoodList.read(path) == good


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "expected .RUN"),
        ("{", "cannot be read"),
        ('{"R": 1}', "R: found 1"),
        ('{"R": [[1]]}', "expected .first, last."),
        ('{"R": [[2, 1]]}', "ascending"),
        ('{"R": [[-1, 1]]}', "found"),
        ('{"R": [[0, 1.5]]}', "found"),
        ('{"R": [[true, 1]]}', "found"),
        ('{"R": [[0, "1"]]}', "found"),
    ],
)
def test_what_is_no_list_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "good.json"
    path.write_text(text, "utf-8")
    with pytest.raises(FormatError, match=words) as caught:
        GoodList.read(path)
    assert str(path) in str(caught.value)


def test_lists_of_cms_are_read_as_they_are() -> None:
    good = GoodList.parsed({"315257": [[1, 88], [91, 92]], "315259": [[1, 172]]})
    assert good.holds("315257", 0, 91)
    assert not good.holds("315257", 0, 89)
    assert not good.holds("315258", 0, 1)


def test_the_run_need_not_be_named_where_there_is_one() -> None:
    one = GoodList({"R": ((0, 1),)})
    assert run_in(one, "") == "R"
    two = GoodList({"R": ((0, 1),), "S": ((0, 1),)})
    assert run_in(two, "S") == "S"
    with pytest.raises(OptionError, match="the list has R, S; name the run"):
        run_in(two, "")
    with pytest.raises(OptionError, match="has no run 'T'; it has R, S"):
        run_in(two, "T")
