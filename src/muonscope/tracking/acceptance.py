"""Through how much of a telescope muons of a direction can go and be seen in both views.

A muon is seen if it crosses two chambers of a view and one of each other view, as the map
of slopes counts it. How many come from a direction, per area, time and solid angle, is what is
counted divided by that; efficiencies and multiple scattering are left out.
"""

from functools import lru_cache

import numpy as np

from muonscope.detector import Detector
from muonscope.tracking.histograms import SKY
from muonscope.tracking.layout import Reals, TrackingLayout, layout_of
from muonscope.units import CELL_WIDTH_MM, WIRE_MM

__all__ = ["sky_exposure"]

_STEP_MM = 20.0
_SAMPLES = 2
"""Directions in a bin, along each slope."""


@lru_cache(maxsize=8)
def sky_exposure(detector: Detector) -> Reals:
    """Return the exposure of each bin of the map of slopes, m2 sr, shape (bins, bins).

    That is the area, at right angles to the direction, times the solid angle.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> exposure = sky_exposure(shipped_detector())
    >>> bool(exposure[9:11, 9:11].min() > 0.95 * exposure.max()), float(exposure[0, 9])
    (True, 0.0)
    """
    layout = layout_of(detector)
    edges = SKY.low + SKY.width * np.arange(SKY.bins + 1)
    inner = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    slopes = (edges[:-1, None] + SKY.width * inner).ravel()
    boxes = [_box(layout, chamber) for chamber in range(len(layout.view))]
    z0 = float(layout.centre_mm.mean())
    reach = max(map(abs, (edges[0], edges[-1]))) * float(np.ptp(layout.centre_mm)) / 2
    half = max(float(np.abs(box[:4]).max()) for box in boxes) + reach
    at = np.arange(-half, half, _STEP_MM) + _STEP_MM / 2
    # where, at the middle height, a muon of each slope must be to cross each chamber
    across = np.array([_inside(at, slopes, box[0], box[1], box[4] - z0) for box in boxes])
    along = np.array([_inside(at, slopes, box[2], box[3], box[4] - z0) for box in boxes])
    area = np.array([[_seen(layout, across[:, i], along[:, k]) for k in range(len(slopes))]
                     for i in range(len(slopes))]) * (_STEP_MM * 1e-3) ** 2  # fmt: skip
    cos2 = 1.0 / (1.0 + slopes[:, None] ** 2 + slopes**2)
    exposure = area * cos2**2 * (SKY.width / _SAMPLES) ** 2  # cos for the area, cos3 for the angle
    made: Reals = exposure.reshape(SKY.bins, _SAMPLES, SKY.bins, _SAMPLES).sum(axis=(1, 3))
    return made


def _box(layout: TrackingLayout, chamber: int) -> Reals:
    """Return where a chamber is along the first view, along the second one, and its height."""
    mine = layout.x_mm[layout.chamber == chamber]
    measured = (mine.min() - CELL_WIDTH_MM / 2, mine.max() + CELL_WIDTH_MM / 2)
    wires = (-WIRE_MM / 2, WIRE_MM / 2)
    first = layout.view[chamber] == 0
    sides = (*measured, *wires) if first else (*wires, *measured)
    return np.array([*sides, layout.centre_mm[chamber]])


def _inside(at: Reals, slopes: Reals, low: float, high: float, up: float) -> Reals:
    """Tell where lines are inside of ``low`` and ``high`` at a height, shape (slopes, at)."""
    there = at + slopes[:, None] * up
    return ((there > low) & (there < high)).astype(np.float64)


def _seen(layout: TrackingLayout, across: Reals, along: Reals) -> float:
    """Return in how many places of a grid a muon is seen."""
    count = np.zeros((len(layout.views), across.shape[1], along.shape[1]))
    for chamber, view in enumerate(layout.view.tolist()):
        count[view] += across[chamber][:, None] * along[chamber]
    return float(((count > 0).all(axis=0) & (count > 1).any(axis=0)).sum())
