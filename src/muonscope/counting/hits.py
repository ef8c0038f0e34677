"""The hits of closed panes with their times, for blocks that need more than counts.

One table is made for all of them, and only where a block asks for it. A pane's hits come
with a halo: those of the orbit before it and of the orbit after it, so that what reaches
over a pane's edge is seen whole from both sides; ``own`` tells which hits the pane holds.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.counting.panes import Panes
from muonscope.counting.word_classes import CHAMBER_SHIFT, SCINTILLATOR, ClassTable
from muonscope.detector import Detector
from muonscope.units import BX_PER_ORBIT
from muonscope.words.layout import Words

__all__ = ["Hits", "hit_times", "hits_of", "scintillator_hits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Hits on cells, pane by pane, in each sorted by (time, chamber, cell)."""

    ends: npt.NDArray[np.int64]
    """Shape (n_panes,): pane i has hits ``ends[i - 1]`` up to ``ends[i]``, halo included."""
    time: npt.NDArray[np.int64]
    """Shape (n,): (orbit * 3564 + BX) * ticks_per_bx + TDC, in ticks from orbit 0."""
    cell: npt.NDArray[np.int64]
    """Shape (n,): index of the cell, 0 .. n_cells - 1."""
    chamber: npt.NDArray[np.int64]
    """Shape (n,)."""
    own: npt.NDArray[np.bool_]
    """Shape (n,): whether the orbit of the hit is the pane's, and not of its halo."""


def hit_times(words: Words, detector: Detector) -> npt.NDArray[np.int64]:
    """Return the times of hit words, as in :class:`Hits`."""
    orbit, bx, tdc = (
        (words >> np.uint64(shift) & np.uint64(mask)).astype(np.int64)
        for shift, mask in ((17, 0xFFFFFFFF), (5, 4095), (0, 31))
    )
    return (orbit * BX_PER_ORBIT + bx) * detector.readout.ticks_per_bx + tdc


def scintillator_hits(
    panes: Panes, detector: Detector, table: ClassTable
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the times of scintillator hits, as in :class:`Hits`, and the pane of each."""
    found = table.classes[panes.words >> np.uint64(49)]
    mine = np.flatnonzero(found >> np.uint32(CHAMBER_SHIFT) == SCINTILLATOR)
    time = hit_times(panes.words[mine], detector)
    return time, np.searchsorted(panes.ends, mine, side="right")


def hits_of(panes: Panes, detector: Detector, table: ClassTable) -> Hits:
    """Return the hits of at most 2^14 ``panes``, which must come with their halo."""
    from muonscope.counting import _hits as k  # compiled code that few runs need

    assert panes.halo_ends is not None
    ticks = detector.readout.ticks_per_bx
    keys, ends = np.empty(len(panes.words) + len(panes.halo), np.int64), np.zeros_like(panes.ends)
    k.hit_keys(
        panes.words, panes.ends, panes.halo, panes.halo_ends,
        panes.start, ticks, table.classes, keys, ends,
    )  # fmt: skip
    keys = np.sort(keys[: int(ends[-1]) if len(ends) else 0])
    first_tick = (panes.start - 1) * (BX_PER_ORBIT * ticks)
    cell = keys >> k.CELL_SHIFT & 0xFFFF
    return Hits(
        ends=ends,
        time=(keys >> k.TIME_SHIFT & 0xFFFFFFFF) + first_tick[keys >> k.PANE_SHIFT],
        cell=cell,
        chamber=detector.cells().chamber.astype(np.int64)[cell],
        own=(keys & 1).astype(np.bool_),
    )
