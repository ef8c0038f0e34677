"""Counts per cell as a ``hist`` object."""

from typing import TYPE_CHECKING, Any

from muonscope.counting.block import IntArray
from muonscope.detector import Detector

if TYPE_CHECKING:
    import hist

__all__ = ["channel_hist"]


def channel_hist(detector: Detector, counts: IntArray) -> "hist.Hist[Any]":
    """Return ``counts``, shape (n_cells,), with the axes chamber and TDC channel."""
    import hist

    cells = detector.cells()
    low, high = int(cells.channel.min()), int(cells.channel.max()) + 1
    made: hist.Hist[Any] = hist.Hist(
        hist.axis.Integer(0, detector.n_chambers, name="chamber", flow=False),
        hist.axis.Integer(low, high, name="channel", label="TDC channel", flow=False),
        storage=hist.storage.Int64(),
    )
    made.view()[cells.chamber, cells.channel - low] = counts
    return made
