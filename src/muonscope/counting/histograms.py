"""A Summary as ``hist`` objects, for those who analyse further."""

from typing import Any

import hist
import numpy as np

from muonscope.counting.summary import (
    DRIFT_BINS,
    DRIFT_HIGH_NS,
    DRIFT_LOW_NS,
    MULTIPLICITIES,
    Summary,
)

__all__ = ["summary_hists"]


def summary_hists(summary: Summary) -> dict[str, "hist.Hist[Any]"]:
    """Return ``channel``, ``scint_channel``, ``drift_time`` and ``multiplicity``."""
    detector, cells = summary.detector, summary.detector.cells()
    chambers = hist.axis.Integer(0, detector.n_chambers, name="chamber", flow=False)
    all_labels = [str(n) for n in range(detector.n_chambers)] + ["all"]
    low, high = int(cells.channel.min()), int(cells.channel.max()) + 1
    channels = hist.axis.Integer(low, high, name="channel", label="TDC channel", flow=False)
    result: dict[str, hist.Hist[Any]] = {}
    for name, counts in (
        ("channel", summary.hits_per_cell),
        ("scint_channel", summary.scint_hits),
    ):
        result[name] = hist.Hist(chambers, channels, storage=hist.storage.Int64())
        result[name].view()[cells.chamber, cells.channel - low] = counts
    times = hist.axis.Regular(
        DRIFT_BINS, DRIFT_LOW_NS, DRIFT_HIGH_NS, name="drift_ns", label="drift time [ns]"
    )
    result["drift_time"] = hist.Hist(chambers, times, storage=hist.storage.Int64())
    result["drift_time"].view(flow=True)[...] = summary.drift_histogram
    result["multiplicity"] = hist.Hist(
        hist.axis.StrCategory(all_labels, name="chamber"),
        hist.axis.Integer(0, MULTIPLICITIES, name="hits", label="hits per orbit", flow=False),
        storage=hist.storage.Int64(),
    )
    result["multiplicity"].view(flow=True)[: len(all_labels)] = summary.multiplicity
    assert int(np.sum(result["channel"].values())) == summary.total_hits
    return result
