"""A telescope as tracking sees it: wires in space, views, delays and the drift relation.

A chamber is turned by its tilt around its centre: a point ``(u, w)`` of its frame is at
``x = offset + u cos - w sin`` and ``z = height + u sin + w cos`` of the telescope, as the
simulation has it. A ``phi`` chamber measures x, a ``theta`` chamber y; both are called x here.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.units import BX_NS, CELL_WIDTH_MM, DRIFT_DELAY_NS, DRIFT_LENGTH_MM

__all__ = ["LAYERS", "Reals", "TrackingLayout", "Wholes", "layout_of"]

LAYERS = 4
_TOLERANCE_NS = 20.0
"""A drift time may be so far outside: about four standard deviations, and the gas edge."""

Reals = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingLayout:
    """Arrays over cells have shape (n_cells,), those over chambers (n_chambers,)."""

    detector: Detector
    chamber: Wholes
    """Of each cell."""
    layer: Wholes
    """Of each cell, 0 (bottom) .. 3."""
    place_mm: Reals
    """Of each wire along the measured axis, in the frame of its chamber."""
    x_mm: Reals
    """Of each wire, in the frame of the telescope."""
    z_mm: Reals
    """Of each wire, in the frame of the telescope."""
    delay: Wholes
    """Of each cell: added to times of hits, thousandths of a TDC tick. Only differences
    between cells count."""
    view: Wholes
    """Of each chamber, as an index of ``views``."""
    views: tuple[str, ...]
    offset_mm: Reals
    """Of each chamber."""
    centre_mm: Reals
    """Height of each chamber."""
    tilt_rad: Reals
    """Of each chamber."""
    height_mm: Reals
    """Of the four layers in a chamber, shape (4,)."""
    solve: Reals
    """For each pattern of sides, line and t0 from four places, shape (16, 3, 4)."""
    check: Reals
    """For each pattern of sides, what is zero where four places fit, shape (16, 4)."""
    cell: Reals
    """Velocity, mm/ns; delay, delay with slope, ns; length, length with slope of the drift
    relation, mm; the longest drift time and how far one may be outside, ns; corrections of the
    relation from drift time 0 to the longest, mm: shape (7 + corrections,)."""

    @property
    def beside_others(self) -> Wholes:
        """Chambers whose view has others."""
        return np.flatnonzero((np.bincount(self.view) > 1)[self.view])

    @property
    def tick_ns(self) -> float:
        """Length of a TDC tick."""
        return BX_NS / self.detector.readout.ticks_per_bx


@lru_cache(maxsize=8)
def layout_of(detector: Detector) -> TrackingLayout:
    """Return what tracking has to know of ``detector``.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> layout_of(shipped_detector()).views
    ('phi', 'theta')
    """
    cells, chambers = detector.cells(), detector.chambers
    views = detector.views
    tilt, offset, centre, drift = (
        np.array([getattr(chamber, name) for chamber in chambers], np.float64)
        for name in ("tilt_rad", "offset_mm", "z_mm", "drift_offset_ns")
    )
    of = cells.chamber
    cos, sin = np.cos(tilt)[of], np.sin(tilt)[of]
    layer = cells.layer.astype(np.int64) - 1
    height = np.array([cells.z_mm[layer == k][0] for k in range(LAYERS)])
    solve, check = _patterns(height)
    velocity = detector.drift_velocity_um_per_ns * 1e-3
    longest = CELL_WIDTH_MM / 2 / velocity
    layers = np.array([chamber.layer_times_ns or (0.0,) * LAYERS for chamber in chambers])
    ticks = (drift - drift.mean())[of] + layers[of, layer]
    ticks *= detector.readout.ticks_per_bx / BX_NS
    return TrackingLayout(
        detector=detector,
        chamber=of.astype(np.int64),
        layer=layer,
        place_mm=cells.x_mm.astype(np.float64),
        x_mm=offset[of] + cells.x_mm * cos - cells.z_mm * sin,
        z_mm=centre[of] + cells.x_mm * sin + cells.z_mm * cos,
        delay=np.rint(ticks * 1000).astype(np.int64),
        view=np.array([views.index(chamber.view) for chamber in chambers], np.int64),
        views=views,
        offset_mm=offset,
        centre_mm=centre,
        tilt_rad=tilt,
        height_mm=height,
        solve=solve,
        check=check,
        cell=np.array(
            [
                velocity,
                *DRIFT_DELAY_NS,
                *DRIFT_LENGTH_MM,
                longest,
                _TOLERANCE_NS,
                *(um * 1e-3 for um in detector.rt_corrections_um),
            ]
        ),
    )


def _patterns(height: Reals) -> tuple[Reals, Reals]:
    """Return ``solve`` and ``check``: rows of patterns without an answer are zero.

    With s_i = +-1 for a muon right or left of the wire, x_i = b + m z_i = u_i + s_i v (T_i - t0)
    is linear in b, m and v t0: its least squares are the pseudo-inverse, and what is left over is
    the null vector. All on one side says nothing of t0.
    """
    solve, check = np.zeros((16, 3, LAYERS)), np.zeros((16, LAYERS))
    for sides in range(1, 15):
        s = np.array([1.0 if sides >> k & 1 else -1.0 for k in range(LAYERS)])
        equations = np.stack([np.ones(LAYERS), height, s], axis=1)
        solve[sides] = np.linalg.pinv(equations)
        check[sides] = np.linalg.svd(equations.T)[2][-1]
    return solve, check
