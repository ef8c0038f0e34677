"""A dashboard that was started as a command."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from helpers.command import Command, Finished, Running, until
from helpers.patience import patience

__all__ = ["Shown", "shown"]

_ADDRESS = re.compile(r"dashboard of .* on (http://\S+/)\s")

Status = dict[str, Any]


class Shown:
    """A dashboard that runs."""

    def __init__(self, running: Running) -> None:
        """Wait until it says where it is."""
        self.running, self._address = running, ""
        until(self._has_come, "the dashboard's address")
        assert self._address, running.wait().err

    def _has_come(self) -> bool:
        found = _ADDRESS.search(self.running.err())
        self._address = found[1] if found else ""
        return found is not None or self.running.done()

    @property
    def url(self) -> str:
        """Where it is."""
        return self._address

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return httpx.get(self.url + path, timeout=patience(20.0), **options)

    def health(self, **options: Any) -> Status:
        """Return its status."""
        status: Status = self.get("api/v1/health", **options).json()
        return status

    def until(self, condition: Callable[[Status], bool], what: str) -> Status:
        """Wait until its status is as wanted; return that."""
        seen: list[Status] = []

        def has_come() -> bool:
            seen[:] = [self.health()]
            return condition(seen[0])

        try:
            until(has_come, what)
        except AssertionError:
            raise AssertionError(f"{what}: {seen}") from None
        return seen[0]

    def end(self, number: int = signal.SIGINT) -> Finished:
        """Have it end, and wait for that."""
        self.running.signal(number)
        return self.running.wait()


@contextmanager
def shown(command: Command, *args: object, **options: Any) -> Iterator[Shown]:
    """Run ``muonscope args`` on a free port while the block lasts."""
    running = command.start(*args, "--port", 0, **options)
    try:
        yield Shown(running)
    finally:
        running.signal(signal.SIGKILL)
        running.wait()
