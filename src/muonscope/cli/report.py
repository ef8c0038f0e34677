"""Progress on standard error while a run goes on, and tables when it ends."""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from muonscope.cli.say import tell
from muonscope.counting.summary import Summary
from muonscope.events import Event, EventKind
from muonscope.processing.reporter import Account, Progress
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus
from muonscope.wording import describe
from muonscope.words.rejects import Rejects

__all__ = ["ConsoleReporter", "LiveLine"]

_SHOWN_OF_THE_CLOCK = frozenset({EventKind.EPOCH, EventKind.HOLE, EventKind.POOL_FULL})
_OF_THE_CLOCK = _SHOWN_OF_THE_CLOCK | {
    EventKind.CLOCK_BACK, EventKind.LONE_ORBIT, EventKind.LATE,
}  # fmt: skip
"""Events that the windower noticed; the others of them are counted in the account."""
_LINE_EVERY_S = 10.0
_REFRESH_S = 0.25


class LiveLine:
    """One line that tells how things go: live on a terminal, plain every 10 s elsewhere.

    What is shown is for people only: that it cannot be written stops no run.
    """

    def __init__(self) -> None:
        """Wait as long as between two lines for the first."""
        self.console = Console(stderr=True)
        self._live = (
            Live(console=self.console, refresh_per_second=4, transient=True)
            if self.console.is_terminal
            else None
        )
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        """Start to show."""
        if self._live:
            with suppress(OSError):
                self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Clear the line."""
        self.end()

    def end(self) -> None:
        """Clear the line: nothing more is shown in it."""
        if self._live:
            with suppress(OSError):
                self._live.stop()

    def due(self, now: float) -> bool:
        """Tell whether it is time for a line, and take it that one is shown if so."""
        if now - self._last < (_REFRESH_S if self._live else _LINE_EVERY_S):
            return False
        self._last = now
        return True

    def show(self, line: str) -> None:
        """Show a line in place of the one before."""
        with suppress(OSError):
            if self._live:
                self._live.update(Text(line, no_wrap=True, overflow="ellipsis"))
            else:
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)


class ConsoleReporter(LiveLine):
    """Shows how a run goes, what was noticed, and the account at its end."""

    def __init__(self) -> None:
        """Begin now."""
        super().__init__()
        self._start = time.monotonic()
        self._words_before: int | None = None

    def tell(self, event: Event) -> None:
        """Print an event; of those of the clock only what changes the windows.

        What is shown is for people only: that it cannot be written stops no run.
        """
        with suppress(OSError):
            if event.kind not in _OF_THE_CLOCK:
                tell(event)
            elif event.kind in _SHOWN_OF_THE_CLOCK and event.numbers["before"] > 0:
                self.console.print(describe(event), style="yellow", highlight=False, soft_wrap=True)

    def progress(self, progress: Progress) -> None:
        """Show where the run stands, if it is time to."""
        if self._words_before is None:
            self._words_before = progress.words
        now = time.monotonic()
        if self.due(now):
            self.show(self._line(progress, now - self._start))

    def _line(self, progress: Progress, elapsed: float) -> str:
        rate = (progress.words - (self._words_before or 0)) / max(elapsed, 1e-9)
        parts = [
            f"{progress.words:,} words", f"{rate / 1e6:.1f} M/s", f"{progress.windows:,} windows",
        ]  # fmt: skip
        if progress.orbit is not None:
            parts.append(f"orbit {progress.orbit:,}")
        return ", ".join(filter(None, [*parts, _behind(progress.standing())]))

    def account(self, account: Account) -> None:
        """Print where the words and bytes went, and the hits of each chamber."""
        self.end()
        title = f"run {account.run}"
        if account.paused_words is not None:
            title += (
                f" (paused with {account.paused_words:,} words in open windows;"
                " the same command goes on)"
            )
        with suppress(OSError):
            self.console.print(_words_table(account.total, account.bytes, account.windows, title))
            self.console.print(_chambers_table(account.total))
            for line in _reject_lines(account.rejects):
                self.console.print(
                    line, style="yellow", highlight=False, markup=False, soft_wrap=True
                )


def _behind(sources: Sequence[SourceStatus]) -> str:
    """Tell how much is still to be read, where that is known."""
    if not sources:
        return ""
    if sources[0].unit == "messages":
        return f"{sum(source.behind or 0 for source in sources):,} messages behind"
    behind = sources[0].behind  # that of all files together
    return "" if behind is None else f"{behind / 1e6:,.1f} MB to go"


def _words_table(whole: Summary, account: ByteAccounting, windows: int, title: str) -> Table:
    words = whole.accounting
    table = Table(title=Text(f"{title}: {windows:,} windows, {whole.live_s:,.3f} s"))
    table.add_column("words")
    table.add_column("", justify="right")
    table.add_column("bytes")
    table.add_column("", justify="right")
    left = [(name.replace("_", " "), f"{value:,}") for name, value in words.as_dict().items()]
    right = [
        ("bytes in", f"{account.bytes_in:,}"),
        ("decoded", f"{account.bytes_decoded:,}"),
        ("rejected", f"{account.bytes_rejected:,}"),
        *((f"  {n.lower().replace('_', ' ')}", f"{c:,} times") for n, c in account.rejects.items()),
    ]
    for i in range(max(len(left), len(right))):
        table.add_row(
            *(left[i] if i < len(left) else ("", "")), *(right[i : i + 1] or [("", "")])[0]
        )
    return table


def _chambers_table(whole: Summary) -> Table:
    detector = whole.detector
    table = Table(title=Text(f"detector {detector.name}"))
    for name in ("chamber", "hits", "share", "with scintillator"):
        table.add_column(name, justify="left" if name == "chamber" else "right")
    for chamber, hits, scint in zip(
        detector.chambers,
        whole.hits_per_chamber.tolist(),
        whole.scint_hits_per_chamber.tolist(),
        strict=True,
    ):
        share = f"{hits / whole.total_hits:.1%}" if whole.total_hits else ""
        table.add_row(Text(chamber.label), f"{hits:,}", share, f"{scint:,}")
    return table


def _reject_lines(rejects: Rejects) -> Iterable[str]:
    if rejects.total:
        yield f"{rejects.total:,} rejected" + ("; the first:" if rejects.examples else "")
        yield from (f"  {reject}" for reject in rejects.examples[:5])
