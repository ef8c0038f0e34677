"""Checks of cells, each beside those of its layer."""

from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.check import CountCheck, Measured, Quiet, Setting
from muonscope.quality.common import CommonMode
from muonscope.quality.reference import Reference
from muonscope.quality.seen import Seen, layout_of
from muonscope.quality.verdict import State

__all__ = ["CellDead", "CellRate", "CellScale", "CellTrains", "Cells"]

Array = npt.NDArray[Any]

_FEW_HOT = 2
"""Cells of a chamber that may stand out without it being the chamber that has changed."""

_DEAD_BEFORE = 0.02
"""A cell below this part of its layer's median in the reference was dead there."""


class CellScale:
    """What all checks of cells share: how much is expected of each beside its layer."""

    def __init__(self, reference: Reference) -> None:
        """Take the rates that are expected."""
        self._hz, self._layout = reference.occupied_hz, layout_of(reference.detector)
        layer = self._layout.layer_of_cell
        # without a reference nothing is known of a rate but what the layer tells
        self._mode = CommonMode(layer, 1.0 if reference.whole else 0.0)
        median = np.array([np.median(self._hz[layer == g]) for g in range(int(layer.max()) + 1)])
        self._not_there = self._hz < _DEAD_BEFORE * median[layer]
        """Cells that were dead in the reference already."""
        self._seen: Seen | None = None
        self.scale: Array = np.zeros(0)
        self.frozen: Array = np.zeros(0, np.bool_)
        """Live time times the factor of the layer, s; and what is not judged."""

    def take(self, seen: Seen, quiet: Quiet) -> None:
        """Take the next window, unless another check has given it already."""
        if seen is self._seen:
            return
        self._seen = seen
        chamber = self._layout.chamber_of_cell
        live = seen.chamber_live_s[chamber]
        frozen = quiet.chambers[chamber] | self._not_there
        if quiet.telescope or not seen.tells_all:
            frozen = np.ones(len(frozen), np.bool_)
        factor = self._mode.factor(seen.occupied, self._hz * live, seen.live_s, frozen)
        self.scale, self.frozen = live * factor, frozen | (factor <= 0)


class Cells(CountCheck):
    """A check of every cell beside its layer."""

    def __init__(self, setting: Setting, scale: CellScale) -> None:
        """Begin without a window; ``scale`` is that of all these checks."""
        self.scale = scale
        super().__init__(setting)

    def prepare(self) -> None:
        """Name the targets."""
        self.targets, self.subjects = self.layout.cell_names, self.layout.cell_texts


class CellDead(Cells):
    """Occupied milliseconds of each cell, for those that have none."""

    name, unit = "cell_dead", "occupied ms"

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        self.scale.take(seen, quiet)
        e = self.reference.occupied_hz * self.scale.scale
        return Measured(seen.occupied, e, np.ones(len(e)), self.scale.frozen)

    def inhibit(self, quiet: Quiet) -> None:
        """Add what is bad to ``quiet``."""
        self.scale.frozen = self.scale.frozen | (self._test.states() == State.BAD)


class CellRate(Cells):
    """Occupied milliseconds of each cell, for those that have too few or too many."""

    name, unit = "cell_rate", "occupied ms"

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        self.scale.take(seen, quiet)
        e = self.reference.occupied_hz * self.scale.scale
        return Measured(seen.occupied, e, self.reference.occupied_phi, self.scale.frozen)

    def inhibit(self, quiet: Quiet) -> None:
        """Let a cell whose rate has changed be that one problem."""
        self.scale.frozen = self.scale.frozen | self._test.alarms.any(axis=0)

    def excess(self, seen: Seen) -> Array:
        """Return the occupied ms of each chamber that its hot cells have more than usual.

        Hot are those that are known to be, and in each chamber a few that stand out now.
        """
        chamber, n = self.layout.chamber_of_cell, self.layout.n_chambers
        usual = self.reference.occupied_hz * seen.chamber_live_s[chamber]
        out = seen.occupied > 3 * usual + 8 * np.sqrt(usual) + 8
        rules = [i for i, rule in enumerate(self._test.rules) if rule.ratio > 1]
        known = self._test.alarms[rules].any(axis=0)
        if not (out.any() or known.any()):
            return np.zeros(n)
        few = np.bincount(chamber, out & ~known, n) <= _FEW_HOT
        hot = known | (out & few[chamber])
        more = np.where(hot, np.maximum(0.0, seen.occupied - usual), 0.0)
        return np.bincount(chamber, more, n)


class CellTrains(Cells):
    """Hits of each cell beyond the first of their millisecond."""

    name, unit = "cell_trains", "hits within a ms of others"
    needs_reference = True
    _LEAST_HZ, _LEAST_PHI, _MOST = 0.5, 4.0, 10.0
    """One train alone, however long, is no news: above its usual number a window counts for at
    most ten hits, and they are taken to scatter four times as much as by chance."""

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        self.scale.take(seen, quiet)
        e = np.maximum(self.reference.extra_hz, self._LEAST_HZ) * self.scale.scale
        n = np.minimum(seen.hits - seen.occupied, self._MOST + 4 * e)
        phi = np.maximum(self._LEAST_PHI, self.reference.extra_phi)
        return Measured(n, e, phi, self.scale.frozen)
