"""The state of a dashboard besides the counts: options, and what the feed has told so far."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from muonscope.dashboard.dropped import Dropped, cut
from muonscope.dashboard.freshness import Freshness
from muonscope.results.message import ByteAccounting
from muonscope.results.read_message import Remainder, WindowResult
from muonscope.results.store import Taken
from muonscope.transports.base import SourceStatus

__all__ = ["LiveOptions", "Progress", "Standing"]

_NOTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """Facts of a dashboard that are known before its first window; all of it is shown."""

    source: str
    """Where its windows come from, as on the command line."""
    version: str = ""
    window_s: float = 1.0
    """Length of windows until one tells it, s."""
    speed: float = 1.0
    """Speed at which they come, relative to detector time (1 = real time)."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Options by name, secrets masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a feed is; it tells now and then."""

    words: int | None = None
    """Words taken in; None where results come in."""
    sources: Sequence[SourceStatus] = ()
    bytes: ByteAccounting | None = None
    rejects: Sequence[str] = ()
    """The first pieces that could not be decoded, in words."""
    notes: Sequence[str] = ()
    """Remarks since the last time."""
    doubts: Sequence[str] = ()
    """What makes the results doubtful, in words."""
    at_rest: bool = False
    """Whether all is shown of files that have not grown since they were opened."""


class Standing:
    """All that the status tells and the store does not know; every time is an argument."""

    def __init__(self, options: LiveOptions, started: float) -> None:
        """Begin without data at ``started``, s since 1970."""
        self.options, self.started = options, started
        self.freshness = Freshness(options.window_s, options.speed)
        self.dropped = Dropped()
        self.progress = Progress()
        self.notes: deque[str] = deque(maxlen=_NOTES)
        self.awaited = ""
        """Text of what the first window waits for."""
        self.ended = ""
        """Why nothing more comes; empty while something may."""
        self.failed = False
        """Whether that is a failure, and not the end of what there was."""
        self.reset_at: float | None = None

    def begin_run(self) -> None:
        """Forget what was of the run before."""
        self.freshness.begin_run()
        self.dropped.begin_run()
        self.reset_at = None

    def note(self, result: WindowResult | Remainder, taken: Taken) -> None:
        """Take note of a result that was counted, or was not."""
        self.dropped.note(taken)
        if taken is Taken.WINDOW:
            assert isinstance(result, WindowResult)
            self.dropped.note_late(result)

    def tell(self, progress: Progress, now: float) -> None:
        """Take note of how far the feed is."""
        self.progress = progress
        self.notes.extend(map(cut, progress.notes))
        if progress.words is not None:
            self.freshness.note_words(progress.words, now)

    def remark(self, what: str) -> None:
        """Keep a remark among the notes."""
        self.notes.append(cut(what))

    def expect(self, what: str) -> None:
        """Take note of what the first window waits for."""
        self.awaited = cut(what)

    def end(self, reason: str, *, failed: bool) -> None:
        """Take note that nothing more comes, and why."""
        self.ended, self.failed = cut(reason), failed

    @property
    def examples(self) -> list[str]:
        """The last of what was dropped, by its kind."""
        return self.dropped.examples(self.progress.rejects)
