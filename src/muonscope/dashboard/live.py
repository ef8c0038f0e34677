"""The state of a running dashboard: the store, and how the data come in.

One thread feeds it, the server reads it; a lock keeps them apart. It has no clock of its
own: it is given one.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from msgspec.structs import replace

from muonscope.dashboard import contract
from muonscope.dashboard.contract import Trend, ViewName
from muonscope.dashboard.documents import channel_document, view_document
from muonscope.dashboard.journal import Journal
from muonscope.dashboard.metrics import Measured
from muonscope.dashboard.standing import LiveOptions, Progress, Standing
from muonscope.dashboard.status import status_document
from muonscope.dashboard.verdict_contract import Acknowledgement, Happenings, Problems, Verdicts
from muonscope.dashboard.verdicts import LiveJudge, Watcher
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.quality.judge import Judge
from muonscope.results.history import MOST_SHOWN, Columns
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
        self._watcher = watcher or LiveJudge(lambda _, day: Judge(detector, auto=True, today=day))
        started = clock()
        self._standing, self._outgoing = Standing(options, started), _Outgoing(started)
        self._journal = Journal()
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
            result = read_result(
                data, self.detector, self._store.blocks
            )  # takes its time: not under the lock
        except FormatError as exc:
            with self._lock:
                self._standing.dropped.note_malformed(exc)
            return None
        return self._add(result, data, published_s, there_s)

    def take_window(
        self, result: WindowResult, data: bytes, published_s: float = math.inf
    ) -> Taken:
        """Take a window that is known here: ``data`` is its message, which is not read."""
        return self._add(result, data, published_s, math.inf)

    def _add(
        self, result: WindowResult | Remainder, data: bytes, published_s: float, there_s: float
    ) -> Taken:
        taken = self._added(result, data, published_s, there_s)
        self._watcher.write()
        return taken

    def _added(
        self, result: WindowResult | Remainder, data: bytes, published_s: float, there_s: float
    ) -> Taken:
        with self._lock:
            run, at = self._store.run, min(self._clock(), published_s)
            taken = self._store.add(result, data, published_s, at)
            if self._store.run != run:
                self._standing.begin_run()
            self._standing.note(result, taken)
            if result is self._store.latest:
                begin_s = self.run_s - result.summary.live_orbits * ORBIT_S
                self._journal.follow(result, begin_s, at)
            if taken in {Taken.WINDOW, Taken.REMAINDER}:
                self._watcher.take(result, at)
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
            now = self._clock()
            self._standing.tell(progress, now)
            for note in progress.notes:
                self._journal.note("note", note, now, self.run_s)
        self._changed()

    def remark(self, what: str) -> None:
        """Say something that viewers find among the notes."""
        with self._lock:
            self._standing.remark(what)
            self._journal.note("note", what, self._clock())

    def expect(self, what: str) -> None:
        """Say what the first window waits for, while that is known."""
        with self._lock:
            self._standing.expect(what)
        self._changed()

    def end(self, reason: str, *, failed: bool = False) -> None:
        """Say that nothing more comes, why, and whether more was expected."""
        self._watcher.close()
        with self._lock:
            self._standing.end(reason, failed=failed)
            self._watcher.end(failed=failed and bool(reason))  # without one it was told to stop
            self._journal.note("end", reason, self._clock(), self.run_s)
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
            self._standing.reset_at = now = self._clock()
            self._journal.note("reset", "the run view was begun anew", now, self.run_s)
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

    def view(self, name: ViewName, *, without: Collection[str] = ()) -> contract.View | None:
        """Return the document of a view with the newest rows of history; None without data.

        ``without`` as :func:`~muonscope.dashboard.documents.view_document` has it.
        """
        with self._lock:
            view, out = self._store.view(name), self._outgoing
            if view is None:
                return None
            document = view_document(view, seq=out.seq, without=without)
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

    def missing(self, place: tuple[int, int]) -> str:
        """Say why a window is not there."""
        epoch, window = place
        with self._lock:
            came = self._store.came(place)
        name = f"window {window} of epoch {epoch}"
        return f"{name} is not kept in detail any more" if came else f"{name} has never come"

    def windows(self, last_s: float, most: int = MOST_SHOWN) -> contract.Windows:
        """Return the history of the last ``last_s`` seconds, in at most so many rows."""
        with self._lock:
            history, run = self._store.history, self._store.run
            rows, ever = history.rows(last_s), history.rows_ever
        return _windows(run, ever, history.columns_of(rows, most))

    def windows_between(self, begin: float, end: float, most: int = MOST_SHOWN) -> contract.Windows:
        """Return the history from ``begin`` until ``end``, s since 1970."""
        with self._lock:
            history, run = self._store.history, self._store.run
            (rows, after), ever = history.span(begin, end), history.rows_ever
        return _windows(run, ever - after, history.columns_of(rows, most))

    def channel(self, chamber: int, channel: int, last_s: float) -> contract.ChannelWindows:
        """Return the hits of a TDC channel in the windows of the last ``last_s`` that are kept.

        Raises
        ------
        KeyError
            If no cell of the chamber has that channel.
        """
        cells = self.detector.cells()
        (found,) = np.nonzero((cells.chamber == chamber) & (cells.channel == channel))
        if not len(found):
            raise KeyError(channel)
        with self._lock:
            run, kept = self._store.run, self._store.newest(last_s)
        windows = [(message.begin * ORBIT_S, self._store.read(message)) for message in kept]
        return channel_document(self.detector, run, int(found[0]), windows)

    def happenings(self, last_s: float) -> Happenings:
        """Return what happened in the last ``last_s`` seconds."""
        with self._lock:
            return self._journal.document(self._judging.turns, last_s, self._clock())

    def measured(self, viewers: int) -> Measured:
        """Return what the metrics tell."""
        status = self.status(viewers)
        with self._lock:
            judging = self._judging
            return Measured(
                status=status, detector=self.detector,
                hits=self._store.whole.hits_per_chamber.tolist(),
                latencies=self._standing.freshness.latencies,
                chambers=judging.problems().chambers, verdicts=judging.document().verdicts,
                turns=judging.turns.ever, alarms=judging.alarm_counts,
            )  # fmt: skip

    def verdicts(self) -> Verdicts:
        """Return whether the run is good, and why."""
        with self._lock:
            return self._judging.document()

    @property
    def problems_version(self) -> int:
        """Another number whenever the problems are others."""
        return self._judging.version

    def problems(self) -> Problems:
        """Return what is wrong with the run, and since when."""
        with self._lock:
            return self._judging.problems()

    def acknowledge(self, given: Acknowledgement) -> bool:
        """Take note that somebody has seen a problem; return False if there is no such one."""
        with self._lock:
            now = self._clock()
            done = self._judging.acknowledge(given, now)
            if done:
                what = f"{given.name} has seen {given.check.replace('_', ' ')} of {given.target}"
                self._journal.note("seen", f"{what}: {given.note}" if given.note else what, now)
        self._changed()
        return done

    @property
    def _judging(self) -> LiveJudge:
        assert isinstance(self._watcher, LiveJudge)
        return self._watcher

    def status(self, viewers: int) -> contract.Status:
        """Return the document that says how all is going."""
        with self._lock:
            return status_document(
                self._store, self._standing, now=self._clock(), viewers=viewers,
                reference=self.reference is not None, outcome=self._watcher.outcome,
            )  # fmt: skip


def _windows(run: str, following: int, columns: Columns) -> contract.Windows:
    """Return rows of the history; ``following`` is the number of the row that follows them."""
    rows = len(columns["run_s"])
    return contract.Windows(run=run, first=following - rows, next=following, columns=columns)
