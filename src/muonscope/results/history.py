"""The counters of a run against time, in bounded memory however long it lasts.

A row holds the counters of one window. Rows older than the time of full detail are merged
into rows of a minute, later of ten minutes; the oldest of those are forgotten. Time is that
of the run: detector time with the epochs put one after the other, holes included.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.blocks.lanes import alive_orbits
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.results.read_message import WindowResult
from muonscope.units import ORBIT_S

__all__ = ["MOST_SHOWN", "Columns", "History", "Row", "counter_names", "counters_of"]

Columns = dict[str, npt.NDArray[np.float64 | np.int64]]

MOST_SHOWN = 7_500
"""As many rows as are worth drawing."""

_MOST_ROWS = 10_000
"""Of each grain, whatever the length of a window."""

_GRAINS_S = (60.0, 600.0)
_GRAIN_TIMES_S = (2 * 86_400.0, 60 * 86_400.0)


class Row(NamedTuple):
    """The counters of a window, or of some that follow one another."""

    epoch: int
    window: int
    """Of the first window."""
    run_orbit: int
    """Its first orbit, in the time of the run."""
    counts: npt.NDArray[np.int64]
    """Shape (n_counters,), as :func:`counter_names` names them."""
    at: float = math.nan
    """When it came by the wall clock, s since 1970; NaN where that is not known."""

    @property
    def place(self) -> tuple[int, int]:
        """What rows are ordered by."""
        return self.epoch, self.window


def counter_names(detector: Detector, blocks: Sequence[Block] = BLOCKS) -> list[str]:
    """Return the names of the counters of a row: ``live_orbits``, and those of the blocks.

    ``hits0`` and ``scint0`` are those of chamber 0: hits, and hits in orbits with a
    scintillator hit; ``orbits`` those with a hit; ``live_orbits`` those in which the telescope
    was alive.
    """
    return list(counters_of(Summary.empty(detector, blocks)))


class History:
    """The rows of a run: windows for ``full_s`` seconds, then minutes, then ten minutes."""

    def __init__(
        self, detector: Detector, *, full_s: float = 7200.0, blocks: Sequence[Block] = BLOCKS
    ) -> None:
        """Begin without rows."""
        self._names, self.full_s = counter_names(detector, blocks), full_s
        self._grains: tuple[list[Row], ...] = ([], [], [])
        self._spans = [round(s / ORBIT_S) for s in (full_s, *_GRAIN_TIMES_S)]
        self._buckets = [round(s / ORBIT_S) for s in _GRAINS_S]
        self.rows_ever = 0
        """Rows added so far."""

    def add(self, result: WindowResult, run_orbit: int, at: float = math.nan) -> Row:
        """Add a window that begins at ``run_orbit`` and came ``at``; return its row."""
        row = Row(result.epoch, result.window, run_orbit, self._counts(result), at)
        insort(self._grains[0], row, key=lambda r: r.place)
        self.rows_ever += 1
        newest = self._grains[0][-1].run_orbit
        for n in range(len(self._grains)):
            self._age(n, newest)
        return row

    def _counts(self, result: WindowResult) -> npt.NDArray[np.int64]:
        counters = counters_of(result.summary)
        return np.array([counters[name] for name in self._names], np.int64)

    def _age(self, n: int, newest: int) -> None:
        rows, keep_from = self._grains[n], newest - self._spans[n]
        while rows and (rows[0].run_orbit < keep_from or len(rows) > _MOST_ROWS):
            row = rows.pop(0)
            if n + 1 < len(self._grains):
                _merge_into(self._grains[n + 1], row, self._buckets[n])

    def columns(self, last_s: float, most: int = MOST_SHOWN) -> Columns:
        """Return the rows of the last ``last_s`` seconds as columns."""
        return self.columns_of(self.rows(last_s), most)

    def rows(self, last_s: float) -> list[Row]:
        """Return the rows of the last ``last_s`` seconds, oldest first."""
        rows = [row for grain in reversed(self._grains) for row in grain]
        if not rows:
            return rows
        begin = rows[-1].run_orbit - last_s / ORBIT_S
        return rows[bisect_right(rows, begin - 1, key=lambda r: r.run_orbit) :]

    def span(self, begin: float, end: float) -> tuple[list[Row], int]:
        """Return the rows that came from ``begin`` until ``end``, s since 1970, oldest first.

        The second number tells how many rows follow the last of them.
        """
        rows = self.rows(math.inf)
        inside = [i for i, row in enumerate(rows) if begin <= row.at < end]
        if not inside:
            return [], 0
        return [rows[i] for i in inside], len(rows) - 1 - inside[-1]

    def columns_of(self, rows: list[Row], most: int = MOST_SHOWN) -> Columns:
        """Return ``rows`` as columns: ``run_s``, ``at``, ``epoch``, ``window``, ``live_s``, counts.

        Where they are more than ``most``, so many as it takes are merged with the next.
        """
        places = np.array([row[:3] for row in rows], np.int64).reshape(-1, 3)
        counts = np.array([row.counts for row in rows], np.int64).reshape(-1, len(self._names))
        came = np.array([row.at for row in rows], np.float64)
        step = -(-len(rows) // most)
        if step > 1:
            places, came = places[::step], came[::step]
            counts = np.add.reduceat(counts, np.arange(0, len(rows), step))
        return {
            "run_s": np.round(places[:, 2] * ORBIT_S, 4),
            "at": np.round(came, 3),
            "epoch": np.ascontiguousarray(places[:, 0]),
            "window": np.ascontiguousarray(places[:, 1]),
            "live_s": np.round(counts[:, 0] * ORBIT_S, 7),
            **{n: counts[:, i].copy() for i, n in enumerate(self._names) if i},
        }


def _merge_into(rows: list[Row], row: Row, bucket: int) -> None:
    if rows and rows[-1].run_orbit // bucket == row.run_orbit // bucket:
        rows[-1] = rows[-1]._replace(counts=rows[-1].counts + row.counts)
    else:
        rows.append(row)


def counters_of(summary: Summary) -> dict[str, int]:
    """Return the numbers that are drawn of some windows against time, by name."""
    counters = {"live_orbits": alive_orbits(summary)}
    for block in summary.blocks:
        counters |= block.trend(summary)
    return counters
