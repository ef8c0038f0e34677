"""What happened to the runs that are shown, with the time of the clock and in the run.

Pure bookkeeping: every time is an argument.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from muonscope.dashboard.dropped import cut
from muonscope.dashboard.verdict_contract import Happening, HappeningKind, Happenings, Turn
from muonscope.results.read_message import WindowResult
from muonscope.units import ORBIT_S
from muonscope.wall_time import iso, seconds_of

__all__ = ["HOLE_S", "Journal"]

HOLE_S = 10.0
"""A time without windows that is worth a word, s."""

_MOST = 1_000


class Journal:
    """The last 1,000 happenings; they outlive the run that they are of."""

    def __init__(self) -> None:
        """Begin empty."""
        self._kept: deque[Happening] = deque(maxlen=_MOST)
        self._run, self._epoch, self._end_s = "", -1, 0.0

    def note(self, kind: HappeningKind, text: str, at: float, run_s: float | None = None) -> None:
        """Write down what happened ``at``, s since 1970, when the run was at ``run_s``."""
        where = None if run_s is None else round(run_s, 3)
        self._kept.append(
            Happening(at=iso(at), run=self._run, run_s=where, kind=kind, text=cut(text))
        )

    def follow(self, window: WindowResult, begin_s: float, at: float) -> None:
        """Take note of a window that begins at ``begin_s`` in the run, and what it tells."""
        if window.run != self._run:
            self._run, self._epoch, self._end_s = window.run, window.epoch, begin_s
            self.note("run", f"run {window.run} begins", at, begin_s)
        elif window.epoch > self._epoch:
            self._epoch = window.epoch
            self.note("epoch", f"epoch {window.epoch} begins", at, begin_s)
        elif begin_s - self._end_s > HOLE_S:
            hole = begin_s - self._end_s
            self.note("hole", f"windows come again after a hole of {hole:,.0f} s", at, begin_s)
        self._end_s = max(self._end_s, begin_s + window.summary.live_orbits * ORBIT_S)

    def document(self, turns: Iterable[Turn], last_s: float, now: float) -> Happenings:
        """Return what happened in the last ``last_s`` seconds, and how verdicts ``turned``."""
        found = [*self._kept, *self._turned(turns)]
        kept = [event for event in found if seconds_of(event.at) >= now - last_s]
        kept.sort(key=lambda event: event.at)
        return Happenings(events=kept)

    def _turned(self, turns: Iterable[Turn]) -> Iterator[Happening]:
        for turn in turns:
            if turn.since_at is None:
                continue
            what = f"{turn.target}: {turn.check.replace('_', ' ')}" if turn.check else turn.target
            yield Happening(
                at=turn.since_at, run=self._run, run_s=turn.since_s, kind="verdict",
                text=f"{what} is {turn.state}",
            )  # fmt: skip
