"""Settings of the process: made once, by the commands that stream."""

import subprocess
import sys
from pathlib import Path

import pytest

MADE, NOT_MADE = 40, 41


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ("process run.dat", MADE), ("dashboard run.dat --port 0", MADE), ("demo --port 0", MADE),
        ("replay run.dat --to kafka://localhost:1/t", MADE), ("inspect run.dat", NOT_MADE),
        ("convert run.dat run.csv", NOT_MADE), ("simulate new.dat", NOT_MADE),
    ],
)  # fmt: skip
def test_commands_that_stream_set_the_pace_before_they_begin(
    args: str, code: int, tmp_path: Path
) -> None:
    (tmp_path / "run.dat").write_bytes(bytes(800))
    script = (
        "import os, sys\n"
        "from muonscope import kernels\n"
        "from muonscope.cli import settings\n"
        f"settings.set_pace = lambda: os._exit({MADE})\n"
        f"kernels.load = kernels.plain_first = lambda *_, **more: os._exit({NOT_MADE})\n"
        f"sys.argv = ['muonscope', *{args.split()!r}]\n"
        "from muonscope.cli.main import run\n"
        "run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr


def test_what_is_imported_is_frozen_and_threads_change_often() -> None:
    script = (
        "import gc, sys\n"
        "from muonscope.cli.settings import set_pace\n"
        "set_pace()\n"
        "print(gc.get_freeze_count() > 1000, gc.get_threshold()[0], sys.getswitchinterval() < 2e-4)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "100000", "True"]
