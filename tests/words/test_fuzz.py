"""A moderate number of fuzzed inputs for each target; more with ``fuzz.py --seconds``.

The targets themselves assert: see :mod:`words.fuzz`.
"""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from words.fuzz import SEEDS, TARGETS, mutate, run

EACH = pytest.mark.parametrize("target", TARGETS)


@EACH
def test_the_seeds_themselves_pass(target: str) -> None:
    assert SEEDS[target]
    for seed in SEEDS[target]:
        TARGETS[target](seed)


@EACH
@examples(60)
@given(data=st.data())
def test_mutated_data_breaks_nothing(target: str, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(SEEDS[target]))
    number = data.draw(st.integers(0, 2**32))
    mutated = mutate(seed, random.Random(number))
    TARGETS[target](mutated)


@EACH
@examples(60)
@given(data=st.binary(max_size=400), keep=st.floats(0, 1))
def test_any_bytes_after_the_beginning_of_a_seed_break_nothing(
    target: str, data: bytes, keep: float
) -> None:
    seed = SEEDS[target][0]
    TARGETS[target](seed[: int(keep * len(seed))] + data)


def test_the_long_run_goes_through_all_targets_and_ends() -> None:
    ticks = itertools.count()
    assert run(list(TARGETS), 24, 3, lambda: float(next(ticks))) == 23
