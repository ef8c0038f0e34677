"""Findings of counts: ratios of rates with exact intervals, family by family."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Summary
from muonscope.quality.compared import Compared, Counted, counts_of, families_of
from muonscope.quality.comparison import Finding
from muonscope.quality.pair import Pair
from muonscope.quality.ratio_intervals import Ratios, holm, ratios, student_widening
from muonscope.quality.side import LEAST_WINDOWS, CountScatter

__all__ = ["ComparedCounts", "compared_counts"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedCounts:
    """A family of counts of both sides."""

    family: Compared
    run: Counted
    reference: Counted
    exposure: Array
    """Of the run by that of the reference; 0 where either has none."""

    @property
    def usable(self) -> Array:
        """Targets of which there is something to compare."""
        usable: Array = (self.exposure > 0) & (self.run.n + self.reference.n > 0)
        return usable

    def findings(self, pair: Pair, shares: int) -> Iterator[Finding]:
        """Yield what was found; ``shares`` families have a part of the level each."""
        at = np.flatnonzero(self.usable)
        if not len(at):
            return
        n, m, t = self.run.n[at], self.reference.n[at], self.exposure[at]
        phi = self._dispersion(pair, pair.level / (shares * len(at)))[at]
        found = ratios(n, m, t, phi, 1 - pair.level)
        corrected = np.minimum(1.0, holm(found.p) * shares)
        for i, target in enumerate(at.tolist()):
            yield self._finding(pair, found, (i, target), float(corrected[i]), float(phi[i]))

    def _finding(
        self, pair: Pair, found: Ratios, at: tuple[int, int], corrected: float, phi: float
    ) -> Finding:
        i, target = at
        family, ratio = self.family, float(found.value[i])
        size, efficiencies = ratio - 1, None
        low, high = float(found.low[i]), float(found.high[i])
        # of what differs at least so much is sure: 0 .. 1, the same for twice and for half
        rank = max(0.0, 1 - 1 / low if low > 1 else 1 - high)
        if family.missed:
            mine, other = (
                1 - float(side.n[target] / side.exposure[target])
                for side in (self.run, self.reference)
            )
            efficiencies = mine, other
            size = mine / other - 1 if other > 0 else (np.inf if mine > 0 else 0.0)
            rank = min(abs(size), 1.0)
        return Finding(
            what=family.name, target=family.targets[target], subject=family.subjects[target],
            unit=family.unit, difference=pair.difference(corrected, size, pair.least_size),
            n=int(self.run.n[target]), reference_n=int(self.reference.n[target]),
            expected=float(self.reference.n[target] * self.exposure[target]), size=float(size),
            p=float(found.p[i]), p_corrected=corrected, phi=phi, tested=len(found.p),
            method="exact", rank=rank, order=family.order, ratio=ratio, low=low, high=high,
            efficiencies=efficiencies,
        )  # fmt: skip

    def _dispersion(self, pair: Pair, level: float) -> Array:
        """Return how much more than Poisson's counts of each target scatter, at least 1."""
        scatters: list[CountScatter] = pair.scatters("counts", self.family.name)
        phi = np.full(len(self.exposure), self.family.usual_phi)
        if self.family.name == "cell_trains":
            phi = _of_trains(self.run, self.reference, pair)
        if scatters:
            degrees = sum((s.degrees() for s in scatters), np.zeros(len(phi)))
            squares = sum((s.chi_square() for s in scatters), np.zeros(len(phi)))
            told = degrees >= LEAST_WINDOWS - 2
            measured = np.maximum(squares / np.maximum(degrees, 1), 1.0)
            widening = {d: student_widening(d, level) for d in set(degrees[told].tolist())}
            measured *= [widening.get(d, 1.0) for d in degrees.tolist()]
            phi = np.where(told, measured, phi)
        least_one: Array = np.maximum(phi, 1.0)
        return least_one


def _of_trains(run: Counted, reference: Counted, pair: Pair) -> Array:
    """Return the dispersion of hits beyond the first of their train, if lengths are geometric.

    With m hits in a train in the mean it is 2 m - 1; a train is taken to be an occupied
    millisecond.
    """
    sides = (pair.run.summary, pair.reference.summary)
    occupied = sum(s.arrays["occupied"] for s in sides)
    phi: Array = 2 * (1 + (run.n + reference.n) / np.maximum(occupied, 1)) - 1
    return phi


def compared_counts(pair: Pair) -> list[ComparedCounts]:
    """Return the families that both sides tell of."""
    run, reference = (_counts(side.summary, pair) for side in (pair.run, pair.reference))
    made = []
    for name, family in families_of(pair.run.summary.detector).items():
        if name in run and name in reference:
            mine, other = run[name], reference[name]
            there = (mine.exposure > 0) & (other.exposure > 0)
            exposure = np.where(there, mine.exposure / np.where(there, other.exposure, 1.0), 0.0)
            if family.timed and pair.scale != "live":
                exposure = np.where(there, pair.scaling, 0.0)
            made.append(ComparedCounts(family=family, run=mine, reference=other, exposure=exposure))
    return made


def _counts(summary: Summary, pair: Pair) -> dict[str, Counted]:
    return counts_of(summary, tells_all=pair.tells_all)
