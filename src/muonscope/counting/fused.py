"""The pass over closed panes that counts for all of today's blocks at once.

Their counts come from the same look-up of each word, so the two kernels cost a fraction of
one pass each. Which arrays they are is known here and in the kernels alone.
"""

import numpy as np

from muonscope.counting._counting import Into, Look, count_panes
from muonscope.counting._lanes import count_lanes
from muonscope.counting.block import Array, Columns
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.blocks.drift import drift_bins
from muonscope.counting.blocks.lanes import LANES
from muonscope.counting.panes import Panes
from muonscope.counting.word_classes import ClassTable
from muonscope.detector import Detector

__all__ = ["FusedPass"]

_FUSED = [block for block in BLOCKS if block.fused]


class FusedPass:
    """Counts panes of one detector."""

    def __init__(self, detector: Detector, table: ClassTable) -> None:
        """Look up what does not change from pane to pane."""
        self._detector, self._table = detector, table
        bins, lowest = drift_bins(detector)
        self._look = Look(detector.readout.ticks_per_bx, table.classes, bins, lowest)
        self._shapes = {n: s for block in _FUSED for n, s in block.shapes(detector).items()}

    def count(self, panes: Panes) -> Columns:
        """Return the columns of all fused blocks, one row for each pane."""
        into = self._columns(len(panes), len(panes.words))
        if len(panes):
            chosen = Into(**{name: into[name] for name in Into._fields})
            count_panes(panes.words, panes.ends, panes.start, panes.stop, self._look, chosen)
            into |= self._lanes(panes, into["occupied"])
        into["other_words"] = panes.other
        return _trimmed(into)

    def _lanes(self, panes: Panes, occupied: Array) -> Columns:
        """Fill ``occupied``; return the columns of the detector's lanes."""
        names = ("lane_words", "lane_orbits", "lane_holes", "repeated")
        rows = {name: np.zeros((len(panes), LANES), np.int64) for name in names}
        count_lanes(
            panes.words, panes.ends, panes.start, panes.stop, self._table.lane_mask,
            self._table.classes, self._table.n_classes, occupied, *rows.values(),
        )  # fmt: skip
        return {name: np.ascontiguousarray(row[:, self._table.lanes]) for name, row in rows.items()}

    def _columns(self, n: int, most: int) -> Columns:
        """Return the columns of ``n`` panes whose lists have at most ``most`` entries."""
        columns: Columns = {
            name: np.zeros((n, *shape), np.int64) for name, shape in self._shapes.items()
        }
        for block in _FUSED:
            if block.list_columns:
                columns[block.list_ends] = np.zeros((n, self._detector.n_chambers), np.int64)
            for name, dtype in block.list_columns.items():
                columns[name] = np.empty(most, dtype)
        return columns


def _trimmed(columns: Columns) -> Columns:
    """Return ``columns`` with their lists cut to what is filled."""
    for block in _FUSED:
        for name in block.list_columns:
            ends = columns[block.list_ends]
            columns[name] = columns[name][: int(ends[-1, -1]) if len(ends) else 0]
    return columns
