"""Ratios of counts: exact intervals, their coverage, and Holm's correction."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muonscope.quality.ratio_intervals import holm, ratios, student_widening


def exact_p(n1: int, n2: int, share: Fraction) -> float:
    """Return twice the smaller tail of a binomial of n1 of n1 + n2, from fractions."""
    n = n1 + n2
    terms = [math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(n + 1)]
    return min(1.0, 2 * float(min(sum(terms[: n1 + 1]), sum(terms[n1:]))))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
def test_the_probability_is_that_of_a_sum_of_fractions(n1: int, n2: int, times: int) -> None:
    found = float(ratios(n1, n2, times).p)
    if n1 + n2 == 0:
        assert found == 1.0
    else:
        assert found == pytest.approx(exact_p(n1, n2, Fraction(times, times + 1)), rel=1e-9)


def test_intervals_cover_the_true_ratio_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    for mean1, mean2, exposure in ((3.0, 5.0, 1.0), (40.0, 4.0, 10.0), (900.0, 2000.0, 0.5)):
        n1, n2 = rng.poisson(mean1, 4000), rng.poisson(mean2, 4000)
        found = ratios(n1, n2, exposure, confidence=0.9)
        true = mean1 / mean2 / exposure
        covered = ((found.low <= true) & (true <= found.high)).mean()
        assert 0.885 < covered <= 1.0
    # of large counts they are not only safe, but narrow
    assert covered < 0.925


def test_interval_and_probability_tell_the_same() -> None:
    n1, n2 = (x.ravel() for x in np.meshgrid(np.arange(0, 40, 3), np.arange(0, 40, 3)))
    found = ratios(n1, n2, 1.7, confidence=0.99)
    outside = (found.low > 1) | (found.high < 1)
    assert np.array_equal(outside, found.p < 0.01)


@pytest.mark.parametrize(
    ("n1", "n2", "exposure", "value", "low", "high", "p"),
    [
        (0, 0, 1.0, math.nan, 0.0, math.inf, 1.0),
        (0, 8, 1.0, 0.0, 0.0, None, 2 / 2**8),
        (8, 0, 1.0, math.inf, None, math.inf, 2 / 2**8),
        (5, 5, 0.0, math.nan, 0.0, math.inf, 1.0),
        (5, 5, math.nan, math.nan, 0.0, math.inf, 1.0),
    ],
)
def test_nothing_is_no_division_by_zero(
    n1: int, n2: int, exposure: float, value: float, low: float | None, high: float | None, p: float
) -> None:
    found = ratios(n1, n2, exposure)
    assert float(found.value) == pytest.approx(value, nan_ok=True)
    assert low is None or float(found.low) == low
    assert high is None or float(found.high) == high
    assert float(found.p) == pytest.approx(p)


def test_huge_counts_have_narrow_intervals() -> None:
    found = ratios(2**40, 2**40, 1.0)
    assert float(found.high - found.low) == pytest.approx(
        2 * 2.5758 * math.sqrt(2 / 2**40), rel=0.01
    )
    gone = ratios(0, 2**40, 1.0)
    assert float(gone.p) == 0.0
    assert float(gone.high) < 1e-10


def test_a_dispersion_widens_by_its_root() -> None:
    plain, wide = ratios(4000, 4000, 1.0), ratios(4000, 4000, 1.0, 4.0)
    assert float(np.log(wide.high) / np.log(plain.high)) == pytest.approx(2.0, rel=0.01)
    assert float(ratios(40, 10, 1.0, 1.0).p) < 1e-3 < float(ratios(40, 10, 1.0, 10.0).p)


def test_a_dispersion_from_few_windows_is_increased() -> None:
    assert student_widening(6, 1e-4) > student_widening(60, 1e-4) > student_widening(600, 1e-4)
    assert 1.0 < student_widening(100_000, 1e-4) < 1.001
    assert math.isinf(student_widening(0, 0.01))


def test_holm_corrects_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_keeps_the_level_for_all_tests_together() -> None:
    p = np.random.default_rng(3).uniform(size=(4000, 50))
    told = np.mean([(holm(row) < 0.05).any() for row in p])
    assert 0.04 < told < 0.06
