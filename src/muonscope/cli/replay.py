"""The ``replay`` command: one line that tells how it goes, and one at the end."""

import time
from contextlib import suppress

from muonscope.cli.report import LiveLine
from muonscope.cli.say import tell
from muonscope.cli.settings import set_pace
from muonscope.errors import OptionError
from muonscope.events import Event
from muonscope.replaying.options import ReplayOptions
from muonscope.replaying.replay import Sent, replay_with
from muonscope.stopping import Stop

__all__ = ["replay_command"]


def replay_command(options: ReplayOptions) -> int:
    """Send words until the source ends, or until stopped; return the exit code.

    Raises
    ------
    OptionError
        If it is not said where to.
    """
    if not options.to:
        raise OptionError("--to: is missing, expected kafka://host:port/topic")
    set_pace()
    stop = Stop()
    with _Report(options) as report:
        sent = replay_with(options, report, stop)
    report.conclude(sent, stopped=bool(stop))
    return stop.exit_code


class _Report(LiveLine):
    """Rate asked, rate reached, and bytes."""

    def __init__(self, options: ReplayOptions) -> None:
        super().__init__()
        rate = options.words_a_second
        self._asked = (
            "as fast as possible" if options.max
            else f"{options.speed:g} x real time" if options.speed is not None
            else f"{rate:,.0f} words/s asked"
        )  # fmt: skip
        self._before, self._shown = 0, time.monotonic()

    def tell(self, event: Event) -> None:
        """Print an event."""
        tell(event)

    def progress(self, sent: Sent) -> None:
        """Show how it goes, if it is time to."""
        now = time.monotonic()
        if not self.due(now):
            return
        reached = (sent.words - self._before) / (now - self._shown)
        trouble = f" ({sent.trouble})" if sent.trouble else ""
        self.show(
            f"{sent.words:,} words sent, {self._asked}, {reached:,.0f} reached,"
            f" {sent.bytes / 1e6:,.1f} MB{trouble}"
        )
        self._shown, self._before = now, sent.words

    def conclude(self, sent: Sent, *, stopped: bool) -> None:
        """Print what was sent, now that it is over."""
        rate = sent.words / max(sent.seconds, 1e-9)
        text = "stopped after " if stopped else ""
        text += f"{sent.words:,} words sent to {sent.to} in {sent.seconds:,.1f} s:"
        text += f" {self._asked}, {rate:,.0f} reached, {sent.bytes / 1e6:,.1f} MB"
        with suppress(OSError):
            self.console.print(text, soft_wrap=True, markup=False, highlight=False)
