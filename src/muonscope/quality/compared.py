"""What of two runs is compared: counts with their exposures, and histograms in coarse bins.

A count has an exposure, to which it is proportional in a run that does not change: live time, or
the number of those that could have been counted. Cells come in trains of hits: the milliseconds
in which a cell has hits (``occupied``) scatter nearly as Poisson counts do, and the hits beyond the
first of each are a count of their own. Results of version 1 tell of neither; there hits stand for
both.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS
from muonscope.counting.blocks.multiplicity import MULTIPLICITIES
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.quality.seen import BAD_WORDS, Seen, layout_of
from muonscope.tracking.histograms import HISTOGRAMS, PER_VIEW, SKY
from muonscope.tracking.layout import layout_of as tracking_of
from muonscope.units import ORBIT_S

__all__ = [
    "Compared", "Counted", "Shape", "counts_of", "families_of", "has_tracks", "shapes_by_name",
    "shapes_of",
]  # fmt: skip

Array = npt.NDArray[Any]

_SKY_GROUP = 4
"""Bins of the map of slopes, in both directions, that are taken together."""

_DRIFT_GROUP = 4
"""Bins of 2.5 ns that are taken together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A family of counts of one kind: Holm's correction is made over each."""

    name: str
    unit: str
    """What is counted."""
    targets: tuple[str, ...]
    subjects: tuple[str, ...]
    """The targets in words."""
    order: int
    """Of findings of one size the least comes first: the whole before its parts."""
    timed: bool = True
    """Whether its exposure is a time, which ``--scale`` may replace."""
    missed: bool = False
    """Whether it counts what was missed of the exposure: the size is that of efficiencies."""
    usual_phi: float = 1.0
    """Dispersion where windows do not tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counts of a family and their exposures, shape (targets,)."""

    n: Array
    exposure: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Histograms of one kind: a row for each target."""

    name: str
    label: str
    """Of the axis, with its unit."""
    targets: tuple[str, ...]
    subjects: tuple[str, ...]
    edges: Array
    """Of the bins that are drawn; two more bins, below and above, where ``flow``."""
    flow: bool
    tracks: bool = False
    usual_phi: float = 1.0
    """Dispersion where windows do not tell it."""


def has_tracks(summary: Summary) -> bool:
    """Tell whether tracks were looked for."""
    return "tracked" in summary.arrays and bool(summary.arrays["tracked"][0] > 0)


@lru_cache(maxsize=16)
def families_of(detector: Detector) -> dict[str, Compared]:
    """Return the families of counts by name."""
    layout = layout_of(detector)
    chambers = tuple(f"ch{c}" for c in range(layout.n_chambers))
    of_chambers = tuple(f"chamber {c}" for c in range(layout.n_chambers))
    fpgas = tuple(f"fpga{fpga}" for fpga in layout.lanes)
    of_fpgas = tuple(f"FPGA {fpga}" for fpga in layout.lanes)
    pairs = [(a, b) for a in range(layout.n_chambers) for b in range(a + 1, layout.n_chambers)]
    views = tuple(tracking_of(detector).views)
    whole, cells = ("telescope",), (layout.cell_names, layout.cell_texts)
    rows: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...], dict[str, Any]], ...] = (
        ("telescope_rate", "orbits with hits", whole, whole, {"usual_phi": 4.0}),
        ("fpga_words", "words", fpgas, of_fpgas, {"usual_phi": 30.0}),
        ("scintillator", "orbits with the scintillator", ("scintillator",), ("scintillator",),
         {"usual_phi": 1.5}),
        ("integrity", "words of all", BAD_WORDS, tuple(f"{b} words" for b in BAD_WORDS),
         {"timed": False, "usual_phi": 30.0}),
        ("chamber_rate", "orbits with hits", chambers, of_chambers, {"usual_phi": 4.0}),
        ("track_rate", "tracks over two chambers or more", views, tuple(f"view {v}" for v in views),
         {"usual_phi": 1.5}),
        ("synchronous_noise", "orbits with more than 100 hits", chambers, of_chambers, {}),
        ("scintillator_in_time", "orbits with the scintillator and the chamber", chambers,
         of_chambers, {"timed": False, "usual_phi": 1.5}),
        ("chambers_together", "orbits with three hits in both",
         tuple(f"ch{a}-ch{b}" for a, b in pairs), tuple(f"chambers {a} and {b}" for a, b in pairs),
         {"usual_phi": 1.5}),
        ("chamber_efficiency", "muons not seen", chambers, of_chambers,
         {"timed": False, "missed": True, "usual_phi": 2.0}),
        ("cell_rate", "occupied ms", *cells, {"usual_phi": 1.5}),
        ("cell_trains", "hits within a ms of others", *cells, {"usual_phi": 4.0}),
        ("cell_scintillator", "hits in orbits with the scintillator", *cells,
         {"timed": False, "usual_phi": 2.0}),
        ("cell_efficiency", "muons not seen", *cells, {"timed": False, "missed": True}),
    )  # fmt: skip
    return {
        name: Compared(name=name, unit=unit, targets=t, subjects=s, order=order, **more)
        for order, (name, unit, t, s, more) in enumerate(rows)
    }


def counts_of(summary: Summary, *, tells_all: bool) -> dict[str, Counted]:
    """Return the counts of a window, or of a run, by their family; what is not told is left out."""
    seen, layout = Seen.of_summary(summary, tells_all=tells_all), layout_of(summary.detector)
    arrays, cell = summary.arrays, layout.chamber_of_cell
    hits, triggers = seen.hits, np.array([seen.scint_orbits[-1]])
    live = np.array([seen.live_s])
    a, b = np.triu_indices(layout.n_chambers, 1)
    found = {
        "telescope_rate": (arrays["multiplicity"][-1:, 1:].sum(axis=1), live),
        "integrity": (seen.bad_words, np.full(len(BAD_WORDS), seen.words)),
        "chamber_rate": (seen.chamber_orbits, seen.chamber_live_s),
        "cell_scintillator": (summary.scint_hits, np.repeat(triggers, len(hits))),
    }
    if layout.scintillator_lane >= 0:
        found["scintillator"] = (triggers, seen.lane_live_s[[layout.scintillator_lane]])
    if tells_all:
        found |= {
            "fpga_words": (seen.lane_words, np.repeat(live, len(layout.lanes))),
            "synchronous_noise": (seen.synchronous, seen.chamber_live_s),
            "scintillator_in_time": (
                seen.scint_orbits[:-1], np.repeat(triggers, layout.n_chambers)
            ),
            "chambers_together": (seen.together[a, b], np.repeat(live, len(a))),
            "cell_rate": (seen.occupied, seen.chamber_live_s[cell]),
            "cell_trains": (np.maximum(hits - seen.occupied, 0), seen.chamber_live_s[cell]),
        }  # fmt: skip
    else:
        found["cell_rate"] = (hits, seen.chamber_live_s[cell])
    if (tracks := seen.tracks) is not None:
        tracked_s = np.full(len(tracks.rate), arrays["tracked"][0] * ORBIT_S)
        tracked_s *= seen.live_s / max(seen.window_s, 1e-9)
        found["track_rate"] = (tracks.rate, tracked_s)
        found["cell_efficiency"] = (tracks.missed, tracks.expected)
        found["chamber_efficiency"] = (
            np.bincount(cell, tracks.missed, layout.n_chambers),
            np.bincount(cell, tracks.expected, layout.n_chambers),
        )
    return {
        name: Counted(n=n.astype(np.float64), exposure=np.asarray(t, np.float64))
        for name, (n, t) in found.items()
    }


@lru_cache(maxsize=16)
def shapes_by_name(detector: Detector) -> dict[str, Shape]:
    """Return the kinds of histograms by name."""
    tracking, n = tracking_of(detector), detector.n_chambers
    chambers, of_chambers = (tuple(f"{t}{c}" for c in range(n)) for t in ("ch", "chamber "))
    views = tuple(tracking.views)
    width = DRIFT_BIN_NS * _DRIFT_GROUP
    made = {
        "drift_times": Shape(
            name="drift_times", label="drift time [ns]", targets=chambers, subjects=of_chambers,
            edges=DRIFT_LOW_NS + width * np.arange(DRIFT_BINS // _DRIFT_GROUP + 1), flow=True,
            usual_phi=4.0,
        ),
        "multiplicity": Shape(
            name="multiplicity", label="hits per orbit [1]", targets=(*chambers, "telescope"),
            subjects=(*of_chambers, "all chambers"),
            edges=np.array([*_multiplicity_starts(), MULTIPLICITIES]) - 0.5, flow=False,
            usual_phi=1.5,
        ),
    }  # fmt: skip
    for axis in HISTOGRAMS:
        per_view = axis.per == PER_VIEW
        name = f"track_{axis.name}"
        made[name] = Shape(
            name=name, label=axis.label, targets=views if per_view else chambers,
            subjects=tuple(f"view {v}" for v in views) if per_view else of_chambers,
            edges=axis.low + 2 * axis.width * np.arange(axis.bins // 2 + 1), flow=True,
            tracks=True, usual_phi=1.0 if per_view else 4.0,
        )  # fmt: skip
    squares = (SKY.bins // _SKY_GROUP) ** 2
    made["track_sky"] = Shape(
        name="track_sky", label="square of the map of slopes [1]", targets=("telescope",),
        subjects=("both views",), edges=np.arange(squares + 1.0), flow=False, tracks=True,
    )  # fmt: skip
    return made


def shapes_of(summary: Summary, *, tells_all: bool) -> dict[str, Array]:
    """Return the histograms by their kind, shape (targets, bins), in coarse bins."""
    arrays = summary.arrays
    drift = arrays["drift_few"] if tells_all else arrays["drift_histogram"]
    starts = _multiplicity_starts()
    made = {
        "drift_times": _coarse(drift, _DRIFT_GROUP),
        "multiplicity": np.add.reduceat(arrays["multiplicity"], starts, axis=1),
    }
    if has_tracks(summary):
        for axis in HISTOGRAMS:
            made[f"track_{axis.name}"] = _coarse(arrays[f"track_{axis.name}"], 2)
        n = SKY.bins // _SKY_GROUP
        squares = arrays["track_sky"].reshape(n, _SKY_GROUP, n, _SKY_GROUP).sum(axis=(1, 3))
        made["track_sky"] = squares.reshape(1, n * n)
    return made


def _coarse(counts: Array, group: int) -> Array:
    """Return sums of ``group`` bins; the first and the last are those below and above."""
    inside = counts[:, 1:-1].reshape(len(counts), -1, group).sum(axis=2)
    return np.concatenate([counts[:, :1], inside, counts[:, -1:]], axis=1)


def _multiplicity_starts() -> list[int]:
    """Return the first number of hits of each bin: 1, 2, ..., 16, 20, 24, 32, 48."""
    return [*range(1, 17), 20, 24, 32, 48]
