"""``muonscope simulate`` and ``sim:`` sources, as users meet them."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from helpers.collected import simulated_run
from helpers.command import Command, hits, until
from muonscope.api import rows_of
from muonscope.replaying.simulate import _paced
from muonscope.simulation.options import detector_of, simulation_of
from muonscope.simulation.telescope import simulate
from muonscope.stopping import Stop

FORMATS = ("csv", "json", "dat", "dat129", "block", "parquet")
RUN = simulated_run("legnaro", 5.0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same_words(command: Command, tmp_path: Path, form: str) -> None:
    file = tmp_path / "run.bin"
    done = command("simulate", file, "--seconds", "5", "--format", form)
    assert done.code == 0, done.err
    assert f"{len(RUN.words):,} words of 5.0 s written to {file}" in done.err
    assert command("convert", file, tmp_path / "back.dat").code == 0
    assert np.array_equal(np.fromfile(tmp_path / "back.dat", "<u8"), RUN.words)
    assert names(tmp_path) == ["back.dat", "run.bin"]


def test_the_ending_tells_the_format_and_a_folder_gets_dat(
    command: Command, tmp_path: Path
) -> None:
    assert command("simulate", tmp_path / "a.csv", "--seconds", "1").code == 0
    assert (tmp_path / "a.csv").read_text().startswith("HEAD,FPGA")
    assert command("simulate", tmp_path / "run", "--words", "500").code == 0
    assert (tmp_path / "run" / "data_000000.dat").stat().st_size == 4000
    out = command("simulate", "-", "--words", "500").out
    assert out == (tmp_path / "run" / "data_000000.dat").read_bytes()


def test_dat129_has_a_header_with_the_seed_before_every_transfer(
    command: Command, tmp_path: Path
) -> None:
    options = ("--words", "1000", "--format", "dat129", "--seed", "77", "--profile", "quiet")
    assert command("simulate", tmp_path / "a.dat", *options).code == 0
    words = np.fromfile(tmp_path / "a.dat", "<u8")
    assert len(words) == 1000 + 8
    assert (words[::129] == 77).all()


def test_an_hour_with_its_truth_in_the_same_folder_is_processed_whole(
    command: Command, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    made = command(
        "simulate", run, "--seconds", "600", "--seed", "1", "--truth", run / "truth.parquet"
    )
    assert made.code == 0, made.err
    assert names(run) == ["data_000000.dat", "data_000001.dat", "truth.parquet"]
    assert (run / "data_000000.dat").stat().st_size == 8 * 1_310_720
    done = command("process", run)
    assert done.code == 0, done.err
    account = done.account()
    words = sum(path.stat().st_size for path in run.glob("*.dat")) // 8
    assert account["words in"] == words
    assert account["bytes in"] == account["decoded"] == 8 * words
    assert account["rejected"] == account["late"] == account["unmapped"] == account["invalid"] == 0
    truth = pq.read_table(run / "truth.parquet")
    told = rows_of(truth, "hit")
    assert len(told) == words
    cells = told["layer"].drop_null()
    assert account["hits"] == len(cells) == sum(hits(done.messages))
    origins = told["origin"].to_pylist()
    assert account["scintillator"] == origins.count("scintillator")
    assert account["ancillary"] > 0.1 * words


def test_the_truth_is_no_recording(command: Command, tmp_path: Path) -> None:
    truth = tmp_path / "t.parquet"
    command("simulate", tmp_path / "a.dat", "--seconds", "1", "--truth", truth)
    done = command("process", truth)
    assert done.code == 4
    assert "the truth of a simulation, no words" in done.err


def test_a_simulation_is_a_source_everywhere(command: Command, tmp_path: Path) -> None:
    url = "sim:legnaro?seconds=5"
    direct = command("process", url, "--run", "x")
    assert command("convert", url, tmp_path / "a.dat").code == 0
    assert np.array_equal(np.fromfile(tmp_path / "a.dat", "<u8"), RUN.words)
    from_file = command("process", tmp_path / "a.dat", "--run", "x")
    assert direct.out == from_file.out
    assert direct.code == 0
    assert command("process", url).messages[0]["run"] == "sim-legnaro"
    assert command("inspect", "sim:bologna?seconds=2").out.decode().count("bologna2") == 1
    bologna = command("process", "sim:bologna?seconds=2")
    assert bologna.messages[0]["detector"] == "bologna2"


def test_another_detector_can_be_simulated(command: Command) -> None:
    done = command("process", "sim:quiet?seconds=3", "--detector", "run000591")
    assert done.messages[0]["detector"] == "run000591"
    assert done.account()["hits"] > 5000


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("dead:ch2:7", "silent channel: chamber 2, FPGA 1 channel 7 (layer 1, wire 2)"),
        ("noisy:ch3:100:300", "noisy channel: chamber 3, FPGA 1 channel 100"),
        ("hv-off:ch1", "silent chamber: chamber 1, FPGA 0 channels 64-127"),
        ("silent:fpga1", "silent chamber: chamber 3, FPGA 1 channels 64-127"),
        ("duplicate:0.05", "repeated word: "),
        ("corrupt:0.01", "unknown HEAD: "),
        ("corrupt:0.05", "BX >= 3564: "),
        ("desync:fpga0:1000000@5s-10s", "hole of "),
    ],
)
def test_inspect_finds_the_fault(command: Command, fault: str, line: str) -> None:
    done = command("inspect", f"sim:quiet?seconds=15&fault={fault}")
    assert line in done.out.decode(), done.out.decode()
    sound = command("inspect", "sim:quiet?seconds=15").out.decode()
    kind = line.partition(":")[0] + ":"
    assert kind not in sound or kind == "repeated word:"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--seconds", "0"), "seconds: found '0', expected a positive number"),
        (("--words", "0"), "words: found 0, expected 1 or more"),
        (("--rate-scale", "-2"), "rate scale: found -2.0, expected 0.001 .. 10000"),
        (("--profile", "mars"), "expected one of legnaro, bologna, quiet, trains, data000"),
        (("--fault", "melt"), "there are dead:chN:CHANNEL, noisy:chN:CHANNEL[:HZ=200]"),
        (("--fault", "hv-off:ch5"), "expected one of ch0, ch1, ch2, ch3"),
        (("--detector", "nowhere"), "no detector named 'nowhere'"),
        (("--speed", "0"), "--speed: found 0, expected 0.001 .. 1e+06"),
        (("--format", "pdf"), "expected --format with one of csv, json, dat, dat129"),
        (("--truth", "truth.csv"), "expected a name ending in .parquet"),
        (("--speed", "2", "--format", "parquet"), "a parquet file cannot grow"),
    ],
)
def test_impossible_options_are_refused_and_leave_nothing(
    command: Command, tmp_path: Path, options: tuple[str, ...], text: str
) -> None:
    done = command("simulate", "out.dat", *options, cwd=tmp_path)
    assert done.code == 2, done.err
    assert text in done.err
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("dest", "truth"),
    [
        ("run.parquet", "./run.parquet"),
        ("run", "run/data_000000.parquet"),
        ("x.parquet", "x.parquet"),
    ],
)
def test_words_and_truth_cannot_be_one_file(
    command: Command, tmp_path: Path, dest: str, truth: str
) -> None:
    done = command("simulate", dest, "-f", "parquet", "--truth", truth, cwd=tmp_path)
    assert done.code == 2
    assert "where the words go; expected another name" in done.err


def test_what_exists_is_kept_unless_forced(command: Command, tmp_path: Path) -> None:
    file, truth = tmp_path / "a.dat", tmp_path / "t.parquet"
    file.write_text("mine")
    assert command("simulate", file, "--words", "10").code == 5
    truth.write_text("mine")
    done = command("simulate", tmp_path / "b.dat", "--words", "10", "--truth", truth)
    assert done.code == 5
    assert "t.parquet: exists already" in done.err
    assert file.read_text() == truth.read_text() == "mine"
    assert not (tmp_path / "b.dat").exists()
    forced = command("simulate", file, "--words", "10", "--truth", truth, "--force")
    assert forced.code == 0, forced.err
    assert file.stat().st_size == 80


def test_a_name_that_is_too_long_is_named(command: Command, tmp_path: Path) -> None:
    name = "x" * 300 + ".dat"
    done = command("simulate", name, "--words", "10", cwd=tmp_path)
    assert done.code == 5
    assert f"{name}: File name too long" in done.err


def test_an_empty_name_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data_000000.dat").write_text("mine")
    done = command("simulate", "", "--force", cwd=tmp_path)
    assert done.code == 2
    assert "found an empty name" in done.err
    assert (tmp_path / "data_000000.dat").read_text() == "mine"


def test_a_file_that_appeared_meanwhile_is_kept(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "a.dat"
    running = command.start("simulate", file, "--seconds", "1500")
    until(lambda: any(tmp_path.iterdir()), "the hidden file")
    file.write_text("mine")
    done = running.wait()
    assert done.code == 5
    assert "exists already" in done.err
    assert names(tmp_path) == ["a.dat"]
    assert file.read_text() == "mine"


def test_a_full_disk_is_an_error_and_the_words_before_are_whole(tmp_path: Path) -> None:
    # the kernel takes but a part of the last write where a file may not grow further
    muonscope = Path(sys.executable).with_name("muonscope")
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 500; exec {muonscope} simulate {tmp_path}/run --seconds 60"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "cannot be written: File too large" in done.stderr
    words = np.fromfile(tmp_path / "run" / "data_000000.dat", "<u8")
    assert np.array_equal(words, simulated_run("legnaro", 60.0).words[: len(words)])


def test_a_closed_pipe_ends_it(command: Command) -> None:
    muonscope = Path(sys.executable).with_name("muonscope")
    done = subprocess.run(
        ["bash", "-c", f"{muonscope} simulate - | head -c 1000; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout[1000:] == b"141\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(command: Command, tmp_path: Path, number: int) -> None:
    run, truth = tmp_path / "run", tmp_path / "truth.parquet"
    running = command.start("simulate", run, "--speed", "50", "--truth", truth)
    file = run / "data_000000.dat"
    until(lambda: file.exists() and file.stat().st_size > 50_000, "some words")
    running.signal(number)
    done = running.wait()
    assert done.code == 128 + number
    assert "stopped after" in done.err
    words = np.fromfile(file, "<u8")
    assert len(words) % 128 == 0
    assert len(rows_of(pq.read_table(truth), "hit")) == len(words)
    assert names(tmp_path) == ["run", "truth.parquet"]


def test_a_stop_waits_for_the_end_of_a_transfer_that_batches_share() -> None:
    detector, stop, sizes = detector_of("legnaro"), Stop(), list[int]()
    simulation = simulation_of("legnaro", {"seconds": ["60"], "seed": ["1"]}, detector)
    for batch in _paced(simulate(simulation), 1e9, stop):  # all is late: whole batches
        sizes.append(len(batch.stream))
        stop.set(signal.SIGINT)
    assert sizes[0] % 128 != 0
    assert sizes[1:] == [128 - sizes[0] % 128]


def test_a_folder_grows_as_fast_as_asked(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    made = command.start("simulate", run, "--speed", "10", "--seconds", "20")
    until((run / "data_000000.dat").exists, "the first file")
    live = command(
        "process", run, "--follow", "--idle-exit", "1s", "--to", tmp_path / "live.jsonl",
        "--run", "x",
    )  # fmt: skip
    assert made.wait().code == 0
    assert live.code == 0, live.err
    words = simulated_run("legnaro", 20.0).words
    assert np.array_equal(np.fromfile(run / "data_000000.dat", "<u8"), words)
    whole = command("process", run, "--run", "x")
    assert (tmp_path / "live.jsonl").read_bytes() == whole.out


@pytest.mark.parametrize("name", ["words.dat", "words.csv"])
def test_a_file_that_grows_in_real_time_holds_each_word_at_once(
    command: Command, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    made = command.start(
        "simulate", path, "--profile", "quiet", "--speed", "1", "--rate-scale", "0.1"
    )
    until(lambda: made.done() or (path.exists() and path.stat().st_size > 200), "some words")
    found = path.stat()
    assert found.st_size < min(found.st_blksize, io.DEFAULT_BUFFER_SIZE)  # not a full buffer
    made.signal(signal.SIGINT)
    assert made.wait().code == 130


def test_a_run_that_was_killed_goes_on_with_the_same_simulation(
    command: Command, tmp_path: Path
) -> None:
    url, out = "sim:legnaro?seconds=400", tmp_path / "out.jsonl"
    options = ("process", url, "--to", out, "--state", tmp_path / "state")
    settings = {"muonscope.intake.checkpoints._SLOW_S": 0.0}
    killed = command(
        *options, settings=settings, kill_at=("muonscope.processing.run.Run._commit", 12, True)
    )
    assert killed.code == -signal.SIGKILL
    assert command(*options).code == 0
    assert out.read_bytes() == command("process", url).out
