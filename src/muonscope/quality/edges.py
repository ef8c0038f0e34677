"""The edges of a drift box: where it begins and ends, with errors.

An edge is a step that is smeared by a Gaussian, ``b + a Phi((t - edge) / width)``, fitted to the
bins within 60 ns of where the histogram crosses half of its plateau. The fit is one of maximum
likelihood with Poisson's errors (Fisher scoring: each step solves the normal equations with the
weights of the model), so empty bins count as what they are.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS

__all__ = ["Edge", "Edges", "edges_of"]

Array = npt.NDArray[Any]

_CENTRES = DRIFT_LOW_NS + DRIFT_BIN_NS * (np.arange(DRIFT_BINS) + 0.5)
_REACH_NS = 60.0
_LEAST_ENTRIES = 300
"""Drift times below which no edge is looked for."""

_LEAST_STEP = 4.0
"""Standard deviations by which a step must be there."""

_STEPS, _DONE = 40, 0.05
"""Most steps of a fit; it is done when one moves the edge by less than this part of its error."""

_WIDTH_NS, _WIDTH_SPREAD_NS = 6.0, 3.0
"""A width that is usual, and how far others are from it: few entries alone do not tell it."""

_WIDTHS_NS = 1.0, 40.0
_SMOOTH = np.ones(9) / 9
_TINY = 1e-9

_erf = np.frompyfunc(math.erf, 1, 1)


class Edge(NamedTuple):
    """Where a drift box begins or ends, ns."""

    at_ns: float
    error_ns: float


class Edges(NamedTuple):
    """Both edges of a drift box; None where the drift times are too few to tell."""

    rising: Edge | None
    falling: Edge | None


def edges_of(counts: Array) -> Edges:
    """Return the edges of a histogram of drift times, shape (DRIFT_BINS,).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> drawn = rng.uniform(0.0, 370.0, 20_000) + rng.normal(0.0, 5.0, 20_000)
    >>> edges = DRIFT_LOW_NS + DRIFT_BIN_NS * np.arange(DRIFT_BINS + 1)
    >>> found = edges_of(np.histogram(drawn, edges)[0])
    >>> [round(edge.at_ns) for edge in found if edge], found.rising.error_ns < 1.0
    ([0, 370], True)
    """
    counts = counts.astype(np.float64)
    if counts.sum() < _LEAST_ENTRIES:
        return Edges(None, None)
    smooth = np.convolve(counts, _SMOOTH, mode="same")
    half = np.sort(smooth)[-DRIFT_BINS // 4 :].mean() / 2
    above = np.flatnonzero(smooth >= half)
    rising = _fitted(counts, _CENTRES, float(_CENTRES[above[0]]))
    falling = _fitted(counts[::-1], -_CENTRES[::-1], -float(_CENTRES[above[-1]]))
    return Edges(rising, falling._replace(at_ns=-falling.at_ns) if falling else None)


def _fitted(counts: Array, at: Array, guess: float) -> Edge | None:
    """Return the step up that is nearest to ``guess``; None where there is none."""
    near = np.abs(at - guess) <= _REACH_NS
    n, t = counts[near], at[near]
    low, high = n[t < guess - 20.0], n[t > guess + 20.0]
    if not (low.size and high.size):
        return None
    p = np.array([max(low.mean(), 0.1), max(high.mean() - low.mean(), 0.1), guess, _WIDTH_NS])
    prior = np.diag([_TINY, _TINY, _TINY, _WIDTH_SPREAD_NS**-2])
    for _ in range(_STEPS):
        base, step, edge, width = p
        z = (t - edge) / width
        phi = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        share = 0.5 * (1 + _erf(z / math.sqrt(2)).astype(np.float64))
        model = np.maximum(base + step * share, _TINY)
        slopes = np.stack([np.ones_like(t), share, -step * phi / width, -step * phi * z / width])
        weighted = slopes / model
        try:
            covariance = np.linalg.inv(weighted @ slopes.T + prior)
        except np.linalg.LinAlgError:
            return None
        pull = np.array([0.0, 0.0, 0.0, (_WIDTH_NS - width) * prior[3, 3]])
        move = covariance @ (weighted @ (n - model) + pull)
        p = p + np.clip(move, [-np.inf, -np.inf, -10.0, -3.0], [np.inf, np.inf, 10.0, 3.0])
        p[0], p[3] = max(p[0], _TINY), min(max(p[3], _WIDTHS_NS[0]), _WIDTHS_NS[1])
        if move[2] ** 2 < _DONE**2 * covariance[2, 2]:
            break
    error, step_error = math.sqrt(max(covariance[2, 2], 0.0)), math.sqrt(max(covariance[1, 1], 0.0))
    inside = abs(p[2] - guess) <= _REACH_NS
    if not inside or p[1] < _LEAST_STEP * step_error or not 0 < error < _REACH_NS / 2:
        return None
    return Edge(float(p[2]), error)
