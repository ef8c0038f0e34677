"""One of two runs that are compared: its counts, and how much they scatter among its windows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Summary, merged
from muonscope.quality.compared import Counted, counts_of, shapes_of

__all__ = ["LEAST_WINDOWS", "CountScatter", "ShapeScatter", "Side", "SideBuilder"]

Array = npt.NDArray[Any]

LEAST_WINDOWS = 8
"""Windows of both runs together that tell a dispersion."""

_JOINED = 64
"""Windows that are added up at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountScatter:
    """Sums over the windows of a run for a family, shape (targets,)."""

    n: Array
    exposure: Array
    squares: Array
    """Of n^2 / exposure, where there is an exposure."""
    windows: Array

    def chi_square(self) -> Array:
        """Return the sum of (n - e)^2 / e with the rate of this run; 0 where it has no counts.

        For Poisson counts its mean is the number of windows less one, however short they are.
        """
        exposed = self.exposure > 0
        rate = np.where(exposed, self.n / np.where(exposed, self.exposure, 1.0), 0.0)
        some = rate > 0
        return np.where(some, self.squares / np.where(some, rate, 1.0) - self.n, 0.0)

    def degrees(self) -> Array:
        """Return the degrees of freedom of that sum."""
        return np.where(self.n > 0, np.maximum(self.windows - 1, 0), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeScatter:
    """Sums over the windows of a run for the histograms of one kind."""

    products: Array
    """Shape (targets, bins, bins): sums of n_i n_j / N over windows with N entries."""
    windows: Array
    """Shape (targets,): windows with entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The counts of a run."""

    name: str
    summary: Summary
    """The sum of its windows, condensed."""
    windows: int = 1
    tells_all: bool = True
    """Whether no window is of version 1, which tells less."""
    counts: dict[str, CountScatter] = field(default_factory=dict)
    """By family; empty where windows are not known one by one."""
    shapes: dict[str, ShapeScatter] = field(default_factory=dict)


class SideBuilder:
    """Gathers the windows of a run."""

    def __init__(self, name: str, empty: Summary) -> None:
        """Begin without a window; ``empty`` has the detector and the blocks."""
        self._name, self._total = name, empty.condensed()
        self._waiting: list[Summary] = []
        self._windows, self._tells_all, self._mixed = 0, True, False
        self._counts: dict[str, list[Array]] = {}
        self._shapes: dict[str, list[Array]] = {}

    def add(self, summary: Summary, *, tells_all: bool = True) -> None:
        """Take a window."""
        self._mixed = self._mixed or (self._windows > 0 and tells_all != self._tells_all)
        self._windows += 1
        self._tells_all = self._tells_all and tells_all
        for name, counted in counts_of(summary, tells_all=tells_all).items():
            _add(self._counts, name, _count_sums(counted))
        for name, rows in shapes_of(summary, tells_all=tells_all).items():
            _add(self._shapes, name, _shape_sums(rows))
        self._waiting.append(summary.condensed())
        if len(self._waiting) >= _JOINED:
            self._join()

    def _join(self) -> None:
        total = self._total
        self._total = merged([total, *self._waiting], total.detector, total.blocks)
        self._waiting = []

    def build(self) -> Side:
        """Return what the windows are together."""
        self._join()
        if self._mixed:  # windows of different versions count different things
            self._counts, self._shapes = {}, {}
        return Side(
            name=self._name, summary=self._total, windows=self._windows, tells_all=self._tells_all,
            counts={
                name: CountScatter(n=n, exposure=t, squares=squares, windows=windows)
                for name, (n, t, squares, windows) in self._counts.items()
            },
            shapes={
                name: ShapeScatter(products=products, windows=windows)
                for name, (products, windows) in self._shapes.items()
            },
        )  # fmt: skip


def _add(sums: dict[str, list[Array]], name: str, more: list[Array]) -> None:
    sums[name] = [a + b for a, b in zip(sums[name], more, strict=True)] if name in sums else more


def _count_sums(counted: Counted) -> list[Array]:
    n, t = counted.n, counted.exposure
    there = t > 0
    squares = np.where(there, n * n / np.where(there, t, 1.0), 0.0)
    return [np.where(there, n, 0.0), t, squares, there.astype(np.int64)]


def _shape_sums(rows: Array) -> list[Array]:
    entries = rows.sum(axis=1)
    weight = 1 / np.maximum(entries, 1)
    products = rows[:, :, None] * (rows * weight[:, None])[:, None, :]
    return [products, (entries > 0).astype(np.int64)]
