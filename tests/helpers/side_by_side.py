"""Streams that run side by side: how words may be spread over them, and what must come out."""

import numpy as np
import numpy.typing as npt

from helpers.streams import by_place, plain
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowSummary
from muonscope.detector import Detector
from muonscope.words.layout import Words

__all__ = ["DISTRIBUTIONS", "Windows", "exact_part", "spread", "windows_in_order"]

DISTRIBUTIONS = ["round robin", "random", "batches", "halves", "one gets all", "one ends early"]

Windows = dict[tuple[int, int], object]


def spread(how: str, words: int, streams: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the stream that each word goes to, as producers might choose it."""
    rng, count = np.random.default_rng(seed), np.arange(words)
    match how:
        case "round robin":
            return count % streams
        case "random":
            return rng.integers(0, streams, words)
        case "batches":
            return count // 130 % streams
        case "halves":
            return count * streams // words
        case "one gets all":
            return np.full(words, streams - 1)
        case "one ends early":
            of_word = count % streams
            return np.where((of_word == 0) & (count > words // 5), streams - 1, of_word)
    raise ValueError(how)


def windows_in_order(words: Words, detector: Detector, spec: WindowSpec) -> Windows:
    """Return what is exact of the windows of one stream."""
    counter = Counter(detector, spec)
    return exact_part([*counter.push(words), *counter.finish()])


def exact_part(windows: list[WindowSummary]) -> Windows:
    """Return all counts of windows but those of words without a time of their own.

    Those are counted where the clock of their FPGA stands in their stream.
    """
    by_place(windows)
    parts: Windows = {}
    for window in windows:
        counts = dict(plain(window))
        del counts["other"]
        drifts = [sorted(some) for some in plain(window)["drifts"]]
        if any(counts[name] for name in ("total_hits", "scintillator", "trigger")):
            parts[window.epoch, window.window] = counts | {"drifts": drifts}
    return parts
