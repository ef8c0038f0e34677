"""Hits per cell in orbits that have a scintillator hit."""

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

__all__ = ["Occupancy"]


class Occupancy(Block):
    """Selected hits per cell: ``scint_hits``."""

    name = "occupancy"
    fused = True

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return one entry per cell."""
        return {"scint_hits": (detector.n_cells,)}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``hist_SCINT``."""
        channels = sparse_channels(table, table.columns["scint_hits"])

        def write(i: int, _: Message, chambers: Sequence[Message]) -> None:
            for n, chamber in enumerate(chambers, i * len(chambers)):
                chamber["hist_SCINT"] = channels(n)

        return write

    def read(self, told: Told) -> Read:
        """Read ``hist_SCINT``."""
        return Read(arrays={"scint_hits": read_channels(told, "hist_SCINT")})

    def schema(self) -> Fragment:
        """Return the schema of ``hist_SCINT``."""
        text = "Hits per TDC channel, of orbits with a scintillator hit."
        histogram = {"$ref": "#/$defs/sparse", "description": text}
        return Fragment(chamber={"hist_SCINT": histogram}, definitions=SPARSE)

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
