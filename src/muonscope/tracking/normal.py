"""What tracks tell of constants that all of them share, as sums of whole numbers.

Each track has its own place, slope and t0. What is left of its residuals when these are
eliminated tells of shared constants (V. Blobel's Millepede in the small; Nucl. Instr. Meth. A
566, 2006, 5): the normal equations ``N p = n`` of each track are rounded to thousandths and
added up, so that every division of the hits gives the same sums. All is added hit by hit in a
fixed order, for no sum may depend on which other tracks are there.

The constants, in their order, and the units in which they are counted, which make all
derivatives about 1 mm: the drift velocity in parts of 5 %; of each chamber its lateness in
20 ns, its offset in mm, its tilt in hundredths of a radian.
"""

import numpy as np

from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import Reconstructed

__all__ = ["CUT_MM", "KINDS", "constants_of", "equations", "normal_sums", "units_of"]

CUT_MM = 1.5
"""Hits farther from their track are left out: five standard deviations."""

KINDS = ("late", "offset", "tilt")
"""Constants of each chamber, in their order after the velocity."""

_VELOCITY_UNIT, _KIND_UNITS = 0.05, (20.0, 1.0, 0.01)
_FINE = 1000
"""The equations are counted in parts of this of a mm2."""
_AT_ONCE = 4_000


def constants_of(chambers: int) -> int:
    """Return how many constants there are."""
    return 1 + len(KINDS) * chambers


def units_of(chambers: int) -> Reals:
    """Return the unit of each constant: 1, ns, mm, rad.

    Examples
    --------
    >>> units_of(1).tolist()
    [0.05, 20.0, 1.0, 0.01]
    """
    return np.append(_VELOCITY_UNIT, np.repeat(_KIND_UNITS, chambers))


def equations(sums: Wholes) -> tuple[Reals, Reals]:
    """Return ``N`` and ``n`` of sums, shape (constants, constants + 1): of 1, ns, mm and rad."""
    units = units_of((len(sums) - 1) // len(KINDS))
    normal: Reals = sums[:, :-1] / _FINE / np.outer(units, units)
    right: Reals = sums[:, -1] / _FINE / units
    return normal, right


def normal_sums(
    layout: TrackingLayout, found: Reconstructed, group: Wholes, groups: int,
    cut_mm: float = CUT_MM,
) -> tuple[Wholes, Wholes]:  # fmt: skip
    """Return the equations of each group, and how many tracks they are of.

    Parameters
    ----------
    layout, found
        The telescope and its tracks; only those over two chambers or more tell something.
    group
        Of each track, or -1 for those that are not counted.
    groups
        Their number.
    cut_mm
        Hits farther from their track are left out.

    Returns
    -------
    tuple of arrays
        Shape (groups, constants, constants + 1), the last column being ``n``; and (groups,).
    """
    n = constants_of(len(layout.view))
    sums, used = np.zeros((groups, n, n + 1), np.int64), np.zeros(groups, np.int64)
    tracks = np.flatnonzero((found.chambers > 1) & (group >= 0))
    for begin in range(0, len(tracks), _AT_ONCE):
        some = tracks[begin : begin + _AT_ONCE]
        each, good = _of_tracks(layout, found, some, cut_mm)
        whole = np.rint(each * _FINE).astype(np.int64)
        np.add.at(sums, group[some[good]], whole)
        used += np.bincount(group[some[good]], minlength=groups)
    return sums, used


def _of_tracks(
    layout: TrackingLayout, found: Reconstructed, tracks: Wholes, cut_mm: float
) -> tuple[Reals, Wholes]:
    """Return the equations of the tracks that have any, and which these are."""
    chambers = len(layout.view)
    size, n = found.size[tracks], constants_of(chambers)
    begin = found.ends[tracks] - size
    inner, cross = np.zeros((3, 3, len(tracks))), np.zeros((3, len(tracks), n))
    own_right, hits = np.zeros((3, len(tracks))), np.zeros(len(tracks))
    whole = np.zeros((len(tracks), n, n + 1))
    rows, units = np.arange(len(tracks)), units_of(chambers)
    for h in range(LAYERS * int(np.bincount(layout.view).max())):
        hit = np.where(h < size, begin + h, 0)
        cell, residual = found.cell[found.hit[hit]], found.residual_mm[hit]
        weight = ((h < size) & (np.abs(residual) < cut_mm)).astype(np.float64)
        side, slope = found.side[hit].astype(np.float64), found.slope[tracks]
        z, chamber = layout.z_mm[cell], layout.chamber[cell]
        up = z - found.z_mm[tracks]
        moves = np.zeros((len(tracks), n))
        moves[:, 0] = found.x_mm[tracks] + slope * up - layout.x_mm[cell]
        # side x the *fitted* distance: the measured one has an error that would bias the answer
        turned = z - layout.centre_mm[chamber]
        turned += slope * (layout.x_mm[cell] - layout.offset_mm[chamber])
        for kind, value in enumerate((-side * layout.cell[0], np.ones(len(tracks)), -turned)):
            moves[rows, 1 + kind * chambers + chamber] = value
        moves *= units
        own = (np.ones(len(tracks)), up, side)
        told = np.concatenate([moves, -residual[:, None]], axis=1)
        whole += weight[:, None, None] * moves[:, :, None] * told[:, None, :]
        hits += weight
        for i in range(3):
            cross[i] += (weight * own[i])[:, None] * moves
            own_right[i] -= weight * own[i] * residual
            for k in range(3):
                inner[i, k] += weight * own[i] * own[k]
    adjugate, det = _adjugate(inner)
    good = np.flatnonzero((hits > 5) & (np.abs(det) > 1e-6))
    inverse = adjugate[:, :, good] / det[good]
    for i in range(3):
        solved = sum(inverse[i, k][:, None] * cross[k, good] for k in range(3))
        told = np.concatenate([cross[i, good], own_right[i, good][:, None]], axis=1)
        whole[good] -= np.asarray(solved)[:, :, None] * told[:, None, :]
    return whole[good], good


def _adjugate(matrix: Reals) -> tuple[Reals, Reals]:
    """Return adjugates and determinants of symmetric matrices, shapes (3, 3, n) and (n,)."""
    (a, b, c), (_, d, e), (_, _, f) = matrix
    rows = [
        [d * f - e * e, c * e - b * f, b * e - c * d],
        [c * e - b * f, a * f - c * c, b * c - a * e],
        [b * e - c * d, b * c - a * e, a * d - b * b],
    ]
    adjugate = np.array(rows)
    return adjugate, a * adjugate[0, 0] + b * adjugate[0, 1] + c * adjugate[0, 2]
