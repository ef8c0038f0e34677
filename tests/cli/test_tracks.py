"""``muonscope tracks`` and ``muonscope.tracks``: files, lines, and what cannot be."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
import uproot

import muonscope
from helpers.command import Command
from helpers.simulated import simulated_words
from muonscope.errors import FormatError, OptionError
from muonscope.events import ignore
from muonscope.replaying.options import TracksOptions
from muonscope.replaying.track_files import write_tracks
from muonscope.replaying.track_table import SCHEMA
from muonscope.stopping import Stop
from muonscope.words.layout import unpack

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


def test_a_tree_of_root_has_the_same_rows(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    done = command("tracks", recording, "--to", tmp_path / "t.root")
    assert done.code == 0, done.err
    wanted = muonscope.tracks(recording)
    with uproot.open(tmp_path / "t.root") as file:
        tree, about = file["tracks"], orjson.loads(str(file["about"]))
        assert tree.num_entries == wanted.num_rows
        views = tree["view"].array(library="np").tolist()
        assert [("phi", "theta")[view] for view in views] == wanted["view"].to_pylist()
        for name in ("epoch", "orbit", "event", "chambers", "hits", "t0_ns", "x_mm", "slope"):
            assert tree[name].array(library="np").tolist() == wanted[name].to_pylist()
        for name in ("chamber", "partner"):
            filled = [-1 if value is None else value for value in wanted[name].to_pylist()]
            assert tree[name].array(library="np").tolist() == filled
        for name, column in (
            ("hit_cell", "cells"), ("hit_channel", "channels"), ("hit_side", "side"),
            ("hit_residual_mm", "residual_mm"),
        ):  # fmt: skip
            assert tree[name].array().to_list() == wanted[column].to_pylist()
        assert tree["nhit"].array(library="np").tolist() == wanted["hits"].to_pylist()
        assert set(about) == set(tree.keys()) - {"nhit"}
        assert about["x_mm"] == "place along the measured axis at z_mm [mm]"
    kept = command("tracks", recording, "--to", tmp_path / "t.root")
    assert kept.code != 0
    assert "exists already" in kept.err


def test_without_uproot_a_tree_is_refused_before_anything_is_read(
    recording: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "uproot", None)
    options = TracksOptions(sources=(str(recording),), to=str(tmp_path / "t.root"))
    with pytest.raises(OptionError, match=r"needs uproot: pip install 'muonscope\[root\]'"):
        write_tracks(options, ignore, Stop())
    assert [path.name for path in tmp_path.iterdir()] == ["run.dat"]


def test_the_truth_stands_beside_each_row(command: Command, tmp_path: Path) -> None:
    run, truth = tmp_path / "run.dat", tmp_path / "truth.parquet"
    done = command("simulate", run, "--seconds", 10, "--seed", 3, "--truth", truth)
    assert done.code == 0, done.err
    plain, table = muonscope.tracks(run), muonscope.tracks(run, truth=truth)
    assert table.select(plain.column_names).equals(plain)
    simulated = muonscope.simulate("legnaro", seconds=10, seed=3)
    hits = {}  # which muon made the hit on a channel at an orbit and time, from the truth alone
    fields = unpack(simulated.words, 2, 2)
    for at, muon in zip(
        *(simulated.hits[name].to_pylist() for name in ("word", "muon")), strict=True
    ):
        if muon is not None:
            hits[int(fields.orbit[at]), int(fields.channel[at]), int(fields.fpga[at])] = muon
    muons = {row["muon"]: row for row in simulated.muons.to_pylist()}
    legnaro, matched = muonscope.shipped_detector(), 0
    fpga = np.repeat([chamber.fpga for chamber in legnaro.chambers], 64)
    for row in table.to_pylist():
        owners = [
            hits.get((row["orbit"], channel, int(fpga[cell])))
            for channel, cell in zip(row["channels"], row["cells"], strict=True)
        ]
        most = Counter(owner for owner in owners if owner is not None).most_common(1)
        if row["muon"] is None:
            assert row["muon_hits"] is row["true_slope"] is None
            continue
        matched += 1
        if row["true_t0_ns"] < 88_000:  # else hits lie in the next orbit
            assert most == [(row["muon"], row["muon_hits"])]
        assert 2 * row["muon_hits"] >= row["hits"]
        muon, axis = muons[row["muon"]], "x" if row["view"] == "phi" else "y"
        assert row["true_slope"] == muon[f"slope_{axis}"]
        place = muon[f"{axis}_mm"] + muon[f"slope_{axis}"] * row["z_mm"]
        assert row["true_x_mm"] == pytest.approx(place)
        assert row["orbit"] * 89_100 + row["true_t0_ns"] == pytest.approx(
            muon["orbit"] * 89_100 + muon["ns"]
        )
    assert matched > 0.95 * table.num_rows > 500
    over = table.filter([n > 1 for n in table["chambers"].to_pylist()])
    miss = over["slope"].to_numpy() - over["true_slope"].to_numpy()
    assert np.nanpercentile(np.abs(miss), 68) < 0.4e-3


@pytest.mark.parametrize(
    ("truth", "words", "text"),
    [
        ("nowhere.parquet", "run.dat", "nowhere.parquet: cannot be read"),
        ("run.dat", "run.dat", "found something else, expected what simulate --truth writes"),
        ("other.parquet", "run.dat", "give the truth that was written with these words"),
        ("other.parquet", "sim:quiet?seconds=1", "expected the one file of words"),
    ],
)
def test_what_is_not_the_truth_of_the_words_is_refused(
    command: Command, recording: Path, tmp_path: Path, truth: str, words: str, text: str
) -> None:
    other = ("--seconds", 1, "--seed", 4, "--truth", tmp_path / "other.parquet")
    assert command("simulate", tmp_path / "other.dat", *other).code == 0
    done = command("tracks", words, "--truth", truth, "--to", "t.parquet", cwd=tmp_path)
    assert done.code in {2, 3, 4}
    assert text in done.err
    assert not (tmp_path / "t.parquet").exists()


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
        (
            ("--to", "tracks.csv"),
            2,
            "found 'tracks.csv', expected a name in .parquet, .root or .jsonl",
        ),
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
