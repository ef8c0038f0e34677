"""Constants from normal equations, in the directions that tracks tell of.

What no residual tells is left out as a direction, and what too few residuals tell stays.
"""

from typing import NamedTuple

import numpy as np

from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout
from muonscope.tracking.normal import constants_of, fine_constants_of

__all__ = ["Answer", "coarse_directions", "fine_directions", "solved"]

_WEAK = 1e-7
"""Share of the strongest direction below which residuals tell nothing of a direction."""


class Answer(NamedTuple):
    """What equations say of all constants, in the order of ``tracking.normal``."""

    step: Reals
    errors: Reals
    """0: not determined."""
    covariance: Reals
    tracks: int

    @property
    def correlations(self) -> Reals:
        """Of the constants that are determined, in their order, shape (n, n)."""
        known = np.flatnonzero(self.errors > 0)
        width = np.sqrt(np.maximum(np.diag(self.covariance)[known], np.finfo(float).tiny))
        correlations: Reals = self.covariance[np.ix_(known, known)] / np.outer(width, width)
        return correlations


def solved(normal: Reals, right: Reals, free: Reals, sigma: float, tracks: int) -> Answer:
    """Return the step ``normal^-1 right`` within the ``free`` directions.

    ``sigma`` is the width of the residuals that the equations are of, mm.
    """
    inner = free.T @ normal @ free
    scale = 1 / np.sqrt(np.where(np.diag(inner) > 0, np.diag(inner), 1.0))
    values, vectors = np.linalg.eigh(inner * np.outer(scale, scale))
    strong = values > _WEAK * values[-1]
    kept = free @ (vectors[:, strong] * scale[:, None])
    inverse = (kept / values[strong]) @ kept.T
    told = (kept**2).sum(axis=1) * np.diag(normal) > _WEAK
    covariance = inverse * sigma**2
    return Answer(inverse @ right * told, np.sqrt(np.diag(covariance)) * told, covariance, tracks)


def coarse_directions(layout: TrackingLayout) -> Reals:
    """Return the directions of the constants that tracks tell of, as orthonormal columns.

    In each view all chambers may be shifted, or sheared, and all be later: no track tells.
    """
    chambers = len(layout.view)
    chosen = []
    for view in range(len(layout.views)):
        mine = (layout.view == view).astype(np.float64)
        height = np.where(mine > 0, layout.centre_mm - layout.centre_mm[mine > 0].mean(), 0.0)
        for kind, shape in ((0, mine), (1, mine), (1, height)):
            if shape.any():
                direction = np.zeros(constants_of(chambers))
                direction[1 + kind * chambers : 1 + (kind + 1) * chambers] = shape
                chosen.append(direction)
    return _others(np.array(chosen))


def fine_directions(layout: TrackingLayout, knots: int) -> Reals:
    """Return the directions of layers and of the drift relation, all else being known.

    All layers of a chamber together are its lateness; a drift relation that is moved as a whole is
    a common time, and one that is stretched the velocity.
    """
    chambers = len(layout.view)
    coarse = constants_of(chambers)
    chosen = np.eye(coarse + chambers + 2, fine_constants_of(chambers, knots))
    for chamber in range(chambers):
        row = chosen[coarse + chamber]
        row[:] = 0.0
        row[coarse + LAYERS * chamber : coarse + LAYERS * (chamber + 1)] = 1.0
    chosen[-2:] = 0.0
    chosen[-2, -knots:], chosen[-1, -knots:] = 1.0, np.linspace(0.0, 1.0, knots)
    return _others(chosen)


def _others(chosen: Reals) -> Reals:
    """Return the directions at right angles to rows, as orthonormal columns."""
    basis = chosen.T
    values, vectors = np.linalg.eigh(np.eye(len(basis)) - basis @ np.linalg.pinv(basis))
    directions: Reals = vectors[:, values > 0.5]
    return directions
