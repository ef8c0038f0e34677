"""How long tests wait for what must come, and how late it may come, on a slow or busy machine.

A time that is enough on a machine with nothing else to do is stretched by how slow this one
is, measured once, and by how many processes wait for each core now. What comes in time is
never waited for longer: only a failure takes as long as patience lasts.
"""

import os
import time
from collections.abc import Callable
from functools import cache

__all__ = ["patience", "until"]

_ROUNDS = 200_000
_REFERENCE_S = 0.012
"""What the rounds take on the machine for which times are written down."""
_TRIES = 3
_MOST = 20.0
_LOOK_S = 0.003


@cache
def _slowness() -> float:
    """Return how many times slower than the reference this machine is: the best of some tries."""
    took_s = []
    for _ in range(_TRIES):
        begin = time.perf_counter()
        sum(n & 7 for n in range(_ROUNDS))
        took_s.append(time.perf_counter() - begin)
    return min(took_s) / _REFERENCE_S


def _load() -> float:
    """Return how many processes there are for each core, of late."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def patience(seconds: float) -> float:
    """Return ``seconds`` of an idle machine of the usual speed as seconds of this one, now."""
    return seconds * min(_MOST, max(1.0, _slowness()) * max(1.0, _load()))


def until(condition: Callable[[], bool], what: str = "", *, within_s: float = 60.0) -> None:
    """Wait until a condition is true; fail if it does not come.

    The machine may become busy while a test waits: the longest patience of all looks counts.
    """
    begin, most = time.monotonic(), 0.0
    while not condition():
        most = max(most, patience(within_s))
        assert time.monotonic() < begin + most, f"waited in vain: {what}"
        time.sleep(_LOOK_S)
