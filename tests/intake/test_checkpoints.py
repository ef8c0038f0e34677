"""When snapshots are asked for: the clock is an argument, so nothing here takes time."""

import pytest

from muonscope.intake.batch import Checkpoint
from muonscope.intake.checkpoints import Checkpoints


class Clock:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_about_one_batch_a_second_is_marked() -> None:
    clock = Clock()
    due = Checkpoints(clock)
    marked = []
    for _ in range(35):
        clock.now += 0.1
        marked.append(due.due())
    assert marked.count(Checkpoint.YES) == 3
    assert marked.count(Checkpoint.IF_CLOSED) == 0
    assert due.due() is Checkpoint.NO


@pytest.mark.parametrize("live", [True, False])
def test_quick_ones_come_between_while_it_is_live(*, live: bool) -> None:
    clock = Clock()
    due = Checkpoints(clock, quick=True)
    marked = []
    for _ in range(90):
        clock.now += 0.025
        marked.append(due.due(live=live))
    assert marked.count(Checkpoint.YES) == 2
    assert (marked.count(Checkpoint.IF_CLOSED) > 10) == live


def test_nothing_is_ever_due_where_none_is_wanted() -> None:
    clock = Clock()
    due = Checkpoints(clock, wanted=False, quick=True)
    clock.now += 1000.0
    assert due.due() is Checkpoint.NO
