"""``muonscope export``: files that other programs read, with the counts of the run."""

import json
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import uhi.io.json
import uproot

import muonscope
from helpers.command import Command
from helpers.simulated import simulated_words
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.events import ignore
from muonscope.processing.export import export_with
from muonscope.processing.export_options import ExportOptions
from muonscope.results.read_message import WindowResult, read_result
from muonscope.stopping import Stop, Stopped

WORDS = simulated_words(12_000)
LEGNARO = muonscope.shipped_detector()
TOP = "DQMData/Run 1213/MuonTelescope/Run summary"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of some seconds."""
    path = tmp_path / "run.dat"
    WORDS.astype("<u8").tofile(path)
    return path


@pytest.fixture
def results(command: Command, recording: Path, tmp_path: Path) -> Path:
    """Its results."""
    path = tmp_path / "results.jsonl"
    done = command(
        "process", recording, "--run", "run001213", "--to", path, "--condition", "hv=3600"
    )
    assert done.code == 0, done.err
    return path


def windows_in(results: Path) -> list[WindowResult]:
    read = [read_result(line, LEGNARO, WITH_TRACKS) for line in results.read_bytes().splitlines()]
    return [result for result in read if isinstance(result, WindowResult)]


def test_root_has_the_counts_under_plain_names_and_those_of_cms(
    command: Command, results: Path, tmp_path: Path
) -> None:
    done = command("export", results, "--to", tmp_path / "run.root")
    assert done.code == 0, done.err
    windows = windows_in(results)
    total = muonscope.Summary.empty(LEGNARO, WITH_TRACKS).condensed()
    for window in windows:
        total = total.merge(window.summary)
    assert f"run run001213: {len(windows)} windows" in done.err
    assert f"{total.total_hits:,} hits written to" in done.err
    cells = LEGNARO.cells()
    with uproot.open(tmp_path / "run.root") as file:
        for chamber in range(4):
            mine = cells.chamber == chamber
            made = file[f"muonscope/chamber{chamber}/hits_per_channel"]
            assert made.values().tolist() == total.class_words[:256][mine].tolist()
            assert made.axis(0).edges()[0] == LEGNARO.chambers[chamber].first_channel
            assert made.title == f"hits per channel, chamber {chamber}"
            assert made.axis(0).member("fTitle") == "TDC channel"
            by_wire = file[f"{TOP}/Occupancy/OccupancyAllHits_perCh_C{chamber}"].values()
            for cell in np.flatnonzero(mine)[::7]:
                place = cells.wire[cell] - 1, cells.layer[cell] - 1
                assert by_wire[place] == total.class_words[cell]
            times = file[f"{TOP}/TimeBoxes/TimeBox_C{chamber}"].values(flow=True)
            assert times.tolist() == total.arrays["drift_histogram"][chamber].tolist()
        slopes = file["muonscope/phi/track_slope"].values(flow=True)
        assert slopes.tolist() == total.arrays["track_slope"][0].tolist()
        sky = file["muonscope/track_sky"].values()
        assert sky.tolist() == total.arrays["track_sky"].tolist()
        words = file[f"{TOP}/Integrity/Words"]
        told = dict(zip(words.axis(0).labels(), words.values().tolist(), strict=True))
        assert told == total.accounting.as_dict()
        about = json.loads(file["muonscope/about"])
        assert about["live_s"] == pytest.approx(total.live_s)
        assert about["conditions"] == {"hv": "3600"}
        assert about["windows"] == len(windows)


def test_words_and_results_give_the_same_histograms(
    command: Command, recording: Path, results: Path, tmp_path: Path
) -> None:
    for source, name in ((recording, "words"), (results, "results")):
        more = ("--run", "run001213", "--condition", "hv=3600") if source == recording else ()
        done = command("export", source, "--to", tmp_path / f"{name}.json", *more)
        assert done.code == 0, done.err
    words, told = ((tmp_path / f"{name}.json").read_bytes() for name in ("words", "results"))
    assert words == told
    read = json.loads(told, object_hook=uhi.io.json.object_hook)
    about = read.pop("about")
    assert about["run"] == "run001213"
    channels = read["muonscope/chamber2/hits_per_channel"]["storage"]["values"]
    total = sum(window.summary.class_words for window in windows_in(results))
    assert channels.tolist() == total[128:192].tolist()  # type: ignore[index]


def test_parquet_has_every_window_and_every_count(
    command: Command, results: Path, tmp_path: Path
) -> None:
    done = command("export", results, "--to", tmp_path / "run.parquet")
    assert done.code == 0, done.err
    table = pq.read_table(tmp_path / "run.parquet")
    windows = windows_in(results)
    assert table.schema.metadata[b"schema"] == b"muonscope.windows/1"
    assert table.num_rows == len(windows) > 2
    for row, window in zip(table.to_pylist(), windows, strict=True):
        assert (row["run"], row["epoch"], row["window"]) == ("run001213", *window.place)
        assert row["live_s"] == window.summary.live_s
        for name, array in window.summary.arrays.items():
            assert np.array_equal(np.array(row[name]).reshape(array.shape), array)
    shape = json.loads(table.schema.field("track_normal").metadata[b"shape"])
    assert tuple(shape) == windows[0].summary.arrays["track_normal"].shape
    about = json.loads(pq.ParquetFile(tmp_path / "run.parquet").metadata.metadata[b"about"])
    assert about["windows"] == len(windows)


def test_results_without_tracks_have_no_histograms_of_tracks(
    command: Command, recording: Path, tmp_path: Path
) -> None:
    done = command("export", recording, "--without", "tracking", "--to", tmp_path / "run.root")
    assert done.code == 0, done.err
    with uproot.open(tmp_path / "run.root") as file:
        keys = file.keys()
    assert not any("track" in key for key in keys)


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["run.dat"], 2, "--to: found ''"),
        (["run.dat", "--to", "x.hdf"], 2, "expected a name in .root, .json or .parquet"),
        (["two.jsonl", "--to", "x.root"], 2, "found runs run001213 and other, expected the name"),
        (["empty.jsonl", "--to", "x.parquet"], 4, "holds no window to export"),
        (["garbage.dat", "--to", "x.json"], 4, "garbage.dat"),
        (["nowhere.dat", "--to", "x.json"], 3, "nowhere.dat"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_file(
    command: Command, results: Path, tmp_path: Path, args: list[str], code: int, text: str
) -> None:
    lines = results.read_bytes()
    other = lines.replace(b'"run":"run001213"', b'"run":"other"')
    assert other != lines
    (tmp_path / "two.jsonl").write_bytes(lines + other)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    (tmp_path / "garbage.dat").write_bytes(b"\x00\x01\x02" * 999)
    before = {path.name for path in tmp_path.iterdir()}
    done = command("export", *args, cwd=tmp_path)
    assert done.code == code, done.err
    assert text in done.err
    assert {path.name for path in tmp_path.iterdir()} == before


def test_one_of_several_runs_can_be_named(command: Command, results: Path, tmp_path: Path) -> None:
    lines = results.read_bytes()
    two = tmp_path / "two.jsonl"
    two.write_bytes(lines + lines.replace(b'"run":"run001213"', b'"run":"other"'))
    done = command("export", two, "--run", "other", "--to", tmp_path / "x.parquet")
    assert done.code == 0, done.err
    runs = pq.read_table(tmp_path / "x.parquet")["run"].unique().to_pylist()
    assert runs == ["other"]


def test_a_stop_leaves_no_file_and_is_no_empty_run(recording: Path, tmp_path: Path) -> None:
    stop = Stop()
    stop.set(signal.SIGINT)
    options = ExportOptions(sources=(str(recording),), to=str(tmp_path / "x.json"))
    with pytest.raises(Stopped):
        export_with(options, ignore, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["run.dat"]
