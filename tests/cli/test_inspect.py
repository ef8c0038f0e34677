"""``muonscope inspect``: the first minute with an unknown file."""

import fcntl
import gzip
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from helpers.command import MUONSCOPE, Command, until
from muonscope.words.layout import pack_hits

Report = dict[str, Any]


@pytest.fixture
def report(command: Command) -> Any:
    """Give what inspects sources and returns the report."""

    def inspect(*sources: object, code: int = 0) -> Report:
        done = command("inspect", *sources, "--json")
        assert done.code == code, done.err
        found: Report = orjson.loads(done.out)
        return found

    return inspect


def test_the_stream_sample_is_told_completely(report: Any, sample: Path) -> None:
    found = report(sample)
    (stream,) = found["streams"]
    assert (stream["format"], stream["confidence"], stream["compression"]) == ("csv", 1.0, None)
    assert stream["bytes"] == sample.stat().st_size
    assert found["detector"] == "legnaro"
    assert sum(found["words_by_head"].values()) == sum(found["words_by_fpga"].values()) == 999
    assert found["words_by_head"]["2"] == 499
    assert [c["hits"] for c in found["chambers"]] == [80, 171, 103, 143]
    assert found["scintillator"] == {
        "words": 0, "rate_hz": pytest.approx(0), "hits_in_its_orbits": 0,
    }  # fmt: skip
    first, second = found["epochs"]
    assert (first["first_orbit"], first["last_orbit"]) == (3387200947, 3387201636)
    assert (second["first_orbit"], second["last_orbit"]) == (616953, 618472)
    assert first["hits"] + second["hits"] == 497
    account = found["accounting"]
    assert account["words_in"] == sum(n for name, n in account.items() if name != "words_in")
    assert (account["trigger"], account["ancillary"]) == (2, 500)
    assert {n["kind"] for n in found["notes"]} >= {"EPOCH"}
    assert {o["kind"]: o["count"] for o in found["odd_words"]} == {"repeated word": 4}
    assert found["rejects"] == {}
    assert found["errors"] == []


@pytest.mark.parametrize("form", ["dat", "txt", "gz", "parquet"])
def test_a_detector_that_fits_and_the_hole_of_the_other_run_are_found(
    report: Any, command: Command, binary: Path, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "unknown"
    match form:
        case "gz":
            path.write_bytes(gzip.compress(binary.read_bytes(), 1))
        case "parquet":
            path = tmp_path / "unknown.parquet"
            assert command("convert", binary, path, "-d", "run000591").code == 0
        case _:
            path = binary.with_suffix(f".{form}")
    found = report(path)
    likely = {"run000591"} if form == "txt" else {"run000591", "legnaro"}  # the same bits
    assert found["detector"] in likely
    assert "maps" in found["chosen"]
    assert found["streams"][0]["compression"] == ("gzip" if form == "gz" else None)
    assert [c["hits"] for c in found["chambers"]] == [24253, 35907, 60564, 36572]
    (epoch,) = found["epochs"]
    assert epoch["hole_s"] == pytest.approx(210, abs=2)
    assert found["live_s"] == pytest.approx(32, abs=2)
    assert found["chambers"][2]["rate_hz"] == pytest.approx(60564 / found["live_s"])
    assert [n["kind"] for n in found["notes"]].count("HOLE") == 2
    assert any(c["kind"] in ("silent", "weak") for c in found["odd_channels"])


def test_the_page_for_people_says_the_same(command: Command, sample: Path, tmp_path: Path) -> None:
    done = command("inspect", sample)
    assert done.code == 0
    page = done.out.decode()
    for text in ("csv (100% sure", "legnaro", "999", "HEAD 2", "FPGA 1", "chamber 1", "171",
                 "3,387,200,947", "everything odd", "new epoch", "repeated word: 4"):  # fmt: skip
        assert text in page
    assert "Traceback" not in done.err


def test_a_clean_file_has_nothing_odd(command: Command, tmp_path: Path) -> None:
    words = pack_hits(2, 0, np.arange(64), 1000 + np.arange(64) // 4, 5, 6)
    (tmp_path / "clean.dat").write_bytes(words.tobytes())
    assert b"nothing odd" in command("inspect", tmp_path / "clean.dat").out


def test_odd_words_are_told_with_their_position(report: Any, tmp_path: Path) -> None:
    words = pack_hits(2, 0, np.arange(100) % 64, 5000 + np.arange(100) // 4, 5, 6)
    odd = words.copy()
    odd[10] = pack_hits(2, 1, 300, 5002, 1, 1)[0]
    odd[20] = pack_hits(7, 0, 3, 5005, 1, 1)[0]
    odd[30] = pack_hits(2, 0, 3, 5007, 3564, 1)[0]
    odd[41] = odd[40]
    (tmp_path / "odd.dat").write_bytes(odd.tobytes() + b"cut")
    found = report(tmp_path / "odd.dat", "--detector", "legnaro")
    kinds = {o["kind"]: (o["count"], o["first"]) for o in found["odd_words"]}
    assert kinds == {
        "unmapped channel": (1, [10]),
        "unknown HEAD": (1, [20]),
        "BX >= 3564": (1, [30]),
        "repeated word": (1, [41]),
    }
    assert found["rejects"] == {"TRUNCATED": 1}
    assert "byte 800" in found["reject_examples"][0]


def test_hot_silent_and_weak_channels_are_named(report: Any, tmp_path: Path) -> None:
    channels = np.repeat(np.arange(64), 100)
    channels = np.concatenate([channels[(channels != 8) & (channels != 13)], [13] * 10, [21] * 900])
    np.random.default_rng(5).shuffle(channels)
    orbits = 5000 + np.arange(len(channels)) // 2
    words = pack_hits(2, 0, channels, orbits, 7, 8)
    (tmp_path / "hot.dat").write_bytes(words.tobytes())
    found = report(tmp_path / "hot.dat", "-d", "legnaro")
    assert {(c["kind"], c["channel"]) for c in found["odd_channels"]} == {
        ("noisy", 21), ("silent", 8), ("weak", 13),
    }  # fmt: skip


def test_several_sources_are_told_one_by_one(report: Any, sample: Path, tmp_path: Path) -> None:
    (tmp_path / "data_1").touch()
    (tmp_path / "data_2").write_bytes(sample.read_bytes())
    (tmp_path / "data_3").write_bytes(b"<html></html>")
    found = report(tmp_path)
    assert [s["format"] for s in found["streams"]] == ["empty", "csv", "unknown"]
    assert found["accounting"]["words_in"] == 999
    assert found["rejects"] == {"UNKNOWN_FORMAT": 1}


def test_standard_input_can_be_inspected(command: Command, sample: Path) -> None:
    done = command("inspect", "-", "--json", stdin=sample)
    assert done.code == 0
    assert orjson.loads(done.out)["accounting"]["words_in"] == 999


def test_an_empty_file_is_told_to_be_empty(report: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    found = report(tmp_path / "empty")
    assert found["streams"][0]["format"] == "empty"
    assert found["live_s"] == 0
    assert all(c["rate_hz"] is None for c in found["chambers"])


def test_what_is_no_data_is_reported_and_is_an_error(command: Command, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_bytes(b"<html>[bold]no markup[/bold]</html>")
    done = command("inspect", tmp_path / "page.txt")
    assert done.code == 4
    assert b"an HTML or XML page" in done.out
    assert "nothing could be decoded" in done.err
    assert b"[bold]no markup[/bold]" in done.out


@pytest.mark.parametrize(
    ("args", "code"), [(["missing"], 3), ([], 2), (["a", "--detector", "atlas"], 2)]
)
def test_errors_have_their_exit_codes(
    command: Command, tmp_path: Path, args: list[str], code: int
) -> None:
    (tmp_path / "a").touch()
    done = command("inspect", *args, cwd=tmp_path)
    assert done.code == code
    assert "Traceback" not in done.err
    assert "internal error" not in done.err


def test_a_damaged_file_among_others_is_told(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 cut")
    (tmp_path / "good.csv").write_bytes(sample.read_bytes())
    done = command("inspect", tmp_path, "--json")
    found = orjson.loads(done.out)
    assert found["accounting"]["words_in"] == 999
    assert len(found["errors"]) == 1
    assert "bad.parquet" in found["errors"][0]


def test_control_c_ends_it_with_130(command: Command, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR)
    try:
        os.write(writer, b"HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS\n")
        running = command.start("inspect", "-", stdin=fifo)
        until(lambda: running.done() or _waiting(writer) == 0, "the data to be read")
        running.signal(signal.SIGINT)
        done = running.wait()
    finally:
        os.close(writer)
    assert done.code == 130
    assert "Traceback" not in done.err


def _waiting(pipe: int) -> int:
    """Return the bytes in a pipe that nobody has read yet."""
    answer = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def test_it_does_not_shout_into_a_closed_pipe(binary: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"'{MUONSCOPE}' inspect '{binary}' | true"], capture_output=True, check=False
    )
    assert b"rror" not in done.stderr
    assert b"Exception" not in done.stderr
