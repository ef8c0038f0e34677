"""The halo of closed panes: the words of the orbit before each and of the orbit after it.

The pane before has closed already: of the newest one of each epoch the last orbit is kept
until the next pane closes. The pane after may be open still; of it count the words that had
come when the pane closed, so that a halo does not depend on how the stream was cut. With a
halo a pane closes one orbit later than the lateness asks, when the orbit after it is
complete. At the ends of an epoch, beside a hole, at the end of the stream, and where a pane
is closed before its time, the halo is what is there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.panes import Panes
from muonscope.errors import StateError
from muonscope.words.layout import Words

__all__ = ["HaloKeeper"]

IntArray = npt.NDArray[np.int64]
_NAMES = ("halo_panes", "halo_ends", "halo_words")


class HaloKeeper:
    """Gives closed panes their halo; remembers one orbit of each open epoch."""

    def __init__(self) -> None:
        """Begin with nothing to remember."""
        self._kept: dict[int, tuple[int, Words]] = {}

    def attach(
        self, panes: Panes, following: IntArray, seen: IntArray, beside: Sequence[Words],
    ) -> Panes:  # fmt: skip
        """Return ``panes`` with their halo.

        Parameters
        ----------
        panes
            Closed panes, in the order of closing.
        following
            Shape (n,): which of ``panes`` follows each, then which of ``beside``; or -1.
        seen
            Shape (n,): how many words of that count, the first ones.
        beside
            The words of panes that are not closed.
        """
        from muonscope.counting._hits import take_halo  # compiled code that few runs need

        previous, kept = self._previous(panes, len(panes) + len(beside))
        pieces = [*beside, *kept]
        lengths = np.array([len(piece) for piece in pieces], np.int64)
        words = np.concatenate([panes.words, *pieces])
        ends = np.concatenate([panes.ends, len(panes.words) + np.cumsum(lengths)])
        sizes = np.append(np.diff(ends, prepend=0), 0)  # -1 is none
        most = int(sizes[previous].sum() + seen[following >= 0].sum())
        halo, halo_ends = np.empty(most, np.uint64), np.zeros(len(panes), np.int64)
        take_halo(words, ends, panes.start, panes.stop, previous, following, seen, halo, halo_ends)
        self._keep(panes)
        filled = int(halo_ends[-1]) if len(panes) else 0
        return replace(panes, halo=halo[:filled].copy(), halo_ends=halo_ends)

    def _previous(self, panes: Panes, n: int) -> tuple[IntArray, list[Words]]:
        """Return which piece comes before each pane, and pieces that are kept, from ``n`` on."""
        previous, kept = np.full(len(panes), -1, np.int64), list[Words]()
        order = np.lexsort((panes.pane, panes.epoch))
        epoch, pane = panes.epoch[order], panes.pane[order]
        same = epoch[1:] == epoch[:-1]
        adjacent = same & (pane[1:] == pane[:-1] + 1)
        previous[order[1:][adjacent]] = order[:-1][adjacent]
        for i in order[np.append(True, ~same)[: len(order)]].tolist():
            before, words = self._kept.get(int(panes.epoch[i]), (-1, None))
            if words is not None and before == panes.pane[i] - 1:
                previous[i] = n + len(kept)
                kept.append(words)
        return previous, kept

    def _keep(self, panes: Panes) -> None:
        """Remember the last orbit of the newest pane of each epoch."""
        newest = {epoch: i for i, epoch in enumerate(panes.epoch.tolist())}
        for epoch, i in newest.items():
            words = panes.words[int(panes.ends[i - 1]) if i else 0 : int(panes.ends[i])]
            orbits = words >> np.uint64(17) & np.uint64(0xFFFFFFFF)
            last = words[orbits == np.uint64(panes.stop[i] - 1)]
            self._kept[epoch] = int(panes.pane[i]), last

    def forget(self, epochs: Collection[int]) -> None:
        """Forget all but the ``epochs`` that are open."""
        self._kept = {epoch: kept for epoch, kept in self._kept.items() if epoch in epochs}

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return what is remembered as plain arrays."""
        words = [words for _, words in self._kept.values()]
        places = [(epoch, pane) for epoch, (pane, _) in self._kept.items()]
        arrays = (
            np.array(places, np.int64).reshape(-1, 2),
            np.cumsum([len(some) for some in words], dtype=np.int64),
            np.concatenate([np.empty(0, np.uint64), *words]),
        )
        return dict(zip(_NAMES, arrays, strict=True))

    def restore(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        """Remember what ``snapshot`` says.

        Raises
        ------
        StateError
            If it says nothing of a halo.
        """
        if missing := [name for name in _NAMES if name not in snapshot]:
            raise StateError(f"saved state: found no {missing[0]}, expected the halo of panes")
        places, ends, words = (snapshot[name] for name in _NAMES)
        parts = np.split(words, ends[:-1]) if len(ends) else []
        self._kept = {
            epoch: (pane, part) for (epoch, pane), part in zip(places.tolist(), parts, strict=True)
        }
