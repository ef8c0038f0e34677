"""Stopping a run in order: on a signal, or from another thread."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "Stopped"]

_LOOK_S = 0.05


class Stopped(Exception):  # noqa: N818 it is no error
    """A wait was ended by a stop; there was nothing yet that would have to be ended in order."""

    def __init__(self, exit_code: int) -> None:
        """Take the exit code of a command that ends with this."""
        super().__init__("stopped while waiting")
        self.exit_code = exit_code


class Stop:
    """A wish to stop: by the first signal, or by :meth:`set`; a second signal interrupts."""

    def __init__(self) -> None:
        """Begin without the wish."""
        self.signal = 0
        self._set = False

    def __bool__(self) -> bool:
        """Tell whether to stop."""
        return self._set

    def set(self, number: int = 0) -> None:
        """Ask to stop, because signal ``number`` came if it is given; from any thread."""
        self.signal, self._set = number, True

    @property
    def exit_code(self) -> int:
        """Exit code of a command that was stopped: 128 and the signal, or 0 without one."""
        return 128 + self.signal if self.signal else 0

    def wait(self, seconds: float) -> None:
        """Sleep.

        Raises
        ------
        Stopped
            If a stop is asked for meanwhile.
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
        """Take over ``signals``; in another thread than the main one no signal arrives."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(number: int, _frame: FrameType | None) -> None:
            if self.signal:
                raise KeyboardInterrupt
            self.set(number)

        before = {n: signal.signal(n, remember) for n in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
