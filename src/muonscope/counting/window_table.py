"""The summaries of many windows as columns, which is how the kernels make them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from muonscope.counting.block import Array, Arrays, Block, Columns, IntArray, Lists
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.summary import Summary, merged
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
    columns: Arrays
    """The arrays of all blocks by name, shape (n, ...); columns of lists, flat, and their
    ends, shape (n, n_chambers)."""
    blocks: tuple[Block, ...] = BLOCKS
    """What is counted."""
    outside: Summary | None = None
    """What belongs to no window, where that is known."""

    @classmethod
    def of(
        cls,
        detector: Detector,
        window_orbits: int,
        windows: Iterable[WindowSummary],
        *,
        blocks: Sequence[Block] = BLOCKS,
    ) -> "WindowTable":
        """Return the table of some windows; their summaries must have their lists.

        Raises
        ------
        ValueError
            If a summary is condensed.
        """
        rows = list(windows)
        lists = [w.summary.lists for w in rows if w.summary.lists is not None]
        if len(lists) != len(rows):
            raise ValueError("a WindowTable needs summaries with detail, found a condensed one")
        columns: Columns = {}
        for block in blocks:
            for name, shape in block.shapes(detector).items():
                found = [w.summary.arrays[name] for w in rows]
                columns[name] = np.array(found, np.int64).reshape(len(rows), *shape)
            for name, dtype in block.list_columns.items():
                parts = [part for one in lists for part in one[name]]
                lengths = [len(part) for part in parts]
                ends = np.cumsum(lengths, dtype=np.int64).reshape(len(rows), detector.n_chambers)
                columns[block.list_ends] = ends
                columns[name] = np.concatenate([np.empty(0, dtype), *parts])
        return cls(
            detector=detector,
            window_orbits=window_orbits,
            epoch=np.array([w.epoch for w in rows], np.int64),
            window=np.array([w.window for w in rows], np.int64),
            columns=columns,
            blocks=tuple(blocks),
        )

    @property
    def class_words(self) -> IntArray:
        """Shape (n, n_classes): words per cell, then per scintillator, then per trigger."""
        return self.columns["class_words"]

    @property
    def other_words(self) -> IntArray:
        """Shape (n, len(Timeless)): words without a usable time."""
        return self.columns["other_words"]

    @property
    def scint_hits(self) -> IntArray:
        """Shape (n, n_cells): hits in orbits that have a scintillator hit."""
        return self.columns["scint_hits"]

    @property
    def drift_histogram(self) -> IntArray:
        """Shape (n, n_chambers, 322): below -100 ns, 320 bins of 2.5 ns, from 700 ns on."""
        return self.columns["drift_histogram"]

    @property
    def multiplicity(self) -> IntArray:
        """Shape (n, n_chambers + 1, 64): orbits by number of hits; last row: all chambers."""
        return self.columns["multiplicity"]

    @property
    def orbit_ends(self) -> IntArray:
        """Shape (n, n_chambers): where each list ends in ``orbits`` and ``orbit_hits``."""
        return self.columns["orbit_ends"]

    @property
    def orbits(self) -> Array:
        """Orbits that have hits, one chamber's list after the other."""
        return self.columns["orbits"]

    @property
    def orbit_hits(self) -> Array:
        """Hits of the chamber in each of them."""
        return self.columns["orbit_hits"]

    @property
    def drift_ends(self) -> IntArray:
        """Shape (n, n_chambers): where each list ends in ``drift_orbits`` and ``drift_ticks``."""
        return self.columns["drift_ends"]

    @property
    def drift_orbits(self) -> Array:
        """Orbit of each drift time."""
        return self.columns["drift_orbits"]

    @property
    def drift_ticks(self) -> Array:
        """Drift times in TDC ticks, less the chamber's offset."""
        return self.columns["drift_ticks"]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.epoch)

    def __getitem__(self, index: Any) -> Any:
        """Return one window, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self.row(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")
        return self.row(int(index) % len(self))

    def __iter__(self) -> Iterator[WindowSummary]:
        """Go through the windows in order."""
        return (self.row(i) for i in range(len(self)))

    def row(self, i: int) -> WindowSummary:
        """Return window ``i``."""
        summary = Summary(
            detector=self.detector,
            live_orbits=self.window_orbits,
            arrays={name: self.columns[name][i] for name in self._array_names()},
            lists=self._lists(i),
            blocks=self.blocks,
        )
        window = int(self.window[i])
        return WindowSummary(int(self.epoch[i]), window, window * self.window_orbits, summary)

    def _array_names(self) -> list[str]:
        return [name for block in self.blocks for name in block.shapes(self.detector)]

    def _lists(self, i: int) -> Lists:
        lists: dict[str, tuple[Array, ...]] = {}
        for block in self.blocks:
            if block.list_columns:
                mine = _slices(self.columns[block.list_ends], i)
                for name in block.list_columns:
                    column = self.columns[name]
                    lists[name] = tuple(column[one] for one in mine)
        return lists

    def total(self) -> Summary:
        """Return the merge of all windows and what is outside them, condensed."""
        total = Summary(
            detector=self.detector,
            live_orbits=self.window_orbits * len(self),
            arrays={
                name: block.merged(name, self.columns[name])
                for block in self.blocks
                for name in block.shapes(self.detector)
            },
            blocks=self.blocks,
        )
        return total if self.outside is None else total.merge(self.outside)

    def __repr__(self) -> str:
        """Return one line: how many windows, of what length, and their total."""
        length = self.window_orbits * ORBIT_S
        return f"<{len(self)} windows of {length:.4g} s; total {self.total()!r}>"


def joined(tables: Sequence[WindowTable]) -> WindowTable:
    """Return one table of the windows of several, at least one, in order."""
    if len(tables) == 1:
        return tables[0]
    columns = {
        name: np.concatenate([table.columns[name] for table in tables])
        for name in tables[0].columns
    }
    for block in tables[0].blocks:
        for name in list(block.list_columns)[:1]:
            shifts = np.cumsum([0, *(len(table.columns[name]) for table in tables[:-1])])
            ends = [table.columns[block.list_ends] for table in tables]
            columns[block.list_ends] = np.concatenate(
                [some + shift for some, shift in zip(ends, shifts, strict=True)]
            )
    outside = [table.outside for table in tables if table.outside is not None]
    return WindowTable(
        detector=tables[0].detector,
        window_orbits=tables[0].window_orbits,
        epoch=np.concatenate([table.epoch for table in tables]),
        window=np.concatenate([table.window for table in tables]),
        columns=columns,
        blocks=tables[0].blocks,
        outside=merged(outside, tables[0].detector, tables[0].blocks) if outside else None,
    )


def _slices(ends: IntArray, i: int) -> list[slice]:
    row = ends[i].tolist()
    begin = int(ends[i - 1, -1]) if i > 0 else 0
    return [slice(a, b) for a, b in zip([begin, *row[:-1]], row, strict=True)]
