"""How a run tells people of itself: one small protocol, given from above."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from muonscope.counting.summary import Summary
from muonscope.errors import MuonscopeError
from muonscope.events import Event
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus
from muonscope.wording import describe
from muonscope.words.rejects import Rejects

__all__ = ["Account", "LogReporter", "Progress", "Reporter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands."""

    words: int
    """Words counted so far; those of earlier runs that it goes on from included."""
    windows: int
    orbit: int | None
    """Orbit at which the clock stands; None before the first hit."""
    standing: Callable[[], list[SourceStatus]]
    """Looks how far each source has been read; takes its time, so it is only asked when shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where all words and bytes of a run went."""

    run: str
    total: Summary
    """Counts of all windows and of what belongs to none, condensed."""
    windows: int
    bytes: ByteAccounting
    rejects: Rejects
    paused_words: int | None = None
    """Words in windows that are still open, where the run was stopped and can go on."""
    errors: list[MuonscopeError] = field(default_factory=list)
    """Reasons why single streams could not be read."""
    doubts: list[Event] = field(default_factory=list)
    """What makes the results doubtful, such as many late words; ``muonscope.wording.describe``
    gives it in words."""


class Reporter(Protocol):
    """Something that shows people how a run goes."""

    def tell(self, event: Event) -> None:
        """Show an event."""

    def progress(self, progress: Progress) -> None:
        """Show where the run stands, if it is time to; called after each batch."""

    def account(self, account: Account) -> None:
        """Show where everything went, now that the run has come to its end."""


class LogReporter:
    """Writes events to the log, for those who process from Python."""

    def __init__(self) -> None:
        """Take the logger of the package."""
        self._log = logging.getLogger("muonscope")

    def tell(self, event: Event) -> None:
        """Log an event; a doubt is a warning."""
        self._log.log(logging.WARNING if event.doubtful else logging.INFO, "%s", describe(event))

    def progress(self, progress: Progress) -> None:
        """Log nothing: who calls waits for the end."""

    def account(self, account: Account) -> None:
        """Log one line."""
        self._log.info("run %s: %r", account.run, account.total)
