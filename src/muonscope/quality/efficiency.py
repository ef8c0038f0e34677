"""Checks of efficiencies: muons that must have crossed a cell, and that it has not seen."""

import numpy as np

from muonscope.quality.cells import Cells, CellScale
from muonscope.quality.check import Measured, Quiet, Setting
from muonscope.quality.seen import Seen
from muonscope.tracking.layout import layout_of as tracking_of

__all__ = ["CellEfficiency", "ChamberEfficiency"]


class _Missed(Cells):
    """A check of muons that were not seen."""

    unit = "muons not seen"
    needs_reference = needs_tracks = True

    def __init__(self, setting: Setting, scale: CellScale) -> None:
        """Begin without a window."""
        self._least = setting.settings.numbers["least_missed"]
        super().__init__(setting, scale)

    def counted(self, seen: Seen, quiet: Quiet) -> tuple[np.ndarray, np.ndarray]:
        """Return how many muons each cell has not seen, and how many are expected so."""
        assert seen.tracks
        assert self.reference.tracks
        self.scale.take(seen, quiet)
        share = np.maximum(self.reference.tracks.missed, self._least)
        return seen.tracks.missed, share * seen.tracks.expected


class ChamberEfficiency(_Missed):
    """Muons that the cells of a chamber have not seen, but for cells that are problems already."""

    name = "chamber_efficiency"

    def prepare(self) -> None:
        """Name the targets: chambers of a view without others are asked by no track."""
        self._chambers = tracking_of(self.reference.detector).beside_others
        self.targets = tuple(f"ch{c}" for c in self._chambers)
        self.subjects = tuple(f"chamber {c}" for c in self._chambers)

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        counts, n = self.counted(seen, quiet), self.layout.n_chambers
        usable = ~self.scale.frozen
        of = self.layout.chamber_of_cell[usable]
        missed, e = (np.bincount(of, x[usable], n)[self._chambers] for x in counts)
        frozen = quiet.chambers[self._chambers] | quiet.telescope
        return Measured(missed, e, np.ones(len(e)), frozen)

    def inhibit(self, quiet: Quiet) -> None:
        """Let a weak chamber be one problem, and not one for each of its cells."""
        weak = self._chambers[self._test.alarms.any(axis=0)]
        self.scale.frozen = self.scale.frozen | np.isin(self.layout.chamber_of_cell, weak)


class CellEfficiency(_Missed):
    """Muons that a cell has not seen; one that no muon has crossed is taken for a good one."""

    name = "cell_efficiency"

    def __init__(self, setting: Setting, scale: CellScale) -> None:
        """Begin without a window."""
        super().__init__(setting, scale)
        self._test.informed[:] = np.inf

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        missed, e = self.counted(seen, quiet)
        return Measured(missed, e, np.ones(len(e)), self.scale.frozen)
