"""``muonscope process``: the numbers, the exit codes and the one clear line."""

import gzip
import os
import shutil
import signal
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from helpers.cases import case
from helpers.command import MUONSCOPE, Command, Finished, hits, until, windows_of
from helpers.simulated import BRIGHT, simulated_words
from muonscope.detector import Detector
from muonscope.words.parquet import ParquetEncoder

WORDS = simulated_words(6000, profile=BRIGHT)
PAGE = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n"
CHAMBERS = [80, 171, 103, 143]


@pytest.fixture
def dat(tmp_path: Path) -> Path:
    """Write a small binary file of realistic words."""
    path = tmp_path / "small.dat"
    path.write_bytes(WORDS.tobytes())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a folder of three files."""
    run = tmp_path / "run"
    run.mkdir()
    third = len(WORDS) // 3
    for number, first in ((9, 0), (10, third), (11, 2 * third)):
        last = None if number == 11 else first + third
        (run / f"data_{number}.dat").write_bytes(WORDS[first:last].tobytes())
    return run


def refused(finished: Finished, code: int, *texts: str) -> bool:
    """Tell whether a command ended with one clear line, and with ``code``."""
    lines = finished.err.splitlines()
    assert finished.code == code, finished.err
    assert "Traceback" not in finished.err
    assert "internal error" not in finished.err
    assert "Exception ignored" not in finished.err
    assert all(text in finished.err for text in texts), finished.err
    return any(line.startswith(("muonscope: error: ", "Error: ")) for line in lines)


def closed(finished: Finished) -> dict[str, int]:
    """Return the account on stderr, which must add up."""
    account = finished.account()
    parts = ("hits", "scintillator", "trigger", "ancillary", "unmapped", "invalid", "late")
    assert account["words in"] == sum(account[name] for name in parts)
    assert account["bytes in"] == account["decoded"] + account["rejected"]
    return account


# --- as the issue says ---------------------------------------------------------------------


def test_the_stream_sample_gives_the_numbers_of_the_issue(sample: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [MUONSCOPE, "process", sample, "--to", "-"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    messages = windows_of(done.stdout)
    assert hits(messages) == CHAMBERS
    assert {m["epoch"] for m in messages if m["window"] is not None} == {0, 1}
    assert sum(m["accounting"]["trigger"] for m in messages) == 2
    assert sum(m["accounting"]["ancillary"] for m in messages) == 500
    assert sum(m["accounting"]["words_in"] for m in messages) == 999
    account = closed(Finished(done.returncode, done.stdout, done.stderr.decode()))
    assert (account["words in"], account["bytes in"]) == (999, sample.stat().st_size)


def test_the_binary_run_gives_the_numbers_of_the_issue(binary: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [MUONSCOPE, "process", binary, "--detector", "run000591"],
        cwd=tmp_path, capture_output=True, check=True,
    )  # fmt: skip
    messages = windows_of(done.stdout)
    assert hits(messages) == [24253, 35907, 60564, 36572]
    numbers = [m["window"] for m in messages]
    missing = max(b - a for a, b in pairwise(numbers))
    assert missing * 11_223 == pytest.approx(2_357_589, abs=2 * 11_223)
    assert all(m["total_hits"] for m in messages)
    assert closed(Finished(0, done.stdout, done.stderr.decode()))["words in"] == 159_616
    assert "hole of 210.06" in done.stderr.decode()


def test_text_and_binary_of_the_run_give_the_same_windows(command: Command, binary: Path) -> None:
    options = ("--detector", "run000591", "--run", "r")
    from_binary = command("process", binary, *options)
    from_text = command("process", binary.with_suffix(".txt"), *options)
    assert from_text.code == from_binary.code == 0
    windows = [m for m in from_text.messages if m["window"] is not None]
    assert windows == [m for m in from_binary.messages if m["window"] is not None]


# --- sources -------------------------------------------------------------------------------


def test_standard_input_gives_what_the_file_gives(command: Command, sample: Path) -> None:
    from_file = command("process", sample, "--run", "r")
    from_stdin = command("process", "-", "--run", "r", stdin=sample)
    assert from_stdin.code == 0
    assert from_stdin.out == from_file.out


def test_a_folder_a_glob_and_a_list_give_what_one_file_gives(
    command: Command, folder: Path, dat: Path
) -> None:
    one, names = command("process", dat, "--run", "r"), [f"run/data_{n}.dat" for n in (9, 10, 11)]
    many = [
        command("process", *sources, "--run", "r", cwd=folder.parent)
        for sources in (["run"], ["run/"], [folder], ["run/*.dat"], names)
    ]
    assert all(done.out == one.out for done in many)
    assert closed(many[0])["words in"] == len(WORDS)


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_compressed_files_give_what_plain_ones_give(
    command: Command, sample: Path, tmp_path: Path, form: str
) -> None:
    import zstandard

    data = sample.read_bytes()
    packed = gzip.compress(data) if form == "gz" else zstandard.compress(data)
    (tmp_path / "no_ending").write_bytes(packed)
    done = command("process", tmp_path / "no_ending", "--run", "r")
    assert done.out == command("process", sample, "--run", "r").out
    assert closed(done)["bytes in"] == len(data)


def test_gzip_cut_short_is_counted_up_to_the_cut(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    packed = gzip.compress(sample.read_bytes())
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    done = command("process", tmp_path / "cut.gz")
    assert done.code == 0
    assert "bad compression" in done.err
    assert 200 < closed(done)["words in"] < 900


def test_the_run_is_named_after_the_source_or_as_told(command: Command, folder: Path) -> None:
    def runs(*args: object, cwd: Path) -> set[str]:
        return {m["run"] for m in command("process", *args, cwd=cwd).messages}

    assert runs(folder, cwd=folder) == {"run"}
    assert runs(".", cwd=folder) == {"run"}
    assert runs("data_9.dat", cwd=folder) == {"data_9"}
    assert runs("data_9.dat", "--run", "a b", cwd=folder) == {"a b"}


def test_blocks_of_another_detector_are_read_only_if_one_is_asked_for(
    command: Command, tmp_path: Path
) -> None:
    path = tmp_path / "other.block"
    made = command("simulate", path, "--profile", "bologna", "--seconds", "2s")
    assert made.code == 0, made.err
    refused = command("process", path)
    assert refused.code == 4
    assert "a block of detector bologna" in refused.err
    name = refused.err.split("use --detector ")[-1].split()[0].strip(".;:,'")
    assert command("process", path, "--detector", name).account()["hits"] > 1000
    assert command("process", path, "--detector", "legnaro").code == 0


def test_a_name_that_is_no_utf_8_is_read(command: Command, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.dat")
    path.write_bytes(WORDS.tobytes())
    done = command("process", path)
    assert done.code == 0, done.err
    assert closed(done)["words in"] == len(WORDS)


def test_an_empty_file_gives_nothing_and_is_no_error(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.dat").touch()
    done = command("process", tmp_path / "empty.dat")
    assert (done.code, done.out) == (0, b"")
    assert closed(done)["words in"] == 0


def test_a_header_alone_gives_nothing_and_is_no_error(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "header.csv"
    path.write_bytes(b"HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS\n")
    done = command("process", path)
    assert (done.code, done.out) == (0, b"")
    assert closed(done)["bytes in"] == 52


@pytest.mark.parametrize("source", ["missing.dat", "missing/", "*.missing", "dangling"])
def test_a_source_that_is_not_there_is_an_error(
    command: Command, tmp_path: Path, source: str
) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    done = command("process", source, cwd=tmp_path)
    assert refused(done, 3, source)
    assert done.out == b""


def test_an_empty_folder_is_an_error(command: Command, tmp_path: Path) -> None:
    assert refused(command("process", tmp_path), 3, str(tmp_path))


def test_a_name_too_long_is_an_error(command: Command) -> None:
    assert refused(command("process", "a" * 5000), 3)


def test_an_html_page_is_an_error(command: Command, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_bytes(PAGE)
    done = command("process", tmp_path / "data.txt")
    assert refused(done, 4, "unknown format", "data.txt", "<!DOCTYPE html>")
    assert closed(done)["rejected"] == len(PAGE)


@pytest.mark.parametrize(
    ("name", "told"),
    [("hits_table.npy", "a NumPy array: save"), ("exported_utf16.csv", "save it as UTF-8")],
)
def test_what_is_not_words_is_an_error_that_says_what_to_do(
    command: Command, tmp_path: Path, name: str, told: str
) -> None:
    done = command("process", case("2-not-words") / name, "--to", tmp_path / "o.jsonl")
    assert refused(done, 4, told)


def test_a_lost_byte_is_named_and_the_hits_after_it_are_counted(command: Command) -> None:
    done = command("process", case("3-lost-byte") / "lost_byte.dat")
    assert done.code == 0
    assert closed(done)["hits"] in (563, 564)
    assert "on the words are shifted by 7 bytes" in done.err


def test_random_bytes_are_an_error(command: Command, tmp_path: Path) -> None:
    import random

    (tmp_path / "noise").write_bytes(random.Random(4).randbytes(100_000))
    done = command("process", tmp_path / "noise")
    assert refused(done, 4)
    assert closed(done)["rejected"] == 100_000


def test_good_files_are_counted_next_to_a_page(command: Command, folder: Path) -> None:
    (folder / "data_10.txt").write_bytes(PAGE)
    done = command("process", folder)
    assert done.code == 0
    account = closed(done)
    assert (account["words in"], account["rejected"]) == (len(WORDS), len(PAGE))
    assert "data_10.txt" in done.err


def test_good_files_are_counted_next_to_a_damaged_one_whose_code_is_the_exit_code(
    command: Command, folder: Path, legnaro: Detector
) -> None:
    encoder = ParquetEncoder(legnaro.readout)
    data = encoder.begin() + encoder.encode(WORDS) + encoder.end()
    (folder / "data_1.parquet").write_bytes(data[:-20])
    done = command("process", folder)
    assert refused(done, 4, "data_1.parquet", "parquet")
    assert closed(done)["words in"] == len(WORDS)
    assert hits(done.messages) == hits(command("process", *sorted(folder.glob("*.dat"))).messages)


# --- destinations --------------------------------------------------------------------------


def test_results_go_to_a_file_a_folder_or_standard_output(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    lines = command("process", sample).out
    for dest, path in (("a.jsonl", "a.jsonl"), ("new/out", "new/out/windows.jsonl")):
        done = command("process", sample, "--to", dest, cwd=tmp_path)
        assert (done.code, done.out) == (0, b"")
        assert (tmp_path / path).read_bytes() == lines


def test_a_destination_that_exists_is_refused_unless_forced(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"precious")
    assert refused(command("process", sample, "--to", path), 5, "--force", str(path))
    assert path.read_bytes() == b"precious"
    assert command("process", sample, "--to", path, "--force").code == 0
    assert hits(windows_of(path.read_bytes())) == CHAMBERS


def test_results_inside_the_source_folder_are_not_read(command: Command, folder: Path) -> None:
    first = command("process", folder, "--to", folder / "out.jsonl")
    for dest in (folder / "out.jsonl", folder / ".." / "run" / "out.jsonl"):
        again = command("process", folder, "--to", dest, "--force")
        assert again.code == 0
        assert closed(again) == closed(first)


@pytest.mark.parametrize("way", ["file", "symlink", "hard link", "dots"])
def test_a_source_is_never_overwritten(
    command: Command, sample: Path, tmp_path: Path, way: str
) -> None:
    source, dest = tmp_path / "hits.jsonl", tmp_path / "dest.jsonl"
    shutil.copyfile(sample, source)
    match way:
        case "file":
            dest = source
        case "symlink":
            dest.symlink_to(source)
        case "hard link":
            dest.hardlink_to(source)
        case _:
            (tmp_path / "sub").mkdir()
            dest = tmp_path / "sub" / ".." / "hits.jsonl"
    done = command("process", source, "--to", dest, "--force")
    assert source.read_bytes() == sample.read_bytes()
    assert done.code in (2, 5)
    assert refused(done, done.code, "hits.jsonl")


def test_a_full_disk_is_an_error(command: Command, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    done = command("process", sample, "--to", tmp_path / "full.jsonl", "--force")
    assert refused(done, 5, "full.jsonl", "the disk is full")


def test_a_full_standard_output_is_an_error(command: Command, sample: Path) -> None:
    done = command("process", sample, stdout=Path("/dev/full"))
    assert refused(done, 5, "standard output", "No space left")


def test_a_destination_that_cannot_be_made_is_an_error(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    for dest in ("notes.txt", "notes.txt/x.jsonl", "/proc/nothing/x.jsonl"):
        done = command("process", sample, "--to", tmp_path / dest, "--force")
        assert refused(done, 5, dest.split("/", maxsplit=1)[0])
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_head_does_not_make_it_shout(binary: Path) -> None:
    line = f"'{MUONSCOPE}' process '{binary}' -d run000591 --window 10ms | head -1"
    done = subprocess.run(
        ["bash", "-c", line + '; exit "${PIPESTATUS[0]}"'], capture_output=True, check=False
    )
    assert done.returncode == 141
    assert done.stdout.count(b"\n") == 1
    for shout in (b"rror", b"Traceback", b"roken", b"Exception"):
        assert shout not in done.stderr


@pytest.mark.parametrize("closing", ["<&-", ">&-"])
def test_closed_standard_streams_are_a_clear_error(sample: Path, closing: str) -> None:
    source = "-" if closing == "<&-" else sample
    done = subprocess.run(
        ["bash", "-c", f"'{MUONSCOPE}' process '{source}' {closing}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused(Finished(done.returncode, b"", done.stderr), 3 if source == "-" else 5)


# --- options -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["--window", "0s"], ["--window", "'0s'", "500ms"]),
        (["--window", "-1s"], ["--window"]),
        (["--window", "1 fortnight"], ["--window", "fortnight"]),
        (["--window", "nan"], ["--window"]),
        (["--window", "2h"], ["window", "3600"]),
        (["--window", ""], ["--window"]),
        (["--lateness", "x"], ["--lateness"]),
        (["--lateness", "10s", "--idle-timeout", "1s"], ["idle time-out", "lateness"]),
        (["--idle-timeout", "9999h"], ["longer"]),
        (["--idle-exit", "1s"], ["--follow"]),
        (["--idle-exit", "soon", "--follow"], ["--idle-exit"]),
        (["--detector", "atlas"], ["atlas", "legnaro"]),
        (["--detector", "./missing.toml"], ["missing.toml"]),
        (["--no-such-option"], ["--no-such-option"]),
        (["--state", "state"], ["--state", ".jsonl"]),
    ],
)
def test_options_that_make_no_sense_are_refused(
    command: Command, sample: Path, tmp_path: Path, options: list[str], texts: list[str]
) -> None:
    done = command("process", sample, *options, cwd=tmp_path)
    assert refused(done, 2, *texts)
    assert done.out == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [["process"], ["process", "-", "a.dat"], ["process", "-", "--follow"], ["nonsense"],
     ["process", "-", "--state", "s", "--to", "a.jsonl"], ["process", "bad://a"]],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(
    command: Command, tmp_path: Path, args: list[str]
) -> None:
    assert refused(command(*args, cwd=tmp_path), 2)


def test_a_wrong_option_leaves_the_destination_alone(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"precious")
    for wrong in (["--window", "2h"], ["--detector", "atlas"], ["--idle-exit", "1s"]):
        assert command("process", sample, "--to", path, "--force", *wrong).code == 2
    assert command("process", tmp_path / "missing", "--to", path, "--force").code == 3
    assert path.read_bytes() == b"precious"


def test_tracking_can_be_left_out_and_changes_nothing_else(command: Command, dat: Path) -> None:
    with_tracks = windows_of(command("process", dat, "--run", "r").out)
    without = windows_of(command("process", dat, "--run", "r", "--without", "tracking").out)
    events = [window.pop("tracks")["events"] for window in with_tracks]
    assert sum(events) > 20
    assert with_tracks == without
    unknown = command("process", dat, "--without", "words")
    assert refused(unknown, 2, "--without: found 'words', expected tracking")


def test_windows_have_the_length_that_was_asked_for(command: Command, dat: Path) -> None:
    for text, orbits in (("100ms", 1122), ("1s", 11_223), ("2.5 min", 1_683_502), ("2", 22_447)):
        messages = command("process", dat, "--window", text).messages
        assert {m["last_orbit"] - m["first_orbit"] + 1 for m in messages} - {None} == {orbits}
        assert sum(m["accounting"]["words_in"] for m in messages) == len(WORDS)


def test_debug_shows_where_an_error_came_from(command: Command) -> None:
    done = command("process", "/missing", "--debug")
    assert "Traceback" in done.err
    assert "SourceNotFoundError" in done.err
    assert done.code != 0


# --- signals -------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly_with_the_account(
    command: Command, tmp_path: Path, dat: Path, number: signal.Signals, code: int
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    (tmp_path / "o").touch()
    try:
        running = command.start(
            "process", "-", "--window", "10ms", stdin=fifo, stdout=tmp_path / "o"
        )
        os.write(writer, WORDS[:4000].tobytes()[:32_000])
        until(lambda: running.done() or (tmp_path / "o").stat().st_size > 0)
        running.signal(number)
        done = running.wait()
    finally:
        os.close(writer)
    assert done.code == code
    assert closed(done)["words in"] == 4000
    messages = windows_of((tmp_path / "o").read_bytes())
    assert sum(m["accounting"]["words_in"] for m in messages) == 4000


def test_a_signal_before_any_data_ends_it_too(command: Command, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    try:
        running = command.start("process", "-", stdin=fifo)
        until(lambda: running.done() or _is_listening(running.pid), "the signal handlers")
        running.signal(signal.SIGINT)
        done = running.wait()
    finally:
        os.close(writer)
    assert done.code == 130
    assert closed(done)["words in"] == 0


def _is_listening(pid: int) -> bool:
    """Tell whether a process catches SIGTERM, from what Linux says about it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line.split()[1] for line in status.splitlines() if "SigCgt" in line), 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
