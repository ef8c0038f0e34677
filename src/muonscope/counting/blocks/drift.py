"""Drift times: their histogram, and one by one.

The drift time of a hit is the time since the earliest scintillator hit of its orbit; hits
in orbits without one have none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import (
    COUNT_SCHEMA,
    Array,
    Arrays,
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
)
from muonscope.counting.blocks._sparse import SPARSE, Fill, ragged
from muonscope.counting.told import MOST_COUNT, Told, array, bins, part, whole
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.units import BX_NS

__all__ = [
    "DRIFT_BINS", "DRIFT_BIN_NS", "DRIFT_HIGH_NS", "DRIFT_LOW_NS", "FEW_HITS", "Drift",
    "drift_bins", "drift_ns",
]  # fmt: skip

DRIFT_LOW_NS, DRIFT_HIGH_NS, DRIFT_BIN_NS = -100.0, 700.0, 2.5
"""Range and bin width of the drift-time histogram, ns."""

DRIFT_BINS = 320
"""Bins of the drift-time histogram; a table has two more, below and above."""

FEW_HITS = 8
"""Most hits of a chamber in an orbit that is no shower: showers fill the box with bunches of
early hits, which are many or none."""

_MICRO = 1_000_000


class Drift(Block):
    """Drift times: ``drift_histogram``, and lists of orbits and ticks.

    ``drift_few`` is the histogram of those orbits that have at most eight hits in the chamber.
    """

    name = "drift"
    fused = True
    list_ends = "drift_ends"
    list_columns: ClassVar[Mapping[str, type[np.generic]]] = {
        "drift_orbits": np.uint32,
        "drift_ticks": np.int32,
    }

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return 322 entries per chamber: below -100 ns, 320 bins, from 700 ns on."""
        shape = (detector.n_chambers, DRIFT_BINS + 2)
        return {"drift_histogram": shape, "drift_few": shape}

    def merged_lists(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Return all drift times in the order of (orbit, time)."""
        orbits, ticks = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((ticks, orbits))
        return orbits[order], ticks[order]

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:
        """Write ``DRIFTIME``, whether it is cut, and the histogram."""
        histogram = table.columns["drift_histogram"]
        outside = histogram[:, :, [0, -1]].tolist()
        few = _sparse_bins(table.columns["drift_few"])
        times = _all_drift_times(table.detector, table.columns)
        ends = [0, *table.columns["drift_ends"].ravel().tolist()]

        def write(i: int, _: Message, chambers: Sequence[Message]) -> None:
            first = i * len(chambers)
            for c, (chamber, (below, above)) in enumerate(zip(chambers, outside[i], strict=True)):
                begin, end = ends[first + c], ends[first + c + 1]
                chamber["DRIFTIME"] = times[begin : min(end, begin + max_drift_times)]
                chamber["drift_truncated"] = end - begin > max_drift_times
                chamber["drift_histogram"] = {
                    "low_ns": DRIFT_LOW_NS,
                    "bin_ns": DRIFT_BIN_NS,
                    "below": below,
                    "counts": histogram[i, c, 1:-1],
                    "above": above,
                }
                chamber["drift_few"] = few(first + c)

        return write

    def read(self, told: Told) -> Read:
        """Read the histograms; ``DRIFTIME`` may be cut, and is left alone."""
        counts = np.empty(self.shapes(told.detector)["drift_histogram"], np.int64)
        few = np.zeros_like(counts)
        for c, chamber in enumerate(told.chambers):
            found = part(chamber, "drift_histogram", f"chamber{c}.")
            counts[c, 0], counts[c, -1] = (
                whole(found, name, MOST_COUNT) for name in ("below", "above")
            )
            where = f"chamber{c}.drift_histogram."
            counts[c, 1:-1] = array(found, "counts", where, DRIFT_BINS)
            if told.version > 1:
                places, some = bins(chamber, f"chamber{c}", "drift_few")
                if len(places) and places[-1] > DRIFT_BINS + 1:  # they ascend from 0
                    raise FormatError(
                        f"chamber{c}.drift_few.bin_edges: expected 0 .. {DRIFT_BINS + 1}"
                    )
                few[c, places] = some
        return Read(arrays={"drift_histogram": counts, "drift_few": few})

    def schema(self) -> Fragment:
        """Return the schema of ``DRIFTIME``, ``drift_truncated`` and ``drift_histogram``."""
        entries = {
            "type": "array",
            "items": COUNT_SCHEMA,
            "minItems": DRIFT_BINS,
            "maxItems": DRIFT_BINS,
        }
        properties = {
            "low_ns": {"const": -100},
            "bin_ns": {"const": DRIFT_BIN_NS},
            "below": COUNT_SCHEMA,
            "counts": entries,
            "above": COUNT_SCHEMA,
        }
        return Fragment(
            chamber={
                "DRIFTIME": {
                    "type": "array",
                    "items": {"type": "number"},
                    "description": "Drift times in ns, in the order of time.",
                },
                "drift_truncated": {
                    "type": "boolean",
                    "description": "Whether DRIFTIME had more entries than it may.",
                },
                "drift_histogram": {
                    "type": "object",
                    "description": "All drift times in bins of bin_ns from low_ns on.",
                    "required": list(properties),
                    "additionalProperties": False,
                    "properties": properties,
                },
                "drift_few": {
                    "$ref": "#/$defs/sparse",
                    "description": "Drift times of orbits with at most eight hits of the chamber,"
                    " by bin: 0 below, 1 .. 320 those of drift_histogram, 321 above.",
                },
            },
            definitions=SPARSE,
        )

    def hists(self, counts: Counts) -> Histograms:
        """Return ``drift_time``: hits by chamber and drift time, ns, with both overflows."""
        import hist

        made: hist.Hist[Any] = hist.Hist(
            hist.axis.Integer(0, counts.detector.n_chambers, name="chamber", flow=False),
            hist.axis.Regular(
                DRIFT_BINS, DRIFT_LOW_NS, DRIFT_HIGH_NS, name="drift_ns", label="drift time [ns]"
            ),
            storage=hist.storage.Int64(),
        )
        made.view(flow=True)[...] = counts.arrays["drift_histogram"]
        return {"drift_time": made}

    def tables(self, shown: Shown) -> Tables:
        """Return the histogram of each chamber, without what lies outside."""
        histograms = shown.summary.arrays["drift_histogram"]
        return {f"drift{c}": {"counts": row[1:-1].copy()} for c, row in enumerate(histograms)}


def drift_ns(
    detector: Detector, chamber: int, ticks: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return t_hit - t_scintillator as drift times, ns, rounded to a picosecond.

    drift = 25 ns * ticks / ticks_per_bx + the chamber's offset (assignment of the
    original pipeline).
    """
    tick_ns = BX_NS / detector.readout.ticks_per_bx
    drift: npt.NDArray[np.float64] = np.round(
        ticks * tick_ns + detector.chambers[chamber].drift_offset_ns, 3
    )
    return drift


def drift_bins(detector: Detector) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int64]]:
    """Return the histogram bin of every difference in ticks, exactly.

    In millionths of a nanosecond times ticks per BX everything is a whole number, so the
    bins do not depend on rounding. Entry [chamber, i] is for lowest[chamber] + i ticks;
    0 stands for all below the range, 321 for all above.
    """
    ticks_per_bx = detector.readout.ticks_per_bx
    offsets = np.array([round(c.drift_offset_ns * _MICRO) for c in detector.chambers], np.int64)
    tick, bin_width = int(BX_NS * _MICRO), int(DRIFT_BIN_NS * _MICRO) * ticks_per_bx
    low = int(DRIFT_LOW_NS * _MICRO) * ticks_per_bx - offsets * ticks_per_bx
    lowest = low // tick - 1
    width = DRIFT_BINS * bin_width // tick + 4
    ticks = lowest[:, None] + np.arange(width)
    bins = (ticks * tick - low[:, None]) // bin_width + 1
    return np.clip(bins, 0, DRIFT_BINS + 1).astype(np.int16), lowest


def _sparse_bins(histograms: Array) -> Fill:
    """Return what gives the entries that are not zero by their bins."""
    flat = np.flatnonzero(histograms)
    rows, width = histograms.shape[0] * histograms.shape[1], histograms.shape[2]
    ends = np.searchsorted(flat, np.arange(1, rows + 1) * width)
    return ragged(ends, flat % width, histograms.ravel()[flat])


def _all_drift_times(detector: Detector, columns: Arrays) -> npt.NDArray[np.float64]:
    """Return all drift times of a table, ns, in the order of its lists."""
    ends, chambers = columns["drift_ends"], detector.n_chambers
    chamber_of = np.repeat(
        np.tile(np.arange(chambers), len(ends)), np.diff(ends.ravel(), prepend=0)
    )
    ticks = columns["drift_ticks"][: len(chamber_of)]
    times = np.empty(len(ticks))
    for chamber in range(chambers):
        mine = chamber_of == chamber
        times[mine] = drift_ns(detector, chamber, ticks[mine])
    return times
