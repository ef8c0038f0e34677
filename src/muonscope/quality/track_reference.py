"""What windows tell of tracks, and what a good run tells that is expected of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Summary
from muonscope.tracking.histograms import HISTOGRAMS, TrackAxis
from muonscope.tracking.normal import equations

__all__ = ["RESIDUAL", "SeenTracks", "TrackReference"]

Array = npt.NDArray[Any]

RESIDUAL: TrackAxis = next(axis for axis in HISTOGRAMS if axis.name == "residual")

LEAST_TRACKS = 300
"""Tracks that a reference must have, that its constants are known."""

_USUAL_ASKED, _USUAL_MISSED = 200.0, 1.0
"""A cell begins with the efficiency of a good one: few muons ask it in ten minutes."""

_WEAK = 1e-7
"""Part of the strongest direction below which tracks tell nothing of a direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTracks:
    """The tracks of one window, or of several."""

    rate: Array
    """Shape (views,): tracks over two chambers or more."""
    expected: Array
    """Shape (n_cells,): muons that must have crossed a cell."""
    missed: Array
    """Shape (n_cells,): those that it has not seen."""
    residual: Array
    """Shape (n_chambers, bins + 2)."""
    normal: Array
    """Shape (constants, constants + 1): see :mod:`muonscope.tracking.normal`."""

    @classmethod
    def of(cls, summary: Summary) -> "SeenTracks | None":
        """Return what counts tell; None where nothing was tracked."""
        arrays = summary.arrays
        if "tracked" not in arrays or arrays["tracked"][0] == 0:
            return None
        return cls(
            rate=arrays["tracks"][:, 1:].sum(axis=1), expected=arrays["cell_expected"],
            missed=arrays["cell_expected"] - arrays["cell_seen"],
            residual=arrays["track_residual"], normal=arrays["track_normal"],
        )  # fmt: skip

    def __add__(self, other: "SeenTracks") -> "SeenTracks":
        """Return the sums of both."""
        names = "rate", "expected", "missed", "residual", "normal"
        return SeenTracks(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReference:
    """What is expected of the tracks of a run."""

    rate_hz: Array
    """Shape (views,)."""
    missed: Array
    """Shape (n_cells,): part of the muons that a cell does not see."""
    constants: Array
    """Shape (constants,): what the detector file lacks, which is not news: 1, ns, mm, rad."""
    told: Array
    """Shape (constants,): whether tracks tell of each constant at all."""
    variance: float
    """Of residuals, mm2."""

    @classmethod
    def of(cls, seen: SeenTracks, live_s: float) -> "TrackReference | None":
        """Return what many windows tell; None if they have too few tracks."""
        if live_s <= 0 or seen.rate.sum() < LEAST_TRACKS:
            return None
        normal, right = equations(seen.normal)
        scale = 1 / np.sqrt(np.where(np.diag(normal) > 0, np.diag(normal), 1.0))
        inverse = np.linalg.pinv(normal * np.outer(scale, scale), rcond=_WEAK, hermitian=True)
        inside = seen.residual[:, 1:-1].sum(axis=0)
        centres = RESIDUAL.low + RESIDUAL.width * (np.arange(RESIDUAL.bins) + 0.5)
        return cls(
            rate_hz=seen.rate / live_s,
            missed=(seen.missed + _USUAL_MISSED) / (seen.expected + _USUAL_ASKED),
            constants=inverse @ (right * scale) * scale,
            told=np.diag(normal) > 0,
            variance=float((inside * centres**2).sum() / max(1, inside.sum())),
        )
