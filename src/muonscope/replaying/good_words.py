"""The words of the windows that a good-run list names, as counting puts them into windows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from muonscope.counting.panes import Panes
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import class_table
from muonscope.detector import Detector
from muonscope.intake.batch import WordBatch
from muonscope.results.good_list import GoodList
from muonscope.words.layout import Words

__all__ = ["GoodWords"]


@dataclass(slots=True, kw_only=True)
class GoodWords:
    """Picks the words of good windows of one run; counts those of others."""

    detector: Detector
    good: GoodList
    run: str
    spec: WindowSpec
    left_out: int = 0
    """Words of other windows, and words that belong to none."""

    def chosen(
        self, batches: Iterable[WordBatch], look: Callable[[WordBatch], None]
    ) -> Iterator[Words]:
        """Yield the words of good windows, window by window, as the windows close.

        ``look`` gets each batch first.
        """
        windower = Windower(class_table(self.detector), self.spec)
        words = taken = 0
        for batch in batches:
            look(batch)
            words += len(batch.words)
            for some in self._good(windower.push(batch.words, batch.streams)):
                taken += len(some)
                yield some
        for some in self._good(windower.finish()):
            taken += len(some)
            yield some
        self.left_out = words - taken

    def _good(self, panes: Panes) -> Iterator[Words]:
        ends = panes.ends.tolist()
        windows = (panes.pane // self.spec.panes).tolist()
        for i, (epoch, window) in enumerate(zip(panes.epoch.tolist(), windows, strict=True)):
            if self.good.holds(self.run, epoch, window):
                yield np.ascontiguousarray(panes.words[ends[i - 1] if i else 0 : ends[i]])
