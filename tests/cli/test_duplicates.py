"""Words that several files hold, as each command deals with them."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import muonscope
from helpers.cases import case
from helpers.command import Command, until
from helpers.recordings import encoded, recorded, written
from muonscope.dashboard.launch import _reference
from muonscope.dashboard.options import DashboardOptions
from muonscope.detector import shipped_detector
from muonscope.events import Event
from muonscope.processing.process import process
from muonscope.quality.reference import ReferenceBuilder
from muonscope.stopping import Stop
from muonscope.transports.files import FileSource
from muonscope.wording import describe

WORDS = recorded(3000)
TOLD = "a.txt holds the same words as a.dat: read once; --allow-duplicates reads both"


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """Return a folder with a file and its twin."""
    return written(tmp_path / "run", {"a.dat": WORDS, "a.txt": encoded(WORDS, "csv")})


def test_process_reads_twins_once_and_says_so(command: Command, twins: Path) -> None:
    done = command("process", twins)
    assert done.account()["words in"] == 3000
    assert TOLD in done.err
    assert done.messages == command("process", twins / "a.dat", "--run", "run").messages
    everything = command("process", twins, "--allow-duplicates")
    assert everything.account()["words in"] == 6000
    assert "holds the same words" not in everything.err


def test_the_words_of_the_run_folder_are_counted_once(command: Command) -> None:
    done = command("process", case("1-run-folder") / "run000042")
    assert (done.code, done.account()["words in"], done.account()["hits"]) == (0, 600, 261)
    assert "new epoch" not in done.err


def test_twins_are_told_even_within_the_lateness(command: Command, tmp_path: Path) -> None:
    few = WORDS[:60]
    done = command("process", written(tmp_path / "run", {"a.dat": few, "b.json": few}))
    assert done.account()["words in"] == 60
    assert "b.json holds the same words as a.dat" in done.err


@pytest.mark.parametrize("option", [(), ("-d", "legnaro")])
def test_inspect_reads_twins_once_and_says_so(
    command: Command, twins: Path, option: tuple[str, ...]
) -> None:
    done = command("inspect", twins, *option)
    assert done.code == 0
    assert TOLD in done.err
    assert b"3,000" in done.out
    assert b"6,000" in command("inspect", twins, *option, "--allow-duplicates").out


def test_convert_reads_twins_once_and_says_so(command: Command, twins: Path) -> None:
    done = command("convert", twins, "-", "--format", "dat")
    assert done.out == encoded(WORDS, "dat")
    assert TOLD in done.err
    assert len(command("convert", twins, "-", "-f", "dat", "--allow-duplicates").out) == 48_000


def test_python_reads_twins_once_and_warns(twins: Path) -> None:
    with pytest.warns(UserWarning, match="a.txt holds the same words as a.dat"):
        words = muonscope.open(twins).words()
    assert np.array_equal(words, WORDS)
    assert len(muonscope.open(twins, allow_duplicates=True).words()) == 6000


def test_process_in_python_logs_it(twins: Path, caplog: pytest.LogCaptureFixture) -> None:
    account = process(twins, to=twins.parent / "out.jsonl")
    assert account.total.accounting.words_in == 3000
    assert TOLD in caplog.text


def test_a_run_that_was_begun_goes_on_whatever_lies_beside(
    command: Command, tmp_path: Path
) -> None:
    folder = written(tmp_path / "run", {"a.txt": encoded(WORDS, "csv")[:40_000]})
    asked = ("process", folder, "--state", tmp_path / "state", "--to", tmp_path / "o.jsonl")
    running = command.start(*asked, "--follow")
    until(lambda: (tmp_path / "state").is_dir() and b"a.txt" in saved(tmp_path), "a state")
    running.signal(signal.SIGINT)
    running.wait()
    written(folder, {"a.dat": WORDS, "a.txt": encoded(WORDS, "csv")})
    done = command(*asked)
    assert done.account()["words in"] == 3000
    assert "a.dat holds the same words as a.txt" in done.err


def saved(folder: Path) -> bytes:
    """Return what the state of a run says."""
    return b"".join(file.read_bytes() for file in (folder / "state").iterdir() if file.is_file())


def test_a_run_goes_on_in_a_file_that_was_entered_in_the_middle(
    command: Command, tmp_path: Path
) -> None:
    folder = written(tmp_path / "run", {"a.csv": WORDS[:2000], "b.csv": WORDS[1500:]})
    asked = ("process", folder, "--state", tmp_path / "state", "--to", tmp_path / "o.jsonl")
    assert command(*asked).account()["words in"] == 3000
    with (folder / "b.csv").open("ab") as file:
        file.write(encoded(recorded(3300)[3000:], "csv").split(b"\n", 1)[1])
    assert command(*asked).account()["words in"] == 3300


def test_the_reference_of_a_dashboard_reads_twins_once_and_says_so(twins: Path) -> None:
    told: list[Event] = []

    def words(reference: Path, *, allow_duplicates: bool = False) -> int:
        options = DashboardOptions(
            sources=("sim:quiet",), reference=str(reference), allow_duplicates=allow_duplicates
        )
        found = _reference(options, ReferenceBuilder(shipped_detector()), Stop(), told.append)
        assert found
        return found.summary.accounting.words_in

    assert words(twins) == 3000
    assert [describe(event) for event in told] == [TOLD]
    assert words(twins, allow_duplicates=True) == 6000


def test_a_pipe_is_not_looked_at_before_it_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ends = FileSource([tmp_path / "pipe", tmp_path / "none"]).ends(100)
    assert [(end.size, end.first) for end in ends] == [(0, b""), (0, b"")]
