"""A step in a thread of its own: order, errors, an early stop, and bounds."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from helpers.patience import patience
from muonscope.engines.prefetch import prefetch


def until(condition: Callable[[], bool]) -> bool:
    """Wait for a condition; tell whether it came true in time."""
    end = time.monotonic() + patience(10.0)
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


def threads() -> list[threading.Thread]:
    """Return the prefetch threads that are alive."""
    return [t for t in threading.enumerate() if t.name == "muonscope-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert until(lambda: not threads())


@pytest.mark.parametrize("depth", [1, 2, 100])
def test_items_come_in_order_and_none_is_lost(depth: int) -> None:
    assert list(prefetch(range(500), depth)) == list(range(500))


def test_nothing_gives_nothing() -> None:
    assert list(prefetch([])) == []


def test_items_may_be_none() -> None:
    assert list(prefetch([None, 0, False, None])) == [None, 0, False, None]


def test_an_error_comes_out_after_the_items_before_it() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the third")

    got: list[int] = []
    with pytest.raises(ValueError, match="the third"):
        got.extend(prefetch(failing()))
    items = prefetch(failing())
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(items)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopIteration, MemoryError])
def test_errors_of_any_kind_come_out(kind: type[BaseException]) -> None:
    class Failing:
        def __iter__(self) -> "Failing":
            return self

        def __next__(self) -> int:
            raise kind

    if kind is StopIteration:
        assert list(prefetch(Failing())) == []
        return
    with pytest.raises(kind):
        list(prefetch(Failing()))


def test_items_that_cannot_be_gone_through_are_an_error_and_not_a_hang() -> None:
    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise OSError("cannot begin")

    outcome: list[BaseException] = []

    def consume() -> None:
        try:
            list(prefetch(Broken()))
        except OSError as exc:
            outcome.append(exc)

    hook, threading.excepthook = threading.excepthook, lambda args: None
    try:
        consumer = threading.Thread(target=consume, daemon=True)
        consumer.start()
        consumer.join(timeout=patience(3.0))
    finally:
        threading.excepthook = hook
    assert [str(exc) for exc in outcome] == ["cannot begin"]


def test_it_runs_in_another_thread() -> None:
    seen = list(prefetch(threading.get_ident() for _ in range(3)))
    assert threading.get_ident() not in seen


@pytest.mark.parametrize("depth", [1, 3])
def test_it_is_never_more_than_the_depth_ahead(depth: int) -> None:
    made: list[int] = []

    def counted() -> Iterator[int]:
        for n in range(100):
            made.append(n)
            yield n

    items = prefetch(counted(), depth)
    for taken in range(1, 20):
        next(items)
        assert until(lambda wanted=taken + depth + 1: len(made) >= wanted)  # type: ignore[misc]
        assert len(made) <= taken + depth + 1  # in the queue, and one in the maker's hand
    items.close()  # type: ignore[attr-defined]


def test_an_early_stop_closes_the_generator_and_ends_the_thread() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = prefetch(endless())
    assert next(items) == 1
    items.close()  # type: ignore[attr-defined]
    assert closed.wait(patience(10.0))
    assert until(lambda: not threads())


def test_an_early_stop_ends_a_chain_of_threads() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = prefetch(2 * n for n in prefetch(endless()))
    assert next(items) == 2
    assert len(threads()) == 2
    items.close()  # type: ignore[attr-defined]
    assert closed.wait(patience(10.0))
    assert until(lambda: not threads())


def test_nothing_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []

    def making() -> Iterator[int]:
        made.append(1)
        yield 1

    items = prefetch(making())
    assert made == []
    assert list(items) == made == [1]
