"""The state of all alarms: what is wrong, since when, who has seen it, who was told.

Pure: verdicts and times go in, and what has changed comes out. Times are s since 1970 by a wall
clock, which may be set back: no length of time is taken from the future.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from unicodedata import category

from muonscope.alarms.config import Match
from muonscope.quality.verdict import Change, State, Verdict

__all__ = ["DATA", "Acknowledged", "Alarm", "AlarmState", "Key", "Silence", "Told", "Touched"]

Key = tuple[str, str, str]
"""Detector, check and target: what an alarm is of."""

DATA = ("data", "telescope")
"""Check and target of the alarm that no data come; it hides no other and is hidden by none."""

_UNJUDGED_S = 15 * 60.0
"""An alarm is over if windows come for so long and nothing judges it, s."""
_FORGOTTEN_S = 7 * 86_400.0
"""What has been over for so long is told to nobody any more, s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that is wrong, or was until just now."""

    detector: str
    check: str
    target: str
    run: str
    """The run in which it began."""
    state: State
    """WARN, BAD or NO DATA; the last one, if it is over."""
    text: str
    value: float = 0.0
    expected: float = 0.0
    unit: str = ""
    since: float
    """When it began."""
    ended: float | None = None
    """When it was over."""

    @property
    def key(self) -> Key:
        """What it is of."""
        return self.detector, self.check, self.target

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.ended is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody has seen an alarm: it is not repeated until it is over or gets worse."""

    who: str
    note: str
    at: float
    until: float | None = None
    """None: until it is over."""
    state: State
    """As it was when it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alarms that are not sent for some time."""

    match: Match
    until: float
    why: str
    who: str
    at: float

    def fits(self, alarm: Alarm, now: float) -> bool:
        """Tell whether it silences an alarm."""
        names = {n: getattr(alarm, n) for n in ("detector", "run", "check", "target")}
        return now < self.until and alarm.state >= self.match.least and self.match.fits(**names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a receiver was last told of an alarm."""

    state: State
    severity: str
    at: float
    over: bool = False
    """Whether it knows that it is over."""


@dataclass(slots=True)
class Touched:
    """What changed since it was last saved."""

    alarms: set[Key]
    acks: set[Key]
    told: set[tuple[Key, str]]

    @classmethod
    def nothing(cls) -> "Touched":
        """Return what says that nothing has changed."""
        return cls(set(), set(), set())

    def __bool__(self) -> bool:
        """Tell whether anything has."""
        return bool(self.alarms or self.acks or self.told)

    def add(self, other: "Touched") -> None:
        """Take note of what could not be saved."""
        self.alarms |= other.alarms
        self.acks |= other.acks
        self.told |= other.told


class AlarmState:
    """All alarms of one store."""

    def __init__(self) -> None:
        """Begin without any."""
        self.alarms: dict[Key, Alarm] = {}
        self.acks: dict[Key, Acknowledged] = {}
        self.told: dict[Key, dict[str, Told]] = {}
        """By alarm, then by the id of the receiver."""
        self.silences: tuple[Silence, ...] = ()
        self.touched = Touched.nothing()
        self._unjudged: dict[Key, float] = {}
        """Since when windows come and nothing judges an alarm."""

    # ---- verdicts

    def take(self, detector: str, run: str, changes: Iterable[Change], now: float) -> None:
        """Take verdicts that have changed; those of the data are told by :meth:`take_data`."""
        for change in changes:
            if change.verdict.check != DATA[0]:
                self._follow(detector, run, change.verdict, now)

    def take_data(self, detector: str, run: str, text: str, now: float) -> None:
        """Take note that no data come, as ``text`` says; of data that come, if it is empty."""
        state = State.NO_DATA if text else State.GOOD
        verdict = Verdict(check=DATA[0], target=DATA[1], state=state, text=text)
        if text or self._is_active((detector, *DATA)):
            self._follow(detector, run, verdict, now)

    def compare(
        self, detector: str, verdicts: Mapping[tuple[str, str], Verdict], run: str, now: float
    ) -> None:
        """Compare with all verdicts of the run: a restart or another run tells no changes.

        What was wrong before and is not judged now stays so for a quarter of an hour.
        """
        for (check, target), verdict in verdicts.items():
            wrong = verdict.state > State.NOT_ENOUGH and not verdict.known and check != DATA[0]
            if wrong and not self._is_active((detector, check, target)):
                self._follow(detector, run, verdict, now)
        for key, alarm in list(self.alarms.items()):
            if not alarm.active or key == (detector, *DATA):
                continue
            found = verdicts.get(key[1:]) if key[0] == detector else None
            if found is None or found.state == State.NOT_ENOUGH:
                begin = min(now, self._unjudged.setdefault(key, now))
                if now - begin > _UNJUDGED_S:
                    self._end(alarm, now)
                continue
            self._unjudged.pop(key, None)
            if found.state != alarm.state or found.known:
                self._follow(detector, run, found, now)
        for key in [k for k in self.acks if k[0] == detector and not self._is_active(k)]:
            found = verdicts.get(key[1:])
            if found is not None and found.state <= State.NOT_ENOUGH:
                self._forget_ack(key)

    def _follow(self, detector: str, run: str, verdict: Verdict, now: float) -> None:
        key = _clean(detector), _clean(verdict.check), _clean(verdict.target)
        ack, alarm = self.acks.get(key), self.alarms.get(key)
        if ack and not State.NOT_ENOUGH < verdict.state <= ack.state:
            self._forget_ack(key)
        if verdict.state <= State.NOT_ENOUGH or verdict.known:
            if alarm and alarm.active:
                self._end(alarm, now)
            return
        again = alarm is None or not alarm.active
        self.alarms[key] = Alarm(
            detector=key[0], check=key[1], target=key[2],
            run=_clean(run) if again or alarm is None else alarm.run,
            state=verdict.state, text=_clean(verdict.text),
            value=float(verdict.value), expected=float(verdict.expected), unit=verdict.unit,
            since=now if again or alarm is None else alarm.since,
        )  # fmt: skip
        self.touched.alarms.add(key)
        if again:  # who knew that the last one was over is told anew
            for receiver, told in list(self.told.get(key, {}).items()):
                if told.over:
                    del self.told[key][receiver]
                    self.touched.told.add((key, receiver))

    def _is_active(self, key: Key) -> bool:
        return key in self.alarms and self.alarms[key].active

    def _end(self, alarm: Alarm, now: float) -> None:
        self.alarms[alarm.key] = replace(alarm, ended=max(now, alarm.since))
        self._unjudged.pop(alarm.key, None)
        self.touched.alarms.add(alarm.key)
        if alarm.key in self.acks:
            self._forget_ack(alarm.key)

    # ---- people

    def acknowledge(self, key: Key, ack: Acknowledged) -> None:
        """Take note that somebody has seen what is wrong."""
        self.acks[key] = ack
        self.touched.acks.add(key)

    def _forget_ack(self, key: Key) -> None:
        del self.acks[key]
        self.touched.acks.add(key)

    def silenced(self, alarm: Alarm, now: float) -> bool:
        """Tell whether an alarm is not sent."""
        return any(silence.fits(alarm, now) for silence in self.silences)

    # ---- what was sent

    def note_told(self, key: Key, receiver: str, told: Told) -> None:
        """Take note of what a receiver knows, now that it has been sent.

        Meanwhile the alarm may be forgotten, or have begun anew, of which it does not know.
        """
        if key not in self.alarms:
            return
        self.touched.told.add((key, receiver))
        if told.over and self.alarms[key].active:
            self.told.get(key, {}).pop(receiver, None)
        else:
            self.told.setdefault(key, {})[receiver] = told

    def drop(self, key: Key) -> None:
        """Forget an alarm that is over and that nobody waits to hear of."""
        del self.alarms[key]
        self.touched.alarms.add(key)
        self.touched.told |= {(key, receiver) for receiver in self.told.pop(key, {})}

    # ---- time

    def pass_time(self, now: float) -> None:
        """Let what has run out end; after a clock was set back, what is of the future is of now."""
        for key, ack in list(self.acks.items()):
            if ack.until is not None and now >= ack.until:
                self._forget_ack(key)
        for key, alarm in list(self.alarms.items()):
            if max(alarm.since, alarm.ended or 0.0) > now:
                ended = None if alarm.ended is None else min(alarm.ended, now)
                self.alarms[key] = replace(alarm, since=min(alarm.since, now), ended=ended)
                self.touched.alarms.add(key)
            elif alarm.ended is not None and now - alarm.ended > _FORGOTTEN_S:
                self.drop(key)
        for key, by_receiver in self.told.items():
            for receiver, told in by_receiver.items():
                if told.at > now:
                    by_receiver[receiver] = replace(told, at=now)
                    self.touched.told.add((key, receiver))


def _clean(text: str) -> str:
    """Return a text that any receiver can take: no control characters, no half characters."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(" " if category(c) == "Cc" else c for c in plain)
