"""Stopping on a signal: the first one ends the work in order, the second one at once."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

__all__ = ["Stop", "Stopped"]

_LOOK_S = 0.05


class Stopped(typer.Exit):
    """A wait was ended by the first signal; there is nothing that would have to be ended."""


class Stop:
    """Remembers the first signal to stop; the second one interrupts at once."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.signal = 0

    def __bool__(self) -> bool:
        """Tell whether to stop."""
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """What a command that was stopped ends with."""
        return 128 + self.signal if self.signal else 0

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises
        ------
        Stopped
            If a signal comes meanwhile.
        """
        end = time.monotonic() + seconds
        while not self and time.monotonic() < end:
            time.sleep(_LOOK_S)
        if self:
            raise Stopped(self.exit_code)

    @contextmanager
    def listening(
        self, signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
    ) -> Iterator[None]:
        """Take over ``signals``."""

        def remember(number: int, _frame: FrameType | None) -> None:
            if self.signal:
                raise KeyboardInterrupt
            self.signal = number

        before = {n: signal.signal(n, remember) for n in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
