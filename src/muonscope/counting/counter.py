"""From words to the summaries of closed windows: the windower and the kernels joined."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting._counting import count_panes
from muonscope.counting.summary import (
    DRIFT_BIN_NS,
    DRIFT_BINS,
    DRIFT_LOW_NS,
    MULTIPLICITIES,
    Summary,
    merged,
)
from muonscope.counting.window_spec import Note, WindowSpec
from muonscope.counting.window_table import WindowSummary, WindowTable, joined
from muonscope.counting.windows import Panes, Windower
from muonscope.counting.word_classes import class_table
from muonscope.detector import Detector
from muonscope.units import BX_NS
from muonscope.words.layout import Words

__all__ = ["Counter"]

PART_PANES = 1024
"""Panes that are counted at once."""

_GATHERED = 64
_MICRO = 1_000_000


class Counter:
    """Counts a stream of words window by window.

    ``push`` any split of the stream, then ``finish``; each returns the windows that were
    closed. What belongs to no window is in ``remainder``.
    """

    def __init__(self, detector: Detector, spec: WindowSpec | None = None) -> None:
        """Start with no word seen."""
        self.detector, self.spec = detector, spec or WindowSpec()
        self._table = class_table(detector)
        self.windower = Windower(self._table, self.spec)
        self._bins, self._lowest = _drift_bins(detector)
        self._partial: dict[tuple[int, int], list[Summary]] = {}

    @property
    def words_in(self) -> int:
        """Number of words pushed."""
        return self.windower.words_in

    @property
    def epochs(self) -> int:
        """Number of epochs begun."""
        return self.windower.epochs

    @property
    def orbit(self) -> int | None:
        """Where the clock stands; None before the first hit."""
        return self.windower.orbit

    @property
    def remainder(self) -> Summary:
        """What belongs to no window: words without a time, of FPGAs without a clock."""
        summary = Summary.empty(self.detector)
        summary.other_words[:] = self.windower.remainder
        return summary

    def push(self, words: Words) -> WindowTable:
        """Take the next words; return the windows that they close."""
        return joined(list(self.push_in_parts(words)))

    def push_in_parts(self, words: Words) -> Iterator[WindowTable]:
        """Take the next words; yield the windows that they close, some at a time.

        However short the windows are, memory is bounded by :data:`PART_PANES` of them.
        """
        panes = self.windower.push(words)
        return self._windows(panes, self.windower.closed_upto())

    def finish(self) -> WindowTable:
        """End the stream; return the windows that were still open."""
        return joined(list(self.finish_in_parts()))

    def finish_in_parts(self) -> Iterator[WindowTable]:
        """End the stream; yield the windows that were still open, some at a time."""
        return self._windows(self.windower.finish(), {})

    def notes(self) -> list[Note]:
        """Return what the windower noticed since the last call."""
        return self.windower.notes()

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is needed to go on, as plain arrays."""
        parts = [
            WindowSummary(epoch, window, 0, merged(summaries, self.detector))
            for (epoch, window), summaries in self._partial.items()
        ]
        table = WindowTable.of(self.detector, self.spec.window_orbits, parts)
        columns = {f"partial_{n}": getattr(table, n) for n in _COLUMNS}
        return self.windower.snapshot() | columns

    def restore(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on where ``snapshot`` was taken.

        Raises
        ------
        StateError
            If it was taken with other window lengths.
        """
        self.windower = Windower.restore(self._table, self.spec, snapshot)
        table = WindowTable(
            detector=self.detector,
            window_orbits=self.spec.pane_orbits,
            **{n: snapshot[f"partial_{n}"] for n in _COLUMNS},
        )
        self._partial = {(w.epoch, w.window): [w.summary] for w in table}

    def count(self, panes: Panes) -> WindowTable:
        """Return the counts of closed panes; in the result, windows are panes."""
        detector, table, n, most = self.detector, self._table, len(panes), len(panes.words)
        chambers = detector.n_chambers
        result = WindowTable(
            detector=detector,
            window_orbits=self.spec.pane_orbits,
            epoch=panes.epoch,
            window=panes.pane,
            class_words=np.zeros((n, table.n_classes), np.int64),
            other_words=panes.other,
            scint_hits=np.zeros((n, table.n_cells), np.int64),
            drift_histogram=np.zeros((n, chambers, DRIFT_BINS + 2), np.int64),
            multiplicity=np.zeros((n, chambers + 1, MULTIPLICITIES), np.int64),
            orbit_ends=np.zeros((n, chambers), np.int64),
            orbits=np.empty(most, np.uint32),
            orbit_hits=np.empty(most, np.uint32),
            drift_ends=np.zeros((n, chambers), np.int64),
            drift_orbits=np.empty(most, np.uint32),
            drift_ticks=np.empty(most, np.int32),
        )
        if n:
            count_panes(
                panes.words, panes.ends, panes.start,
                self.spec.pane_orbits, detector.readout.ticks_per_bx,
                table.classes, self._bins, self._lowest,
                result.class_words, result.scint_hits,
                result.multiplicity, result.drift_histogram,
                result.orbits, result.orbit_hits, result.orbit_ends,
                result.drift_orbits, result.drift_ticks, result.drift_ends,
            )  # fmt: skip
        return _trimmed(result)

    def _windows(self, panes: Panes, closed_upto: Mapping[int, int]) -> Iterator[WindowTable]:
        for begin in range(0, max(1, len(panes)), PART_PANES):
            table = self.count(panes.part(begin, begin + PART_PANES))
            if self.spec.panes == 1:
                yield table
            else:
                self._gather(table)
        if self.spec.panes > 1:
            yield self._completed(closed_upto)

    def _gather(self, panes: WindowTable) -> None:
        """Keep panes until their window is complete."""
        for part in panes:
            summaries = self._partial.setdefault((part.epoch, part.window // self.spec.panes), [])
            summaries.append(part.summary)
            if len(summaries) >= _GATHERED:
                summaries[:] = [merged(summaries, self.detector)]

    def _completed(self, closed_upto: Mapping[int, int]) -> WindowTable:
        """Merge the panes of the windows that are complete."""
        done = [
            (epoch, window)
            for epoch, window in self._partial
            if epoch not in closed_upto or (window + 1) * self.spec.panes <= closed_upto[epoch]
        ]
        windows = [
            WindowSummary(*key, 0, merged(self._partial.pop(key), self.detector)) for key in done
        ]
        return WindowTable.of(self.detector, self.spec.window_orbits, windows)


_NOT_COLUMNS = ("detector", "window_orbits", "outside")
_COLUMNS = [f.name for f in fields(WindowTable) if f.name not in _NOT_COLUMNS]


def _trimmed(table: WindowTable) -> WindowTable:
    """Return ``table`` with its flat columns cut to what is filled."""
    orbits = int(table.orbit_ends[-1, -1]) if len(table) else 0
    drifts = int(table.drift_ends[-1, -1]) if len(table) else 0
    return replace(
        table,
        orbits=table.orbits[:orbits],
        orbit_hits=table.orbit_hits[:orbits],
        drift_orbits=table.drift_orbits[:drifts],
        drift_ticks=table.drift_ticks[:drifts],
    )


def _drift_bins(detector: Detector) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Return the histogram bin of every difference in ticks, exactly.

    In millionths of a nanosecond times ticks per BX everything is a whole number, so the
    bins do not depend on rounding. Entry [chamber, i] is for lowest[chamber] + i ticks;
    0 stands for all below the range, 321 for all above.
    """
    ticks_per_bx = detector.readout.ticks_per_bx
    offsets = np.array([round(c.drift_offset_ns * _MICRO) for c in detector.chambers], np.int64)
    tick, bin_width = int(BX_NS * _MICRO), int(DRIFT_BIN_NS * _MICRO) * ticks_per_bx
    low = int(DRIFT_LOW_NS * _MICRO) * ticks_per_bx - offsets * ticks_per_bx
    lowest = low // tick - 1
    width = DRIFT_BINS * bin_width // tick + 4
    ticks = lowest[:, None] + np.arange(width)
    bins = (ticks * tick - low[:, None]) // bin_width + 1
    return np.clip(bins, 0, DRIFT_BINS + 1).astype(np.int16), lowest
