"""Kernels: declared at no cost, loaded when asked or called, compiled by one process at a time."""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import IO

import pytest

from muonscope import _jit
from muonscope._jit import Kernel

SQUARES = """
from muonscope._jit import kernel, part, rare_kernel

OFFSET = 7

@part
def square(x, times=1):
    return x * x * times

@part
def twice(x):
    return square(x) + square(x)

@kernel(lambda t: t.int64(t.int64))
def squares(n):
    total = OFFSET
    for i in range(n):
        total += square(i) + twice(i)
    return total
"""
ANSWERS = [7, 7 + 3 * 14]
"""Of 0 and 4."""

Again = Callable[[], Kernel]


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Again:
    """Give the same kernel as often as asked, as if by another process each time."""
    name = f"squares_{request.node.name}"
    (tmp_path / f"{name}.py").write_text(SQUARES, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def imported() -> Kernel:
        sys.modules.pop(name, None)
        found = import_module(name).squares
        assert isinstance(found, Kernel)
        return found

    return imported


@pytest.fixture
def squares(again: Again) -> Kernel:
    return again()


def answers(kernel: Kernel) -> list[int]:
    return [kernel(n) for n in (0, 4)]


def locked(kernel: Kernel) -> IO[bytes]:
    """Hold the lock of a kernel, as another process would, until the file is closed."""
    assert kernel.folder
    kernel.folder.mkdir(exist_ok=True)
    name = Path(kernel.py_func.__code__.co_filename).stem
    file = (kernel.folder / f"{name}.squares.lock").open("ab")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def told(code: str, folder: Path, **environment: str) -> list[str]:
    """Return what a process prints that can import ``squares``."""
    (folder / "squares.py").write_text(SQUARES, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=os.environ | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout.split()


def test_declaring_a_kernel_does_not_import_the_compiler(tmp_path: Path) -> None:
    assert told("import sys, squares; print('numba' in sys.modules)", tmp_path) == ["False"]


def test_a_kernel_that_was_not_loaded_loads_itself_and_says_nothing(tmp_path: Path) -> None:
    code = "from squares import squares as s; print(s.loaded, s(0), s(4), s.loaded)"
    assert told(code, tmp_path) == ["False", *map(str, ANSWERS), "True"]


def test_a_kernel_can_be_plain_python_until_it_is_loaded(squares: Kernel) -> None:
    squares.be_plain()
    assert answers(squares) == ANSWERS
    with pytest.raises(TypeError):
        squares("4")
    assert not squares.loaded
    assert squares.load()
    squares.be_plain()
    assert answers(squares) == ANSWERS
    with pytest.raises(TypeError, match="No matching definition"):
        squares("4")


def test_the_plain_function_is_at_hand(squares: Kernel) -> None:
    assert squares.py_func(4) == ANSWERS[1]
    assert squares.__doc__ is None
    assert not squares.loaded


def test_the_cache_is_right_about_what_was_compiled(again: Again, tmp_path: Path) -> None:
    seen = [again().load_cached()]
    again().load()
    seen.append(again().load_cached())
    (source,) = tmp_path.glob("*.py")
    source.write_text(SQUARES.replace("OFFSET = 7", "OFFSET = 1_000"), "utf-8")
    changed = again()
    seen.append(changed.load_cached())
    assert seen == [False, True, False]
    assert changed(0) == 1_000


def test_what_another_compiles_is_left_to_it_or_waited_for_in_patience(squares: Kernel) -> None:
    begun: list[Kernel] = []
    with locked(squares):
        assert not squares.load(patience_s=0, begin=begun.append)
        assert not squares.loaded
        assert begun == []
        assert squares.load(patience_s=0.01, begin=begun.append)  # the other may be stopped
    assert begun == [squares]
    assert answers(squares) == ANSWERS


class Waiting:
    """A kernel that is loaded in a thread; ``begun`` says whether it was compiled for that."""

    def __init__(self, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kernel, self.begun = kernel, list[Kernel]()
        self._asks, lock = threading.Event(), _jit._lock

        def asking(file: IO[bytes], patience_s: float) -> bool:
            if threading.current_thread() is self._thread:
                self._asks.set()
            return lock(file, patience_s)

        monkeypatch.setattr(_jit, "_lock", asking)
        self._thread = threading.Thread(target=self._load)

    def start(self) -> None:
        """Begin, and come back when it asks for the lock."""
        self._thread.start()
        assert self._asks.wait(60)

    def end(self) -> None:
        """Wait until it is loaded."""
        self._thread.join(60)
        assert self.kernel.loaded
        assert answers(self.kernel) == ANSWERS

    def _load(self) -> None:
        self.kernel.load(begin=self.begun.append)


def test_whoever_waited_takes_what_the_other_has_compiled(
    again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = again(), Waiting(again(), monkeypatch)
    first.load(begin=lambda _: second.start())
    second.end()
    assert second.begun == []


def test_a_process_that_is_killed_while_it_compiles_leaves_the_kernel_to_who_waits(
    again: Again, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = again()
    name = Path(kernel.py_func.__code__.co_filename).stem
    code = (
        f"import {name}, time\n"
        f"{name}.squares.load(begin=lambda _: (print('begun', flush=True), time.sleep(600)))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"begun\n"
        waiting = Waiting(kernel, monkeypatch)
        waiting.start()
        assert not kernel.loaded
        holder.kill()
        waiting.end()
    assert waiting.begun == [kernel]


def test_threads_that_call_a_kernel_at_once_compile_it_once(
    squares: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Kernel] = []
    compile_it = Kernel._compile

    def compile_and_note(kernel: Kernel) -> None:
        compiled.append(kernel)
        compile_it(kernel)

    monkeypatch.setattr(Kernel, "_compile", compile_and_note)
    threads = [threading.Thread(target=squares, args=(4,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiled == [squares]


def test_without_a_folder_for_the_cache_it_is_compiled_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").write_text("no folder", "utf-8")
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), "/dev/null")
    code = "from squares import squares as s; print(s.folder, s(0), s(4), s.loaded)"
    assert told(code, tmp_path, **nowhere) == ["None", *map(str, ANSWERS), "True"]


@pytest.mark.parametrize("when", ["before", "while"])
def test_a_cache_that_fails_costs_only_time(squares: Kernel, when: str) -> None:
    folder = squares.folder
    assert folder

    def lose(_kernel: Kernel) -> None:
        shutil.rmtree(folder)
        folder.write_text("no folder any more", "utf-8")

    if when == "before":
        lose(squares)
    squares.load(begin=lose if when == "while" else None)
    assert str(folder) in squares.trouble
    assert answers(squares) == ANSWERS


def test_without_a_compiler_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    code = (
        "from squares import squares as s\nprint(s.load_cached(), s(0), s(4), s._run is s.py_func)"
    )
    assert told(code, tmp_path, NUMBA_DISABLE_JIT="1") == ["True", *map(str, ANSWERS), "True"]
