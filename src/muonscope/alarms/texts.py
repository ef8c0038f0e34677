"""What people and programs read of alarms: titles, texts, and the same as plain fields."""

from typing import Any

from muonscope.alarms.planning import ALIVE_S, Item, Message
from muonscope.quality.advice import ADVICE
from muonscope.wall_time import iso

__all__ = ["alertmanager_alerts", "body_of", "document_of", "title_of"]

_MOST_LINES = 20
_MOST_ALARMS = 100
_MOST_TEXT = 1_000

_TEST = "muonscope alarms test: this is no alarm"


def title_of(message: Message) -> str:
    """Return one line."""
    items = message.items
    if message.kind == "test" or not items:
        return _TEST
    active = [item for item in items if item.alarm.active]
    detector, more = items[0].alarm.detector, f" and {len(items) - 1:,} more"
    if not active:
        what = items[0].alarm
        over = (
            f"over: {what.check} {what.target}" if len(items) == 1 else f"{len(items):,} are over"
        )
        return f"[{message.severity}] {over} ({detector})"
    lead = message.root or max((item.alarm for item in active), key=lambda a: a.state)
    others = len(items) - any(item.alarm.key == lead.key for item in items)
    more = f" and {others:,} more" if others else ""
    return f"[{message.severity}] {lead.state.label} {lead.check} {lead.target}{more} ({detector})"


def body_of(message: Message, link: str) -> str:
    """Return some lines: what is wrong, since when, and what to do."""
    if message.kind == "test":
        return _TEST
    lines = []
    if message.root:
        lines += [f"{len(message.items):,} alarms at once; the largest part that fails:"]
        lines += [f"{message.root.check} {message.root.target}: {message.root.text}", ""]
    lines += [_line(item) for item in message.items[:_MOST_LINES]]
    if (left := len(message.items) - _MOST_LINES) > 0:
        lines.append(f"... and {left:,} more")
    lead = [message.root] if message.root else [i.alarm for i in message.items if i.alarm.active]
    for check in dict.fromkeys(alarm.check for alarm in lead):
        if check in ADVICE:
            lines += ["", ADVICE[check]]
    return "\n".join([*lines, *(["", link] if link else [])])


def _line(item: Item) -> str:
    alarm = item.alarm
    what = f"{alarm.check} {alarm.target}: {alarm.text[:_MOST_TEXT]}"
    if alarm.ended is not None:
        return f"over: {what} (from {iso(alarm.since)} to {iso(alarm.ended)})"
    seen = f"; seen by {item.ack.who}" if item.ack else ""
    return f"{alarm.state.label}: {what} (since {iso(alarm.since)}{seen})"


def document_of(message: Message, link: str) -> dict[str, Any]:
    """Return a message as fields, for programs."""
    return {
        "kind": message.kind, "severity": message.severity, "title": title_of(message),
        "text": body_of(message, link), "at": iso(message.at), "link": link,
        "root": message.root and f"{message.root.check} {message.root.target}",
        "alarms": [_fields(item) for item in message.items[:_MOST_ALARMS]],
        "more": max(0, len(message.items) - _MOST_ALARMS),
    }  # fmt: skip


def _fields(item: Item) -> dict[str, Any]:
    alarm = item.alarm
    return {
        "detector": alarm.detector, "run": alarm.run, "check": alarm.check,
        "target": alarm.target, "state": alarm.state.label, "over": not alarm.active,
        "severity": item.severity, "text": alarm.text, "value": alarm.value,
        "expected": alarm.expected, "unit": alarm.unit, "since": iso(alarm.since),
        "ended": None if alarm.ended is None else iso(alarm.ended),
        "advice": ADVICE.get(alarm.check, ""),
    }  # fmt: skip


def alertmanager_alerts(message: Message, link: str, runbook: str) -> list[dict[str, Any]]:
    """Return the body of a request to Alertmanager's API v2."""
    if message.kind in {"watchdog", "test"}:
        return [_plain_alert(message, link)]
    found = []
    for item in message.items:
        found.append(_alert(item, item.severity, message.at, link, runbook, over=False))
        if item.before and not item.before.over and item.before.severity != item.severity:
            # other labels make another alert: the one before is over
            found.append(_alert(item, item.before.severity, message.at, link, runbook, over=True))
    return found


def _plain_alert(message: Message, link: str) -> dict[str, Any]:
    """Return an alert of no verdict: that all is alive, or a test."""
    if message.kind == "watchdog":
        name, summary = "MuonscopeWatchdog", "windows come and are judged; its absence is the alarm"
    else:
        name, summary = "MuonscopeTest", _TEST
    severity = message.items[0].severity if message.items else "none"
    return {
        "labels": {"alertname": name, "severity": severity}, "annotations": {"summary": summary},
        "startsAt": iso(message.at), "endsAt": iso(message.at + 3 * ALIVE_S),
        "generatorURL": link,
    }  # fmt: skip


def _alert(
    item: Item, severity: str, now: float, link: str, runbook: str, *, over: bool
) -> dict[str, Any]:
    alarm = item.alarm
    name = "".join(part.capitalize() for part in alarm.check.split("_"))
    notes = {
        "summary": f"{alarm.state.label} {alarm.check} {alarm.target}: {alarm.text[:_MOST_TEXT]}",
        "value": _number(alarm.value, alarm.unit), "limit": _number(alarm.expected, alarm.unit),
        "advice": ADVICE.get(alarm.check, ""),
        "runbook_url": runbook.replace("{check}", alarm.check),
        "acknowledged": f"{item.ack.who}: {item.ack.note}" if item.ack else "",
    }  # fmt: skip
    return {
        "labels": {
            "alertname": f"Muonscope{name}", "severity": severity, "detector": alarm.detector,
            "run": alarm.run, "check": alarm.check, "target": alarm.target,
        },
        "annotations": {name: text for name, text in notes.items() if text},
        "startsAt": iso(min(alarm.since, now)),
        "endsAt": iso(now if over or not alarm.active else now + 3 * ALIVE_S),
        "generatorURL": link,
    }  # fmt: skip


def _number(value: float, unit: str) -> str:
    return f"{value:g} {unit}".rstrip()
