"""Incomplete beta and gamma functions, for exact intervals and tail probabilities.

They take the place of a library of statistics: the regularised incomplete beta function I_x(a, b)
is the tail of a binomial distribution and of Student's t, the incomplete gamma function that of
chi-square. All arguments are arrays of any one shape, float64, unless said otherwise.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "chi_square_survival", "incomplete_beta", "inverse_incomplete_beta", "normal_quantile",
    "student_quantile",
]  # fmt: skip

Reals = npt.NDArray[np.float64]

_MOST_TERMS = 10_000
_ENOUGH = 1e-14
_LOOKED_AT = 8
"""Terms of the fraction after which those that have converged are left alone."""

_TINY = 1e-300

_LARGE = 4_000.0
"""From a + b on, if neither is below a hundredth of it, the expansion is exact to 1e-5."""

_log_gamma: Callable[[Reals], Reals] = np.vectorize(math.lgamma, otypes=[np.float64])
_erfc: Callable[[Reals], Reals] = np.vectorize(math.erfc, otypes=[np.float64])


def incomplete_beta(a: Any, b: Any, x: Any) -> Reals:
    """Return I_x(a, b) for a, b > 0 and 0 <= x <= 1.

    A continued fraction (DLMF 8.17.22) by the method of Lentz; where both parameters are large,
    the uniform expansion of Temme with its first term (DLMF 8.18.14).
    """
    a, b, x = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (a, b, x)))
    made = np.where(x >= 1, 1.0, 0.0)
    inside = (x > 0) & (x < 1)
    large = inside & (a + b > _LARGE) & (np.minimum(a, b) > (a + b) / 100)
    made[large] = _expansion(a[large], b[large], x[large])
    # the fraction converges fast below the mean; above it, that of the other tail does
    below = x < (a + 1) / (a + b + 2)
    some = inside & ~large & below
    made[some] = _fraction(a[some], b[some], x[some])
    some = inside & ~large & ~below
    made[some] = 1 - _fraction(b[some], a[some], 1 - x[some])
    return np.clip(made, 0.0, 1.0)


def _fraction(a: Reals, b: Reals, x: Reals) -> Reals:
    if not x.size:
        return np.zeros(x.shape)
    log_factor = _log_gamma(a + b) - _log_gamma(a) - _log_gamma(b)
    log_factor += a * np.log(x) + b * np.log1p(-x)
    factor, made = np.exp(log_factor) / a, np.ones(x.shape)
    some: Any = np.arange(x.size)
    c, d = np.ones(x.shape), 1 / _away(1 - (a + b) * x / (a + 1))
    value = d.copy()
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            value = value * (c * d)
        if m % _LOOKED_AT == 0:
            made[some] = value
            going = np.abs(c * d - 1) >= _ENOUGH
            if not going.any():
                break
            some = some[going]
            a, b, x, c, d, value = (v[going] for v in (a, b, x, c, d, value))
    return np.asarray(factor * made)


def _away(value: Reals) -> Reals:
    """Return the same, but no zero."""
    return np.where(np.abs(value) < _TINY, _TINY, value)


def _expansion(a: Reals, b: Reals, x: Reals) -> Reals:
    n = a + b
    mean = a / n
    apart = x - mean
    half_square = -mean * _log_ratio(x, mean, apart)
    half_square -= (1 - mean) * _log_ratio(1 - x, 1 - mean, -apart)
    eta = np.sign(apart) * np.sqrt(2 * np.maximum(half_square, 0.0))
    width = np.sqrt(mean * (1 - mean))
    near = np.abs(eta) < 1e-4
    safe = np.where(near, 1.0, eta)
    first = 1 / safe - width / np.where(near, 1.0, apart)
    first = np.where(near, (1 - 2 * mean) / (3 * width), first)
    density = np.exp(-n * half_square) / np.sqrt(2 * np.pi * n)
    return np.asarray(_erfc(-eta * np.sqrt(n / 2)) / 2 + density * first)


def _log_ratio(value: Reals, by: Reals, apart: Reals) -> Reals:
    """Return ln(value / by) of what is ``apart``, to all digits also where that is little."""
    more = apart / by
    near = np.abs(more) < 0.1
    return np.where(near, np.log1p(np.where(near, more, 0.0)), np.log(value / by))


def inverse_incomplete_beta(a: Any, b: Any, p: Any) -> Reals:
    """Return the x with I_x(a, b) = p, for a, b > 0 and 0 <= p <= 1, to 1e-6 of its own width.

    Newton's steps on the logit of x, kept inside of a bracket that bisection makes smaller.
    """
    a, b, p = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (a, b, p)))
    flat, shape = [v.ravel() for v in (a, b, p)], p.shape
    at = _start(*flat)
    low, high = np.full(at.shape, -740.0), np.full(at.shape, 740.0)
    log_beta = _log_gamma(flat[0]) + _log_gamma(flat[1]) - _log_gamma(flat[0] + flat[1])
    some = np.arange(at.size)
    for _ in range(200):
        a, b, p, x, rest = (*(v[some] for v in flat), _logistic(at[some]), _logistic(-at[some]))
        off = incomplete_beta(a, b, x) - p
        low[some] = np.where(off < 0, at[some], low[some])
        high[some] = np.where(off < 0, high[some], at[some])
        log_slope = a * np.log(x) + b * np.log(rest) - log_beta[some]
        new = at[some] - off / np.exp(np.maximum(log_slope, -700.0))
        within = (new > low[some]) & (new < high[some])
        new = np.where(within, new, (low[some] + high[some]) / 2)
        moved = np.abs(new - at[some]) >= 1e-7 * np.minimum(1.0, np.sqrt(1 / a + 1 / b))
        at[some] = new
        some = some[moved]
        if not some.size:
            break
    made, p = _logistic(at), flat[2]
    return np.where(p <= 0, 0.0, np.where(p >= 1, 1.0, made)).reshape(shape)


def _start(a: Reals, b: Reals, p: Reals) -> Reals:
    """Return about where the logit is: nearly normal around that of a / (a + b)."""
    deviations = {q: _deviation(q) for q in np.unique(p).tolist()}
    apart = np.array([deviations[q] for q in p.tolist()])
    return np.asarray(np.clip(np.log(a / b) + np.sqrt(1 / a + 1 / b) * apart, -700.0, 700.0))


def _deviation(p: float) -> float:
    """Return the quantile ``p`` of a normal variable, at most 30."""
    if p == 0.5:
        return 0.0
    tail = max(min(p, 1 - p), 1e-200)
    return normal_quantile(tail) * (-1 if p < 0.5 else 1)


def _logistic(at: Reals) -> Reals:
    return np.asarray(1 / (1 + np.exp(-np.clip(at, -690.0, 690.0))))


def chi_square_survival(value: float, degrees: float) -> float:
    """Return the probability that chi-square with ``degrees`` > 0 is above ``value``.

    The series or the continued fraction of the incomplete gamma function (DLMF 8.7.1, 8.9.2).
    """
    a, x = degrees / 2, value / 2
    if x <= 0:
        return 1.0
    log_factor = a * math.log(x) - x - math.lgamma(a)
    if x < a + 1:
        term = total = 1 / a
        n = a
        while term > total * _ENOUGH:
            n += 1
            term *= x / n
            total += term
        return max(0.0, 1 - total * math.exp(log_factor))
    b = x + 1 - a
    c, d = 1 / _TINY, 1 / b
    made = d
    for i in range(1, _MOST_TERMS):
        term, b = -i * (i - a), b + 2
        d = 1 / (term * d + b)
        c = b + term / c
        made *= c * d
        if abs(c * d - 1) < _ENOUGH:
            break
    return math.exp(log_factor) * made


@lru_cache(maxsize=4096)
def normal_quantile(p: float) -> float:
    """Return the z above which a normal variable is with the probability ``p``, 0 < p < 0.5."""
    return _root(lambda z: math.erfc(z / math.sqrt(2)) / 2, p)


@lru_cache(maxsize=4096)
def student_quantile(p: float, degrees: float) -> float:
    """Return the t above which Student's variable is with the probability ``p``, 0 < p < 0.5."""
    return _root(
        lambda t: float(incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))) / 2, p
    )


def _root(survival: Callable[[float], float], p: float) -> float:
    """Return where a falling function is ``p``: false position in its logarithm (Illinois)."""
    low, high, at_low = 0.0, 1.0, math.log(survival(0.0) / p)
    while (at_high := _log_by(survival(high), p)) > 0:
        low, high, at_low = high, high * 2, at_high
    kept = 0
    for _ in range(100):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        at_middle = _log_by(survival(middle), p)
        if abs(at_middle) < 1e-10 or high - low < 1e-12 * high:
            return middle
        if at_middle > 0:
            low, at_low = middle, at_middle
            at_high, kept = (at_high / 2 if kept > 0 else at_high), 1
        else:
            high, at_high = middle, at_middle
            at_low, kept = (at_low / 2 if kept < 0 else at_low), -1
    return middle


def _log_by(value: float, p: float) -> float:
    return math.log(value / p) if value > 0 else -1e3
