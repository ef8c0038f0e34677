"""Loading kernels: what comes meanwhile is neither lost nor told twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = """
from numba import types
from muonscope._jit import kernel

@kernel(types.int64(types.int64))
def answer(n):
    return n + 1
"""

SWALLOWS = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
except BaseException:
    pass
"""


def test_an_interrupt_inside_the_compiler_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "swallows.py").write_text(SWALLOWS, "utf-8")
    (tmp_path / "after.py").write_text("print('loaded')", "utf-8")
    code = (
        "from muonscope.kernels import load_kernels\n"
        "try:\n    load_kernels(['swallows', 'after'])\n"
        "except KeyboardInterrupt:\n    print('interrupted')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["loaded", "interrupted"]


BEGIN = """
import sys, threading
from muonscope import kernels
python = sys.executable
sys.executable = python if sys.argv[1] == "helped" else "/bin/false"
kernels.begin_plain(["one", "two"])
import one, two
def shown():
    print(type(one.answer._fast).__name__, one.answer(1), two.answer(2))
shown()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
shown()
"""

PLAIN, COMPILED = "NoneType 2 3", "CPUDispatcher 2 3"


@pytest.mark.parametrize("helped", ["helped", "alone"])
def test_what_is_not_compiled_begins_as_plain_python(tmp_path: Path, helped: str) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(COUNTS, "utf-8")
    (tmp_path / "begin.py").write_text(BEGIN, "utf-8")

    def begun() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "begin.py", helped], cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip

    first, again = begun(), begun()
    assert first.stdout.splitlines() == [PLAIN, COMPILED]
    assert "plain Python does their work" in first.stderr
    assert again.stdout.splitlines() == [COMPILED, COMPILED]
    assert again.stderr == ""
