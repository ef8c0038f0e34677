"""The ``alarms`` commands."""

import time

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    console = Console(highlight=False)
    if not rows:
        console.print("no alarms")
    else:
        table = Table(title="Alarms")
        for name in ("", "state", "check", "target", "since", "what"):
            table.add_column(name)
        for row in rows:
            seen, mark = row["acknowledged"], "silenced " if row["silenced"] else ""
            note = f" [seen by {seen['who']}: {seen['note']}]" if seen else ""
            table.add_row(
                f"{mark}{row['phase']}", row["state"], row["check"], row["target"], row["since"],
                Text(row["text"] + note),
            )  # fmt: skip
        console.print(table)
    for one in silences:
        console.print(Text(f"silence: {one['match']} until {one['until']}: {one['why']}"))


def ack_command(options: AckOptions) -> None:
    """Acknowledge an alarm."""
    alarm = acknowledge(read_alarms(options.file), options, time.time())
    click.echo(f"acknowledged: {alarm.state.label} {alarm.check} {alarm.target}: {alarm.text}")


def silence_command(options: SilenceOptions) -> None:
    """Silence some alarms."""
    made = silence_fields(silence(read_alarms(options.file), options, time.time()))
    click.echo(f"silenced: {made['match']} until {made['until']}")
