"""How many messages Spark is to put into a micro-batch, without Spark."""

import numpy as np
import pytest

from muonscope.engines.spark.topic import Bound
from muonscope.stream.messages import Part


def part(messages: int, size: int) -> Part:
    return Part(
        partition=0, begin=0, end=messages, messages=messages, size=messages * size, time_ms=0,
        words=np.empty(0, np.uint64), rejects=(), number=None,
    )  # fmt: skip


def test_blocks_are_what_it_begins_with() -> None:
    bound = Bound()
    begun = bound.messages
    assert 32 << 20 < begun << 16 < 64 << 20
    assert bound.fits([part(begun // 2, 1 << 16), part(begun // 2, 1 << 16)])
    assert bound.messages == begun


@pytest.mark.parametrize(
    ("size", "most"), [(0, 100_000), (110, 100_000), (4 << 10, 12_288), (8 << 20, 100)]
)
def test_a_full_micro_batch_of_other_messages_sets_it_anew(size: int, most: int) -> None:
    bound = Bound()
    assert not bound.fits([part(bound.messages, size)])
    assert bound.messages == most
    assert bound.fits([part(most, size)])
    assert bound.messages == most


def test_it_finds_back_to_large_messages() -> None:
    bound = Bound()
    begun = bound.messages
    assert not bound.fits([part(begun, 100)])
    assert not bound.fits([part(bound.messages // 2, 1 << 16)])
    assert bound.messages == begun


@pytest.mark.parametrize("size", [1, 1 << 23])
def test_a_micro_batch_that_is_not_full_tells_nothing(size: int) -> None:
    bound = Bound()
    begun = bound.messages
    assert bound.fits([])
    assert bound.fits([part(begun // 2 - 1, size)])
    assert bound.messages == begun
