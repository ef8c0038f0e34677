"""Compiled kernels, the same kernels as plain Python, and the oracle: one answer."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import muonscope
from helpers.patience import patience
from helpers.streams import Script, as_array, count, plain, plain_other, spec_of
from muonscope.counting import _counting, _lanes, _windowing
from muonscope.detector import shipped_detector
from oracles.slow_counter import slow_count

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(muonscope.__file__).resolve().parents[1]
LENGTHS = [(1, 2, 50), (11_223, 1122, 56_117), (33_670, 1122, 56_117)]


def stream() -> list[int]:
    """Return a stream with every kind of word and jump."""
    script = Script()
    script.move((0, 1), 3_387_200_947)
    script.together(6, 5)
    script.move((0, 1), 616_953)
    for turn in range(12):
        script.together(8, 1 + 90 * turn)
        script.timeless(turn % 2, turn % 8)
        script.bad_bx(turn % 2)
        script.lone(turn % 2, 10**9)
        script.lone(1, -606)
        script.lone(0, -60_000)
        script.special(0, 138)
        script.special(1, 300)
    script.shift((0, 1), 2_357_589)
    script.together(20, 200)
    script.shift((0,), -1_000_000)
    script.together(12, 700)
    script.move((0, 1), 2**32 - 40)
    script.together(12, 2)
    return script.words


def answers() -> list[dict[str, Any]]:
    """Return all counts of the stream for each window length, ready for JSON."""
    detector, words, found = shipped_detector("legnaro"), as_array(stream()), []
    for lengths in LENGTHS:
        windows, remainder = count(words, detector, spec_of(*lengths), range(0, len(words), 97))
        found.append(
            {
                "windows": {f"{w.epoch}/{w.window}": for_json(plain(w)) for w in windows},
                "remainder": plain_other(remainder),
            }
        )
    return found


def for_json(value: Any) -> Any:
    """Turn keys to strings and tuples to lists."""
    if isinstance(value, dict):
        return {str(key): for_json(item) for key, item in value.items()}
    return [for_json(item) for item in value] if isinstance(value, list | tuple) else value


def test_kernels_in_this_process_are_compiled() -> None:
    assert os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
    answers()
    for compiled in (
        _windowing.advance, _windowing.take_closed, _counting.count_panes, _lanes.count_lanes,
    ):  # fmt: skip
        assert compiled.loaded


@pytest.fixture(scope="module")
def plain_python() -> list[dict[str, Any]]:
    """Return the answers of the kernels run as plain Python."""
    return told(
        "from numba import config\n"
        "assert config.DISABLE_JIT\n"
        "from counting.test_kernels_have_three_referees import answers\n"
        "print(json.dumps(answers()))",
        NUMBA_DISABLE_JIT="1",
    )


def told(code: str, **environment: str) -> list[dict[str, Any]]:
    """Return what ``code`` prints in a process of its own."""
    paths = filter(None, [os.environ.get("PYTHONPATH")])
    run = subprocess.run(
        [sys.executable, "-c", "import json\n" + code],
        env=os.environ | environment | {"PYTHONPATH": os.pathsep.join([str(TESTS), *paths])},
        capture_output=True,
        text=True,
        check=False,
        timeout=patience(300.0),
    )
    assert run.returncode == 0, run.stderr
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


@pytest.mark.slow
def test_kernels_that_become_compiled_in_mid_stream_give_the_same() -> None:
    found = told(
        "from muonscope import kernels\n"
        "from muonscope.counting import _counting, _lanes, _windowing as w\n"
        "found = kernels.kernels_of(kernels.Purpose.COUNTING.value)\n"
        "used = {w.advance, w.take_closed, _counting.count_panes, _lanes.count_lanes}\n"
        "assert used == {*found}\n"
        "for kernel in found: kernel.be_plain()\n"
        "from counting.test_kernels_have_three_referees import answers\n"
        "from muonscope.counting.counter import Counter\n"
        "push, calls = Counter.push, []\n"
        "def compiling_push(self, words):\n"
        "    calls.append(len(words))\n"
        "    if len(calls) == 4:\n"
        "        assert not any(kernel.loaded for kernel in found)\n"
        "        for kernel in found: kernel.load()\n"
        "    return push(self, words)\n"
        "Counter.push = compiling_push\n"
        "given = answers()\n"
        "assert len(calls) > 12\n"
        "print(json.dumps(given))"
    )
    assert found == answers()


@pytest.mark.slow
def test_compiled_kernels_agree_with_plain_python(plain_python: list[dict[str, Any]]) -> None:
    assert answers() == plain_python


@pytest.mark.parametrize("case", range(len(LENGTHS)))
def test_plain_python_agrees_with_the_oracle(plain_python: list[dict[str, Any]], case: int) -> None:
    window, lateness, idle = LENGTHS[case]
    detector = shipped_detector("legnaro")
    slow = slow_count(stream(), detector, window=window, lateness=lateness, idle=idle)
    expected = {f"{e}/{w}": for_json(counts) for (e, w), counts in slow["windows"].items()}
    assert plain_python[case] == {"windows": expected, "remainder": slow["remainder"]}
    others = [counts["other"] for counts in slow["windows"].values()]
    assert all(sum(other[name] for other in others) for name in slow["remainder"])
    assert len({epoch for epoch, _ in slow["windows"]}) > 3
