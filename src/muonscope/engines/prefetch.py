"""One step of a pipeline in a thread of its own, a bounded number of items ahead."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["prefetch"]

T = TypeVar("T")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()
_LOOK_S = 0.05


def _nothing() -> None:
    """Stand in for the ``close`` of what has none."""


def _put(item: object, ready: "queue.Queue[object]", stopping: threading.Event) -> bool:
    """Wait for room; return False if the consumer is gone."""
    while not stopping.is_set():
        try:
            ready.put(item, timeout=_LOOK_S)
        except queue.Full:
            continue
        return True
    return False


def _work(items: Iterable[object], ready: "queue.Queue[object]", stopping: threading.Event) -> None:
    try:
        for item in items:
            if not _put(item, ready, stopping):
                break
        _put(_END, ready, stopping)
    except BaseException as exc:
        _put(_Failure(exc), ready, stopping)
    finally:
        getattr(items, "close", _nothing)()


def prefetch(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """Yield ``items``, made in another thread at most ``depth`` ahead.

    Errors come out where they belong in the order; when the consumer stops early, so does
    the thread, and a generator that made the items is closed.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stopping = threading.Event()
    thread = threading.Thread(
        target=_work, args=(items, ready, stopping), daemon=True, name="muonscope-prefetch"
    )
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is _END:
                break
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stopping.set()
        thread.join(timeout=5.0)
