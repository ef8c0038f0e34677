"""What people read on stderr: progress while a run goes on, tables when it ends."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import NoteKind
from muonscope.processing.run import Status
from muonscope.results.message import ByteAccounting
from muonscope.wording import describe_note
from muonscope.words.rejects import Rejects

__all__ = ["LiveLine", "Progress", "print_account"]

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


class Progress(LiveLine):
    """Shows how a run goes, and what the windower noticed."""

    def __init__(self, behind: Callable[[Status], str]) -> None:
        """Take what tells how much is still to be read; empty where that is not known."""
        super().__init__()
        self._behind = behind
        self._start = time.monotonic()
        self._words_before: int | None = None

    def update(self, status: Status) -> None:
        """Show ``status`` if it is time to, and what it has to tell in any case.

        What is shown is for people only: that it cannot be written stops no run.
        """
        with suppress(OSError):
            self._show(status)

    def _show(self, status: Status) -> None:
        if self._words_before is None:
            self._words_before = status.words
        for note in status.notes:
            if note.kind in (NoteKind.EPOCH, NoteKind.HOLE, NoteKind.FULL) and note.before > 0:
                self.console.print(
                    describe_note(note), style="yellow", highlight=False, soft_wrap=True
                )
        now = time.monotonic()
        if self.due(now):
            self.show(self._line(status, now - self._start))

    def _line(self, status: Status, elapsed: float) -> str:
        rate = (status.words - (self._words_before or 0)) / max(elapsed, 1e-9)
        parts = [f"{status.words:,} words", f"{rate / 1e6:.1f} M/s", f"{status.windows:,} windows"]
        if status.orbit is not None:
            parts.append(f"orbit {status.orbit:,}")
        return ", ".join(filter(None, [*parts, self._behind(status)]))


def print_account(
    whole: Summary, account: ByteAccounting, rejects: Rejects, *, windows: int, title: str
) -> None:
    """Print where the words and bytes went, and the hits of each chamber, if that can be."""
    console = Console(stderr=True)
    with suppress(OSError):
        console.print(_words_table(whole, account, windows, title))
        console.print(_chambers_table(whole))
        for line in _reject_lines(rejects):
            console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)


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
