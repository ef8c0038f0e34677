"""One step of a pipeline in a thread of its own, a bounded number of items ahead."""

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TypeVar

__all__ = ["prefetch"]

T = TypeVar("T")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def prefetch(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """Yield ``items``, made in another thread at most ``depth`` ahead.

    Errors come out where they belong in the order; when the consumer stops early, so does
    the thread, and a generator that made the items is closed.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stopping = threading.Event()

    def put(item: object) -> bool:
        while not stopping.is_set():
            try:
                ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put(item):
                    break
            put(_END)
        except BaseException as exc:  # noqa: BLE001 it is raised again by the consumer
            put(_Failure(exc))
        finally:
            if isinstance(iterator, Iterator) and hasattr(iterator, "close"):
                with closing(iterator):
                    pass

    thread = threading.Thread(target=work, daemon=True, name="muonscope-prefetch")
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
