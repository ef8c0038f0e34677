"""The alarms of a running dashboard: verdicts come in, and messages go out, in threads.

The feed hands over verdicts and never waits. One thread keeps the state on disk, then looks what
is due; each receiver has a thread that sends. What is sent is on disk before, and that it was sent
afterwards: a crash in between sends it twice, and loses nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from muonscope.alarms.config import SEVERITIES, AlarmConfig
from muonscope.alarms.delivery import Outlet
from muonscope.alarms.planning import ALIVE_S, Flow, Message, due, messages_of, phase_of
from muonscope.alarms.receivers import Kind, Receiver
from muonscope.alarms.senders import Sender, sender_of
from muonscope.alarms.state import Acknowledged, Told, Touched
from muonscope.alarms.store import AlarmStore
from muonscope.errors import StateError
from muonscope.events import Event, EventKind, Tell
from muonscope.quality.verdict import Change, Verdict

__all__ = ["AlarmCounts", "Alarms", "Judged"]

_LOOK_S = 1.0
_GRACE_S = 2.0
_FIRST_S = 120.0
"""The first window may take so much longer than others, s: kernels are compiled."""
_WINDOWS = 3
"""No data is said of so many windows at least."""
_PAST_S, _PAST_SPEED = 30.0, 20.0
"""Detector time that comes faster than this is caught up with: it tells of the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a window has changed, and all that is judged."""

    run: str
    changes: Sequence[Change]
    verdicts: Mapping[tuple[str, str], Verdict]
    at: float
    """Wall-clock time that the window is of, s since 1970."""
    length_s: float
    """Detector time in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCounts:
    """Numbers for people who watch the watchers."""

    firing: Mapping[str, int]
    """By severity."""
    failed: int
    """Messages that could not be sent, each attempt counted."""


class Alarms:
    """The alarms of one dashboard; every method may be called from any thread."""

    def __init__(
        self, config: AlarmConfig, detector: str, tell: Tell, *, link: str = "",
        clock: Callable[[], float] = time.time,
        senders: Callable[..., Sender] = sender_of,
    ) -> None:  # fmt: skip
        """Open the store and the ways to all receivers; nothing is sent before ``start``.

        Raises
        ------
        OptionError
            If a receiver cannot be used at all.
        StateError
            If the store cannot be used.
        """
        self._config, self._detector, self._tell, self._clock = config, detector, tell, clock
        receivers = [*config.receivers.values()]
        receivers += [config.watchdog.ping] if config.watchdog else []
        links = {"link": config.link or link, "runbook": config.runbook}
        ways = [(receiver, senders(receiver, **links)) for receiver in receivers]
        self._store = AlarmStore(config.store, alone=True)
        try:
            self._state = self._store.load()
        except BaseException:
            self._store.close()
            raise
        self._outlets = {
            receiver.id: Outlet(receiver, sender, tell, self._sent) for receiver, sender in ways
        }
        self._flows: dict[tuple[int, str], Flow] = {}
        self._alive_told: dict[str, float] = {}
        self._lock, self._wake, self._ending = threading.Lock(), threading.Event(), False
        self._thread: threading.Thread | None = None
        self._pulse = _Pulse(config.no_data_s, clock())
        self._unsaved, self._saved = Touched.nothing(), True
        self._acks_before = dict(self._state.acks)
        self.version = 0
        """Another number whenever acknowledgements are others."""

    # ---- the side of the feed

    def judged(self, found: Judged) -> None:
        """Take what a window has changed."""
        now = self._clock()
        with self._lock:
            self._pulse.beat(found, now)
            self._state.take_data(self._detector, found.run, "", now)
            if not self._pulse.past:
                self._state.take(self._detector, found.run, found.changes, now)
                self._state.compare(self._detector, found.verdicts, found.run, now)
        if found.changes:
            self._wake.set()

    def concluded(self, run: str, verdicts: Mapping[tuple[str, str], Verdict]) -> None:
        """Take what was judged of a run when it ended, such as bytes that nobody could decode."""
        now = self._clock()
        with self._lock:
            if not self._pulse.past:
                self._state.compare(self._detector, verdicts, run, now)
        self._wake.set()

    def rest(self, run: str, verdicts: Mapping[tuple[str, str], Verdict], *, failed: bool) -> None:
        """Take note that the feed has ended, and what was judged last; a failure is no data."""
        now = self._clock()
        with self._lock:
            self._state.compare(self._detector, verdicts, run, now)
            self._pulse.rest(failed=failed)
        self._wake.set()

    # ---- the side of people

    def acknowledge(self, verdict: Verdict, who: str, note: str, at: float) -> None:
        """Take note that somebody has seen a problem."""
        ack = Acknowledged(who=who, note=note, at=at, state=verdict.state)
        with self._lock:
            key = (self._detector, verdict.check, verdict.target)
            self._state.acknowledge(key, ack)
        self._wake.set()

    def acknowledged(self, verdict: Verdict) -> Acknowledged | None:
        """Return who has seen a problem."""
        with self._lock:
            key = (self._detector, verdict.check, verdict.target)
            return self._state.acks.get(key)

    def counts(self) -> AlarmCounts:
        """Return what the metrics tell."""
        now = self._clock()
        found: dict[str, int] = dict.fromkeys(SEVERITIES, 0)
        with self._lock:
            for alarm in self._state.alarms.values():
                phase, severity = phase_of(alarm, self._config, now)
                if phase == "firing" and severity:
                    found[severity] += 1
        failed = sum(outlet.failed for outlet in self._outlets.values())
        return AlarmCounts(firing=found, failed=failed)

    # ---- time

    @property
    def outlets(self) -> Collection[Outlet]:
        """The ways to all receivers."""
        return self._outlets.values()

    def start(self) -> None:
        """Look what is due every second, in another thread."""
        self._thread = threading.Thread(target=self._run, daemon=True, name="muonscope-alarms")
        self._thread.start()

    def _run(self) -> None:
        while not self._ending:
            try:
                self.step(self._clock())
            except Exception:  # the next look may go well, and the dashboard goes on
                logging.getLogger(__name__).exception("alarms could not be looked at")
            self._wake.wait(_LOOK_S)
            self._wake.clear()

    def step(self, now: float) -> None:
        """Save what has changed, and send what is due."""
        with self._lock:
            if text := self._pulse.missing(now):
                self._state.take_data(self._detector, self._pulse.run, text, now)
            self._state.pass_time(now)
            self._note_acks()
            touched, self._state.touched = self._state.touched, Touched.nothing()
        self._save(touched, now)
        with self._lock:
            work = self._work(now)
        for outlet, messages in work:
            outlet.give(messages)

    def _note_acks(self) -> None:
        if self._state.acks != self._acks_before:
            self._acks_before = dict(self._state.acks)
            self.version += 1

    def _save(self, touched: Touched, now: float) -> None:
        """Save what changed, and read what commands beside this have written."""
        self._unsaved.add(touched)
        try:
            if self._unsaved:
                self._store.save(self._state, self._unsaved)
                self._unsaved = Touched.nothing()
            if any(silence.until <= now for silence in self._state.silences):
                self._store.forget_silences(now)
                self._read_facts()
            elif self._store.changed:
                self._read_facts()
            self._saved = True
        except StateError as exc:
            if self._saved:  # the first time only
                self._saved = False
                self._tell(Event(kind=EventKind.ALARMS_UNSAVED, detail=str(exc)))

    def _read_facts(self) -> None:
        acks, silences = self._store.facts()
        with self._lock:
            mine = self._state.touched.acks  # given since they were saved
            kept = {key: ack for key, ack in self._state.acks.items() if key in mine}
            self._state.acks = {k: a for k, a in acks.items() if k not in mine} | kept
            self._state.silences = silences
            self._note_acks()

    # ---- sending

    def _work(self, now: float) -> list[tuple[Outlet, list[Message]]]:
        """Return what each outlet that is free has to send."""
        found = due(self._state, self._config, now)
        routes = {route.number: route for route in self._config.routes}
        work = []
        for name, outlet in self._outlets.items():
            if not outlet.free:
                continue
            messages: list[Message] = []
            for number, items in found.get(name, {}).items():
                flow = self._flows.setdefault((number, name), Flow())
                others = self._state.alarms.values()
                made = messages_of(items, routes.get(number), outlet.receiver, flow, others, now)
                flow.note(made)
                messages += made
            messages += self._alive(outlet.receiver, now)
            if messages:
                work.append((outlet, messages))
        return work

    def _alive(self, receiver: Receiver, now: float) -> list[Message]:
        """Return the sign of life that is due, if windows come and are judged."""
        every = {Kind.ALERTMANAGER: ALIVE_S}.get(receiver.kind)
        if receiver.kind is Kind.PING and self._config.watchdog:
            every = self._config.watchdog.every_s
        if every is None or not self._pulse.alive(now):
            return []
        before = self._alive_told.get(receiver.id)
        if before is not None and before <= now < before + every:
            return []
        return [Message(kind="watchdog", at=now)]

    def _sent(self, receiver: Receiver, message: Message) -> None:
        """Take note of what was sent; in the thread of an outlet."""
        with self._lock:
            if message.kind == "watchdog":
                self._alive_told[receiver.id] = message.at
            for item in message.items:
                state, severity, over = item.told
                told = Told(state=state, severity=severity, over=over, at=message.at)
                self._state.note_told(item.alarm.key, receiver.id, told)
        self._wake.set()

    # ---- the end

    def __enter__(self) -> Self:
        """Begin to send."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the alarms."""
        self.close()

    def close(self) -> None:
        """Save all, let what is under way end within two seconds, and let go of the store."""
        self._ending = True
        self._wake.set()
        if self._thread:
            self._thread.join()
        for outlet in self._outlets.values():
            outlet.end()
        end = time.monotonic() + _GRACE_S
        for outlet in self._outlets.values():
            outlet.join(max(0.0, end - time.monotonic()))
        with self._lock:
            touched, self._state.touched = self._state.touched, Touched.nothing()
        self._save(touched, self._clock())
        self._store.close()


class _Pulse:
    """Whether windows come, and whether they are of now; every time is an argument."""

    def __init__(self, limit_s: float, now: float) -> None:
        self.run = ""
        self.past = True
        """Whether they come so fast, or are so old, that they tell of the past."""
        self._limit_s, self._length_s = limit_s, 0.0
        self._last, self._came, self._failed, self._rests = now, False, False, False
        self._looked, self._since_s = now, 0.0

    def beat(self, found: Judged, now: float) -> None:
        """Take note of a window."""
        self.run = found.run
        self._last, self._came, self._length_s = now, True, found.length_s
        self._rests = self._failed = False
        self._since_s += found.length_s
        elapsed = now - self._looked
        fast = self._since_s > _PAST_S + _PAST_SPEED * max(0.0, elapsed)
        old = now - found.at > self._most_s
        if fast or old:
            self.past = True
        if not 0 <= elapsed < _LOOK_S:  # slow throughout: they are of now
            self.past = fast or old
            self._looked, self._since_s = now, 0.0

    @property
    def _most_s(self) -> float:
        return max(self._limit_s, _WINDOWS * self._length_s) + (0.0 if self._came else _FIRST_S)

    def rest(self, *, failed: bool) -> None:
        """Take note that no more windows come."""
        self._rests, self._failed = True, failed

    def missing(self, now: float) -> str:
        """Say that no data come; empty while they do, or where none are expected."""
        self._last = min(self._last, now)
        if self._rests:
            return "the source of the dashboard has failed" if self._failed else ""
        if now - self._last <= self._most_s:
            return ""
        if not self._came:
            return f"no window has come within {now - self._last:,.0f} s of the start"
        return f"no window for more than {self._most_s:,.0f} s"

    def alive(self, now: float) -> bool:
        """Tell whether windows come and are judged."""
        return self._came and not self._rests and now - self._last <= self._most_s
