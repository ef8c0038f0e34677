"""Kernels that are plain Python first, and the cache of those that are compiled."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from muonscope._jit import PlainFirst, plain_first

SQUARES = """
from numba import types
from muonscope._jit import kernel, part

OFFSET = 7

@part
def square(x, times=1):
    return x * x * times

@kernel(types.int64(types.int64))
def squares(n):
    total = OFFSET
    for i in range(n):
        total += square(i)
    return total
"""


@pytest.fixture
def kernels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[PlainFirst]:
    """Import a module whose kernel is plain Python for now."""
    name = f"squares_{request.node.name}"
    (tmp_path / f"{name}.py").write_text(SQUARES, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with plain_first() as found:
        import_module(name)
    return found


def test_a_kernel_is_plain_python_until_it_is_compiled(kernels: list[PlainFirst]) -> None:
    (squares,) = kernels
    assert [squares(n) for n in (0, 4)] == [7, 21]
    with pytest.raises(TypeError):
        squares("4")
    squares.compile()
    assert [squares(n) for n in (0, 4)] == [7, 21]
    with pytest.raises(TypeError, match="No matching definition"):
        squares("4")


def test_the_cache_is_right_about_what_was_compiled(
    kernels: list[PlainFirst], tmp_path: Path
) -> None:
    (squares,) = kernels
    seen = [squares.cached]
    squares.compile()
    seen.append(squares.cached)
    (source,) = tmp_path.glob("*.py")
    later = time.time() + 10
    os.utime(source, (later, later))
    seen.append(squares.cached)
    assert seen == [False, True, False]


def test_outside_of_the_block_kernels_are_compiled_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "squares_at_once.py").write_text(SQUARES, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with suppress(ModuleNotFoundError), plain_first():
        import_module("no_such_squares")
    found: Any = import_module("squares_at_once").squares
    assert len(found.signatures) == 1


def test_without_a_compiler_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    (tmp_path / "squares.py").write_text(SQUARES, "utf-8")
    code = (
        "from muonscope._jit import plain_first\n"
        "with plain_first() as kernels:\n    import squares\n"
        "print(len(kernels), squares.squares(4))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "21"]
