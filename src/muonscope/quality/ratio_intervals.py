"""Ratios of two counts: exact intervals, probabilities, and Holm's correction.

Given their sum, one of two Poisson counts is binomial, whatever the rate: with exposures t1 and t2
and the ratio of rates R its share is R t1 / (R t1 + t2). So the interval of Clopper and Pearson
(Biometrika 26, 1934) for that share is an exact one for R (Przyborowski and Wilenski, Biometrika
31, 1940). Counts that scatter more than Poisson's, by a dispersion phi, tell as much as n / phi
counts: that is what the binomial distribution, continued to real numbers by the incomplete beta
function, is given.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.incomplete_functions import (
    incomplete_beta,
    inverse_incomplete_beta,
    normal_quantile,
    student_quantile,
)

__all__ = ["Ratios", "holm", "ratios", "student_widening"]

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratios:
    """Ratios of rates; arrays of one shape."""

    value: Reals
    """n1 / t1 by n2 / t2: infinite if only n2 is 0, NaN if both are or an exposure is 0."""
    low: Reals
    high: Reals
    """Interval of the confidence that was asked for: 0 and infinity where nothing bounds it."""
    p: Reals
    """Probability of what is as far from R = 1, two-sided; 1 where there is nothing to compare."""


def ratios(n1: Any, n2: Any, exposure: Any, phi: Any = 1.0, confidence: float = 0.99) -> Ratios:
    """Return the ratios of the rates of counts ``n1`` to those of ``n2``.

    Parameters
    ----------
    n1, n2
        Counts, 0 or more.
    exposure
        Exposure of the first by that of the second, t1 / t2; 0 or NaN: nothing to compare.
    phi
        Dispersion of both, 1 or more.
    confidence
        Of the intervals, 0 .. 1.
    """
    n1, n2, exposure, phi = np.broadcast_arrays(
        *(np.asarray(v, np.float64) for v in (n1, n2, exposure, phi))
    )
    usable = (exposure > 0) & np.isfinite(exposure) & (n1 + n2 > 0)
    t = np.where(usable, exposure, 1.0)
    k1, k2 = np.where(usable, n1 / phi, 0.0), np.where(usable, n2 / phi, 0.0)
    share = t / (1 + t)
    # P(X >= k1) and P(X <= k1); each is 1 at the end of its range
    above = np.where(k1 > 0, incomplete_beta(np.maximum(k1, 1e-9), k2 + 1, share), 1.0)
    rest = 1 / (1 + t)
    below = np.where(k2 > 0, incomplete_beta(np.maximum(k2, 1e-9), k1 + 1, rest), 1.0)
    tail = (1 - confidence) / 2
    low = _odds(k1, k2 + 1, tail, empty=0.0, none=k1 <= 0)
    high = _odds(k1 + 1, k2, 1 - tail, empty=np.inf, none=k2 <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = n1 / (n2 * t)
    return Ratios(
        value=np.where(usable, value, np.nan),
        low=np.where(usable, low / t, 0.0),
        high=np.where(usable, high / t, np.inf),
        p=np.where(usable, np.minimum(1.0, 2 * np.minimum(above, below)), 1.0),
    )


def _odds(a: Reals, b: Reals, p: float, *, empty: float, none: Any) -> Reals:
    """Return x / (1 - x) of the quantile of a beta distribution, ``empty`` where ``none``."""
    x = inverse_incomplete_beta(np.where(none, 1.0, a), np.where(none, 1.0, b), p)
    with np.errstate(divide="ignore"):
        odds = x / (1 - x)
    return np.where(none, empty, odds)


def student_widening(degrees: float, level: float) -> float:
    """Return by how much a dispersion that is known from ``degrees`` is to be increased.

    With an estimated variance a deviation follows Student's distribution: the square of its
    quantile by that of the normal one, at the ``level`` at which a difference would be told.
    """
    if degrees < 1:
        return np.inf
    tail = _rounded(min(max(level, 1e-12), 0.5)) / 2
    return (student_quantile(tail, _rounded(degrees)) / normal_quantile(tail)) ** 2


def _rounded(value: float) -> float:
    """Return two digits of a number, which is never above it: quantiles are found once."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit


def holm(p: Any) -> Reals:
    """Return probabilities corrected for their number (Holm, Scand. J. Statist. 6, 1979).

    That any true hypothesis gets one below ``level`` has at most the probability ``level``,
    however the tests depend on one another.
    """
    p = np.asarray(p, np.float64)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    made = np.empty(len(p))
    made[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return made
