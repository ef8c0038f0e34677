"""The command where what surrounds it fails: terminals, pipes, other processes, folders."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.patience import patience
from helpers.published import published
from helpers.simulated import simulated_words
from muonscope.errors import SinkError
from muonscope.transports.sinks import FileSink

PROCESS = [sys.executable, "-m", "muonscope", "process"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.dat"
    simulated_words(9_000).astype("<u8").tofile(path)
    return path


def test_results_are_whole_where_standard_error_cannot_be_written(recording: Path) -> None:
    with Path("/dev/full").open("w") as full:
        bad = subprocess.run([*PROCESS, recording], stdout=subprocess.PIPE, stderr=full, check=True)
    good = subprocess.run([*PROCESS, recording], capture_output=True, check=True)
    assert bad.stdout == good.stdout
    assert bad.stdout.count(b"\n") > 2


def test_one_signal_stops_the_wait_for_a_pipe_that_nobody_writes_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ready, tell = os.pipe()
    code = (
        "import os, sys; from muonscope.transports import files\n"
        "from muonscope.cli.main import run\n"
        "wait = files.StreamSource._ready\n"
        f"def told(self): os.write({tell}, b'.'); return wait(self)\n"
        "files.StreamSource._ready = told\n"
        f"sys.argv = ['muonscope', 'process', {str(tmp_path / 'pipe')!r}]; run()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        pass_fds=[tell],
    ) as process:  # fmt: skip
        assert select.select([ready], [], [], 60)[0], "the pipe was never waited for"
        process.send_signal(signal.SIGINT)
        _, shown = process.communicate(timeout=patience(30.0))
    os.close(ready)
    os.close(tell)
    assert process.returncode == 130
    assert "words in" in shown.decode()


def test_a_file_in_the_working_folder_is_never_imported(recording: Path) -> None:
    folder = recording.parent
    for name in ("numpy.py", "random.py"):
        (folder / name).write_text("import os; os.mkdir('imported')")
    helper = (
        "import sys; from muonscope.kernels import _helper\n"
        "sys.exit(_helper(['muonscope.words._write_text']).wait())"
    )
    command = [str(Path(sys.executable).with_name("muonscope")), "process", recording.name]
    for words in (command, [sys.executable, "-P", "-c", helper]):
        subprocess.run(words, cwd=folder, capture_output=True, check=True)
        assert not (folder / "imported").exists()


def test_two_writers_of_one_destination_are_refused(tmp_path: Path) -> None:
    first = FileSink(tmp_path / "o.jsonl")
    first.publish(published(b"1\n"))
    with pytest.raises(SinkError, match="another process is writing it"):
        FileSink(tmp_path / "o.jsonl", force=True)
    assert (tmp_path / "o.jsonl").read_bytes() == b"1\n"
    first.close()
    FileSink(tmp_path / "o.jsonl", force=True).close()
    assert (tmp_path / "o.jsonl").read_bytes() == b""
