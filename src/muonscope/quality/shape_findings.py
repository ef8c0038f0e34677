"""Findings of histograms: whether their shapes are the same, row by row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.compared import Shape, shapes_by_name, shapes_of
from muonscope.quality.comparison import Finding
from muonscope.quality.histogram_test import ShapeTest, distance, pooled_bins, shape_test
from muonscope.quality.pair import Pair
from muonscope.quality.ratio_intervals import holm, ratios, student_widening
from muonscope.quality.side import LEAST_WINDOWS, ShapeScatter

__all__ = ["ComparedShapes", "compared_shapes"]

Array = npt.NDArray[Any]

_SEED = 1979
"""Of the histograms that are drawn: the same of the same runs, every time."""

_AFTER_COUNTS = 100
"""Order of findings of histograms, after counts of the same size."""

_ENTRIES = 10.0
"""Entries of both runs that bins are to have when their scatter is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedShapes:
    """Histograms of one kind of both sides, shape (targets, bins)."""

    shape: Shape
    run: Array
    reference: Array

    @property
    def usable(self) -> Array:
        """Rows of which there is something to compare."""
        usable: Array = self.run.sum(axis=1) + self.reference.sum(axis=1) > 0
        return usable

    def findings(self, pair: Pair, shares: int) -> Iterator[Finding]:
        """Yield what was found; ``shares`` families have a part of the level each."""
        rows = np.flatnonzero(self.usable).tolist()
        rng = np.random.default_rng(_SEED)
        tests, phis = list[ShapeTest](), list[float]()
        for row in rows:
            phis.append(self._dispersion(pair, row, pair.level / (shares * len(rows))))
            tests.append(self._test(pair, row, phis[-1], rng))
        corrected = np.minimum(1.0, holm([t.p for t in tests]) * shares)
        for row, test, phi, p in zip(rows, tests, phis, corrected.tolist(), strict=True):
            one, other = self.run[row], self.reference[row]
            size = distance(one, other)
            rank = min(1.0, 2 * size)
            if test.method == "one is empty":
                size, rank = 1.0, self._sure(pair, row, phi)
            shape = self.shape
            yield Finding(
                what=shape.name, target=shape.targets[row], subject=shape.subjects[row],
                unit=shape.label, difference=pair.difference(p, size, pair.least_size / 2),
                n=int(one.sum()), reference_n=int(other.sum()), expected=float(other.sum()),
                size=size, p=test.p, p_corrected=p, phi=phi, tested=len(rows), method=test.method,
                rank=rank, order=_AFTER_COUNTS,
            )  # fmt: skip

    def _test(self, pair: Pair, row: int, phi: float, rng: np.random.Generator) -> ShapeTest:
        one, other = self.run[row], self.reference[row]
        n, m = int(one.sum()), int(other.sum())
        if n and m:
            return shape_test(one, other, phi, rng)
        # nothing has no shape; that there is nothing is told by the number of entries
        p = float(ratios(n, m, pair.scaling, phi).p)
        return ShapeTest(p=p, g=0.0, bins=0, method="one is empty")

    def _sure(self, pair: Pair, row: int, phi: float) -> float:
        """Return how much less than the other's are the entries of a histogram that has none."""
        n, m = (int(x[row].sum()) for x in (self.run, self.reference))
        found = ratios(n, m, pair.scaling, phi, 1 - pair.level)
        return float(1 - found.high if m else 1 - 1 / max(1.0, float(found.low)))

    def _dispersion(self, pair: Pair, row: int, level: float) -> float:
        """Return how much more than independent entries those of a row scatter, at least 1."""
        scatters: list[ShapeScatter] = pair.scatters("shapes", self.shape.name)
        squares, degrees = 0.0, 0.0
        firsts = pooled_bins(self.run[row] + self.reference[row], _ENTRIES)
        for scatter in scatters:
            products, windows = scatter.products[row], int(scatter.windows[row])
            if windows:
                more, bins = _chi_square(products, firsts)
                squares += more
                degrees += (windows - 1) * (bins - 1)
        if not sum(int(s.windows[row]) for s in scatters) >= LEAST_WINDOWS or degrees <= 0:
            return self.shape.usual_phi
        return max(1.0, squares / degrees) * student_widening(round(degrees), level)


def _chi_square(products: Array, firsts: Array) -> tuple[float, int]:
    """Return the sum over windows of (n - N p)^2 / (N p) with the shape p of all, and its bins.

    ``products`` are the sums of n_i n_j / N; bins are joined from each of ``firsts`` on.
    """
    joined = np.add.reduceat(np.add.reduceat(products, firsts, axis=0), firsts, axis=1)
    entries = joined.sum(axis=1)  # over j, n_j / N is 1
    there = entries > 0
    total = entries.sum()
    return float((np.diag(joined)[there] * total / entries[there]).sum() - total), int(there.sum())


def compared_shapes(pair: Pair) -> list[ComparedShapes]:
    """Return the kinds of histograms that both sides have."""
    run, reference = (
        shapes_of(side.summary, tells_all=pair.tells_all) for side in (pair.run, pair.reference)
    )
    return [
        ComparedShapes(shape=shape, run=run[name], reference=reference[name])
        for name, shape in shapes_by_name(pair.run.summary.detector).items()
        if name in run and name in reference
    ]
