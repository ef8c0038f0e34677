"""The state of a running dashboard: the store, and how the data come in.

One thread feeds it, the server reads it; a lock keeps them apart. It has no clock of its
own: both are given one.
"""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import numpy as np

from muonscope.dashboard.documents import ViewName, view_document
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.results.message import ByteAccounting
from muonscope.results.read_message import WindowResult, read_result
from muonscope.results.store import ResultStore, Taken, View
from muonscope.transports.base import SourceStatus
from muonscope.units import ORBIT_S

__all__ = ["FRESH_S", "OLD_S", "Live", "Progress", "SourceStatus"]

FRESH_S, OLD_S = 5.0, 30.0
"""Data are fresh up to the first age, and old from the second on."""

_RATE_S = 10.0
_LATENCIES = 1_000
_EXAMPLES = 20
_LATE_EXAMPLES = 5
_EXAMPLE_LETTERS = 300
_NOTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What the feed tells now and then."""

    words: int | None = None
    """Words taken in; None where results come in."""
    sources: Sequence[SourceStatus] = ()
    bytes: ByteAccounting | None = None
    rejects: Sequence[str] = ()
    """The first pieces that could not be decoded, in words."""
    notes: Sequence[str] = ()
    """What was noticed since the last time."""


@dataclass(slots=True)
class _Counts:
    malformed: int = 0
    duplicates: int = 0
    other_runs: int = 0
    examples: deque[str] = field(default_factory=lambda: deque(maxlen=_EXAMPLES))
    late: deque[str] = field(default_factory=lambda: deque(maxlen=_LATE_EXAMPLES))
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=_NOTES))


class Live:
    """The store and its surroundings; every method may be called from any thread."""

    def __init__(
        self,
        store: ResultStore,
        source: str,
        *,
        clock: Callable[[], float],
        version: str = "",
        window_s: float = 1.0,
        speed: float = 1.0,
        config: Mapping[str, Any] | None = None,
        reference: View | None = None,
    ) -> None:
        """Begin without data.

        ``clock`` gives the time as ``time.time`` does; ``window_s`` is the length of
        windows until one tells it, and ``speed`` how many times as fast as that they come;
        ``version`` and ``config`` are shown, so secrets must be masked there.
        """
        self.detector: Detector = store.detector
        self.source, self.config, self.reference = source, dict(config or {}), reference
        self.version = version
        self._store, self._clock, self._lock = store, clock, Lock()
        self._speed = speed
        self._first_window_s = self._window_s = window_s
        self._started = clock()
        self._counts = _Counts()
        self._progress = Progress()
        self._speeds: deque[tuple[float, int]] = deque(maxlen=10)
        self._arrived: deque[float] = deque(maxlen=_LATENCIES)
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._last_at: float | None = None
        self._lag, self._lag_base = 0.0, math.inf
        self._awaited = self._stopped = ""
        self._reset_at: float | None = None
        self._seq = self._taken = 0
        self._closed_at = self._started
        self._rows: dict[str, Any] = {"first": 0, "columns": {}}
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
                self._counts.malformed += 1
                self._counts.examples.append(_cut(f"malformed result: {exc}"))
            return None
        with self._lock:
            run, taken = self._store.run, self._store.add(result, data, published_s)
            if self._store.run != run:
                self._window_s, self._lag_base = self._first_window_s, math.inf
                self._reset_at = None
                self._counts.late.clear()
            match taken:
                case Taken.WINDOW:
                    assert isinstance(result, WindowResult)
                    self._note_window(result, min(self._clock(), there_s))
                case Taken.DUPLICATE:
                    self._counts.duplicates += 1
                case Taken.OTHER_RUN:
                    self._counts.other_runs += 1
                case Taken.REMAINDER:
                    pass
            return taken

    def _note_window(self, result: WindowResult, came: float) -> None:
        self._taken += 1
        self._last_at = max(came, self._last_at or came)
        self._window_s = max(self._window_s, result.summary.live_s)
        self._lag_base = min(self._lag_base, came - self.run_s / self._speed)
        self._lag = self._lag_at(self._clock())
        if late := result.summary.accounting.late:
            where = f"epoch {result.epoch}, window {result.window}"
            self._counts.late.append(f"late: {late:,} words by {where}")

    def _lag_at(self, now: float) -> float:
        """Return how far the run is behind the clock, compared with when it was least so."""
        return now - self.run_s / self._speed - self._lag_base

    def tell(self, progress: Progress, arrived: float) -> None:
        """Take note of how far the feed is, and show what was taken.

        ``arrived`` is when what was taken, or the words that it follows from, were there.
        """
        with self._lock:
            self._seq += self._taken
            self._arrived.extend([arrived] * min(self._taken, _LATENCIES))
            self._closed_at = arrived if self._taken else self._closed_at
            self._taken = 0
            self._progress = progress
            self._counts.notes.extend(map(_cut, progress.notes))
            if progress.words is not None:
                self._speeds.append((self._clock(), progress.words))
        self._changed()

    def expect(self, what: str) -> None:
        """Say what the first window waits for, while that is known."""
        with self._lock:
            self._awaited = _cut(what)
        self._changed()

    def stop(self, reason: str) -> None:
        """Say that nothing more comes, and why."""
        with self._lock:
            self._stopped = _cut(reason)
        self._changed()

    @property
    def run_s(self) -> float:
        """Time in the run at which its newest window ends, s."""
        return self._store.run_s

    # ---- the side of the server

    @property
    def changes(self) -> tuple[int, float | None]:
        """What changes whenever views do."""
        return self._seq, self._reset_at

    def reset(self) -> None:
        """Begin the view of the run anew."""
        with self._lock:
            self._store.reset()
            self._reset_at = self._clock()
        self._changed()

    def renew_rows(self) -> None:
        """Gather the rows of history that go out with the next views; note the latency."""
        with self._lock:
            now = self._clock()
            self._latencies.extend(now - arrived for arrived in self._arrived)
            self._arrived.clear()
            history = self._store.history
            rows = self._store.fresh_rows()
            columns = history.columns_of(rows)
            self._rows = {"first": history.rows_ever - len(rows), "columns": columns}

    def view(self, name: ViewName) -> dict[str, Any] | None:
        """Return the document of a view with the newest rows of history; None without data."""
        with self._lock:
            view = self._store.view(name)
            if view is None:
                return None
            more = {"closed_at": round(self._closed_at, 4), "trend": self._rows}
            return view_document(view, seq=self._seq) | more

    def view_at(self, name: ViewName, place: tuple[int, int]) -> dict[str, Any] | None:
        """Return the document of a view at an earlier window; None where it is not kept."""
        with self._lock:
            kept, seq = self._store.kept(name, place), self._seq
        return view_document(kept.view(), seq=seq) if kept else None

    def message(self, place: tuple[int, int]) -> bytes | None:
        """Return the message of a window; None where it is not kept."""
        with self._lock:
            return self._store.message(place)

    def windows(self, last_s: float) -> dict[str, Any]:
        """Return the history of the last ``last_s`` seconds."""
        with self._lock:
            history, run = self._store.history, self._store.run
            rows, ever = history.rows(last_s), history.rows_ever
        columns = history.columns_of(rows)  # takes its time: not under the lock
        return {
            "run": run, "first": ever - len(columns["run_s"]), "next": ever, "columns": columns,
        }  # fmt: skip

    def hits_per_chamber(self) -> list[int]:
        """Return the hits of the run."""
        with self._lock:
            hits: list[int] = self._store.whole.hits_per_chamber.tolist()
        return hits

    def status(self, viewers: int) -> dict[str, Any]:
        """Return the document that says how all is going."""
        with self._lock:
            now, store, progress, counts = self._clock(), self._store, self._progress, self._counts
            state, reason = self._state(now)
            latest, remainder = store.latest, store.remainder
            account = store.whole.merge(remainder.summary) if remainder else store.whole
            told = progress.bytes or (remainder.bytes if remainder else None)
            return {
                "state": state,
                "reason": reason,
                "age_s": None if self._last_at is None else round(now - self._last_at, 3),
                "fresh_s": self._fresh_s,
                "old_s": max(OLD_S, 6 * self._fresh_s),
                "history_s": store.history.full_s,
                "version": self.version,
                "run": store.run,
                "detector": self.detector.name,
                "source": self.source,
                "started": _iso(self._started),
                "now": _iso(now),
                "viewers": viewers,
                "detector_s": round((latest.last_orbit + 1) * ORBIT_S, 3) if latest else None,
                "lag_s": self._shown_lag(state, now),
                "rates": self._rates() if state == "receiving" else None,
                "words": account.accounting.words_in if progress.words is None else progress.words,
                "words_per_s": None if state == "stopped" else self._words_per_s(),
                "windows": store.windows,
                "latency_ms": self._latency(),
                "sources": [_source(source) for source in progress.sources],
                "accounting": account.accounting.as_dict(),
                "bytes": _bytes(told),
                "rejects": told.rejects if told else {},
                "duplicates": counts.duplicates,
                "malformed": counts.malformed,
                "other_runs": counts.other_runs,
                "examples": self._examples(),
                "notes": list(counts.notes),
                "reset_at": None if self._reset_at is None else _iso(self._reset_at),
                "reference": self.reference is not None,
                "config": self.config,
            }

    def _state(self, now: float) -> tuple[str, str]:
        if self._stopped:
            return "stopped", self._stopped
        if self._last_at is None:
            return "waiting", self._missing()
        age = now - self._last_at
        if self._store.remainder is not None:
            return "stopped", f"run {self._store.run} has ended"
        if age <= self._fresh_s:
            return "receiving", f"the last window came {age:.1f} s ago"
        return "stale", f"no window since {_iso(self._last_at)}, {age:,.0f} s ago"

    def _missing(self) -> str:
        """Say what the first window waits for, and what came instead."""
        counts = self._counts
        reason = self._awaited or f"no window has come yet from {self.source}"
        if counts.malformed:
            reason += f"; {counts.malformed:,} messages were refused, last: {counts.examples[-1]}"
        if counts.other_runs:
            reason += f"; {counts.other_runs:,} messages were of other runs"
        return reason

    @property
    def _fresh_s(self) -> float:
        return max(FRESH_S, 3 * self._window_s / self._speed)

    def _shown_lag(self, state: str, now: float) -> float | None:
        if state in {"waiting", "stopped"}:
            return None
        return round(self._lag_at(now) if state == "stale" else self._lag, 3)

    def _examples(self) -> list[str]:
        """Return the last of what was dropped, by its kind."""
        rejects = map(_cut, self._progress.rejects[-_EXAMPLES:])
        return [*rejects, *self._counts.examples, *self._counts.late]

    def _rates(self) -> dict[str, Any]:
        columns = self._store.history.columns(_RATE_S)
        live = float(columns["live_s"].sum())
        chambers = range(self.detector.n_chambers)
        return {
            "hits": round(float(columns["hits"].sum()) / live, 3),
            "chambers": [round(float(columns[f"hits{c}"].sum()) / live, 3) for c in chambers],
            "scintillator": round(float(columns["scintillator"].sum()) / live, 3),
        }

    def _words_per_s(self) -> float | None:
        if len(self._speeds) < 2:
            return None
        (then, before), (now, words) = self._speeds[0], self._speeds[-1]
        return round((words - before) / (now - then), 1) if now > then else None

    def _latency(self) -> dict[str, Any] | None:
        if not self._latencies:
            return None
        p50, p99 = np.percentile(np.array(self._latencies), [50, 99]) * 1e3
        n = len(self._latencies)
        return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "windows": n}


def _source(source: SourceStatus) -> dict[str, Any]:
    return {name: getattr(source, name) for name in SourceStatus.__slots__}


def _bytes(account: ByteAccounting | None) -> dict[str, int] | None:
    if account is None:
        return None
    names = ("bytes_in", "bytes_decoded", "bytes_rejected")
    return {name: getattr(account, name) for name in names}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(text: str) -> str:
    return text if len(text) <= _EXAMPLE_LETTERS else f"{text[:_EXAMPLE_LETTERS]}..."
