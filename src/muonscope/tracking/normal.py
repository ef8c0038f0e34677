"""What tracks tell of constants that all of them share, as sums of whole numbers.

Each track has its own place, slope and t0. What is left of its residuals when these are
eliminated tells of shared constants (V. Blobel's Millepede in the small; Nucl. Instr. Meth. A
566, 2006, 5): the normal equations ``N p = n`` of each track are rounded to thousandths and
added up, so that every division of the hits gives the same sums. All is added hit by hit in a
fixed order, for no sum may depend on which other tracks are there.

The constants, in their order, and the units in which they are counted, which make all
derivatives about 1 mm: the drift velocity in parts of 5 %; of each chamber its lateness in
20 ns, its offset in mm, its tilt in hundredths of a radian. Where they are wanted, there follow
the lateness of each layer of each chamber in 20 ns, and the corrections of the drift relation at
its knots in mm.
"""

import numpy as np

from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes
from muonscope.tracking.reconstruct import Reconstructed

__all__ = [
    "CUT_MM", "FINE", "KINDS", "constants_of", "equations", "fine_constants_of",
    "normal_sums", "units_of",
]  # fmt: skip

CUT_MM = 1.5
"""Hits farther from their track are left out: five standard deviations."""

KINDS = ("late", "offset", "tilt")
"""Constants of each chamber, in their order after the velocity."""

_VELOCITY_UNIT, _KIND_UNITS = 0.05, (20.0, 1.0, 0.01)
FINE = 1000
"""The equations are counted in parts of this of a mm2."""
_AT_ONCE = 4_000


def constants_of(chambers: int) -> int:
    """Return how many constants there are."""
    return 1 + len(KINDS) * chambers


def fine_constants_of(chambers: int, knots: int) -> int:
    """Return how many there are with times of layers and a drift relation of so many knots."""
    return constants_of(chambers) + (LAYERS * chambers + knots if knots else 0)


def units_of(chambers: int, knots: int = 0) -> Reals:
    """Return the unit of each constant: 1, ns, mm, rad; with ``knots`` also ns and mm.

    Examples
    --------
    >>> units_of(1).tolist()
    [0.05, 20.0, 1.0, 0.01]
    """
    units = np.append(_VELOCITY_UNIT, np.repeat(_KIND_UNITS, chambers))
    if knots:
        fine = (np.full(LAYERS * chambers, _KIND_UNITS[0]), np.ones(knots))
        units = np.concatenate([units, *fine])
    return units


def equations(sums: Wholes, knots: int = 0) -> tuple[Reals, Reals]:
    """Return ``N`` and ``n`` of sums, shape (constants, constants + 1): of 1, ns, mm and rad."""
    kinds = len(KINDS) + (LAYERS if knots else 0)
    units = units_of((len(sums) - 1 - knots) // kinds, knots)
    normal: Reals = sums[:, :-1] / FINE / np.outer(units, units)
    right: Reals = sums[:, -1] / FINE / units
    return normal, right


def normal_sums(
    layout: TrackingLayout, found: Reconstructed, group: Wholes, groups: int,
    cut_mm: float = CUT_MM, knots: int = 0,
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
    knots
        Of the drift relation; 0: times of layers and the drift relation are not asked for.

    Returns
    -------
    tuple of arrays
        Shape (groups, constants, constants + 1), the last column being ``n``; and (groups,).
    """
    n = fine_constants_of(len(layout.view), knots)
    sums, used = np.zeros((groups, n, n + 1), np.int64), np.zeros(groups, np.int64)
    tracks = np.flatnonzero((found.chambers > 1) & (group >= 0))
    for begin in range(0, len(tracks), _AT_ONCE):
        some = tracks[begin : begin + _AT_ONCE]
        each, good = _of_tracks(layout, found, some, cut_mm, knots)
        whole = np.rint(each * FINE).astype(np.int64)
        np.add.at(sums, group[some[good]], whole)
        used += np.bincount(group[some[good]], minlength=groups)
    return sums, used


def _of_tracks(
    layout: TrackingLayout, found: Reconstructed, tracks: Wholes, cut_mm: float, knots: int
) -> tuple[Reals, Wholes]:
    """Return the equations of the tracks that have any, and which these are."""
    chambers = len(layout.view)
    size, n = found.size[tracks], fine_constants_of(chambers, knots)
    begin = found.ends[tracks] - size
    inner, cross = np.zeros((3, 3, len(tracks))), np.zeros((3, len(tracks), n))
    own_right, hits = np.zeros((3, len(tracks))), np.zeros(len(tracks))
    whole = np.zeros((len(tracks), n, n + 1))
    rows, units = np.arange(len(tracks)), units_of(chambers, knots)
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
        if knots:
            moves[:, constants_of(chambers) :] = _fine(layout, found, tracks, hit, knots)
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


def _fine(
    layout: TrackingLayout, found: Reconstructed, tracks: Wholes, hit: Wholes, knots: int
) -> Reals:
    """Return how a hit of each track moves with times of layers and knots of the drift relation."""
    chambers = len(layout.view)
    cell, side, rows = found.cell[found.hit[hit]], found.side[hit], np.arange(len(hit))
    fine = np.zeros((len(hit), LAYERS * chambers + knots))
    fine[rows, LAYERS * layout.chamber[cell] + layout.layer[cell]] = -side * layout.cell[0]
    since = (found.corrected[found.hit[hit]] - found.base[tracks]) * (layout.tick_ns / 1000)
    place = np.clip((since - found.t0_ns[tracks]) / layout.cell[5], 0.0, 1.0) * (knots - 1)
    knot = np.minimum(place.astype(np.int64), knots - 2)
    fine[rows, LAYERS * chambers + knot] = side * (1.0 - place + knot)
    fine[rows, LAYERS * chambers + knot + 1] = side * (place - knot)
    return fine


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
