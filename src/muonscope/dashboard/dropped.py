"""Counts of the results that were dropped, with the last examples of each kind."""

from collections import deque
from collections.abc import Sequence

from muonscope.results.read_message import WindowResult
from muonscope.results.store import Taken

__all__ = ["Dropped", "cut"]

_EXAMPLES = 20
_LATE_EXAMPLES = 5
_MOST_LETTERS = 300


class Dropped:
    """Messages that were not counted since the dashboard began."""

    def __init__(self) -> None:
        """Begin with nothing dropped."""
        self.malformed = self.duplicates = self.other_runs = 0
        self._malformed: deque[str] = deque(maxlen=_EXAMPLES)
        self._late: deque[str] = deque(maxlen=_LATE_EXAMPLES)

    def begin_run(self) -> None:
        """Forget the late words of the run before."""
        self._late.clear()

    def note_malformed(self, problem: Exception) -> None:
        """Count a result that could not be read."""
        self.malformed += 1
        self._malformed.append(cut(f"malformed result: {problem}"))

    def note(self, taken: Taken) -> None:
        """Count a result by what became of it."""
        self.duplicates += taken is Taken.DUPLICATE
        self.other_runs += taken is Taken.OTHER_RUN

    def note_late(self, result: WindowResult) -> None:
        """Remember a window that has late words."""
        if late := result.summary.accounting.late:
            where = f"epoch {result.epoch}, window {result.window}"
            self._late.append(f"late: {late:,} words by {where}")

    @property
    def last_malformed(self) -> str:
        """Text of the last result that could not be read."""
        return self._malformed[-1]

    def examples(self, rejects: Sequence[str]) -> list[str]:
        """Return the last of ``rejects`` and of what was dropped here."""
        return [*map(cut, rejects[-_EXAMPLES:]), *self._malformed, *self._late]


def cut(text: str) -> str:
    """Return a text that is short enough to be shown."""
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."
