"""Shapes of histograms: the G-test, pooling, permutations, and their level."""

import numpy as np
import pytest

from muonscope.quality.histogram_test import distance, pooled_bins, shape_test

BOX = np.concatenate([np.full(5, 1.0), np.full(20, 12.0), np.full(5, 1.0)])
BOX /= BOX.sum()


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_the_distance_is_the_part_that_is_elsewhere() -> None:
    assert distance(np.array([5, 5, 0]), np.array([0, 5, 5])) == 0.5
    assert distance(np.array([5, 0]), np.array([0, 700])) == 1.0
    assert distance(np.array([1, 2]), np.array([1000, 2000])) == 0.0
    assert distance(np.array([0, 0]), np.array([1, 1])) == 0.0


def test_thin_bins_join_their_neighbours_and_none_is_lost() -> None:
    expected = np.array([1.0, 1, 9, 2, 2, 2, 0, 0, 1])
    firsts = pooled_bins(expected, 5.0)
    assert firsts.tolist() == [0, 3]
    assert np.add.reduceat(expected, firsts).tolist() == [11.0, 7.0]
    assert pooled_bins(np.zeros(4), 5.0).tolist() == [0]


@pytest.mark.parametrize(("n1", "n2"), [(4000, 4000), (300, 30_000), (6, 9), (12, 4000)])
def test_histograms_of_one_shape_are_told_apart_as_often_as_the_level_says(
    n1: int, n2: int
) -> None:
    draws = rng()
    p = np.array([
        shape_test(draws.multinomial(n1, BOX), draws.multinomial(n2, BOX), 1.0, draws).p
        for _ in range(400)
    ])  # fmt: skip
    assert (p < 0.05).mean() < 0.08
    assert (p < 0.5).mean() > 0.3  # and the test is not merely silent


def test_few_entries_are_shuffled_and_of_many_chance_is_calculated() -> None:
    few = shape_test(np.array([4, 0, 1]), np.array([0, 5, 1]), 1.0, rng())
    many = shape_test(np.rint(5000 * BOX), np.rint(4500 * BOX), 1.0, rng())
    assert (few.method, many.method) == ("permutation", "G-test")
    assert few.p == shape_test(np.array([4, 0, 1]), np.array([0, 5, 1]), 1.0, rng()).p
    assert many.p > 0.99


def test_permutations_agree_with_all_arrangements() -> None:
    # of the 252 ways to take 5 of 10 entries, two are 5|0 against 0|5
    found = shape_test(np.array([5, 0]), np.array([0, 5]), 1.0, rng())
    assert found.p == pytest.approx(2 / 252, abs=2.5e-3)


def test_few_entries_are_compared_with_very_many() -> None:
    huge = (2.0**40 * BOX).astype(np.int64)
    alike, apart = np.zeros(30, np.int64), np.zeros(30, np.int64)
    alike[[6, 10, 14, 20]], apart[[0, 1, 2, 28]] = 1, 3
    assert shape_test(alike, huge, 1.0, rng()).p > 0.05
    assert shape_test(apart, huge, 1.0, rng()).p < 1e-3


def test_a_shift_of_the_box_is_found() -> None:
    draws = rng()
    one, other = draws.multinomial(3000, BOX), draws.multinomial(3000, np.roll(BOX, 2))
    assert shape_test(one, other, 1.0, draws).p < 1e-6
    assert shape_test(one, other, 1e4, draws).p > 0.5


def test_nothing_and_one_bin_are_nothing_to_compare() -> None:
    for one, other in (([0, 0], [0, 0]), ([0, 0], [3, 4]), ([0, 7], [0, 9])):
        found = shape_test(np.array(one), np.array(other), 1.0, rng())
        assert (found.p, found.method) == (1.0, "")


def test_counts_beyond_32_bits_are_compared() -> None:
    huge = (2.0**40 * BOX).astype(np.int64)
    assert shape_test(huge, huge * 3, 1.0, rng()).p > 0.99
    assert shape_test(huge, np.roll(huge, 1), 1.0, rng()).p == 0.0
