"""A dashboard's state with a clock that tests move."""

from collections.abc import Iterable
from typing import Any

from helpers.window_messages import moved, simulated_lines
from muonscope.dashboard.live import Live, Progress
from muonscope.detector import Detector, shipped_detector
from muonscope.results.store import ResultStore

__all__ = ["LEGNARO", "LINES", "Clock", "fed", "live_of", "window"]

LEGNARO = shipped_detector("legnaro")
LINES = simulated_lines(3000, window_s=0.1)


class Clock:
    """Wall time that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def window(n: int, *, epoch: int = 0, run: str = "r") -> bytes:
    """Return the message of a window of a second; they all differ."""
    return moved(LINES[(7 * n + 3 * epoch) % len(LINES)], n, epoch=epoch, run=run)


def live_of(
    lines: Iterable[bytes] = (), *, clock: Clock | None = None,
    detector: Detector = LEGNARO, run: str = "", **options: Any,
) -> Live:  # fmt: skip
    """Return a state that has taken some messages."""
    clock = clock or Clock()
    live = Live(ResultStore(detector, run=run), "sim:legnaro", clock=clock, **options)
    return fed(live, lines, clock)


def fed(live: Live, lines: Iterable[bytes], clock: Clock, **progress: Any) -> Live:
    """Let a state take some messages, and tell."""
    for line in lines:
        live.take(line)
    live.tell(Progress(**progress), clock())
    return live
