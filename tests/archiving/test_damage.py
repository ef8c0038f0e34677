"""Damaged files: told by name, or made again where they are made of others."""

import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from helpers.archived import (
    AN_HOUR,
    OPENED,
    Place,
    archive_of,
    as_told,
    change,
    detector,
    kept,
    run_of,
    writer_of,
)
from muonscope.archiving.archive import Archive
from muonscope.archiving.journal import read_journal
from muonscope.archiving.notes import Note, add_note, read_notes
from muonscope.archiving.run_file import read_reference
from muonscope.archiving.upkeep import rebuild
from muonscope.errors import DetectorError, FormatError, MuonscopeError
from muonscope.quality.verdict import State

HERE: list[Place] = [(0, n) for n in range(AN_HOUR - 5, AN_HOUR + 5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An archive of two runs; one has a sealed hour, an open one, a note, and a verdict."""
    archive_of(tmp_path, HERE[:3], run="other")
    writer = writer_of(tmp_path)
    for place in HERE:
        bad = [change(place, State.GOOD, State.BAD)] if place == HERE[1] else []
        writer.take(kept(place, changes=bad))
    writer.settle(whole=True, last=HERE[6])
    writer.close()
    add_note(run_of(tmp_path).folder, Note(at=1.0, who="Ada", text="gas bottle changed"))
    while OPENED:
        OPENED.pop().close()
    return tmp_path


def flipped(data: bytes, chance: random.Random) -> bytes:
    """Return the same with one bit turned."""
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def the(folder: Path, pattern: str) -> Path:
    """Return the one file of the run that is named like that."""
    (path,) = sorted((folder / "runs" / "r").glob(pattern))[:1]
    return path


@pytest.mark.parametrize("keep", [0, 4, 500, -1, -9])
def test_a_half_written_part_is_named_and_all_else_is_listed(folder: Path, keep: int) -> None:
    path = the(folder, "windows/*.parquet")
    path.write_bytes(path.read_bytes()[:keep])
    found = rebuild(folder)
    assert [text for text in found.damaged if str(path) in text]
    with Archive(folder) as archive:
        assert archive.runs()["run"].to_pylist() == ["other"]
        assert any(str(path) in text for text in archive.damaged)
        with pytest.raises(FormatError, match=r"E000-H0000\.parquet: cannot be read"):
            archive["r"].total()


def test_a_damaged_part_hides_no_later_hour(folder: Path) -> None:
    archive_of(folder, [(0, 3 * 3600), (0, 3 * 3600 + 1)])
    the(folder, "windows/E000-H0000.parquet").write_bytes(b"PAR1")
    with Archive(folder) as archive:
        assert len(archive.damaged) == 1
    assert the(folder, "windows/E000-H0001.parquet").exists()
    found = rebuild(folder)
    assert len(found.damaged) == 1
    path = the(folder, "windows/E000-H0000.parquet")
    path.unlink()
    assert run_of(folder).table(["window"])["window"].to_pylist()[-1] == 3 * 3600 + 1


@pytest.mark.parametrize("seed", range(4))
def test_one_bit_of_a_part_is_told_or_changes_no_count(folder: Path, seed: int) -> None:
    path, chance, told = the(folder, "windows/*.parquet"), random.Random(seed), 0
    whole, expected = path.read_bytes(), as_told(folder)
    for _ in range(25):
        path.write_bytes(flipped(whole, chance))
        try:
            found = as_told(folder)
        except MuonscopeError as exc:
            assert path.name in str(exc)  # noqa: PT017
            told += 1
        else:
            assert found["total"] == expected["total"]
            assert [w["class_words"] for w in found["windows"]] == [
                w["class_words"] for w in expected["windows"]
            ]
    assert told > 5


@pytest.mark.parametrize("seed", range(4))
def test_one_bit_of_a_journal_is_told_or_cuts_off_its_last_window(folder: Path, seed: int) -> None:
    path, chance = the(folder, "open/*.journal"), random.Random(seed)
    whole, told = path.read_bytes(), 0
    expected = list(read_journal(path))
    for _ in range(60):
        path.write_bytes(flipped(whole, chance))
        try:
            found = list(read_journal(path))
        except FormatError as exc:
            assert str(path) in str(exc)  # noqa: PT017
            told += 1
        else:
            assert [w.place for w in found] == [w.place for w in expected[:-1]]
    assert told > 10


def test_a_damaged_length_does_not_hide_the_windows_behind_it(folder: Path) -> None:
    path = the(folder, "open/*.journal")
    data = bytearray(path.read_bytes())
    begin = len(b"muonscope.journal/1\n")
    for byte, value in ((1, 0xFF), (2, 0x7F), (3, 0xFF)):
        damaged = bytearray(data)
        damaged[begin + byte] ^= value
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="the record at byte 20 is damaged"):
            list(read_journal(path))
    with pytest.raises(FormatError, match="is damaged"):
        writer_of(folder)
    assert any(str(path) in text for text in rebuild(folder).damaged)
    assert path.exists()


def test_zeros_that_a_power_cut_leaves_at_the_end_of_a_journal_are_no_windows(
    folder: Path,
) -> None:
    path, expected = the(folder, "open/*.journal"), as_told(folder)
    with path.open("ab") as file:
        file.write(bytes(3000))
    assert as_told(folder) == expected


def test_something_else_is_no_journal(folder: Path) -> None:
    path = the(folder, "open/*.journal")
    path.write_bytes(b"something else entirely")
    with pytest.raises(FormatError, match="expected a journal of windows"):
        run_of(folder).total()


@pytest.mark.parametrize("what", ["gone", "damaged", "older"])
def test_minutes_are_made_again_of_the_windows(folder: Path, what: str) -> None:
    path, expected = the(folder, "minutes/*.parquet"), as_told(folder)["minutes"]
    if what == "gone":
        path.unlink()
    elif what == "damaged":
        path.write_bytes(b"PAR1 and no more")
        with pytest.raises(FormatError, match="`muonscope runs rebuild` makes it again"):
            as_told(folder)
    else:
        archive_of(folder / "b", HERE[:3])
        path.write_bytes(the(folder / "b", "minutes/*.parquet").read_bytes())
    if what != "damaged":
        assert as_told(folder)["minutes"] == expected
    assert rebuild(folder).damaged == []
    assert path.exists()
    assert as_told(folder)["minutes"] == expected


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_catalogue_is_made_again(folder: Path, seed: int) -> None:
    expected, chance = as_told(folder), random.Random(seed)
    path = folder / "catalogue.sqlite"
    whole = path.read_bytes()
    for n, damaged in enumerate(
        [b"", b"no database at all" * 400, whole[: len(whole) // 2],
         *(flipped(whole, chance) for _ in range(12))]
    ):  # fmt: skip
        path.write_bytes(damaged)
        try:
            assert as_told(folder) == expected, n
        except FormatError as exc:
            assert "`muonscope runs rebuild` makes it again" in str(exc)  # noqa: PT017
            assert rebuild(folder).damaged == []
            assert as_told(folder) == expected


def test_a_damaged_description_of_a_run_is_named_and_others_are_listed(folder: Path) -> None:
    path = the(folder, "run.json")
    for text in ('{"run": "r"', "{}", '{"run": 5}'):
        path.write_text(text)
        (folder / "catalogue.sqlite").unlink(missing_ok=True)
        with Archive(folder) as archive:
            assert list(archive) == ["other"]
            assert archive.damaged[0].startswith(f"{path}: cannot be read")
            with pytest.raises(FormatError, match=r"run\.json: cannot be read"):
                archive["r"]
        with pytest.raises(FormatError, match=r"run\.json: cannot be read"):
            writer_of(folder)
        assert len(rebuild(folder).damaged) == 1


def test_a_later_format_is_not_guessed_at(folder: Path) -> None:
    path = the(folder, "run.json")
    path.write_text(path.read_text().replace("muonscope.archive/1", "muonscope.archive/2"))
    with pytest.raises(FormatError, match=r"found format 'muonscope\.archive/2'"):
        writer_of(folder)


def test_a_damaged_detector_is_told(folder: Path) -> None:
    path = the(folder, "run.json")
    path.write_text(path.read_text().replace("[[", "[", 1))
    with Archive(folder) as archive, pytest.raises((DetectorError, FormatError)):
        archive["r"].total()


def test_a_damaged_reference_is_named(folder: Path) -> None:
    path = run_of(folder).folder.reference
    for text in ("", "[]", '{"format": "muonscope.reference/1"}', '{"format": "x", "detector": 1}'):
        path.write_text(text)
        with pytest.raises(FormatError, match=r"reference\.json: "):
            read_reference(path, detector())


def test_a_note_that_was_cut_short_spoils_no_other(folder: Path) -> None:
    place = run_of(folder).folder
    whole = place.notes.read_bytes()
    for size in (len(whole) - 1, len(whole) - 4, 3):
        place.notes.write_bytes(whole + whole[:size])
        n = len(read_notes(place))
        add_note(place, Note(at=2.0, who="Bo", text="once more"))
        assert [note.text for note in read_notes(place)][n:] == ["once more"]
        assert n == (2 if size == len(whole) - 1 else 1)
    place.notes.write_bytes(b"no note\n" + whole)
    with pytest.raises(FormatError, match=r"notes\.jsonl: line 1: "):
        read_notes(place)


def test_an_archive_that_can_only_be_read_is_read_without_its_catalogue(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    expected, connect = as_told(folder), sqlite3.connect

    def refused(path: object, *args: Any, **options: Any) -> sqlite3.Connection:
        if path != ":memory:":
            raise sqlite3.OperationalError("unable to open database file")
        made: sqlite3.Connection = connect(":memory:", *args, **options)
        return made

    (folder / "catalogue.sqlite").unlink()
    monkeypatch.setattr(sqlite3, "connect", refused)
    assert as_told(folder) == expected
    assert not (folder / "catalogue.sqlite").exists()
