"""A dashboard's state with a clock that tests move."""

from collections.abc import Iterable
from typing import Any

import orjson
from msgspec import Struct

from helpers.window_messages import moved, simulated_lines
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.counting.summary import Summary, merged
from muonscope.dashboard.contract import encoded
from muonscope.dashboard.live import Live, LiveOptions, Progress
from muonscope.detector import Detector, shipped_detector
from muonscope.results.read_message import read_result
from muonscope.results.store import ResultStore, View

__all__ = [
    "LEGNARO", "LINES", "Clock", "Document", "counts", "decoded", "fed", "live_of", "window",
]  # fmt: skip

Document = dict[str, Any]

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
    detector: Detector = LEGNARO, run: str = "", reference: View | None = None,
    source: str = "sim:legnaro", **options: Any,
) -> Live:  # fmt: skip
    """Return a state that has taken some messages."""
    clock = clock or Clock()
    live = Live(
        ResultStore(detector, run=run, blocks=WITH_TRACKS),
        LiveOptions(source=source, **options), clock=clock, reference=reference,
    )  # fmt: skip
    return fed(live, lines, clock)


def fed(live: Live, lines: Iterable[bytes], clock: Clock, **progress: Any) -> Live:
    """Let a state take some messages, and tell."""
    for line in lines:
        live.take(line)
    live.tell(Progress(**progress), clock())
    return live


def decoded(document: Struct | None) -> Document:
    """Return a document as a reader of its JSON has it."""
    assert document is not None
    told: Document = orjson.loads(encoded(document))
    return told


def counts(*windows: int) -> Summary:
    """Return the merge of some windows, read one by one."""
    return merged(
        [read_result(window(n), LEGNARO, WITH_TRACKS).summary for n in windows],
        LEGNARO,
        WITH_TRACKS,
    )
