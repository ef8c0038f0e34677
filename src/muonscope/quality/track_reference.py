"""What windows tell of tracks, and what a good run tells that is expected of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Summary
from muonscope.tracking.histograms import RESIDUAL
from muonscope.tracking.normal import equations

__all__ = ["SeenTracks", "TrackReference", "TrackSums"]

Array = npt.NDArray[Any]


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

    phi: Array
    """Shape (constants,): how much more the sums of a window scatter than residuals do."""


class TrackSums:
    """Gathers the tracks of many windows for a reference."""

    def __init__(self) -> None:
        """Begin without a window."""
        self._sums: dict[str, Array] = {}

    def add(self, seen: SeenTracks) -> None:
        """Take a window."""
        normal, right = equations(seen.normal)
        told = {
            "rate": seen.rate, "expected": seen.expected, "missed": seen.missed,
            "residual": seen.residual, "normal": seen.normal,
            # with them the scatter of right - normal p follows for any p
            "squares": right**2, "products": right[:, None] * normal,
            "outer": normal[:, :, None] * normal[:, None, :],
        }  # fmt: skip
        for name, value in told.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def build(self, live_s: float) -> TrackReference | None:
        """Return what many windows tell; None if they have too few tracks."""
        s = self._sums
        if not s or live_s <= 0 or s["rate"].sum() < LEAST_TRACKS:
            return None
        normal, right = equations(s["normal"])
        weight = np.diag(normal)
        scale = 1 / np.sqrt(np.where(weight > 0, weight, 1.0))
        inverse = np.linalg.pinv(normal * np.outer(scale, scale), rcond=_WEAK, hermitian=True)
        constants = inverse @ (right * scale) * scale
        inside = s["residual"][:, 1:-1].sum(axis=0)
        centres = RESIDUAL.low + RESIDUAL.width * (np.arange(RESIDUAL.bins) + 0.5)
        variance = float((inside * centres**2).sum() / max(1, inside.sum()))
        scatter = s["squares"] - 2 * s["products"] @ constants
        scatter += np.einsum("pij,i,j->p", s["outer"], constants, constants)
        phi = scatter / np.where(weight > 0, weight * variance, 1.0)
        return TrackReference(
            rate_hz=s["rate"] / live_s,
            missed=(s["missed"] + _USUAL_MISSED) / (s["expected"] + _USUAL_ASKED),
            constants=constants,
            told=weight > 0,
            variance=variance,
            phi=np.maximum(1.0, phi),
        )
