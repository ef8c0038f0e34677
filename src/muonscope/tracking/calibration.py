"""The constants of a telescope from its own tracks: velocity, times, offsets and tilts.

The sums that ``tracking.normal`` makes are solved, hits are reconstructed anew with the
constants found, and so on until nothing moves any more:

* the drift velocity moves a hit by its *fitted* distance from the wire, for the measured one
  has an error that would bias the answer;
* a chamber that is late moves its hits away from their wires;
* an offset moves all of its hits alike, a tilt by their height and their place in the chamber.

Before that the cables are looked at, for hits in wrong cells make no tracks.

What no residual tells stays as it is: a common shift and a shear of a view, a common time.
Chambers and views that share no track are compared by the t0 of the same event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from muonscope.detector import Detector
from muonscope.tracking.cabling import Cabling, cabling_of
from muonscope.tracking.layout import Reals, TrackingLayout, Wholes, layout_of
from muonscope.tracking.normal import constants_of, equations, normal_sums
from muonscope.tracking.reconstruct import Reconstructed, reconstruct

__all__ = ["LEAST_TRACKS", "Calibration", "Constant", "calibrated"]

LEAST_TRACKS = 300
"""Tracks over two chambers or more without which nothing is fitted."""

_ROUNDS = 8
_SETTLED = 0.1
"""Constants that change by less than this many errors in a round have settled."""
_CUT_SIGMAS = 4.0
_WEAK = 1e-7
"""Share of the strongest direction below which residuals tell nothing of a direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant, before and after."""

    name: str
    """``drift_velocity_um_per_ns``, or ``drift_offset_ns``, ``offset_mm`` or ``tilt_rad``."""
    chamber: int | None
    before: float
    after: float
    error: float | None
    """Statistical, 68 %; None where it is not determined, and left as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Constants that follow from tracks."""

    detector: Detector
    """The telescope with the new constants."""
    constants: tuple[Constant, ...]
    tracks: int
    """Tracks that were used in the last round."""
    rounds: int
    sigma_mm: tuple[float, float]
    """Width of residuals that holds 68 %, before and after."""
    correlations: Reals
    """Of the constants that are determined, in their order, shape (n, n)."""
    cabling: Cabling
    """Which cell each channel carries; the constants are those of ``detector`` with these."""


def calibrated(detector: Detector, time: Wholes, cell: Wholes) -> Calibration | int:
    """Return the constants that follow from hits, or the number of tracks if these are too few.

    Parameters
    ----------
    detector
        The telescope with the constants to begin with.
    time, cell
        As :func:`~muonscope.tracking.reconstruct.reconstruct` takes them.
    """
    cabling = cabling_of(detector, time, cell)
    cell = cabling.place[cell]
    now, widths, rounds = detector, list[float](), 0
    errors, covariance, used = np.zeros(0), np.zeros((0, 0)), 0
    for rounds in range(1, _ROUNDS + 1):
        layout = layout_of(now)
        found = reconstruct(layout, time, cell)
        over = int(np.count_nonzero(found.chambers > 1))
        if over < LEAST_TRACKS:
            return over
        widths.append(_width(found))
        step, errors, covariance, used = _step(layout, found, widths[-1])
        now = _moved(now, step)
        if rounds > 1 and (np.abs(step) < _SETTLED * np.where(errors > 0, errors, np.inf)).all():
            break
    widths.append(_width(reconstruct(layout_of(now), time, cell)))
    known = np.flatnonzero(errors > 0)
    width = np.sqrt(np.maximum(np.diag(covariance)[known], np.finfo(float).tiny))
    correlated = covariance[np.ix_(known, known)] / np.outer(width, width)
    return Calibration(
        detector=now, constants=_constants(detector, now, errors), tracks=used, rounds=rounds,
        sigma_mm=(widths[0], widths[-1]), correlations=correlated, cabling=cabling,
    )  # fmt: skip


def _width(found: Reconstructed) -> float:
    """Return the width of the residuals of tracks that holds 68 %, mm."""
    return float(np.percentile(np.abs(found.residual_mm[(found.chambers > 1)[found.row]]), 68))


def _step(
    layout: TrackingLayout, found: Reconstructed, sigma: float
) -> tuple[Reals, Reals, Reals, int]:
    """Return a step of all constants, their errors (0: not determined), covariances, tracks.

    In the order: relative velocity; of each chamber lateness, offset, tilt.
    """
    group = np.where(found.chambers > 1, 0, -1)
    sums, used = normal_sums(layout, found, group, 1, _CUT_SIGMAS * sigma)
    normal, right = equations(sums[0])
    free = _free(layout)
    inner = free.T @ normal @ free
    scale = 1 / np.sqrt(np.where(np.diag(inner) > 0, np.diag(inner), 1.0))
    values, vectors = np.linalg.eigh(inner * np.outer(scale, scale))
    strong = values > _WEAK * values[-1]
    kept = free @ (vectors[:, strong] * scale[:, None])
    inverse = (kept / values[strong]) @ kept.T
    told = (kept**2).sum(axis=1) * np.diag(normal) > _WEAK
    step = inverse @ right * told
    covariance = inverse * sigma**2
    errors = np.sqrt(np.diag(covariance)) * told
    _compare_views(layout, found, step, errors)
    return step, errors, covariance, int(used[0])


def _free(layout: TrackingLayout) -> Reals:
    """Return the directions that are not a matter of choice, as orthonormal columns.

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
    basis = np.array(chosen).T
    values, vectors = np.linalg.eigh(np.eye(len(basis)) - basis @ np.linalg.pinv(basis))
    directions: Reals = vectors[:, values > 0.5]
    return directions


def _compare_views(
    layout: TrackingLayout, found: Reconstructed, step: Reals, errors: Reals
) -> None:
    """Fill in the lateness of views against the first one that has tracks, by equal events."""
    t0 = found.base * (layout.tick_ns / 1000) + found.t0_ns
    first = int(found.view[found.chambers > 1].min())
    anchor = np.flatnonzero((found.view == first) & (found.chambers > 1))
    events = found.event[anchor]
    for view in range(len(layout.views)):
        chambers = np.flatnonzero(layout.view == view)
        if view == first:
            continue
        many = len(chambers) > 1
        rows = np.flatnonzero((found.view == view) & ((found.chambers > 1) | (not many)))
        place = np.minimum(np.searchsorted(events, found.event[rows]), len(events) - 1)
        same = events[place] == found.event[rows]
        late = t0[rows[same]] - t0[anchor[place[same]]]
        late = late[np.abs(late) < 60.0]
        if len(late) < LEAST_TRACKS // 3:
            continue
        spread = float(np.percentile(np.abs(late - np.median(late)), 68))
        mean = float(np.median(late))
        step[1 + chambers] += mean
        if not many:
            errors[1 + chambers] = 1.25 * spread / len(late) ** 0.5


def _moved(detector: Detector, step: Reals) -> Detector:
    """Return a telescope with constants changed."""
    n = detector.n_chambers
    late, offset, tilt = (step[1 + k * n : 1 + (k + 1) * n] for k in range(3))
    chambers = tuple(
        replace(
            chamber,
            drift_offset_ns=chamber.drift_offset_ns - float(late[c] - late.mean()),
            offset_mm=chamber.offset_mm + float(offset[c]),
            tilt_rad=chamber.tilt_rad + float(tilt[c]),
        )
        for c, chamber in enumerate(detector.chambers)
    )
    velocity = detector.drift_velocity_um_per_ns * (1 + float(step[0]))
    return replace(detector, chambers=chambers, drift_velocity_um_per_ns=velocity)


def _constants(before: Detector, after: Detector, errors: Reals) -> tuple[Constant, ...]:
    n = before.n_chambers
    velocities = (before.drift_velocity_um_per_ns, after.drift_velocity_um_per_ns)
    found = [
        Constant(
            name="drift_velocity_um_per_ns", chamber=None, before=velocities[0],
            after=velocities[1], error=float(errors[0]) * velocities[1] or None,
        )
    ]  # fmt: skip
    names: Sequence[str] = ("drift_offset_ns", "offset_mm", "tilt_rad")
    for k, name in enumerate(names):
        for c in range(n):
            old, new = (getattr(d.chambers[c], name) for d in (before, after))
            error = float(errors[1 + k * n + c]) or None
            found.append(Constant(name=name, chamber=c, before=old, after=new, error=error))
    return tuple(found)
