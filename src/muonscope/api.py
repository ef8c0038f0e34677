"""The Python API for notebooks: open a recording, get its words, summarise them.

Examples
--------
>>> import muonscope
>>> from muonscope.words.layout import pack_hits
>>> words = pack_hits(2, 0, [5, 6, 7], 1000, [10, 11, 12], 15)
>>> windows = muonscope.summarise(words, "legnaro", window=1.0)
>>> len(windows), windows[0].summary.total_hits
(1, 3)
"""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from muonscope.counting.counter import Counter
from muonscope.counting.table import WindowTable, joined
from muonscope.counting.windows import WindowSpec
from muonscope.detector import Detector
from muonscope.errors import AccountingError, FormatError
from muonscope.wiring import Intake, load_detector, open_source
from muonscope.words.layout import Words
from muonscope.words.rejects import Rejects

__all__ = ["Recording", "open_recording", "summarise"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that can be read any number of times: files, folder, glob or URL."""

    source: str
    detector: Detector

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Recording {self.source!r} of detector {self.detector.name}>"

    def batches(self, rejects: Rejects | None = None) -> Iterator[Words]:
        """Yield the words in bounded pieces, each an array of shape (n,).

        What cannot be decoded is added to ``rejects``, if that is given.

        Raises
        ------
        SourceError, FormatError
            If the source cannot be read, or nothing in it is of a known format.
        """
        words, mine = 0, Rejects()
        for batch in Intake(open_source([self.source]), self.detector.readout).batches():
            if batch.token.error:
                raise batch.token.error
            mine.add(batch.decoded.rejects)
            if rejects is not None:
                rejects.add(batch.decoded.rejects)
            words += len(batch.decoded.words)
            yield batch.decoded.words
        if mine.total and not words:
            raise FormatError(f"{self.source}: nothing could be decoded: {mine.examples[0]}")

    def words(self) -> Words:
        """Return all words, shape (n,), in the order of the recording.

        What cannot be decoded is left out, with a warning that says how much and where;
        ``batches`` gives it in detail.

        Raises
        ------
        SourceError, FormatError
            As ``batches``.
        """
        rejects = Rejects()
        words = np.concatenate([np.empty(0, np.uint64), *self.batches(rejects)])
        if rejects.total:
            text = f"{rejects.total} pieces could not be decoded; first: {rejects.examples[0]}"
            warnings.warn(text, stacklevel=2)
        return words

    def summarise(self, window: float = 1.0) -> WindowTable:
        """Return the summaries of windows of ``window`` seconds."""
        return summarise(self.words(), self.detector, window=window)


def open_recording(
    source: str | os.PathLike[str], detector: Detector | str = "legnaro"
) -> Recording:
    """Open a recording; ``detector`` is a shipped name, a TOML file, or a Detector.

    Raises
    ------
    DetectorError
        If there is no such detector.
    """
    return Recording(os.fspath(source), _detector(detector))


def summarise(
    words: Words,
    detector: Detector | str = "legnaro",
    *,
    window: float = 1.0,
    lateness: float = 0.1,
    idle_timeout: float = 5.0,
) -> WindowTable:
    """Return the exact summaries of ``words`` in windows of ``window`` seconds.

    Parameters
    ----------
    words
        Shape (n,), uint64, in the order in which the DAQ wrote them.
    detector
        A shipped name, a TOML file, or a Detector.
    window
        Length of a window in s, rounded to whole orbits; at most an hour.
    lateness
        How far the words of one FPGA may step back, s.
    idle_timeout
        How far an FPGA may stay behind the fastest before nothing waits for it, s.

    Raises
    ------
    TypeError
        If ``words`` is not a one-dimensional uint64 array.
    DetectorError, OptionError
        If there is no such detector, or the window makes no sense.
    AccountingError
        If the words are not all accounted for.
    """
    counter = Counter(
        _detector(detector), WindowSpec(window_s=window, lateness_s=lateness, idle_s=idle_timeout)
    )
    table = joined([*counter.push_in_parts(words), *counter.finish_in_parts()])
    table = replace(table, outside=counter.remainder.other_words)
    counted = table.total().accounting.words_in
    if counted != counter.words_in:
        raise AccountingError(f"{counter.words_in} words came in, {counted} were counted")
    return table


def _detector(detector: Detector | str) -> Detector:
    return detector if isinstance(detector, Detector) else load_detector(detector)
