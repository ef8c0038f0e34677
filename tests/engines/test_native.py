"""The native engine: the counter's answers, in order, whatever the batches."""

from collections.abc import Iterator

import numpy as np
import pytest

from helpers.simulated import BRIGHT, simulated_words
from muonscope.counting.counter import PART_PANES, Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector
from muonscope.engines.native import count
from muonscope.intake.batch import Checkpoint, WordBatch
from muonscope.words.layout import Words

WORDS = simulated_words(20_000, profile=BRIGHT)


def batches(words: Words, size: int, checkpoints: int = 0) -> Iterator[WordBatch]:
    """Cut words into batches, numbered; every so many asks for a snapshot."""
    for number, at in enumerate(range(0, len(words), size)):
        wanted = Checkpoint(checkpoints > 0 and number % checkpoints == 0)
        yield WordBatch(words=words[at : at + size], stream=str(number), checkpoint=wanted)


def as_lists(tables: list[WindowTable]) -> list[tuple[int, int, int, list[int]]]:
    """Return what names and counts the windows."""
    return [
        (w.epoch, w.window, w.summary.total_hits, w.summary.drift_ns(0).tolist())
        for table in tables
        for w in table
    ]


@pytest.mark.parametrize("size", [7, 1000, 20_001])
def test_windows_are_those_of_one_thread(legnaro: Detector, size: int) -> None:
    counter, alone = Counter(legnaro), Counter(legnaro)
    tables = [step.windows for step in count(batches(WORDS, size), counter)]
    assert as_lists([*tables, counter.finish()]) == as_lists([alone.push(WORDS), alone.finish()])
    assert counter.words_in == len(WORDS)


def test_steps_come_in_the_order_of_the_batches_as_they_were(legnaro: Detector) -> None:
    steps = list(count(batches(WORDS, 500), Counter(legnaro)))
    done = [step.batch for step in steps if step.batch]
    assert [batch.stream for batch in done] == [str(n) for n in range(len(steps))]
    assert np.array_equal(np.concatenate([batch.words for batch in done]), WORDS)
    orbits = [step.orbit for step in steps if step.orbit is not None]
    assert orbits == sorted(orbits)
    assert steps[-1].epochs == 1


def test_a_snapshot_is_that_right_after_its_batch(legnaro: Detector) -> None:
    steps = list(count(batches(WORDS, 900, checkpoints=3), Counter(legnaro)))
    alone, seen = Counter(legnaro), 0
    for step in steps:
        assert step.batch
        alone.push(step.batch.words)
        assert (step.snapshot is not None) == bool(step.batch.checkpoint)
        if step.snapshot is not None:
            wanted = alone.snapshot()
            assert set(step.snapshot) == set(wanted)
            assert all(np.array_equal(step.snapshot[n], wanted[n]) for n in wanted)
            seen += 1
    assert seen > 3


def test_going_on_from_a_snapshot_gives_the_rest(legnaro: Detector) -> None:
    counter = Counter(legnaro)
    steps = list(count(batches(WORDS, 900, checkpoints=5), counter))
    whole = as_lists([*[s.windows for s in steps], counter.finish()])
    at = max(i for i, step in enumerate(steps) if step.snapshot is not None and i < len(steps) - 3)
    snapshot = steps[at].snapshot
    assert snapshot is not None
    other = Counter(legnaro)
    other.restore(snapshot)
    rest = [step.windows for step in count(batches(WORDS[900 * (at + 1) :], 900), other)]
    before = [step.windows for step in steps[: at + 1]]
    assert as_lists([*before, *rest, other.finish()]) == whole


def test_many_short_windows_come_in_parts_before_their_batch(legnaro: Detector) -> None:
    def short() -> Counter:
        return Counter(legnaro, WindowSpec(window_s=1e-3))

    counter, alone = short(), short()
    steps = list(count(batches(WORDS, len(WORDS)), counter))
    assert [step.batch is None for step in steps] == [*[True] * (len(steps) - 1), False]
    assert len(steps) > 2
    assert max(len(step.windows) for step in steps) == PART_PANES
    whole = as_lists([*[step.windows for step in steps], *counter.finish_in_parts()])
    assert whole == as_lists([alone.push(WORDS), alone.finish()])


def test_an_error_of_the_batches_comes_out_after_the_steps_before_it(legnaro: Detector) -> None:
    def failing() -> Iterator[WordBatch]:
        yield WordBatch(words=WORDS[:100], stream="0")
        raise RuntimeError("the source broke")

    counter = Counter(legnaro)
    steps = count(failing(), counter)
    first = next(steps).batch
    assert first
    assert first.stream == "0"
    with pytest.raises(RuntimeError, match="the source broke"):
        next(steps)
    assert counter.words_in == 100


def test_an_error_of_the_counter_comes_out(legnaro: Detector) -> None:
    wrong = WordBatch(words=np.zeros((2, 2), np.uint64))
    with pytest.raises(TypeError, match="one-dimensional"):
        list(count([wrong], Counter(legnaro)))


def test_no_batches_give_no_steps(legnaro: Detector) -> None:
    counter = Counter(legnaro)
    assert list(count(iter(()), counter)) == []
    assert counter.words_in == 0


def test_a_snapshot_if_windows_closed_comes_once_after_they_did(legnaro: Detector) -> None:
    def asking() -> Iterator[WordBatch]:
        for number, at in enumerate(range(0, len(WORDS), 100)):
            wanted = Checkpoint.IF_CLOSED if number % 2 else Checkpoint.NO
            wanted = Checkpoint.YES if number % 20 == 0 else wanted
            yield WordBatch(words=WORDS[at : at + 100], checkpoint=wanted)

    closed, kinds = False, {True: 0, False: 0}
    for step in count(asking(), Counter(legnaro, WindowSpec(window_s=0.05))):
        closed = closed or len(step.windows) > 0
        if step.batch is None:
            assert step.snapshot is None
            continue
        asked = step.batch.checkpoint
        wanted = asked is Checkpoint.YES or (asked is Checkpoint.IF_CLOSED and closed)
        assert (step.snapshot is not None) == wanted
        if asked is Checkpoint.IF_CLOSED:
            kinds[closed] += 1
        closed = closed and not wanted
    assert min(kinds.values()) > 1
