"""The ``alarms`` commands."""

import time
from typing import Any

import click
import orjson

from muonscope.alarms.actions import (
    acknowledge,
    alarm_fields,
    attempts,
    load,
    silence,
    silence_fields,
)
from muonscope.alarms.config import read_alarms
from muonscope.alarms.options import AckOptions, ListAlarmsOptions, SilenceOptions, TestOptions
from muonscope.errors import SinkError

__all__ = ["ack_command", "list_command", "silence_command", "test_command"]


def test_command(options: TestOptions) -> int:
    """Send one alarm through each route, and say what came of each; return the exit code."""
    failed = 0
    for found in attempts(read_alarms(options.file), time.time()):
        route = found.route
        failed += bool(found.failure)
        what = f"failed: {found.failure}" if found.failure else "sent"
        click.echo(f"route {route.number} ({route.match}) {found.receiver}: {what}")
    return SinkError.exit_code if failed else 0


def list_command(options: ListAlarmsOptions) -> None:
    """Print the alarms and the silences that there are."""
    config, now = read_alarms(options.file), time.time()
    state = load(config)
    alarms = sorted(state.alarms.values(), key=lambda a: (not a.active, -a.state, a.since, a.key))
    rows = [alarm_fields(alarm, state, config, now) for alarm in alarms]
    silences = [silence_fields(one) for one in state.silences if now < one.until]
    if options.json:
        click.echo(orjson.dumps({"alarms": rows, "silences": silences}).decode())
        return
    for line in map(_alarm, rows) if rows else ("no alarms",):
        click.echo(line)
    for one in silences:
        click.echo(_plain(f"silence: {one['match']} until {one['until']}: {one['why']}"))


def _alarm(row: dict[str, Any]) -> str:
    """Return one line."""
    seen = row["acknowledged"]
    who = f" [seen by {seen['who']}: {seen['note']}]" if seen else ""
    phase = f"{row['phase']}, silenced" if row["silenced"] else row["phase"]
    what = f"{row['check']} {row['target']}: {row['text']}"
    return _plain(f"{row['since'][:19]}Z {row['state']:<7} {what} ({phase}){who}")


def _plain(text: str) -> str:
    """Return a text of others as it can be shown on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def ack_command(options: AckOptions) -> None:
    """Acknowledge an alarm."""
    alarm = acknowledge(read_alarms(options.file), options, time.time())
    click.echo(f"acknowledged: {alarm.state.label} {alarm.check} {alarm.target}: {alarm.text}")


def silence_command(options: SilenceOptions) -> None:
    """Silence some alarms."""
    made = silence_fields(silence(read_alarms(options.file), options, time.time()))
    click.echo(f"silenced: {made['match']} until {made['until']}")
