"""Messages of windows for tests: real ones, and real ones moved to another place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from helpers.simulated import BRIGHT, simulated_words
from muonscope.api import summarise
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector, shipped_detector
from muonscope.results.message import ByteAccounting, remainder_message, window_messages

__all__ = ["SECOND", "as_version_1", "ends_of", "lines_of", "moved", "simulated_lines"]

SECOND = 11_223
"""Orbits of a window of a second."""

NEW = {
    "conditions", "detector_hash", "muonscope", "hist_OCCUPIED", "crowded", "together", "lanes",
    "scintillator_orbits", "drift_few",
}  # fmt: skip
"""Keys that version 1 did not have."""


def lines_of(
    words: Any, *, window_s: float = 1.0, run: str = "r", detector: Detector | None = None
) -> list[bytes]:
    """Return the messages of the windows of some words."""
    detector = detector or shipped_detector("legnaro")
    return list(window_messages(summarise(words, detector, window=window_s), run))


def simulated_lines(n: int = 20_000, *, window_s: float = 1.0, run: str = "r") -> list[bytes]:
    """Return the messages of ``n`` simulated words."""
    return lines_of(simulated_words(n, profile=BRIGHT), window_s=window_s, run=run)


def moved(
    line: bytes, window: int, *, epoch: int = 0, run: str = "r", orbits: int = SECOND
) -> bytes:
    """Return a message as if its counts were those of another window."""
    message = orjson.loads(line)
    first, before = window * orbits, message["first_orbit"]
    message |= {
        "run": run, "epoch": epoch, "window": window, "batch_id": window,
        "first_orbit": first, "last_orbit": first + orbits - 1,
        "start_ns": first * 89_100, "end_ns": (first + orbits) * 89_100,
    }  # fmt: skip
    chambers = [message[name] for name in message if name.startswith("chamber")]
    for chamber in chambers:
        strip = chamber["hist_ORBIT"]
        strip["bin_edges"] = [first + (n - before) % orbits for n in strip["bin_edges"]]
    for part in (message, *chambers):
        table = part["multiplicity"]
        table[0] = orbits - sum(table[1:])
    for lane in message["lanes"].values():
        lane["live_orbits"] = orbits
    return orjson.dumps(message) + b"\n"


def as_version_1(line: bytes) -> bytes:
    """Return the message that version 1 told of the same counts: some of the keys, unchanged."""
    message = orjson.loads(line)
    chambers = [message[name] for name in message if name.startswith("chamber")]
    for part in (message, *chambers):
        for name in NEW & part.keys():
            del part[name]
    message["schema"] = "muonscope.window/1"
    return orjson.dumps(message) + b"\n"


def ends_of(run: str = "r", words: Sequence[int] = (1 << 61,)) -> bytes:
    """Return the message of what belongs to no window of a run."""
    counter = Counter(shipped_detector("legnaro"), WindowSpec())
    counter.push(np.array(words, np.uint64))
    counter.finish()
    account = ByteAccounting(
        bytes_in=30, bytes_decoded=24, bytes_rejected=6, rejects={"TRUNCATED": 1}
    )
    return remainder_message(counter.remainder, run, account)
