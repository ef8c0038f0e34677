"""``muonscope tracks`` and ``muonscope.tracks``: files, lines, and what cannot be."""

from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest

import muonscope
from helpers.command import Command
from helpers.simulated import simulated_words
from muonscope.errors import FormatError, OptionError
from muonscope.replaying.track_table import SCHEMA

WORDS = simulated_words(8_000)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of three seconds."""
    path = tmp_path / "run.dat"
    WORDS.astype("<u8").tofile(path)
    return path


def test_parquet_lines_and_python_have_the_same_rows(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    done = command("tracks", recording, "--to", tmp_path / "t.parquet")
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.schema.field("x_mm").metadata[b"unit"] == b"mm"
    lines = command("tracks", recording)
    assert lines.code == 0
    assert [orjson.loads(line) for line in lines.out.splitlines()] == table.to_pylist()
    assert muonscope.tracks(recording).equals(table)
    over = sum(n > 1 for n in table["chambers"].to_pylist())
    assert over > 20
    assert f"{over} tracks and {table.num_rows - over} segments" in done.err
    assert f"{len(WORDS):,} words" in done.err


def test_words_in_any_format_and_order_of_files_give_the_same(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    wanted = muonscope.tracks(recording)
    folder = tmp_path / "parts"
    folder.mkdir()
    for n, part in enumerate(np.array_split(WORDS, 3)):
        part.astype("<u8").tofile(folder / f"data_{n:06}.dat")
    assert muonscope.tracks(folder).equals(wanted)
    assert command("convert", recording, tmp_path / "run.csv").code == 0
    assert muonscope.tracks(tmp_path / "run.csv").equals(wanted)


def test_a_file_that_is_there_is_kept_unless_it_may_go(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    dest = tmp_path / "t.jsonl"
    dest.write_text("mine")
    refused = command("tracks", recording, "--to", dest)
    assert (refused.code, dest.read_text()) == (5, "mine")
    assert "--force" in refused.err
    assert command("tracks", recording, "--to", dest, "--force").code == 0
    assert len(dest.read_bytes().splitlines()) == muonscope.tracks(recording).num_rows


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("--to", "tracks.root"), 2, "found 'tracks.root', expected a name in .parquet or .jsonl"),
        (("--to", ""), 2, "--to"),
        (("--detector", "nowhere"), 2, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: Command, recording: Path, args: tuple[str, ...], code: int, text: str
) -> None:
    done = command("tracks", recording, *args)
    assert done.code == code
    assert text in done.err


def test_sources_that_give_no_word_say_so(command: Command, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.csv"
    garbage.write_text("no\nwords\nhere\n" * 50)
    done = command("tracks", garbage, "--to", tmp_path / "t.parquet")
    assert done.code == 4, done.err
    assert not (tmp_path / "t.parquet").exists()
    assert command("tracks", tmp_path / "missing.dat").code == 3
    with pytest.raises(FormatError):
        muonscope.tracks(garbage)
    empty = tmp_path / "empty.dat"
    empty.write_bytes(b"")
    assert muonscope.tracks(empty).equals(SCHEMA.empty_table())


def test_what_is_left_out_is_told(command: Command, recording: Path, tmp_path: Path) -> None:
    assert command("convert", recording, tmp_path / "run.csv").code == 0
    lines = (tmp_path / "run.csv").read_text().splitlines()
    lines[100:100] = ["no,words,at,all"] * 3
    (tmp_path / "some.csv").write_text("\n".join(lines) + "\n")
    done = command("tracks", tmp_path / "some.csv", "--to", tmp_path / "t.jsonl")
    assert done.code == 0
    assert "3 pieces could not be decoded" in done.err
    other = command("tracks", recording, "--detector", "bologna2", "--to", tmp_path / "o.jsonl")
    assert "warning:" in other.err  # nearly all words are on no cell of that telescope
    assert "legnaro" in other.err


def test_a_table_is_returned_and_not_written(recording: Path) -> None:
    with pytest.raises(OptionError, match="to: is for the command"):
        muonscope.tracks(recording, to="somewhere")
    assert muonscope.tracks("sim:quiet?seconds=2").num_rows > 5
