"""Archives as sources of results: every piece of every run, and what a dashboard shows of it."""

from pathlib import Path

import numpy as np
import pytest

from helpers.archived import OPENED, Place, archive_of, run_of, same_counts, state_at, sums
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.summary import merged
from muonscope.errors import OptionError, SourceNotFoundError
from muonscope.intake.archived import ArchivedResults
from muonscope.quality.verdict import State
from muonscope.results.read_message import WindowResult, read_result
from muonscope.results.store import ResultStore, Taken

HERE: list[Place] = [*((0, n) for n in range(100, 230)), *((1, n) for n in range(30))]


@pytest.fixture(params=[False, True], ids=["", "tracked"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, bool]:
    """An archive of one run, and whether it has tracks."""
    archive_of(tmp_path / "a", HERE, tracks=request.param)
    return tmp_path / "a", request.param


def test_results_are_the_pieces_and_add_up(made: tuple[Path, bool]) -> None:
    folder, tracks = made
    found = ArchivedResults.found([str(folder)])
    assert found
    results = list(found.results())
    assert [result.place for result in results] == sorted(result.place for result in results)
    whole = merged([r.summary for r in results], found.described, WITH_TRACKS if tracks else BLOCKS)
    assert same_counts(whole, sums(HERE, tracks=tracks))
    assert {result.run for result in results} == {"r"}


def test_messages_say_what_the_pieces_say(made: tuple[Path, bool]) -> None:
    folder, tracks = made
    found, blocks = ArchivedResults.found([str(folder)]), WITH_TRACKS if tracks else BLOCKS
    assert found
    for (message, at), result in zip(found.messages(), found.results(), strict=True):
        told = read_result(message, found.described, blocks)
        assert isinstance(told, WindowResult)
        assert told.place == result.place
        assert (told.first_orbit, told.last_orbit) == (result.first_orbit, result.last_orbit)
        assert told.conditions == result.conditions == {"hv": "3600"}
        assert told.detector_hash == result.detector_hash
        for name, array in result.summary.arrays.items():
            assert np.array_equal(told.summary.arrays[name], array), name
        assert at > 1_700_000_000


def test_a_dashboard_shows_the_total_of_the_archive(made: tuple[Path, bool]) -> None:
    folder, tracks = made
    found = ArchivedResults.found([str(folder)])
    assert found
    store = ResultStore(found.described, blocks=WITH_TRACKS)
    for message, _ in found.messages():
        assert store.take(message) is Taken.WINDOW
    view = store.view("run")
    assert view
    assert same_counts(view.summary, sums(HERE, tracks=tracks))


def test_a_run_is_named_by_its_folder_or_by_name(tmp_path: Path) -> None:
    archive_of(tmp_path, HERE[:3])
    archive_of(tmp_path, HERE[:5], run="two")
    both = ArchivedResults.found([str(tmp_path)])
    named = ArchivedResults.found([str(tmp_path)], "two")
    folder = ArchivedResults.found([str(tmp_path / "runs" / "two")])
    assert both
    assert named
    assert folder
    assert [run.name for run in both.runs] == ["r", "two"]
    assert [run.name for run in named.runs] == [run.name for run in folder.runs] == ["two"]
    assert [run.windows for run in both.runs] == [3, 5]
    with pytest.raises(SourceNotFoundError, match="has no run 'three'"):
        ArchivedResults.found([str(tmp_path)], "three")
    with pytest.raises(OptionError, match="found an archive and other sources"):
        ArchivedResults.found([str(tmp_path), "results.jsonl"])
    assert ArchivedResults.found(["results.jsonl"]) is None


def test_good_is_what_was_good(made: tuple[Path, bool]) -> None:
    folder, tracks = made
    good = [place for place in HERE if state_at(place) == State.GOOD]
    assert same_counts(run_of(folder).total(good=True), sums(good, tracks=tracks))
    while OPENED:
        OPENED.pop().close()
