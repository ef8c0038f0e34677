"""What generated streams are too short for: crowded panes, many resets, FPGAs far behind."""

import numpy as np
import pytest

from helpers.streams import (
    SCINTILLATOR,
    Script,
    as_array,
    by_place,
    count,
    plain,
    plain_other,
    spec_of,
)
from muonscope.counting.window_table import WindowSummary
from muonscope.detector import shipped_detector
from muonscope.words.layout import Words, pack_hits
from oracles.slow_counter import slow_count

LEGNARO = shipped_detector("legnaro")
SECOND = 11_223
LENGTHS = (SECOND, SECOND // 10, 5 * SECOND)
"""Window, lateness and idle time-out, orbits."""


def assert_same(words: Words, lengths: tuple[int, int, int] = LENGTHS) -> list[WindowSummary]:
    """Compare with the slow counter; return the windows."""
    window, lateness, idle = lengths
    slow = slow_count(words.tolist(), LEGNARO, window=window, lateness=lateness, idle=idle)
    windows, remainder = count(words, LEGNARO, spec_of(*lengths))
    by_place(windows)
    assert {(w.epoch, w.window): plain(w) for w in windows} == slow["windows"]
    assert plain_other(remainder) == slow["remainder"]
    return windows


@pytest.mark.parametrize("n", [300, 900, 4000])
def test_hits_of_a_crowded_window_are_put_in_order(n: int) -> None:
    rng = np.random.default_rng(n)
    orbit = 90 * SECOND + rng.integers(0, SECOND, n)
    fpga, channel = rng.integers(0, 2, n), rng.integers(0, 128, n)
    hits = pack_hits(2, fpga, channel, orbit, rng.integers(0, 3564, n), rng.integers(1, 31, n))
    scintillator = pack_hits(2, 1, SCINTILLATOR, orbit[: n // 2], 100, 7)
    words = rng.permutation(np.concatenate([hits, scintillator]))
    [window] = assert_same(words, (SECOND, SECOND, 5 * SECOND))
    detail = window.summary.detail
    assert detail is not None
    assert all((np.diff(orbits.astype(np.int64)) > 0).all() for orbits in detail.orbits)


def test_forty_resets_lose_no_hit() -> None:
    script = Script()
    for n in range(40):
        script.together(12, 400)
        script.move((0, 1), 1000 + 3 * n)
    script.together(12, 400)
    windows = assert_same(as_array(script.words))
    assert {w.epoch for w in windows} == set(range(41))
    assert sum(w.summary.total_hits for w in windows) == 41 * 2 * 12 * 4


@pytest.mark.parametrize("ahead", range(0, 9 * SECOND, SECOND // 3))
def test_an_fpga_that_is_behind_a_reset_is_waited_for_longer_than_the_idle_time_out(
    ahead: int,
) -> None:
    script = Script()
    script.together(200, 100)
    script.move((0,), 1000)
    for _ in range(ahead // 300):
        script.hits(0, 1, 300)
    script.hits(1, 8, 20)
    script.hits(0, 8, 300)
    before = [w for w in assert_same(as_array(script.words)) if w.epoch == 0]
    waited_for = sum(w.summary.total_hits for w in before) == 2 * 200 * 4 + 8
    assert waited_for == (ahead < 7.2 * SECOND)
