"""Cell efficiency from tracks: how often a cell that a muon must have crossed has a hit.

A track tells where the muon crossed each layer of its chambers. A chamber is asked by the
line through two others of its view, three hits of its other layers showing that the muon was
inside. Without that guard the length of the wires counts as inefficiency; with its own hits in
the fit a chamber would choose the muons that it has seen. Where a view has only two chambers
there is no such line: then the hits of the asked layer alone are left out, which tells 0.5 % too
little (measured against the truth of simulations).
"""

import numpy as np
import numpy.typing as npt

from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import Reconstructed
from muonscope.units import CELL_WIDTH_MM

__all__ = ["MARGIN_MM", "cells_asked"]

MARGIN_MM = 3.0
"""A muon this close to the edge of a cell asks none: it may be in the next one."""


def cells_asked(
    layout: TrackingLayout, found: Reconstructed, group: Wholes, groups: int
) -> tuple[Wholes, Wholes]:
    """Return how many muons crossed each cell and how many of them it has seen.

    Both of shape (groups, n_cells); ``group`` is that of each track, or -1 for those that are not
    counted.
    """
    shape = (groups, len(layout.chamber))
    tracks = np.flatnonzero((group >= 0) & (found.chambers > 1))
    if len(tracks) == 0:
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    sums, hits = _sums(layout, found, tracks)
    track, cell = _crossed(layout, found, tracks, sums, hits)
    seen = _has_hit(found, found.event[tracks[track]], cell)
    flat = group[tracks[track]] * shape[1] + cell
    expected = np.bincount(flat, minlength=groups * shape[1])
    answered = np.bincount(flat[seen], minlength=groups * shape[1])
    return expected.reshape(shape), answered.reshape(shape)


def _sums(layout: TrackingLayout, found: Reconstructed, tracks: Wholes) -> tuple[Reals, Wholes]:
    """Return for each track, chamber and layer what a fit needs, and the number of hits.

    Shapes (5, n, chambers, layers) with 1, z, z2, x, x z of measured places, and (n, chambers,
    layers).
    """
    number = np.full(len(found.size), -1)
    number[tracks] = np.arange(len(tracks))
    of = found.row
    mine = number[of] >= 0
    of, cell = of[mine], found.cell[found.hit[mine]]
    z = layout.z_mm[cell]
    x = found.x_mm[of] + found.slope[of] * (z - found.z_mm[of]) + found.residual_mm[mine]
    shape = (len(tracks), len(layout.view), LAYERS)
    flat = np.ravel_multi_index((number[of], layout.chamber[cell], layout.layer[cell]), shape)
    size = int(np.prod(shape))
    weights = (np.ones(len(z)), z, z * z, x, x * z)
    sums: Reals = np.stack([np.bincount(flat, w, size).reshape(shape) for w in weights])
    return sums, np.bincount(flat, minlength=size).reshape(shape)


def _crossed(
    layout: TrackingLayout, found: Reconstructed, tracks: Wholes, sums: Reals, hits: Wholes
) -> tuple[Wholes, Wholes]:
    """Return tracks, and the cells that they must have crossed."""
    of_track, of_cell = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    whole = sums.sum(axis=(2, 3))
    chambers = hits.sum(axis=2) >= LAYERS - 1
    for c in range(len(layout.view)):
        inside = found.view[tracks] == layout.view[c]
        others = np.count_nonzero(layout.view == layout.view[c]) > 2
        if others:
            inside &= chambers.sum(axis=1) - chambers[:, c] > 1
        for k in range(LAYERS):
            guard = hits[:, c].sum(axis=1) - hits[:, c, k] >= LAYERS - 1
            left_out = sums[:, :, c].sum(axis=2) if others else sums[:, :, c, k]
            asked = np.flatnonzero(inside & guard)
            line = _line((whole - left_out)[:, asked])
            cells = np.flatnonzero((layout.chamber == c) & (layout.layer == k))
            away = line[0][:, None] + line[1][:, None] * layout.z_mm[cells] - layout.x_mm[cells]
            nearest = np.argmin(np.abs(away), axis=1)
            close = np.abs(away[np.arange(len(asked)), nearest]) < CELL_WIDTH_MM / 2 - MARGIN_MM
            of_track.append(asked[close])
            of_cell.append(cells[nearest[close]])
    return np.concatenate(of_track), np.concatenate(of_cell)


def _line(sums: Reals) -> tuple[Reals, Reals]:
    """Return the place at z = 0 and the slope of the least squares."""
    n, z, zz, x, xz = sums
    det = n * zz - z * z
    slope = (n * xz - z * x) / det
    return (x - slope * z) / n, slope


def _has_hit(found: Reconstructed, event: Wholes, cell: Wholes) -> npt.NDArray[np.bool_]:
    """Tell whether each event has a hit of a cell."""
    n_cells = int(max(found.cell.max(), cell.max(initial=0))) + 1
    asked = np.zeros(len(found.event_ends), np.bool_)
    asked[event] = True
    of = np.repeat(np.arange(len(asked)), found.event_size)
    mine = asked[of]
    there = np.sort(of[mine] * n_cells + found.cell[found.order[mine]])
    key = event * n_cells + cell
    at = np.minimum(np.searchsorted(there, key), len(there) - 1)
    has: npt.NDArray[np.bool_] = there[at] == key
    return has
