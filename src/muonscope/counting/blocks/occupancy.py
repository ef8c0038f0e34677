"""How much of the time each cell has hits, and its hits in orbits with a scintillator hit."""

from collections.abc import Sequence

import numpy as np

from muonscope.counting.block import (
    Block,
    Counts,
    Fragment,
    Histograms,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
    by_chamber,
)
from muonscope.counting.blocks._channels import channel_hist
from muonscope.counting.blocks._sparse import SPARSE, read_channels, sparse_channels
from muonscope.counting.told import Told
from muonscope.detector import Detector

__all__ = ["BLOCK_ORBITS", "Occupancy"]

BLOCK_ORBITS = 11
"""Orbits in a block, 1 ms: counted from the first one of a pane of at most 16,384 orbits."""


class Occupancy(Block):
    """Selected hits per cell, ``scint_hits``, and blocks with a hit of it, ``occupied``.

    Hits of a cell come in trains, so that their numbers scatter far more than Poisson's;
    numbers of occupied blocks do not.
    """

    name = "occupancy"
    fused = True
    by_window = frozenset({"scint_hits"})

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return one entry per cell for both."""
        return {"scint_hits": (detector.n_cells,), "occupied": (detector.n_cells,)}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``hist_SCINT`` and ``hist_OCCUPIED``."""
        selected = sparse_channels(table, table.columns["scint_hits"])
        occupied = sparse_channels(table, table.columns["occupied"])

        def write(i: int, _: Message, chambers: Sequence[Message]) -> None:
            for n, chamber in enumerate(chambers, i * len(chambers)):
                chamber["hist_SCINT"], chamber["hist_OCCUPIED"] = selected(n), occupied(n)

        return write

    def read(self, told: Told) -> Read:
        """Read both; results of version 1 tell of no blocks."""
        occupied = np.zeros(told.detector.n_cells, np.int64)
        if told.version > 1:
            occupied = read_channels(told, "hist_OCCUPIED")
        selected = read_channels(told, "hist_SCINT")
        return Read(arrays={"scint_hits": selected, "occupied": occupied})

    def schema(self) -> Fragment:
        """Return the schema of both."""
        texts = {
            "hist_SCINT": "Hits per TDC channel, of orbits with a scintillator hit.",
            "hist_OCCUPIED": "Blocks of 11 orbits (1 ms) with a hit of the TDC channel.",
        }
        histograms = {n: {"$ref": "#/$defs/sparse", "description": t} for n, t in texts.items()}
        return Fragment(chamber=histograms, definitions=SPARSE)

    def hists(self, counts: Counts) -> Histograms:
        """Return ``scint_channel``: selected hits by chamber and TDC channel."""
        return {"scint_channel": channel_hist(counts.detector, counts.arrays["scint_hits"])}

    def tables(self, shown: Shown) -> Tables:
        """Return the selected hits per chamber and per cell."""
        detector, hits = shown.summary.detector, shown.summary.arrays["scint_hits"]
        cells = np.split(hits, [detector.first_cell(c) for c in range(1, detector.n_chambers)])
        return {"chambers": {"scint": by_chamber(detector, hits)}} | {
            f"cells{c}": {"scint": mine.copy()} for c, mine in enumerate(cells)
        }

    def trend(self, counts: Counts) -> dict[str, int]:
        """Return the selected hits, of all and of each chamber."""
        hits = by_chamber(counts.detector, counts.arrays["scint_hits"]).tolist()
        return {"scint": sum(hits)} | {f"scint{c}": n for c, n in enumerate(hits)}
