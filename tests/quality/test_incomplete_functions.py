"""Incomplete beta and gamma functions against exact sums of fractions, which share no code."""

import math
from fractions import Fraction

import numpy as np
import pytest

from muonscope.quality import incomplete_functions as functions
from muonscope.quality.incomplete_functions import (
    chi_square_survival,
    incomplete_beta,
    inverse_incomplete_beta,
    normal_quantile,
    student_quantile,
)


def binomial_tail(n: int, k: int, p: Fraction) -> Fraction:
    """Return the probability of k or more of n, exactly."""
    return sum((math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1)), Fraction(0))


@pytest.mark.parametrize(
    ("n", "k", "p"),
    [
        (1, 1, Fraction(1, 2)), (5, 2, Fraction(1, 3)), (50, 3, Fraction(1, 10)),
        (50, 40, Fraction(1, 2)), (300, 200, Fraction(3, 5)), (300, 299, Fraction(1, 2)),
        (1000, 3, Fraction(1, 7)), (1000, 143, Fraction(1, 7)), (2000, 2000, Fraction(9, 10)),
    ],
)  # fmt: skip
def test_the_tail_of_a_binomial_is_its_sum(n: int, k: int, p: Fraction) -> None:
    wanted = float(binomial_tail(n, k, p))
    assert float(incomplete_beta(k, n - k + 1, float(p))) == pytest.approx(wanted, rel=1e-11)


def test_large_parameters_join_those_that_are_not() -> None:
    wanted = float(binomial_tail(5000, 1700, Fraction(1, 3)))
    assert float(incomplete_beta(1700, 3301, 1 / 3)) == pytest.approx(wanted, rel=1e-5)
    deep = float(binomial_tail(5000, 2000, Fraction(1, 3)))
    assert deep < 1e-20
    assert float(incomplete_beta(2000, 3001, 1 / 3)) == pytest.approx(deep, rel=1e-4)


def test_at_the_mean_the_expansion_has_no_hole() -> None:
    x = 0.4 + np.linspace(-1e-5, 1e-5, 41)
    values = incomplete_beta(4e6, 6e6, x)
    assert (np.diff(values) > 0).all()
    assert np.diff(values).max() < 2 * np.diff(values).min()


def test_an_array_gives_what_its_entries_give() -> None:
    a, b, x = np.array([0.5, 3, 900, 1e5]), np.array([4, 0.2, 1100, 1e5]), np.full(4, 0.49)
    one_by_one = [float(incomplete_beta(*row)) for row in zip(a, b, x, strict=True)]
    assert incomplete_beta(a, b, x).tolist() == one_by_one
    assert incomplete_beta(a, b, 0).tolist() == [0.0] * 4
    assert incomplete_beta(a, b, 1).tolist() == [1.0] * 4


@pytest.mark.parametrize("p", [1e-9, 0.005, 0.3, 0.5, 0.995, 1 - 1e-9])
def test_the_inverse_gives_the_same_probability_back(p: float) -> None:
    a = np.array([0.05, 0.5, 1, 3, 800, 1e5, 1e12])
    b = np.array([40, 0.5, 1e6, 2, 700, 3e5, 2.0**40])
    x = inverse_incomplete_beta(a, b, p)
    assert ((x > 0) & (x < 1)).all()
    assert incomplete_beta(a, b, x) == pytest.approx(np.full(7, p), rel=1e-4)


@pytest.mark.parametrize(
    ("value", "degrees"), [(0.1, 2), (5.0, 2), (60.0, 2), (3.0, 8), (30.0, 8), (90.0, 60)]
)
def test_chi_square_of_an_even_number_is_a_sum_of_poisson(value: float, degrees: int) -> None:
    half = Fraction(value) / 2
    terms = sum(half**i / math.factorial(i) for i in range(degrees // 2))
    wanted = float(terms) * math.exp(-float(half))
    assert chi_square_survival(value, degrees) == pytest.approx(wanted, rel=1e-9)


def test_chi_square_of_one_is_the_normal_distribution() -> None:
    for z in (0.1, 1.0, 2.5, 6.0):
        assert chi_square_survival(z * z, 1) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-8)
    assert chi_square_survival(0.0, 3) == 1.0


def test_quantiles_are_those_of_the_tables() -> None:
    assert normal_quantile(0.025) == pytest.approx(1.959964, abs=1e-5)
    assert student_quantile(0.025, 10) == pytest.approx(2.228139, abs=1e-5)
    assert student_quantile(0.0005, 2) == pytest.approx(31.599055, rel=1e-6)
    assert student_quantile(0.25, 1) == pytest.approx(1.0, rel=1e-8)  # Cauchy's quartile
    assert normal_quantile(1e-200) == pytest.approx(30.2, abs=0.1)


def test_the_expansion_is_used_only_where_it_is_good() -> None:
    a, b = np.array([2500.0, 450.0]), np.array([2500.0, 4000.0])
    x = a / (a + b) * 0.98
    assert functions._expansion(a, b, x) == pytest.approx(functions._fraction(a, b, x), rel=1e-5)
