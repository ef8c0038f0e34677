"""The histograms of a run under the names by which people look for them.

``muonscope/chamber0/hits_per_channel`` and its like are plain. Beside them stand the names of
the DQM of CMS's drift tubes (DQM/DTMonitorModule), under ``DQMData/Run N/MuonTelescope/Run
summary/``, so that programs for that find what they know.

Counts are stored as ``double``, which holds them exactly up to 2^53: uproot writes no integers
of 64 bits.
"""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from muonscope.counting.summary import Summary

if TYPE_CHECKING:
    import hist

__all__ = ["histogram_tree"]

_PLAIN = {
    "channel": "hits_per_channel",
    "scint_channel": "scint_hits_per_channel",
    "multiplicity": "orbits_by_hits",
    "cell_expected": "muons_expected_per_channel",
    "cell_seen": "muons_seen_per_channel",
}
"""Plain names where they are not those of ``Summary.to_hist``."""

_LAYERS = 4


def histogram_tree(summary: Summary, run: str) -> "dict[str, hist.Hist[Any]]":
    """Return the histograms of a run by their paths; each has a title, and so have its axes."""
    made = dict[str, Any]()
    detector = summary.detector
    for name, found in summary.to_hist().items():
        plain = _PLAIN.get(name, name)
        what, first = plain.replace("_", " "), found.axes[0]
        if first.name not in {"chamber", "view"}:
            made[f"muonscope/{plain}"] = _double(found, what)
            continue
        for row in range(first.size):
            label = str(first.bin(row))
            chamber = label.isdigit() and first.name == "chamber"
            part: Any = found[row, ...]
            if chamber and part.axes[0].name == "channel":
                of = detector.chambers[int(label)]
                low = of.first_channel - int(part.axes[0].edges[0])
                part = part[low : low + of.n_channels]
            folder = f"chamber{label}" if chamber else label
            of_what = detector.chambers[int(label)].label if chamber else label
            made[f"muonscope/{folder}/{plain}"] = _double(part, f"{what}, {of_what}")
    numbers = re.findall(r"\d+", run)
    top = f"DQMData/Run {int(numbers[-1]) if numbers else 1}/MuonTelescope/Run summary"
    for chamber in range(detector.n_chambers):
        mine = f"muonscope/chamber{chamber}"
        for where, counts in (("AllHits", summary.class_words), ("Scint", summary.scint_hits)):
            made[f"{top}/Occupancy/Occupancy{where}_perCh_C{chamber}"] = _cells(
                summary, counts, chamber, f"{where}, {detector.chambers[chamber].label}"
            )
        made[f"{top}/TimeBoxes/TimeBox_C{chamber}"] = made[f"{mine}/drift_time"]
        made[f"{top}/Multiplicity/Multiplicity_C{chamber}"] = made[f"{mine}/orbits_by_hits"]
    made[f"{top}/Integrity/Words"] = _labelled(summary.accounting.as_dict())
    return made


def _double(counts: Any, title: str) -> "hist.Hist[Any]":
    """Return the same histogram with numbers that can be written everywhere."""
    import hist

    made: hist.Hist[Any] = hist.Hist(*counts.axes, storage=hist.storage.Double(), name=title)
    made.view(flow=True)[...] = counts.view(flow=True)
    return made


def _cells(summary: Summary, counts: Any, chamber: int, title: str) -> "hist.Hist[Any]":
    """Return the counts of the cells of a chamber by wire and layer."""
    import hist

    cells = summary.detector.cells()
    mine = np.flatnonzero(cells.chamber == chamber)
    wires = int(cells.wire[mine].max())
    made: hist.Hist[Any] = hist.Hist(
        hist.axis.Integer(1, wires + 1, name="wire", label="wire", flow=False),
        hist.axis.Integer(
            1, _LAYERS + 1, name="layer", label="layer (1 is the bottom)", flow=False
        ),
        storage=hist.storage.Double(),
        name=title,
    )
    made.view()[cells.wire[mine] - 1, cells.layer[mine] - 1] = counts[mine]
    return made


def _labelled(numbers: dict[str, int]) -> "hist.Hist[Any]":
    import hist

    made: hist.Hist[Any] = hist.Hist(
        hist.axis.StrCategory(list(numbers), name="words", label="words"),
        storage=hist.storage.Double(),
        name="words by what they are",
    )
    made.view()[: len(numbers)] = list(numbers.values())
    return made
