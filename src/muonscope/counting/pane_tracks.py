"""Tracks of closed panes, the same whatever the panes, and however the words came.

An event belongs to the pane in which its first hit is; the halo of a pane lets it be seen
whole. All panes are reconstructed at once, for many are short.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.counting.hits import Hits
from muonscope.tracking.layout import LAYERS, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import GAP_NS, Reconstructed, reconstruct

__all__ = ["PaneTracks", "tracks_of"]

_FAR_APART = 8
"""Gaps between panes: more than delays of chambers can bridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneTracks:
    """The tracks of all panes, in their order; those of events in the halo too."""

    found: Reconstructed
    """Its times are moved, so that panes lie one after the other."""
    moved: Wholes
    """By how many ticks, of each event."""
    pane: Wholes
    """Of each event."""
    own: npt.NDArray[np.bool_]
    """Of each event: whether it belongs to the pane, and is not seen in its halo only."""

    @property
    def wanted(self) -> npt.NDArray[np.bool_]:
        """Of each event: whether it belongs to the pane and has three hits or more."""
        wanted: npt.NDArray[np.bool_] = self.own & (self.found.event_size >= LAYERS - 1)
        return wanted


def tracks_of(layout: TrackingLayout, hits: Hits) -> PaneTracks:
    """Return the tracks of the hits of panes, which must have their halo."""
    pane = np.repeat(np.arange(len(hits.ends)), np.diff(hits.ends, prepend=0))
    shift = _shifts(hits, int(_FAR_APART * GAP_NS / layout.tick_ns))
    found = reconstruct(layout, hits.time + shift[pane], hits.cell)
    first = found.event_first
    of = pane[first]
    return PaneTracks(found=found, moved=shift[of], pane=of, own=hits.own[first])


def _shifts(hits: Hits, gap: int) -> Wholes:
    """Return what is added to the times of each pane, so that they lie in order and apart."""
    full = np.diff(hits.ends, prepend=0) > 0
    shifts = np.zeros(len(hits.ends), np.int64)
    if not full.any():
        return shifts
    ends = hits.ends[full]
    first, last = hits.time[np.append(0, ends[:-1])], hits.time[ends - 1]
    begin = np.append(0, np.cumsum(last - first + gap)[:-1])
    shifts[full] = begin - first
    return shifts
