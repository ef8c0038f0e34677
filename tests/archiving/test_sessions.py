"""However a run is cut into sessions, and whatever is torn off: nothing is lost, nothing twice."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.archived import (
    AN_HOUR,
    Place,
    archive_of,
    as_told,
    change,
    kept,
    run_of,
    writer_of,
)
from helpers.examples import examples
from muonscope.archiving.journal import read_journal
from muonscope.archiving.run_writer import RunWriter
from muonscope.quality.verdict import State

HERE: list[Place] = [
    *((0, n) for n in range(AN_HOUR - 12, AN_HOUR + 4)),
    *((0, n) for n in range(AN_HOUR + 90, AN_HOUR + 94)),
    *((1, n) for n in range(5)),
]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an archive says that was written in one go."""
    return as_told(archive_of(tmp_path_factory.mktemp("straight"), HERE))


Session = st.tuples(
    st.integers(0, len(HERE)), st.integers(1, len(HERE)), st.booleans(),
    st.sampled_from(["close", "crash", "settle", "whole"]), st.integers(0, 400),
)  # fmt: skip


@given(sessions=st.lists(Session, max_size=5), shuffled=st.permutations(range(len(HERE))))
@examples(60)
def test_any_sessions_and_crashes_end_in_the_same_archive(
    straight: dict[str, Any],
    sessions: list[tuple[int, int, bool, str, int]],
    shuffled: list[int],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "0"
        for number, (begin, n, sync, end, torn) in enumerate(sessions, 1):
            writer = writer_of(folder)
            for i in shuffled[begin : begin + n]:
                writer.take(kept(HERE[i]))
            if sync:
                writer.sync()
            if end in {"settle", "whole"}:
                writer.settle(whole=end == "whole")
            if end == "crash":
                folder = crashed(writer, folder, Path(name) / str(number), torn)
            else:
                writer.close()
        writer = writer_of(folder)
        for place in HERE:
            writer.take(kept(place))
        assert writer.windows + writer.again == len(HERE)
        assert writer.differing == 0
        as_open = as_told(folder)
        writer.settle(whole=True)
        writer.close()
        assert as_told(folder) == straight
        assert as_open == straight


def crashed(writer: RunWriter, folder: Path, copy: Path, torn: int) -> Path:
    """Return a copy of an archive as a crash leaves it: the newest journal lacks its end."""
    shutil.copytree(folder, copy)
    writer.close()
    journals = [p for paths in writer.folder.journals().values() for p in paths]
    if journals:
        last = copy / max(journals, key=lambda p: p.stat().st_mtime_ns).relative_to(folder)
        size = last.stat().st_size
        with last.open("r+b") as file:
            file.truncate(max(0, size - torn))
    return copy


def test_a_journal_that_is_cut_at_any_byte_gives_the_windows_before(tmp_path: Path) -> None:
    folder = archive_of(tmp_path / "a", HERE[:3], whole=False)
    (journal,) = (folder / "runs" / "r" / "open").glob("*.journal")
    whole, counts = journal.read_bytes(), []
    sizes = [*range(0, len(whole) - 40, 37), *range(len(whole) - 40, len(whole) + 1)]
    for size in sizes:
        journal.write_bytes(whole[:size])
        counts.append(len(list(read_journal(journal))))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}
    assert counts.count(3) == 1
    for size, n in zip(sizes[:: len(sizes) // 5], counts[:: len(sizes) // 5], strict=True):
        journal.write_bytes(whole[:size])
        assert run_of(folder).windows == n


def test_verdicts_that_were_bad_when_a_process_stopped_end_where_it_goes_on(
    tmp_path: Path,
) -> None:
    bad = change(HERE[1], State.GOOD, State.BAD)
    writer = writer_of(tmp_path)
    writer.take(kept(HERE[0]))
    writer.take(kept(HERE[1], changes=[bad, change(HERE[1], State.GOOD, State.WARN, "ch2")]))
    writer.take(kept(HERE[2], changes=[change(HERE[2], State.WARN, State.GOOD, "ch2")]))
    writer.close()
    writer = writer_of(tmp_path)
    writer.take(kept(HERE[2]))
    again = change(HERE[3], State.GOOD, State.BAD)
    writer.take(kept(HERE[3], changes=[again]))
    writer.take(kept(HERE[4]))
    writer.settle(whole=True)
    writer.close()
    found = run_of(tmp_path).changes
    assert [(c.window, c.target, c.before, c.state) for c in found] == [
        (HERE[1][1], "ch1", "GOOD", "BAD"), (HERE[1][1], "ch2", "GOOD", "WARN"),
        (HERE[2][1], "ch2", "WARN", "GOOD"), (HERE[3][1], "ch1", "BAD", "NOT ENOUGH YET"),
        (HERE[3][1], "ch1", "GOOD", "BAD"),
    ]  # fmt: skip
    assert found[3].text == "judged anew: the process had stopped"
    table = run_of(tmp_path).verdicts()
    assert table["state"].to_pylist() == [c.state for c in found]


def test_windows_that_are_taken_back_are_gone_and_their_verdicts_too(tmp_path: Path) -> None:
    straight = as_told(archive_of(tmp_path / "straight", HERE[:8], whole=False))
    writer = writer_of(tmp_path / "cut")
    for place in HERE[:10]:
        changes = [change(place, State.GOOD, State.BAD)] if place == HERE[9] else []
        writer.take(kept(place, changes=changes))
    writer.close()
    writer = writer_of(tmp_path / "cut")
    writer.cut_after(HERE[7])
    assert as_told(tmp_path / "cut") == straight
    for place in HERE[8:]:
        assert writer.take(kept(place))
    writer.settle(whole=True)
    writer.close()
    assert as_told(tmp_path / "cut") == as_told(archive_of(tmp_path / "straight", HERE[8:]))
    assert run_of(tmp_path / "cut").changes == []


def test_windows_that_may_be_taken_back_are_not_sealed(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    for place in HERE:
        writer.take(kept(place))
    writer.settle(whole=True, last=(0, AN_HOUR + 91))
    run = run_of(tmp_path)
    assert sum(facts.windows for facts in run.parts.values()) == HERE.index((0, AN_HOUR + 91)) + 1
    assert sum(map(len, run.open_windows)) == 7
    writer.cut_after((0, AN_HOUR + 91))
    assert run_of(tmp_path).windows == len(HERE) - 7
    writer.close()
