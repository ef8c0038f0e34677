"""Sparse histograms of a message: the entries that are not zero, with their edges."""

from collections.abc import Callable

import numpy as np

from muonscope.counting.block import COUNT_SCHEMA, Array, IntArray, Message, Table
from muonscope.counting.told import Told, bins
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["SPARSE", "Fill", "ragged", "read_channels", "sparse_channels"]

Fill = Callable[[int], Message]
"""Gives the histogram of chamber c in window i by the number i * n_chambers + c."""

SPARSE = {
    "sparse": {
        "type": "object",
        "description": "Only non-zero entries, bin_edges ascending;"
        " per channel, one entry of zero where there is none.",
        "required": ["bin_edges", "bin_counts"],
        "additionalProperties": False,
        "properties": {
            "bin_edges": {"type": "array", "items": COUNT_SCHEMA},
            "bin_counts": {"type": "array", "items": COUNT_SCHEMA},
        },
    }
}
"""The definition that the schemas of blocks refer to as ``#/$defs/sparse``."""


def ragged(ends: IntArray, edges: Array, counts: Array, firsts: list[int] | None = None) -> Fill:
    """Return what gives the lists that lie one after the other in ``edges`` and ``counts``.

    Where a list is empty and the ``firsts`` channels of the chambers are given, there is one
    entry of zero: the original's consumer indexes with the edges, and NumPy takes no empty
    list for that.
    """
    bounds = [0, *ends.ravel().tolist()]
    empty: list[Message] = [{"bin_edges": [], "bin_counts": []}]
    if firsts is not None:
        empty = [{"bin_edges": [first], "bin_counts": [0]} for first in firsts]

    def fill(n: int) -> Message:
        begin, end = bounds[n], bounds[n + 1]
        if begin == end:
            return empty[n % len(empty)]
        return {"bin_edges": edges[begin:end], "bin_counts": counts[begin:end]}

    return fill


def sparse_channels(table: Table, counts: IntArray) -> Fill:
    """Return what gives the histograms of ``counts``, shape (n, n_cells), per TDC channel."""
    detector, cells = table.detector, table.detector.n_cells
    flat = np.flatnonzero(counts)
    stops = [detector.first_cell(c) for c in range(1, detector.n_chambers)] + [cells]
    ends = np.searchsorted(flat, np.arange(len(counts))[:, None] * cells + np.array(stops))
    channels = detector.cells().channel[flat % cells]
    firsts = [chamber.first_channel for chamber in detector.chambers]
    return ragged(ends, channels, counts.ravel()[flat], firsts)


def read_channels(told: Told, name: str) -> IntArray:
    """Return the counts of all cells, shape (n_cells,), from the histograms ``name``."""
    detector: Detector = told.detector
    counts = np.zeros(detector.n_cells, np.int64)
    for c, chamber in enumerate(told.chambers):
        low, high = detector.chambers[c].first_channel, detector.chambers[c].last_channel
        channels, hits = bins(chamber, f"chamber{c}", name)
        if len(channels) and not (low <= channels[0] and channels[-1] <= high):  # they ascend
            raise FormatError(f"chamber{c}.{name}.bin_edges: expected channels {low} .. {high}")
        counts[channels + (detector.first_cell(c) - low)] = hits
    return counts
