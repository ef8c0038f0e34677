"""The one pass over closed panes that counts for all of today's blocks at once.

Their counts come from the same look-up of each word, so one pass of a kernel costs a
fraction of one pass each. Which arrays they are is known here and in the kernel alone.
"""

import numpy as np

from muonscope.counting._counting import count_panes
from muonscope.counting.block import Columns
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.blocks.drift import drift_bins
from muonscope.counting.panes import Panes
from muonscope.counting.word_classes import ClassTable
from muonscope.detector import Detector

__all__ = ["FusedPass"]

_FUSED = [block for block in BLOCKS if block.fused]


class FusedPass:
    """Counts panes of at most ``pane_orbits`` orbits of one detector."""

    def __init__(self, detector: Detector, table: ClassTable, pane_orbits: int) -> None:
        """Look up what does not change from pane to pane."""
        self._detector, self._classes, self._orbits = detector, table.classes, pane_orbits
        self._bins, self._lowest = drift_bins(detector)
        self._shapes = {n: s for block in _FUSED for n, s in block.shapes(detector).items()}

    def count(self, panes: Panes) -> Columns:
        """Return the columns of all fused blocks, one row for each pane."""
        into = self._columns(len(panes), len(panes.words))
        if len(panes):
            count_panes(
                panes.words, panes.ends, panes.start,
                self._orbits, self._detector.readout.ticks_per_bx,
                self._classes, self._bins, self._lowest,
                into["class_words"], into["scint_hits"],
                into["multiplicity"], into["drift_histogram"],
                into["orbits"], into["orbit_hits"], into["orbit_ends"],
                into["drift_orbits"], into["drift_ticks"], into["drift_ends"],
            )  # fmt: skip
        into["other_words"] = panes.other
        return _trimmed(into)

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
