"""What people do with alarms from beside a dashboard: test, list, acknowledge, silence."""

import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from muonscope.alarms.config import AlarmConfig, Match, Route
from muonscope.alarms.options import AckOptions, SilenceOptions
from muonscope.alarms.planning import Item, Message, phase_of
from muonscope.alarms.senders import sender_of
from muonscope.alarms.state import Acknowledged, Alarm, AlarmState, Silence
from muonscope.alarms.store import AlarmStore
from muonscope.errors import MuonscopeError, OptionError
from muonscope.quality.verdict import State
from muonscope.units import seconds
from muonscope.wall_time import iso

__all__ = [
    "Attempt",
    "acknowledge",
    "alarm_fields",
    "attempts",
    "load",
    "silence",
    "silence_fields",
]

_NAMES = ("check", "target", "detector", "run", "state")
_LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one alarm through one route to one receiver."""

    route: Route
    receiver: str
    failure: str
    """Why it could not be sent; empty if it was."""


def attempts(config: AlarmConfig, now: float) -> Iterator[Attempt]:
    """Send one alarm through each route to each of its receivers, and yield what came of it."""
    for route in config.routes:
        alarm = Alarm(
            detector="none", check="test", target=f"route {route.number}", run="",
            state=State.WARN, text="this is no alarm", since=now,
        )  # fmt: skip
        item = Item(alarm=alarm, severity=route.severity)
        for receiver in route.to:
            failure = ""
            try:
                sender = sender_of(receiver, link=config.link, runbook=config.runbook)
                sender.send(Message(kind="test", items=(item,), at=now))
            except MuonscopeError as exc:
                failure = str(exc)
            yield Attempt(route=route, receiver=receiver.name, failure=failure)


def load(config: AlarmConfig) -> AlarmState:
    """Return the alarms, acknowledgements and silences; none where nothing has run yet.

    Raises
    ------
    StateError
        If the store cannot be read.
    """
    if not config.store.exists():
        return AlarmState()
    with AlarmStore(config.store) as store:
        return store.load()


def acknowledge(config: AlarmConfig, options: AckOptions, now: float) -> Alarm:
    """Take note that somebody has seen an alarm; return it.

    Raises
    ------
    OptionError
        If there is no such alarm, or several detectors have one.
    StateError
        If the store cannot be used.
    """
    until = now + seconds(options.until, "--until") if options.until else None
    who, note = _who(options.who), _short(options.note, "--note")
    found = [
        alarm
        for alarm in load(config).alarms.values()
        if alarm.active
        and (alarm.check, alarm.target) == (options.check, options.target)
        and options.detector in {"", alarm.detector}
    ]
    if not found:
        raise OptionError(
            f"found no alarm {options.check} of {options.target}; muonscope alarms list"
            " shows those that there are"
        )
    if len(found) > 1:
        names = ", ".join(alarm.detector for alarm in found)
        raise OptionError(f"--detector: found {options.check} of {names}; expected one of them")
    (alarm,) = found
    ack = Acknowledged(who=who, note=note, at=now, until=until, state=alarm.state)
    with AlarmStore(config.store) as store:
        store.acknowledge(alarm.key, ack)
    return alarm


def silence(config: AlarmConfig, options: SilenceOptions, now: float) -> Silence:
    """Keep some alarms from being sent for some time; return what does so.

    Raises
    ------
    OptionError
        If it has no end, or fits nothing in particular.
    StateError
        If the store cannot be used.
    """
    if not options.until:
        raise OptionError("--until: found none, expected a length of time such as 2h")
    if not options.match:
        raise OptionError("--match: found none, expected one such as check=cell* (check=* is all)")
    made = Silence(
        match=_match(options.match), until=now + seconds(options.until, "--until"),
        why=_short(options.why, "--why"), who=_who(options.who), at=now,
    )  # fmt: skip
    with AlarmStore(config.store) as store:
        store.silence(made)
    return made


def _match(asked: tuple[str, ...]) -> Match:
    given: dict[str, Any] = {}
    for text in asked:
        name, _, pattern = text.partition("=")
        if name not in _NAMES or not pattern or name in given:
            raise OptionError(
                f"--match: found {text!r}, expected NAME=PATTERN, each name once:"
                f" {', '.join(_NAMES)}"
            )
        given[name] = pattern
    state = given.pop("state", "warn")
    if state not in {"warn", "bad"}:
        raise OptionError(f"--match: found state={state}, expected state=warn or state=bad")
    return Match(**given, least=State.BAD if state == "bad" else State.WARN)


def _short(text: str, option: str) -> str:
    if len(text) > _LONGEST:
        raise OptionError(f"{option}: found {len(text)} letters, expected at most {_LONGEST}")
    return text.encode("utf-8", "replace").decode()


def _who(text: str) -> str:
    if text:
        return _short(text, "--who")
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"


def alarm_fields(
    alarm: Alarm, state: AlarmState, config: AlarmConfig, now: float
) -> dict[str, Any]:
    """Return an alarm as plain fields."""
    (phase, severity), ack = phase_of(alarm, config, now), state.acks.get(alarm.key)
    return {
        "detector": alarm.detector, "run": alarm.run, "check": alarm.check,
        "target": alarm.target, "state": alarm.state.label,
        "phase": phase, "severity": severity or None, "since": iso(alarm.since),
        "ended": None if alarm.ended is None else iso(alarm.ended), "text": alarm.text,
        "silenced": state.silenced(alarm, now),
        "acknowledged": ack and {
            "who": ack.who, "note": ack.note, "at": iso(ack.at),
            "until": None if ack.until is None else iso(ack.until),
        },
    }  # fmt: skip


def silence_fields(made: Silence) -> dict[str, Any]:
    """Return a silence as plain fields."""
    return {
        "match": str(made.match), "until": iso(made.until), "why": made.why, "who": made.who,
        "at": iso(made.at),
    }  # fmt: skip
