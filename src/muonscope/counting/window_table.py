"""The summaries of many windows as columns, which is how the kernels make them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Detail, IntArray, Summary
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector
from muonscope.units import ORBIT_S

__all__ = ["WindowSummary", "WindowTable", "joined"]


@dataclass(frozen=True, slots=True, eq=False)
class WindowSummary:
    """The Summary of one window, and which window it is."""

    epoch: int
    window: int
    first_orbit: int
    summary: Summary

    @property
    def last_orbit(self) -> int:
        """Last orbit of the window, inclusive."""
        return self.first_orbit + self.summary.live_orbits - 1


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WindowTable(Sequence[WindowSummary]):
    """Summaries of many windows as columns; a sequence of :class:`WindowSummary`."""

    detector: Detector
    window_orbits: int
    """Orbits in a window."""
    epoch: IntArray
    """Shape (n,)."""
    window: IntArray
    """Shape (n,)."""
    class_words: IntArray
    """Shape (n, n_classes)."""
    other_words: IntArray
    """Shape (n, len(Timeless))."""
    scint_hits: IntArray
    """Shape (n, n_cells)."""
    drift_histogram: IntArray
    """Shape (n, n_chambers, 322)."""
    multiplicity: IntArray
    """Shape (n, n_chambers + 1, 64)."""
    orbit_ends: IntArray
    """Shape (n, n_chambers): where each list ends in ``orbits`` and ``orbit_hits``."""
    orbits: npt.NDArray[np.uint32]
    orbit_hits: npt.NDArray[np.uint32]
    drift_ends: IntArray
    """Shape (n, n_chambers): where each list ends in ``drift_orbits`` and ``drift_ticks``."""
    drift_orbits: npt.NDArray[np.uint32]
    drift_ticks: npt.NDArray[np.int32]
    outside: IntArray = field(default_factory=lambda: np.zeros(len(Timeless), np.int64))
    """Shape (len(Timeless),): words that belong to no window."""

    @classmethod
    def of(
        cls,
        detector: Detector,
        window_orbits: int,
        windows: Iterable[WindowSummary],
        outside: IntArray | None = None,
    ) -> "WindowTable":
        """Return the table of some windows; their summaries must have their detail."""
        rows = list(windows)
        empty = Summary.empty(detector)
        details = [w.summary.detail for w in rows]
        if any(detail is None for detail in details):
            raise ValueError("a WindowTable needs summaries with detail")
        kept = [d for d in details if d is not None]
        chambers = detector.n_chambers

        def column(name: str) -> IntArray:
            like = getattr(empty, name)
            return np.array([getattr(w.summary, name) for w in rows], np.int64).reshape(
                len(rows), *like.shape
            )

        def flat(name: str, dtype: type) -> npt.NDArray[Any]:
            parts = [part for detail in kept for part in getattr(detail, name)]
            return np.concatenate([np.empty(0, dtype), *parts])

        def ends(name: str) -> IntArray:
            lengths = [len(part) for detail in kept for part in getattr(detail, name)]
            return np.cumsum(lengths, dtype=np.int64).reshape(len(rows), chambers)

        return cls(
            detector=detector,
            window_orbits=window_orbits,
            epoch=np.array([w.epoch for w in rows], np.int64),
            window=np.array([w.window for w in rows], np.int64),
            class_words=column("class_words"),
            other_words=column("other_words"),
            scint_hits=column("scint_hits"),
            drift_histogram=column("drift_histogram"),
            multiplicity=column("multiplicity"),
            orbit_ends=ends("orbits"),
            orbits=flat("orbits", np.uint32),
            orbit_hits=flat("orbit_hits", np.uint32),
            drift_ends=ends("drift_orbits"),
            drift_orbits=flat("drift_orbits", np.uint32),
            drift_ticks=flat("drift_ticks", np.int32),
            outside=empty.other_words if outside is None else outside,
        )

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.epoch)

    def __getitem__(self, index: Any) -> Any:
        """Return one window, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self._row(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        return self._row(int(index) % len(self))

    def __iter__(self) -> Iterator[WindowSummary]:
        """Go through the windows in order."""
        return (self._row(i) for i in range(len(self)))

    def _row(self, i: int) -> WindowSummary:
        orbits, drifts = self.orbit_slices(i), self.drift_slices(i)
        summary = Summary(
            detector=self.detector,
            live_orbits=self.window_orbits,
            class_words=self.class_words[i],
            other_words=self.other_words[i],
            scint_hits=self.scint_hits[i],
            drift_histogram=self.drift_histogram[i],
            multiplicity=self.multiplicity[i],
            detail=Detail(
                tuple(self.orbits[s] for s in orbits),
                tuple(self.orbit_hits[s] for s in orbits),
                tuple(self.drift_orbits[s] for s in drifts),
                tuple(self.drift_ticks[s] for s in drifts),
            ),
        )
        window = int(self.window[i])
        return WindowSummary(int(self.epoch[i]), window, window * self.window_orbits, summary)

    def orbit_slices(self, i: int) -> list[slice]:
        """Return where in ``orbits`` each chamber's list of window ``i`` stands."""
        return _slices(self.orbit_ends, i)

    def drift_slices(self, i: int) -> list[slice]:
        """Return where in ``drift_ticks`` each chamber's list of window ``i`` stands."""
        return _slices(self.drift_ends, i)

    def total(self) -> Summary:
        """Return the merge of all windows and what is outside them, condensed."""
        return Summary(
            detector=self.detector,
            live_orbits=self.window_orbits * len(self),
            class_words=self.class_words.sum(axis=0),
            other_words=self.other_words.sum(axis=0) + self.outside,
            scint_hits=self.scint_hits.sum(axis=0),
            drift_histogram=self.drift_histogram.sum(axis=0),
            multiplicity=self.multiplicity.sum(axis=0),
        )

    def __repr__(self) -> str:
        """Return one line: how many windows, of what length, and their total."""
        length = self.window_orbits * ORBIT_S
        return f"<{len(self)} windows of {length:.4g} s; total {self.total()!r}>"


def joined(tables: Sequence[WindowTable]) -> WindowTable:
    """Return one table of the windows of several, at least one, in order."""
    if len(tables) == 1:
        return tables[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables]) for name in _ROWS + _FLAT
    }
    for name, flat in (("orbit_ends", "orbits"), ("drift_ends", "drift_orbits")):
        lengths = [len(getattr(table, flat)) for table in tables]
        shifts = np.cumsum([0, *lengths[:-1]])
        columns[name] = np.concatenate(
            [getattr(table, name) + shift for table, shift in zip(tables, shifts, strict=True)]
        )
    return WindowTable(
        detector=tables[0].detector,
        window_orbits=tables[0].window_orbits,
        outside=np.sum([table.outside for table in tables], axis=0),
        **columns,
    )


_ROWS = (
    "epoch", "window", "class_words", "other_words", "scint_hits", "drift_histogram",
    "multiplicity",
)  # fmt: skip
_FLAT = ("orbits", "orbit_hits", "drift_orbits", "drift_ticks")


def _slices(ends: IntArray, i: int) -> list[slice]:
    row = ends[i].tolist()
    begin = int(ends[i - 1, -1]) if i > 0 else 0
    return [slice(a, b) for a, b in zip([begin, *row[:-1]], row, strict=True)]
