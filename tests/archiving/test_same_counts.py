"""What an archive says is what was counted: window by window, block by block, added up."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from helpers.archived import (
    AN_HOUR,
    Place,
    archive_of,
    as_told,
    kept,
    placed,
    run_of,
    same_counts,
    state_at,
    sums,
    writer_of,
)
from muonscope.archiving.folders import Part
from muonscope.archiving.windows_file import PIECE_S
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.summary import merged
from muonscope.errors import OptionError
from muonscope.quality.verdict import State
from muonscope.results.history import counters_of
from muonscope.units import ORBIT_S

HERE: list[Place] = [
    *((0, n) for n in range(AN_HOUR - 130, AN_HOUR + 130)),
    *((0, n) for n in range(2 * 3600, 2 * 3600 + 80)),
    *((1, n) for n in range(20)),
    *((1, n) for n in range(3590, 3615)),
]
"""Windows of two epochs and five hours, with holes."""


@pytest.fixture(scope="module", params=["sealed", "open", "tracked"])
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, bool]:
    """An archive of these windows, and whether it has tracks."""
    tracks = request.param == "tracked"
    folder = tmp_path_factory.mktemp(request.param) / "archive"
    archive_of(folder, HERE, tracks=tracks, whole=request.param != "open")
    return folder, tracks


def test_the_table_has_every_window_once_with_its_counts(told: tuple[Path, bool]) -> None:
    folder, tracks = told
    table = run_of(folder).table()
    assert list(zip(*(table[n].to_pylist() for n in ("epoch", "window")), strict=True)) == HERE
    names = sorted({n for b in (WITH_TRACKS if tracks else BLOCKS) for n in b.by_window})
    assert len(names) == 12 if tracks else 9
    for row, place in zip(table.to_pylist(), HERE, strict=True):
        window = placed(place, tracks=tracks)
        assert (row["first_orbit"], row["live_orbits"]) == (window.first_orbit, 11_223)
        assert row["live_s"] == window.summary.live_s
        assert row["state"] == state_at(place).label
        assert row["at"].timestamp() == kept(place).at
        assert row["windows"] == 1
        for name in names:
            assert row[name] == window.summary.arrays[name].ravel().tolist()


def test_a_column_that_adds_up_adds_up_over_all_rows(told: tuple[Path, bool]) -> None:
    folder, tracks = told
    table, expected = run_of(folder).table(), sums(HERE, tracks=tracks)
    for name, array in expected.items():
        rows = [row for row in table[name].to_pylist() if row is not None]
        assert np.array(rows).sum(axis=0).tolist() == array.ravel().tolist(), name


def test_the_total_is_the_sum_of_all_windows(told: tuple[Path, bool]) -> None:
    folder, tracks = told
    run = run_of(folder)
    expected = merged(
        [placed(place, tracks=tracks).summary for place in HERE], run.detector, run.blocks
    )
    assert same_counts(run.total(), sums(HERE, tracks=tracks))
    assert run.total().live_orbits == len(HERE) * 11_223
    if not tracks:
        assert run.total() == expected.condensed()
    good = [place for place in HERE if state_at(place) == State.GOOD]
    assert 0 < len(good) < len(HERE)
    assert same_counts(run.total(good=True), sums(good, tracks=tracks))
    assert run.states == {State.GOOD: len(good), State.BAD: len(HERE) - len(good)}
    assert run.windows == len(HERE)


def test_pieces_are_consecutive_windows_of_one_minute_and_state(told: tuple[Path, bool]) -> None:
    folder, tracks = told
    pieces, rest = list(run_of(folder).pieces()), list(HERE)
    for piece in pieces:
        mine, rest = rest[: piece.windows], rest[piece.windows :]
        assert mine[0] == piece.place
        assert mine[-1] == (piece.epoch, piece.last_window)
        minutes = {int(placed(place).first_orbit * ORBIT_S / PIECE_S) for place in mine}
        assert len(minutes) == 1
        assert {state_at(place) for place in mine} == {piece.state}
        assert piece.at == kept(mine[-1]).at
        assert piece.summary.live_orbits == len(mine) * 11_223
        assert same_counts(piece.summary, sums(mine, tracks=tracks))
    assert rest == []
    assert len(pieces) < len(HERE) / 10


def test_pieces_of_some_states_and_hours_are_all_of_those(told: tuple[Path, bool]) -> None:
    folder, _ = told
    run = run_of(folder)
    bad = list(run.pieces(states={State.BAD}))
    assert {piece.state for piece in bad} == {State.BAD}
    assert sum(p.windows for p in bad) == run.states[State.BAD]
    chosen = list(run.pieces(of=[Part(1, 0)]))
    expected = [place for place in HERE if place[0] == 1 and place[1] < AN_HOUR]
    assert sum(piece.windows for piece in chosen) == len(expected) > 20


def test_trends_are_the_sums_of_minutes_for_every_counter(told: tuple[Path, bool]) -> None:
    folder, tracks = told
    run = run_of(folder)
    expected: dict[tuple[int, int], dict[str, int]] = {}
    for place in HERE:
        window = placed(place, tracks=tracks)
        minute = place[0], int(window.first_orbit * ORBIT_S / 60)
        row = expected.setdefault(minute, {})
        for name, n in counters_of(window.summary).items():
            row[name] = row.get(name, 0) + n
    names = set(counters_of(placed(HERE[0], tracks=tracks).summary))
    assert {*run.counters, "live_orbits"} == names
    for counter in run.counters:
        trend = run.trend(counter)
        assert trend["n"].to_pylist() == [row[counter] for row in expected.values()], counter
        live = [row["live_orbits"] * ORBIT_S for row in expected.values()]
        assert trend["live_s"].to_pylist() == pytest.approx(live)
        hz = [row[counter] / s for row, s in zip(expected.values(), live, strict=True)]
        assert trend["hz"].to_pylist() == pytest.approx(hz)
    coarse = run.trend("chamber0.rate", every="1h")
    assert sum(coarse["n"].to_pylist()) == sum(run.trend("hits0")["n"].to_pylist())
    assert len(coarse) == 5
    assert sum(coarse["windows"].to_pylist()) == len(HERE)
    with pytest.raises(OptionError, match="counter: found 'hits9', expected one of"):
        run.trend("hits9")
    with pytest.raises(OptionError, match=r"found 'chamber0\.hits', expected"):
        run.trend("chamber0.hits")


def test_some_columns_are_those_columns(told: tuple[Path, bool]) -> None:
    folder, _ = told
    run = run_of(folder)
    assert run.table(["class_words", "nothing", "at"]).column_names == ["class_words", "at"]
    assert run.minutes(["state", "hits0"]).column_names == ["state", "hits0"]
    whole = run.table(["window"])["window"]
    assert whole.to_pylist() == [n for _, n in HERE]


def test_windows_that_come_out_of_order_change_nothing(tmp_path: Path) -> None:
    rng, keys = np.random.default_rng(5), np.arange(len(HERE), dtype=float)
    keys += rng.uniform(0, 60, len(HERE))
    mixed = [HERE[i] for i in np.argsort(keys)]
    assert mixed != HERE
    straight = as_told(archive_of(tmp_path / "straight", HERE))
    assert as_told(archive_of(tmp_path / "mixed", mixed)) == straight


def test_windows_of_an_hour_that_was_sealed_are_added_to_it(tmp_path: Path) -> None:
    late, first = HERE[40:70:3], [place for place in HERE if place not in HERE[40:70:3]]
    folder = archive_of(tmp_path / "late", first)
    before = run_of(folder)
    assert Part(0, 0) in before.parts
    archive_of(folder, late, whole=False)
    assert sum(map(len, run_of(folder).open_windows)) == len(late)
    straight = as_told(archive_of(tmp_path / "straight", HERE))
    assert as_told(folder) == straight
    archive_of(folder, [(1, 3615)])
    assert run_of(folder).open_windows == []
    assert as_told(folder) == as_told(archive_of(tmp_path / "straight", [(1, 3615)]))


def test_a_window_with_other_counts_under_the_same_name_is_counted_and_left_out(
    tmp_path: Path,
) -> None:
    folder = archive_of(tmp_path, HERE[:20])
    before = as_told(folder)
    writer = writer_of(folder)
    other = kept((0, HERE[3][1] + 1))
    assert not writer.take(kept(HERE[2]))
    same_name = type(other).of(placed(HERE[3]), other.at, other.state, ())
    changed = {**same_name.arrays, "class_words": same_name.arrays["class_words"] + 1}
    object.__setattr__(same_name, "arrays", changed)
    assert not writer.take(same_name)
    assert (writer.again, writer.differing, writer.windows) == (2, 1, 0)
    writer.settle(whole=True)
    writer.close()
    assert as_told(folder) == before


def test_a_run_without_a_window_is_empty(tmp_path: Path) -> None:
    writer_of(tmp_path).close()
    run = run_of(tmp_path)
    assert run.windows == run.total().live_orbits == 0
    assert run.table().num_rows == run.minutes().num_rows == run.trend("hits0").num_rows == 0
    assert not list(run.pieces())
    assert not run.changes
    assert run.verdicts().num_rows == 0
    assert isinstance(run.verdicts(), pa.Table)
