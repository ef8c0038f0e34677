"""Archives of every version are read for ever: what version 1 has written, with its numbers.

The folders ``version1``, and those that come after it, are never written again.
"""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.archived import as_told, kept, run_of, writer_of
from muonscope.archiving.folders import Part
from muonscope.archiving.notes import Note, read_notes
from muonscope.archiving.run_file import read_reference
from muonscope.archiving.upkeep import rebuild
from muonscope.detector import shipped_detector
from muonscope.quality.verdict import State

RUN = "R 1/é"
WORDS = [
    2197, 2036, 2224, 2046, 1975, 2179, 2008, 2122, 2055, 1945, 2062, 1929, 2185, 1933, 2021, 2113,
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the archive of version 1, beside which a catalogue can be made."""
    return shutil.copytree(Path(__file__).with_name("version1"), tmp_path / "archive")


def test_what_version_1_wrote_is_read(folder: Path) -> None:
    run = run_of(folder, RUN)
    assert (run.name, run.about.detector, run.about.window_orbits) == (RUN, "legnaro", 11_223)
    assert run.about.conditions == {"hv": "3600"}
    assert run.about.ended_at == 1_700_100_050.0
    assert run.about.outside == {"words_in": 3, "timeless": 3}
    assert run.about.account == {
        "bytes_in": 800, "bytes_decoded": 792, "bytes_rejected": 8, "rejects": {"TRUNCATED": 1},
    }  # fmt: skip
    assert list(run.parts) == [Part(0, 0), Part(1, 0)]
    assert list(map(len, run.open_windows)) == [1]
    assert run.windows == 16
    assert run.states == {State.BAD: 10, State.GOOD: 6}


def test_its_counts_are_those_that_were_archived(folder: Path) -> None:
    run = run_of(folder, RUN)
    total = run.total()
    assert total.live_orbits == 16 * 11_223
    assert {name: n for name, n in total.accounting.as_dict().items() if n} == {
        "words_in": 38_102, "hits": 32_804, "scintillator": 28, "trigger": 198, "ancillary": 5072,
    }  # fmt: skip
    assert total.hits_per_chamber.tolist() == [8064, 8190, 8486, 8064]
    assert total.drift_histogram.sum() == 431
    assert total.multiplicity[4, :4].tolist() == [0, 13_114, 1083, 264]
    assert total.arrays["together"][1].tolist() == [304, 1050, 951, 296]
    assert run.total(good=True).total_hits == 12_303
    table = run.table()
    assert table["window"].to_pylist() == [*range(3593, 3601), *range(6, 14)]
    assert [sum(row) for row in table["class_words"].to_pylist()] == WORDS
    trend = run.trend("hits0")
    assert trend["n"].to_pylist() == [4063, 4001]
    assert trend["state"].to_pylist() == ["BAD", "BAD"]


def test_its_verdicts_notes_and_reference_are_read(folder: Path) -> None:
    run = run_of(folder, RUN)
    assert [(c.epoch, c.window, c.before, c.state) for c in run.changes] == [
        (0, 3593, "GOOD", "BAD"), (0, 3599, "BAD", "GOOD"), (1, 10, "BAD", "GOOD"),
    ]  # fmt: skip
    assert read_notes(run.folder) == [
        Note(
            at=1_700_000_100.0, who="Ada", text="gas bottle changed", epoch=0, window=3590,
            check="chamber_rate", target="ch1",
        )
    ]  # fmt: skip
    reference = read_reference(run.folder.reference, shipped_detector("legnaro"))
    assert reference
    assert (reference.name, reference.total_phi, reference.whole) == ("a good run", 1.5, False)
    assert reference.box.shape == (4, 322)
    assert run.about.reference == "a good run"


def test_it_can_be_gone_on_with_and_made_again(folder: Path) -> None:
    before = as_told(folder, RUN)
    assert rebuild(folder).damaged == []
    assert as_told(folder, RUN) == before
    writer = writer_of(folder, RUN)
    assert not writer.take(kept((1, 13)))
    assert writer.take(kept((1, 14)))
    writer.settle(whole=True)
    writer.close()
    run = run_of(folder, RUN)
    assert run.windows == 17
    assert run.open_windows == []


def rewritten(path: Path, *, without: str = "", more: str = "") -> None:
    """Take a column out of a file of windows, or put an unknown one in."""
    table = pq.read_table(path)
    if without:
        table = table.drop_columns([without])
    if more:
        table = table.append_column(more, pa.array([[1, 2]] * len(table)))
    pq.write_table(table, path)


def test_columns_of_a_later_version_are_left_alone_and_kept(folder: Path) -> None:
    before = as_told(folder, RUN)
    path = run_of(folder, RUN).folder.sealed_file(Part(1, 0))
    rewritten(path, more="temperature")
    assert as_told(folder, RUN) == before
    assert run_of(folder, RUN).table()["temperature"].to_pylist() == [
        *([None] * 8),
        *([[1, 2]] * 7),
        None,
    ]
    writer = writer_of(folder, RUN)
    writer.settle(whole=True)
    writer.close()
    assert as_told(folder, RUN) == before
    assert pq.read_table(path)["temperature"].to_pylist() == [*([[1, 2]] * 7), None]


@pytest.mark.parametrize("name", ["occupied", "scint_hits", "together"])
def test_counts_that_an_earlier_version_did_not_have_are_zero(folder: Path, name: str) -> None:
    before = run_of(folder, RUN).total()
    run = run_of(folder, RUN)
    for part in run.parts:
        rewritten(run.folder.sealed_file(part), without=name)
    after = run_of(folder, RUN)
    assert after.open_windows
    assert 0 < after.total().arrays[name].sum() < before.arrays[name].sum()
    assert after.total().hits_per_cell.tolist() == before.hits_per_cell.tolist()
    assert sum(piece.windows for piece in after.pieces()) == 16
    assert after.table()[name].null_count >= 15
    writer = writer_of(folder, RUN)
    writer.settle(whole=True)
    writer.close()
    assert run_of(folder, RUN).total() == after.total()
