"""How often channels fire together, and how often they should.

A muon crosses cells that lie in a line. How often two cells are hit by the same muon follows from
the geometry alone: straight lines at cos^2 of the zenith angle, made at random.
"""

import itertools
from functools import lru_cache

import numpy as np

from muonscope.detector import Detector
from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes, layout_of
from muonscope.units import CELL_WIDTH_MM

__all__ = ["coincidences", "fit_of", "likely_together"]

_WINDOW_NS = 400.0
_MOST_AFTER = 40
"""Hits that are looked at after each one."""
_MUONS = 400_000
_HALF_LENGTH_MM, _HALF_WIDTH_MM = 350.0, 400.0
"""Of a wire; and of the plane on which muons are made, in both directions."""
_STRAY = 0.02
"""Share of coincidences that come without a muon in line: delta rays, noise, showers."""


def coincidences(layout: TrackingLayout, time: Wholes, cell: Wholes) -> Wholes:
    """Return how often two cells have hits within 400 ns, shape (n_cells, n_cells).

    Parameters
    ----------
    layout
        The telescope.
    time, cell
        Of hits, as :func:`~muonscope.tracking.reconstruct.reconstruct` takes them.
    """
    n = len(layout.chamber)
    order = np.argsort(time, kind="stable")
    time, cell = time[order], cell[order]
    counts = np.zeros(n * n, np.int64)
    for after in range(1, min(_MOST_AFTER, len(time))):
        close = np.flatnonzero(time[after:] - time[:-after] <= _WINDOW_NS / layout.tick_ns)
        if len(close) == 0:
            break
        counts += np.bincount(cell[close] * n + cell[close + after], minlength=n * n)
    square = counts.reshape(n, n)
    np.fill_diagonal(square, 0)
    return square + square.T


def fit_of(detector: Detector, counts: Wholes) -> float:
    """Return the mean logarithm of the likelihood of coincidences, if cables are as told."""
    return float((counts * likely_together(detector)).sum() / max(1, counts.sum()))


@lru_cache(maxsize=16)
def likely_together(detector: Detector) -> Reals:
    """Return the logarithm of the share of all coincidences that two cells should have."""
    layout = layout_of(detector)
    n, chambers = len(layout.chamber), len(layout.view)
    chance, muons = np.random.default_rng(1), _MUONS // chambers
    often = np.zeros(n * n)
    for begin in range(chambers):
        cells, weight = _crossed(layout, begin, muons, chance)
        for one, other in itertools.combinations(cells, 2):
            both = (one >= 0) & (other >= 0)
            often += np.bincount(one[both] * n + other[both], weight[both], n * n)
    square = often.reshape(n, n)
    square = (square + square.T) / (2 * square.sum())
    alone = square.sum(axis=1)
    likely: Reals = np.log((1 - _STRAY) * square + _STRAY * np.outer(alone, alone) + 1e-12)
    return likely


def _crossed(
    layout: TrackingLayout, begin: int, n: int, chance: np.random.Generator
) -> tuple[list[Wholes], Reals]:
    """Return the cells of each layer that muons through a chamber cross, -1 for none.

    And the weight of each muon, for one through three chambers is made three times as often.
    """
    cosine = np.sqrt(np.sqrt(1 - chance.random(n)))
    tangent, azimuth = np.sqrt(1 - cosine**2) / cosine, 2 * np.pi * chance.random(n)
    slope = tangent * np.stack([np.cos(azimuth), np.sin(azimuth)])
    at = chance.uniform(-_HALF_WIDTH_MM, _HALF_WIDTH_MM, (2, n))
    through, cells = np.zeros(n), list[Wholes]()
    axis = np.array([0 if view == "phi" else 1 for view in layout.views])[layout.view]
    for chamber in range(len(layout.view)):
        place = at + slope * (layout.centre_mm[chamber] - layout.centre_mm[begin])
        through += (np.abs(place) < _HALF_WIDTH_MM).all(axis=0)
        inside = np.abs(place[1 - axis[chamber]]) < _HALF_LENGTH_MM
        for layer in range(LAYERS):
            mine = np.flatnonzero((layout.chamber == chamber) & (layout.layer == layer))
            if len(mine) == 0:
                continue
            mine = mine[np.argsort(layout.x_mm[mine])]
            up = layout.z_mm[mine].mean() - layout.centre_mm[begin]
            along = at[axis[chamber]] + slope[axis[chamber]] * up - layout.x_mm[mine[0]]
            wire = np.rint(along / CELL_WIDTH_MM).astype(np.int64)
            there = inside & (wire >= 0) & (wire < len(mine))
            cells.append(np.where(there, mine[np.clip(wire, 0, len(mine) - 1)], -1))
    return cells, 1 / np.maximum(through, 1)
