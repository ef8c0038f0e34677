"""From words to the summaries of closed windows: the windower and the kernels joined."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Array, Block
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.fused import FusedPass
from muonscope.counting.hits import hits_of
from muonscope.counting.panes import Panes
from muonscope.counting.state import table_from_state, table_state
from muonscope.counting.summary import Summary, merged
from muonscope.counting.window_spec import Note, WindowSpec
from muonscope.counting.window_table import WindowSummary, WindowTable, joined
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import class_table
from muonscope.detector import Detector
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.words.layout import Words

__all__ = ["Counter"]

PART_PANES = 1024
"""Panes that are counted at once."""

_GATHERED = 64


class Counter:
    """Counts a stream of words window by window.

    ``push`` any split of the stream, then ``finish``; each returns the windows that were
    closed. What belongs to no window is in ``remainder``.
    """

    def __init__(
        self, detector: Detector, spec: WindowSpec | None = None, blocks: Sequence[Block] = BLOCKS
    ) -> None:
        """Start with no word seen; ``blocks`` say what is counted."""
        self.detector, self.spec, self.blocks = detector, spec or WindowSpec(), tuple(blocks)
        self._table = class_table(detector)
        self._needs_hits = any(block.needs_hits for block in self.blocks)
        self.windower = Windower(self._table, self.spec, halo=self._needs_hits)
        self._fused = FusedPass(detector, self._table)
        self._partial: dict[tuple[int, int], list[Summary]] = {}

    @property
    def words_in(self) -> int:
        """Number of words pushed."""
        return self.windower.words_in

    @property
    def epochs(self) -> int:
        """Number of epochs begun."""
        return self.windower.epochs

    @property
    def orbit(self) -> int | None:
        """Where the clock stands; None before the first hit."""
        return self.windower.orbit

    @property
    def remainder(self) -> Summary:
        """What belongs to no window: words without a time, of FPGAs without a clock."""
        (row,) = self.count(_no_pane(self.windower.remainder))
        return replace(row.summary, live_orbits=0)

    def push(self, words: Words, streams: StreamNumbers | None = None) -> WindowTable:
        """Take the next words; return the windows that they close."""
        return joined(list(self.push_in_parts(words, streams)))

    def push_in_parts(
        self, words: Words, streams: StreamNumbers | None = None
    ) -> Iterator[WindowTable]:
        """Take the next words; yield the windows that they close, some at a time.

        ``streams`` says which streams they are from, if these run side by side. However short
        the windows are, memory is bounded by :data:`PART_PANES` of them.
        """
        panes = self.windower.push(words, streams)
        return self._windows(panes, self.windower.closed_upto())

    def finish(self) -> WindowTable:
        """End the stream; return the windows that were still open."""
        return joined(list(self.finish_in_parts()))

    def finish_in_parts(self) -> Iterator[WindowTable]:
        """End the stream; yield the windows that were still open, some at a time."""
        return self._windows(self.windower.finish(), {})

    def notes(self) -> list[Note]:
        """Return what the windower noticed since the last call."""
        return self.windower.notes()

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is needed to go on, as plain arrays."""
        parts = [
            WindowSummary(epoch, window, 0, self._merged(summaries))
            for (epoch, window), summaries in self._partial.items()
        ]
        table = WindowTable.of(self.detector, self.spec.window_orbits, parts, blocks=self.blocks)
        return self.windower.snapshot() | table_state(table, "partial_")

    def restore(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on where ``snapshot`` was taken.

        Raises
        ------
        StateError
            If it was taken with other window lengths, or of other counts.
        """
        self.windower = Windower.restore(self._table, self.spec, snapshot, halo=self._needs_hits)
        table = table_from_state(
            snapshot, "partial_", self.detector, self.spec.pane_orbits, self.blocks
        )
        self._partial = {(w.epoch, w.window): [w.summary] for w in table}

    def count(self, panes: Panes) -> WindowTable:
        """Return the counts of closed panes; in the result, windows are panes."""
        fused = self._fused.count(panes) if any(block.fused for block in self.blocks) else {}
        hits = hits_of(panes, self.detector, self._table) if self._needs_hits else None
        columns: dict[str, Array] = {}
        for block in self.blocks:
            mine = hits if block.needs_hits else None
            counted = fused if block.fused else block.count(self.detector, panes, mine)
            columns |= {name: counted[name] for name in _names(block, self.detector)}
        return WindowTable(
            detector=self.detector,
            window_orbits=self.spec.pane_orbits,
            epoch=panes.epoch,
            window=panes.pane,
            columns=columns,
            blocks=self.blocks,
        )

    def _merged(self, summaries: Sequence[Summary]) -> Summary:
        return merged(summaries, self.detector, self.blocks)

    def _windows(self, panes: Panes, closed_upto: Mapping[int, int]) -> Iterator[WindowTable]:
        for begin in range(0, max(1, len(panes)), PART_PANES):
            table = self.count(panes.part(begin, begin + PART_PANES))
            if self.spec.panes == 1:
                yield table
            else:
                self._gather(table)
        if self.spec.panes > 1:
            yield self._completed(closed_upto)

    def _gather(self, panes: WindowTable) -> None:
        """Keep panes until their window is complete."""
        for part in panes:
            summaries = self._partial.setdefault((part.epoch, part.window // self.spec.panes), [])
            summaries.append(part.summary)
            if len(summaries) >= _GATHERED:
                summaries[:] = [self._merged(summaries)]

    def _completed(self, closed_upto: Mapping[int, int]) -> WindowTable:
        """Merge the panes of the windows that are complete."""
        done = [
            (epoch, window)
            for epoch, window in self._partial
            if epoch not in closed_upto or (window + 1) * self.spec.panes <= closed_upto[epoch]
        ]
        windows = [WindowSummary(*key, 0, self._merged(self._partial.pop(key))) for key in done]
        return WindowTable.of(self.detector, self.spec.window_orbits, windows, blocks=self.blocks)


def _no_pane(other: npt.NDArray[np.int64]) -> Panes:
    """Return a pane that holds words without a time, and no orbit."""
    zero = np.zeros(1, np.int64)
    return Panes(
        epoch=zero, pane=zero, start=zero, stop=zero, ends=zero, words=np.empty(0, np.uint64),
        other=other[None], halo_ends=zero,
    )  # fmt: skip


def _names(block: Block, detector: Detector) -> list[str]:
    """Return the names of all columns of ``block``."""
    ends = [block.list_ends] if block.list_columns else []
    return [*block.shapes(detector), *ends, *block.list_columns]
