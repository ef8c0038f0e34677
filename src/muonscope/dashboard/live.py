"""The state of a running dashboard: the store, and how the data come in.

One thread feeds it, the server reads it; a lock keeps them apart. It has no clock of its
own: it is given one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from msgspec.structs import replace

from muonscope.dashboard import contract
from muonscope.dashboard.contract import Trend, ViewName
from muonscope.dashboard.documents import view_document
from muonscope.dashboard.standing import LiveOptions, Progress, Standing
from muonscope.dashboard.status import status_document
from muonscope.dashboard.verdict_contract import Verdicts
from muonscope.dashboard.verdicts import LiveJudge, Watcher
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.quality.judge import Judge
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.results.store import ResultStore, Taken, View
from muonscope.transports.base import SourceStatus
from muonscope.units import ORBIT_S

__all__ = ["Live", "LiveOptions", "Progress", "SourceStatus"]


@dataclass(slots=True)
class _Outgoing:
    """News that goes out with the next views."""

    closed_at: float
    """When what closed the newest window was there, s since 1970."""
    taken: int = 0
    """Windows that came since the feed told last."""
    seq: int = 0
    """Windows that are shown."""
    rows: Trend = field(default_factory=lambda: Trend(first=0, columns={}))


class Live:
    """The store and its surroundings; every method may be called from any thread."""

    def __init__(
        self, store: ResultStore, options: LiveOptions, *, clock: Callable[[], float],
        reference: View | None = None, watcher: Watcher | None = None,
    ) -> None:  # fmt: skip
        """Begin without data; ``clock`` gives the time as ``time.time`` does.

        ``watcher`` looks at all that is shown; by default a judge without a reference.
        """
        self.detector: Detector = store.detector
        self.options, self.reference = options, reference
        self._store, self._clock, self._lock = store, clock, Lock()
        detector = store.detector
        self._watcher = watcher or LiveJudge(lambda day: Judge(detector, auto=True, today=day))
        started = clock()
        self._standing, self._outgoing = Standing(options, started), _Outgoing(started)
        self._changed: Callable[[], None] = lambda: None

    # ---- the side of the feed

    def on_change(self, call: Callable[[], None]) -> None:
        """Call ``call``, in the thread of the feed, whenever there is something new."""
        self._changed = call

    def take(
        self, data: bytes, published_s: float = math.inf, there_s: float = math.inf
    ) -> Taken | None:
        """Take a message; return what became of it, or None if it was malformed.

        It is shown once ``tell`` is called. ``published_s`` is as the store has it;
        ``there_s`` is when the message was there at the latest; by default it comes now.
        """
        try:
            result = read_result(data, self.detector)  # takes its time: not under the lock
        except FormatError as exc:
            with self._lock:
                self._standing.dropped.note_malformed(exc)
            return None
        return self._add(result, data, published_s, there_s)

    def take_window(self, result: WindowResult, data: bytes) -> Taken:
        """Take a window that was counted here: ``data`` is its message, which is not read."""
        return self._add(result, data, math.inf, math.inf)

    def _add(
        self, result: WindowResult | Remainder, data: bytes, published_s: float, there_s: float
    ) -> Taken:
        with self._lock:
            run, taken = self._store.run, self._store.add(result, data, published_s)
            if self._store.run != run:
                self._standing.begin_run()
            self._standing.note(result, taken)
            if taken in {Taken.WINDOW, Taken.REMAINDER}:
                self._watcher.take(result, min(self._clock(), published_s))
            if taken is Taken.WINDOW:
                self._outgoing.taken += 1
                now = self._clock()
                self._standing.freshness.note_window(
                    result.summary.live_orbits * ORBIT_S, self.run_s, min(now, there_s), now
                )
            return taken

    def tell(self, progress: Progress, arrived: float) -> None:
        """Take note of how far the feed is, and show what was taken.

        ``arrived`` is when what was taken, or the words that it follows from, were there.
        """
        with self._lock:
            out, self._outgoing.taken = self._outgoing.taken, 0
            self._outgoing.seq += out
            self._outgoing.closed_at = arrived if out else self._outgoing.closed_at
            self._standing.freshness.note_arrived(out, arrived)
            self._standing.tell(progress, self._clock())
        self._changed()

    def expect(self, what: str) -> None:
        """Say what the first window waits for, while that is known."""
        with self._lock:
            self._standing.expect(what)
        self._changed()

    def stop(self, reason: str) -> None:
        """Say that nothing more comes, and why."""
        with self._lock:
            self._standing.stop(reason)
        self._changed()

    @property
    def run_s(self) -> float:
        """Time in the run at which its newest window ends, s."""
        return self._store.run_s

    # ---- the side of the server

    @property
    def changes(self) -> tuple[int, float | None]:
        """Two numbers of which one changes whenever views do."""
        return self._outgoing.seq, self._standing.reset_at

    def reset(self) -> None:
        """Begin the view of the run anew."""
        with self._lock:
            self._store.reset()
            self._standing.reset_at = self._clock()
        self._changed()

    def renew_rows(self) -> None:
        """Gather the rows of history that go out with the next views; note the latency."""
        with self._lock:
            self._standing.freshness.note_broadcast(self._clock())
            history = self._store.history
            rows = self._store.fresh_rows()
            self._outgoing.rows = Trend(
                first=history.rows_ever - len(rows), columns=history.columns_of(rows)
            )

    def view(self, name: ViewName) -> contract.View | None:
        """Return the document of a view with the newest rows of history; None without data."""
        with self._lock:
            view, out = self._store.view(name), self._outgoing
            if view is None:
                return None
            document = view_document(view, seq=out.seq)
            return replace(document, closed_at=round(out.closed_at, 4), trend=out.rows)

    def view_at(self, name: ViewName, place: tuple[int, int]) -> contract.View | None:
        """Return the document of a view at an earlier window; None where it is not kept."""
        with self._lock:
            kept, seq = self._store.kept(name, place), self._outgoing.seq
        return view_document(kept.view(), seq=seq) if kept else None

    def message(self, place: tuple[int, int]) -> bytes | None:
        """Return the message of a window; None where it is not kept."""
        with self._lock:
            return self._store.message(place)

    def windows(self, last_s: float) -> contract.Windows:
        """Return the history of the last ``last_s`` seconds."""
        with self._lock:
            history, run = self._store.history, self._store.run
            rows, ever = history.rows(last_s), history.rows_ever
        columns = history.columns_of(rows)  # takes its time: not under the lock
        return contract.Windows(
            run=run, first=ever - len(columns["run_s"]), next=ever, columns=columns
        )

    def hits_per_chamber(self) -> list[int]:
        """Return the hits of the run."""
        with self._lock:
            hits: list[int] = self._store.whole.hits_per_chamber.tolist()
        return hits

    def verdicts(self) -> Verdicts:
        """Return whether the run is good, and why."""
        with self._lock:
            assert isinstance(self._watcher, LiveJudge)
            return self._watcher.document()

    def status(self, viewers: int) -> contract.Status:
        """Return the document that says how all is going."""
        with self._lock:
            return status_document(
                self._store, self._standing, now=self._clock(), viewers=viewers,
                reference=self.reference is not None, verdict=self._watcher.word,
            )  # fmt: skip
