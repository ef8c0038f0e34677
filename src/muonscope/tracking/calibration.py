"""The constants of a telescope from its own tracks: velocity, times, offsets and tilts.

The sums that ``tracking.normal`` makes are solved, hits are reconstructed anew with the
constants found, and so on until nothing moves any more:

* the drift velocity moves a hit by its *fitted* distance from the wire, for the measured one
  has an error that would bias the answer;
* a chamber that is late moves its hits away from their wires;
* so does a layer, and the drift relation of all cells moves hits by their drift time: both are
  fitted last, where there are tracks enough;
* an offset moves all of its hits alike, a tilt by their height and their place in the chamber.

Before that the cables are looked at, for hits in wrong cells make no tracks.

What no residual tells stays as it is: a common shift and a shear of a view. A common time is that
of the scintillators against the tracks.
Chambers and views that share no track are compared by the t0 of the same event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from muonscope.detector import Chamber, Detector
from muonscope.tracking.cabling import Cabling, cabling_of
from muonscope.tracking.layout import LAYERS, Reals, TrackingLayout, Wholes, layout_of
from muonscope.tracking.normal import constants_of, equations, normal_sums
from muonscope.tracking.reconstruct import Reconstructed, reconstruct
from muonscope.tracking.solving import Answer, coarse_directions, fine_directions, solved

__all__ = ["LEAST_TRACKS", "Calibration", "Constant", "calibrated"]

LEAST_TRACKS = 300
"""Tracks over two chambers or more without which nothing is fitted."""

FINE_TRACKS = 1_000
"""Tracks over two chambers or more without which layers and the drift relation are left."""

KNOTS = 13
"""Of the corrections of the drift relation: one for each 1.75 mm."""

_ROUNDS, _FINE_ROUNDS = 8, 2
_NONE = np.empty(0, np.int64)
_SETTLED = 0.1
"""Constants that change by less than this many errors in a round have settled."""
_CUT_SIGMAS = 4.0
_SCINTILLATOR_NS, _PEAK_NS = 2_000.0, 20.0
"""A scintillator hit may be so far from its track; and the bins in which the peak is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One constant, before and after."""

    name: str
    """``drift_velocity_um_per_ns``, of a chamber ``drift_offset_ns``, ``offset_mm``, ``tilt_rad``
    and ``layer_times_ns``, of the telescope ``mean_drift_offset_ns`` and ``rt_corrections_um``."""
    chamber: int | None
    before: float
    after: float
    error: float | None
    """Statistical, 68 %; None where it is not determined, and left as it was."""
    index: int | None = None
    """Number, from 0, in a list of constants: a layer or a knot of the drift relation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Constants that follow from tracks."""

    detector: Detector
    """The telescope with the new constants."""
    constants: tuple[Constant, ...]
    tracks: int
    """Tracks that were used in the last round."""
    rounds: int
    sigma_mm: tuple[float, float | None]
    """Width of residuals that holds 68 %, before and after; sums do not tell the latter."""
    correlations: Reals
    """Of velocity, times, offsets and tilts that are determined, in their order, shape (n, n)."""
    cabling: Cabling | None
    """Which cell each channel carries; the constants are those of ``detector`` with these. Sums
    do not tell it."""


def calibrated(
    detector: Detector, time: Wholes, cell: Wholes, scintillator: Wholes = _NONE
) -> Calibration | int:
    """Return the constants that follow from hits, or the number of tracks if these are too few.

    Parameters
    ----------
    detector
        The telescope with the constants to begin with.
    time, cell
        As :func:`~muonscope.tracking.reconstruct.reconstruct` takes them.
    scintillator
        Times of the hits of scintillators, as ``time``, in any order.
    """
    cabling = cabling_of(detector, time, cell)
    cell = cabling.place[cell]
    now, widths, rounds = detector, list[float](), 0
    found = reconstruct(layout_of(now), time, cell)
    fine = int(np.count_nonzero(found.chambers > 1)) >= FINE_TRACKS
    if fine and now.rt_corrections_um:  # which follow from the velocity, not it from them
        now = replace(now, rt_corrections_um=())
        found = reconstruct(layout_of(now), time, cell)
    for rounds in range(1, _ROUNDS + 1):
        over = int(np.count_nonzero(found.chambers > 1))
        if over < LEAST_TRACKS:
            return over
        widths.append(_width(found))
        answer = _answer(layout_of(now), found, widths[-1])
        now = _moved(now, answer.step)
        found = reconstruct(layout_of(now), time, cell)
        least = _SETTLED * np.where(answer.errors > 0, answer.errors, np.inf)
        if rounds > 1 and (np.abs(answer.step) < least).all():
            break
    errors = answer.errors
    for _ in range(_FINE_ROUNDS if fine else 0):
        finer = _answer(layout_of(now), found, _width(found), KNOTS)
        now = _moved(now, finer.step)
        errors = np.append(answer.errors, finer.errors[len(answer.errors) :])
        found = reconstruct(layout_of(now), time, cell)
    widths.append(_width(found))
    now, error = _with_common_time(now, found, scintillator)
    return Calibration(
        detector=now, constants=_constants(detector, now, errors, error),
        tracks=answer.tracks, rounds=rounds, sigma_mm=(widths[0], widths[-1]),
        correlations=answer.correlations, cabling=cabling,
    )  # fmt: skip


def calibrated_by_sums(
    detector: Detector, sums: Wholes, tracks: int, sigma_mm: float
) -> Calibration | int:
    """Return the constants that follow from the sums of windows, or the tracks if too few.

    It is one step from the constants with which the windows were counted: no hit is
    reconstructed anew. Chambers alone in their view, and what is not in the sums, stay.

    Parameters
    ----------
    detector
        The telescope with which the windows were counted.
    sums
        As :func:`~muonscope.tracking.normal.normal_sums` gives them, of all windows together.
    tracks, sigma_mm
        Of these: their number, and the width of their residuals.
    """
    if tracks < LEAST_TRACKS:
        return tracks
    normal, right = equations(sums)
    answer = solved(normal, right, coarse_directions(layout_of(detector)), sigma_mm, tracks)
    now = _moved(detector, answer.step)
    return Calibration(
        detector=now, constants=_constants(detector, now, answer.errors, None), tracks=tracks,
        rounds=1, sigma_mm=(sigma_mm, None), correlations=answer.correlations, cabling=None,
    )  # fmt: skip


def _width(found: Reconstructed) -> float:
    """Return the width of the residuals of tracks that holds 68 %, mm."""
    return float(np.percentile(np.abs(found.residual_mm[(found.chambers > 1)[found.row]]), 68))


def _answer(layout: TrackingLayout, found: Reconstructed, sigma: float, knots: int = 0) -> Answer:
    """Return a step of velocity, times and places; with ``knots`` of layers and drift relation."""
    group = np.where(found.chambers > 1, 0, -1)
    sums, used = normal_sums(layout, found, group, 1, _CUT_SIGMAS * sigma, knots)
    normal, right = equations(sums[0], knots)
    free = fine_directions(layout, knots) if knots else coarse_directions(layout)
    answer = solved(normal, right, free, sigma, int(used[0]))
    if not knots:
        _compare_views(layout, found, answer.step, answer.errors)
    return answer


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
    fine = step[constants_of(n) :]
    layers, knots = fine[: LAYERS * n].reshape(-1, LAYERS), fine[LAYERS * n :]
    chambers = [
        replace(
            chamber,
            drift_offset_ns=chamber.drift_offset_ns - float(late[c] - late.mean()),
            offset_mm=chamber.offset_mm + float(offset[c]),
            tilt_rad=chamber.tilt_rad + float(tilt[c]),
        )
        for c, chamber in enumerate(detector.chambers)
    ]
    corrections = detector.rt_corrections_um
    if len(fine):
        chambers = [
            replace(chamber, layer_times_ns=tuple((_layer_times(chamber) - layers[c]).tolist()))
            if layers[c].any()
            else chamber
            for c, chamber in enumerate(chambers)
        ]
        corrections = tuple((_corrections(detector) + 1000 * knots).tolist())
    velocity = detector.drift_velocity_um_per_ns * (1 + float(step[0]))
    return replace(
        detector, chambers=tuple(chambers), drift_velocity_um_per_ns=velocity,
        rt_corrections_um=corrections,
    )  # fmt: skip


def _layer_times(chamber: Chamber) -> Reals:
    return np.array(chamber.layer_times_ns or (0.0,) * LAYERS)


def _corrections(detector: Detector) -> Reals:
    """Return the corrections of the drift relation at the knots, um."""
    told = detector.rt_corrections_um or (0.0, 0.0)
    at = np.linspace(0.0, 1.0, KNOTS)
    corrections: Reals = np.interp(at, np.linspace(0.0, 1.0, len(told)), np.array(told))
    return corrections


def _with_common_time(
    detector: Detector, found: Reconstructed, scintillator: Wholes
) -> tuple[Detector, float | None]:
    """Return a telescope whose drift offsets are, in the mean, what scintillators tell; its error.

    Where too few tracks have a scintillator hit, the mean stays, and the error is None.
    """
    layout = layout_of(detector)
    scale = layout.tick_ns / 1000
    t0 = np.sort(found.base[found.chambers > 1] * scale + found.t0_ns[found.chambers > 1])
    hits = scintillator * layout.tick_ns
    if len(t0) == 0 or len(hits) == 0:
        return detector, None
    right = np.clip(np.searchsorted(t0, hits), 1, max(1, len(t0) - 1))
    pairs = np.stack([hits - t0[right - 1], hits - t0[np.minimum(right, len(t0) - 1)]])
    apart = pairs[np.argmin(np.abs(pairs), axis=0), np.arange(len(hits))]
    apart = apart[np.abs(apart) < _SCINTILLATOR_NS]
    counts, edges = np.histogram(
        apart, 2 * round(_SCINTILLATOR_NS / _PEAK_NS), (-_SCINTILLATOR_NS, _SCINTILLATOR_NS)
    )
    peak = int(np.argmax(counts))
    near = apart[np.abs(apart - edges[peak] - _PEAK_NS / 2) < 3 * _PEAK_NS]
    if len(near) < LEAST_TRACKS // 3:
        return detector, None
    mean = float(np.median(near))
    spread = float(np.percentile(np.abs(near - mean), 68))
    now = float(np.mean([chamber.drift_offset_ns for chamber in detector.chambers]))
    chambers = tuple(
        replace(chamber, drift_offset_ns=chamber.drift_offset_ns + mean - now)
        for chamber in detector.chambers
    )
    return replace(detector, chambers=chambers), 1.25 * spread / len(near) ** 0.5


def _constants(
    before: Detector, after: Detector, errors: Reals, common: float | None
) -> tuple[Constant, ...]:
    """Return all constants; ``common`` is the error of the mean drift offset."""
    n = before.n_chambers
    fine = errors[constants_of(n) :]

    def constant(
        name: str, chamber: int | None, values: Sequence[float], error: float | None,
        index: int | None = None,
    ) -> Constant:  # fmt: skip
        return Constant(
            name=name, chamber=chamber, before=float(values[0]), after=float(values[1]),
            error=error or None, index=index,
        )  # fmt: skip

    pair = (before, after)
    velocities = [d.drift_velocity_um_per_ns for d in pair]
    found = [
        constant("drift_velocity_um_per_ns", None, velocities, float(errors[0]) * velocities[1])
    ]
    for k, name in enumerate(("drift_offset_ns", "offset_mm", "tilt_rad")):
        for c in range(n):
            values = [getattr(d.chambers[c], name) for d in pair]
            found.append(constant(name, c, values, float(errors[1 + k * n + c])))
    means = [sum(chamber.drift_offset_ns for chamber in d.chambers) / n for d in pair]
    found.append(constant("mean_drift_offset_ns", None, means, common))
    for c, layer in product(range(n if len(fine) else 0), range(LAYERS)):
        values = [_layer_times(d.chambers[c])[layer] for d in pair]
        found.append(constant("layer_times_ns", c, values, float(fine[LAYERS * c + layer]), layer))
    for knot, error in enumerate(fine[LAYERS * n :].tolist()):
        values = [_corrections(d)[knot] for d in pair]
        found.append(constant("rt_corrections_um", None, values, 1000 * error, knot))
    return tuple(found)
