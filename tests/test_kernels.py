"""Loading kernels: shared with other processes, told truly, and no Ctrl-C is lost."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

COUNTS = """
import os
from muonscope._jit import kernel

listeners = []

def types(t):
    from numba.core import event

    class Log(event.Listener):
        def on_start(self, event):
            pass

        def on_end(self, event):
            made = event.data["dispatcher"]
            if made.py_func.__module__ == __name__ and made.signatures:
                with open(os.environ["LOG"], "a") as log:
                    log.write(f"{__name__}\\n")

    if not listeners:
        listeners.append(Log())
        event.register("numba:compile", listeners[0])
    return t.int64(t.int64)

@kernel(types)
def answer(n):
    return n + 1
"""

LOAD = """
from enum import Enum
from muonscope.cli.say import tell
from muonscope import kernels
kernels.Purpose = Enum("Purpose", {"SOME": ("one",), "OTHER": ("two",)})
kernels.load(kernels.Purpose, tell=tell)
import one, two
print(one.answer.loaded, one.answer(1), two.answer.loaded, two.answer(2))
"""
LOADED = "True 2 True 3\n"
STUCK = (
    "import time; kernels._Sharing.begin = lambda *_: (print('begun', flush=True), time.sleep(600))"
)
ONCE = "muonscope: compiling the kernels for this machine (once per installation) ...\n"


class Folder:
    """A folder with two modules of one kernel each, and what was compiled of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        for name in ("one", "two"):
            (path / f"{name}.py").write_text(COUNTS, "utf-8")
        self.log = path / "log"
        self.log.touch()

    def compiled(self) -> list[str]:
        return sorted(self.log.read_text("utf-8").split())

    def start(self, code: str, *args: str, **environment: str) -> "subprocess.Popen[str]":
        """Start Python with ``code``; it and what it starts finds the modules."""
        paths = os.pathsep.join([str(self._path), os.environ.get("PYTHONPATH", "")])
        found = {"PYTHONPATH": paths, "LOG": str(self.log), "NUMBA_CACHE_DIR": ""}
        return subprocess.Popen(
            [sys.executable, "-c", code, *args], cwd=self._path, text=True,
            env=os.environ | found | environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, code: str, *args: str, **environment: str) -> tuple[str, str]:
        """Return what ``code`` prints, and what it tells people."""
        return ended(self.start(code, *args, **environment))

    def lock(self, name: str) -> IO[bytes]:
        """Hold the lock of a kernel, as if another process compiled it."""
        cache = self._path / "__pycache__"
        cache.mkdir(exist_ok=True)
        file = (cache / f"{name}.answer.lock").open("ab")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


def test_that_kernels_are_compiled_is_told_once_and_only_if_they_are(folder: Folder) -> None:
    assert folder.run(LOAD) == (LOADED, ONCE)
    assert folder.compiled() == ["one", "two"]
    assert folder.run(LOAD) == (LOADED, "")
    assert folder.compiled() == ["one", "two"]


def test_two_starts_at_once_compile_each_kernel_once(folder: Folder) -> None:
    starts = [folder.start(LOAD) for _ in range(2)]
    assert [ended(start)[0] for start in starts] == [LOADED, LOADED]
    assert folder.compiled() == ["one", "two"]


def test_a_process_beside_that_dies_at_once_is_done_without(folder: Folder) -> None:
    assert folder.run("import sys; sys.executable = '/bin/false'" + LOAD) == (LOADED, ONCE)
    assert folder.compiled() == ["one", "two"]


def test_a_process_beside_that_never_begins_is_not_waited_for(folder: Folder) -> None:
    code = (
        "import subprocess\nfrom muonscope import kernels\n"
        "helper = subprocess.Popen(['sleep', '600'])\nkernels._helper = lambda _: helper"
    )
    assert folder.run(code + LOAD + "print(helper.returncode)") == (LOADED + "-9\n", ONCE)


def test_the_process_beside_compiles_what_nobody_has_begun_and_waits_for_nobody(
    folder: Folder,
) -> None:
    with folder.lock("one"):
        folder.run("from muonscope import kernels; kernels.compile_unclaimed(['one', 'two'])")
    assert folder.compiled() == ["two"]


def test_a_start_that_is_killed_while_it_compiles_leaves_its_kernel_to_the_next(
    folder: Folder,
) -> None:
    with folder.start("from muonscope import kernels\n" + STUCK + LOAD) as stuck:
        assert stuck.stdout
        assert stuck.stdout.readline() == "begun\n"
        following = folder.start(LOAD)
        assert following.stderr
        assert following.stderr.readline() == ONCE  # of the kernel that is left
        stuck.kill()
        assert ended(following) == (LOADED, "")
    assert folder.compiled() == ["one", "two"]


def test_who_only_waits_for_others_says_so(folder: Folder) -> None:
    with folder.lock("one"), folder.lock("two"):
        process = folder.start(LOAD)
        assert process.stderr
        told = process.stderr.readline()
    assert told.startswith("muonscope: waiting for another process that compiles the kernels")
    assert ended(process) == (LOADED, ONCE)  # the others had not compiled them


def test_where_no_folder_can_be_written_nothing_is_said_to_happen_once(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "__pycache__").write_text("no folder", "utf-8")
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), "/dev/null")
    for _ in range(2):
        out, told = folder.run(LOAD, **nowhere)
        assert out == LOADED
        assert "as at every start" in told
        assert "NUMBA_CACHE_DIR" in told
        assert told.count("\n") == 1


LOSES = """
import shutil
from pathlib import Path
from muonscope import kernels
begin = kernels._Sharing.begin
def begin_and_lose(self, kernel):
    begin(self, kernel)
    if kernel.folder.is_dir():
        shutil.rmtree(kernel.folder)
        kernel.folder.write_text("a file")
kernels._Sharing.begin = begin_and_lose
"""


def test_that_the_cache_could_not_keep_the_kernels_is_told(folder: Folder) -> None:
    out, told = folder.run("import sys; sys.executable = '/bin/false'" + LOSES + LOAD)
    assert out == LOADED
    assert told.startswith(f"{ONCE}muonscope: the next start compiles again: ")
    assert told.count("\n") == 2


SWALLOWS = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
except BaseException:
    pass
"""


def test_an_interrupt_inside_the_compiler_is_not_lost(folder: Folder, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with (tmp_path / f"{name}.py").open("a", encoding="utf-8") as module:
            module.write(SWALLOWS if name == "one" else "print('loaded')")
    code = LOAD.replace(
        "kernels.load(kernels.Purpose, tell=tell)",
        "try:\n    kernels.load(kernels.Purpose, tell=tell)\n"
        "except KeyboardInterrupt:\n    print('interrupted')",
    )
    assert folder.run(code) == (f"loaded\ninterrupted\n{LOADED}", ONCE)


FIRST = """
import sys, threading
from muonscope.cli.say import tell
from enum import Enum
from muonscope import kernels
python = sys.executable
sys.executable = python if sys.argv[1] == "helped" else "/bin/false"
kernels.Purpose = Enum("Purpose", {"SOME": ("one",), "OTHER": ("two",)})
go_on = threading.Event()
load_after = kernels._load_after
def load_when_told(helpers, missing):
    assert go_on.wait(300)
    load_after(helpers, missing)
kernels._load_after = load_when_told
kernels.plain_first(kernels.Purpose, tell=tell)
import one, two
def shown():
    print(one.answer.loaded, one.answer(1), two.answer.loaded, two.answer(2))
shown()
go_on.set()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join()
shown()
"""


@pytest.mark.parametrize("helped", ["helped", "alone"])
def test_what_is_not_compiled_can_begin_as_plain_python(folder: Folder, helped: str) -> None:
    out, told = folder.run(FIRST, helped)
    assert out == "False 2 False 3\n" + LOADED
    assert "plain Python does their work" in told
    assert folder.compiled() == ["one", "two"]
    assert folder.run(FIRST, helped) == (LOADED + LOADED, "")
