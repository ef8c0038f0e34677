"""Stopping on a signal: the first one ends the work in order, the second one at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop"]


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
