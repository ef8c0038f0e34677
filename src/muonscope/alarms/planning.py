"""What is to be sent to whom now: a pure function of alarms, routes and what was sent.

Nothing is queued: what could not be sent is due again at the next look. So nothing is lost when a
receiver or this process fails, and ten thousand alarms take no more room than they do anyway.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from muonscope.alarms.config import SEVERITIES, AlarmConfig, Route
from muonscope.alarms.receivers import Kind, Receiver
from muonscope.alarms.state import Acknowledged, Alarm, AlarmState, Told
from muonscope.quality.verdict import State

__all__ = [
    "ALIVE_S",
    "Flow",
    "Item",
    "Message",
    "due",
    "messages_of",
    "phase_of",
    "root_of",
    "routed",
]

Phase = Literal["pending", "firing", "resolved"]

ALIVE_S = 60.0
"""Alertmanager is told of what fires this often, s; it forgets after three times that."""

FLOOD, _FLOOD_S = 10, 10.0
"""More alarms than so many within so long, s, go out as one digest."""
_MOST_AT_ONCE = 500
"""Alarms in one request to Alertmanager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An alarm that a receiver is to be told of."""

    alarm: Alarm
    severity: str
    before: Told | None = None
    """What the receiver knows."""
    ack: Acknowledged | None = None

    @property
    def told(self) -> tuple[State, str, bool]:
        """State, severity and whether it is over: what the receiver knows from then on."""
        return self.alarm.state, self.severity, not self.alarm.active


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent at once."""

    kind: Literal["alarms", "digest", "watchdog", "test"]
    items: tuple[Item, ...] = ()
    root: Alarm | None = None
    """Of a digest: the largest part that fails."""
    at: float

    @property
    def severity(self) -> str:
        """The gravest of all."""
        found = {item.severity for item in self.items}
        return next((s for s in reversed(SEVERITIES) if s in found), SEVERITIES[0])


@dataclass(slots=True)
class Flow:
    """What one route has sent to one receiver of late."""

    sent: deque[float] = field(default_factory=lambda: deque(maxlen=FLOOD))
    """When single alarms were sent."""
    digest_at: float | None = None

    def recent(self, now: float) -> int:
        """Return how many alarms were sent within the last seconds; none in the future."""
        while self.sent and not now - _FLOOD_S < self.sent[0] <= now:
            self.sent.popleft()
        return len(self.sent)

    def note(self, messages: Iterable[Message]) -> None:
        """Take note of what goes out."""
        for message in messages:
            if message.kind == "digest":
                self.digest_at = message.at
            else:
                self.sent.extend([message.at] * len(message.items))

    def waits(self, now: float) -> bool:
        """Tell whether the next digest is to wait for more."""
        return self.digest_at is not None and now - _FLOOD_S < self.digest_at <= now


def _routes(alarm: Alarm, config: AlarmConfig) -> Iterator[Route]:
    """Yield the routes of an alarm."""
    for route in config.routes:
        match = route.match
        if alarm.state >= match.least and match.fits(
            detector=alarm.detector, run=alarm.run, check=alarm.check, target=alarm.target
        ):
            yield route
            if not route.goes_on:
                return


def routed(alarm: Alarm, config: AlarmConfig) -> Iterator[tuple[Route, Receiver]]:
    """Yield who is to be told of an alarm: each receiver once, by the first route that names it."""
    named: set[str] = set()
    for route in _routes(alarm, config):
        for receiver in route.to:
            if receiver.id not in named:
                named.add(receiver.id)
                yield route, receiver


def phase_of(alarm: Alarm, config: AlarmConfig, now: float) -> tuple[Phase, str]:
    """Return how far an alarm is, and its severity; that is empty if it fits no route."""
    routes = list(_routes(alarm, config))
    fires = [route for route in routes if now - alarm.since >= route.for_s]
    severity = (fires or routes)[0].severity if routes else ""
    if not alarm.active:
        return "resolved", severity
    return "firing" if fires or not routes else "pending", severity


def due(state: AlarmState, config: AlarmConfig, now: float) -> dict[str, dict[int, list[Item]]]:
    """Return what is to be told now, by the id of the receiver and the number of the route.

    Alarms that are over, and that nobody has to be told of, are forgotten.
    """
    found: dict[str, dict[int, list[Item]]] = {}
    known = config.receivers
    for key, alarm in list(state.alarms.items()):
        silenced, ack = state.silenced(alarm, now), state.acks.get(key)
        told, waits = state.told.get(key, {}), False
        ways = {receiver.id: route for route, receiver in routed(alarm, config)}
        for name in dict.fromkeys([*ways, *told]):
            route, before = ways.get(name), told.get(name)
            if name not in known or not _owed(alarm, route, before, ack, silenced=silenced):
                continue
            waits = True
            if silenced or not _is_due(alarm, route, before, ack, known[name].kind, now):
                continue
            severity = route.severity if route else before.severity if before else SEVERITIES[0]
            item = Item(alarm=alarm, severity=severity, before=before, ack=ack)
            by_route = found.setdefault(name, {})
            by_route.setdefault(route.number if route else 0, []).append(item)
        if not alarm.active and not waits:
            state.drop(key)
    return found


def _owed(
    alarm: Alarm, route: Route | None, before: Told | None, ack: Acknowledged | None, *,
    silenced: bool,
) -> bool:  # fmt: skip
    """Tell whether a receiver is to be told of an alarm sooner or later."""
    if before is not None:
        return alarm.active or not before.over
    if route is None:
        return False
    if (
        alarm.ended is not None
    ):  # it came and went unheard: in a quiet time, or while nobody answered
        return not silenced and ack is None and alarm.ended - alarm.since >= route.for_s
    return True


def _is_due(
    alarm: Alarm, route: Route | None, before: Told | None, ack: Acknowledged | None, kind: Kind,
    now: float,
) -> bool:  # fmt: skip
    """Tell whether a receiver is to be told of an alarm now."""
    if kind is Kind.ALERTMANAGER and before is not None and not before.over:
        if not alarm.active or route is None:
            return not alarm.active
        # it forgets what it is not reminded of
        return now - before.at >= ALIVE_S or _is_worse(alarm, route, before)
    if route is None:
        return not alarm.active
    if route.severity != SEVERITIES[-1] and route.quiet.at(now):
        return False
    return not alarm.active or _is_news(alarm, route, before, ack, now)


def _is_news(
    alarm: Alarm, route: Route, before: Told | None, ack: Acknowledged | None, now: float
) -> bool:
    """Tell whether there is to say of an alarm that it is new, is worse, or still there."""
    if before is None:
        return ack is None and now - alarm.since >= route.for_s
    if _is_worse(alarm, route, before):
        return True
    return ack is None and 0 < route.repeat_s <= now - before.at


def _is_worse(alarm: Alarm, route: Route, before: Told) -> bool:
    graver = SEVERITIES.index(route.severity) > _rank_of(before.severity)
    return alarm.state > before.state or graver


def _rank_of(severity: str) -> int:
    found: Sequence[str] = SEVERITIES
    return found.index(severity) if severity in found else len(found)


def messages_of(
    items: Sequence[Item], route: Route | None, receiver: Receiver, flow: Flow,
    others: Iterable[Alarm], now: float,
) -> list[Message]:  # fmt: skip
    """Return the messages in which ``items`` go out now; none if a digest waits for more.

    ``others`` are all alarms there are: the root of a flood may have been told before it.
    """
    if receiver.kind is Kind.ALERTMANAGER:  # it makes groups and digests of its own
        pieces = [items[i : i + _MOST_AT_ONCE] for i in range(0, len(items), _MOST_AT_ONCE)]
        return [Message(kind="alarms", items=tuple(piece), at=now) for piece in pieces]
    if flow.recent(now) + len(items) > FLOOD:
        if flow.waits(now):
            return []
        root = root_of(items, others)
        return [Message(kind="digest", items=tuple(items), root=root, at=now)]
    groups: dict[tuple[bool, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.alarm.active, _group(item.alarm, route)), []).append(item)
    return [Message(kind="alarms", items=tuple(some), at=now) for some in groups.values()]


def _group(alarm: Alarm, route: Route | None) -> str:
    match route.group if route else "none":
        case "all":
            return ""
        case "check":
            return alarm.check
        case "chamber" if found := re.match(r"ch[0-9]+(?![0-9-])", alarm.target):
            return found[0]
        case _:
            return f"{alarm.check} {alarm.target}"


def root_of(items: Iterable[Item], others: Iterable[Alarm]) -> Alarm | None:
    """Return the largest part that fails, of ``items`` and of what failed just before them."""
    found = [item.alarm for item in items if item.alarm.active]
    if not found:
        return None
    begin, detector = min(a.since for a in found) - _FLOOD_S, found[0].detector
    found += [a for a in others if a.active and a.since >= begin and a.detector == detector]
    return min(found, key=lambda a: (_size(a.target), -a.state, a.since, a.check, a.target))


def _size(target: str) -> int:
    """Return where a part stands, from the telescope down to the cell."""
    if target == "telescope":
        return 0
    if target.startswith("fpga"):
        return 1
    return 3 if ":" in target else 2
