"""The ``runs`` commands: what an archive has, notes on it, and its upkeep."""

import getpass
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from msgspec import to_builtins
from rich.console import Console
from rich.table import Table

from muonscope.archiving.archive import Archive
from muonscope.archiving.description import run_fields, run_lines
from muonscope.archiving.notes import Note, add_note, read_notes
from muonscope.archiving.options import (
    NoteOptions,
    RebuildOptions,
    RunsOptions,
    ShowRunOptions,
    ThinOptions,
)
from muonscope.archiving.upkeep import rebuild, thin, thinnable
from muonscope.cli.judge import state_text
from muonscope.cli.say import say
from muonscope.errors import FormatError, OptionError
from muonscope.quality.verdict import State
from muonscope.results.conditions import parse_conditions
from muonscope.wall_time import since

__all__ = ["list_runs", "note_command", "rebuild_command", "show_run", "thin_command"]


def list_runs(options: RunsOptions) -> int:
    """Print a row for each run; return 4 if something cannot be read."""
    begin = since(options.since, time.time(), "--since") if options.since else 0.0
    where = parse_conditions(options.where)
    with Archive(options.archive) as archive:
        runs = archive.runs(
            since=begin, detector=options.detector, where=where, worst=options.worst
        ).to_pylist()
        damaged = archive.damaged
    for text in damaged:
        say(f"error: {text}")
    if options.json:
        for run in runs:
            _write(run | {"conditions": dict(run["conditions"])})
        return FormatError.exit_code if damaged else 0
    if not runs:
        click.echo("no such runs" if begin or where or options.worst else "no runs")
    table = Table()
    for name in ("run", "from", "alive", "good", "worst", "detector, conditions"):
        table.add_column(name, overflow="fold", no_wrap=name == "from")
    for run in runs:
        good = "" if run["good"] is None else f"{run['good']:.1%}"
        what = [run["detector"], *(f"{name}={value}" for name, value in run["conditions"])]
        table.add_row(
            run["run"], _when(run["begun_at"]), _span(run["live_s"]), good,
            state_text(State.named(run["worst"])), " ".join(what),
        )  # fmt: skip
    if runs:
        Console().print(table)
    return FormatError.exit_code if damaged else 0


def show_run(options: ShowRunOptions) -> int:
    """Print what a run is, how its verdicts changed, and the notes on it."""
    with Archive(options.archive) as archive:
        run = archive[options.run]
        notes = read_notes(run.folder)
        if options.json:
            _write(run_fields(run) | {"notes": to_builtins(notes)})
            return 0
        console = Console(highlight=False, soft_wrap=True)
        for line in run_lines(run):
            console.print(line, markup=False)
        for change in run.changes:
            where = f"E{change.epoch} W{change.window}" if change.epoch >= 0 else "at the end"
            head = f"{where}: {change.before} -> "
            console.print(
                head, state_text(change.after), f" {change.check} {change.target}: {change.text}",
                sep="", markup=False,
            )  # fmt: skip
        for note in notes:
            who = f"{_when(datetime.fromtimestamp(note.at, UTC))} {note.who}"
            console.print(f"note, {who}{_place(note)}: {note.text}", markup=False)
    return 0


def note_command(options: NoteOptions) -> int:
    """Add a note to a run."""
    epoch, window = _window(options.window) if options.window else (None, None)
    note = Note(
        at=round(time.time(), 3), who=options.who or getpass.getuser(), text=options.text,
        epoch=epoch, window=window, check=options.check, target=options.target,
    )  # fmt: skip
    with Archive(options.archive) as archive:
        add_note(archive[options.run].folder, note)
    return 0


def rebuild_command(options: RebuildOptions) -> int:
    """Make an archive whole again; return 4 if something in it cannot be read."""
    found = rebuild(Path(options.archive))
    click.echo(f"{found.runs:,} runs, {found.sealed:,} hours sealed that had been left open")
    for run in found.written:
        say(f"run {run} is written by another process, and was left alone")
    for text in found.damaged:
        say(f"error: {text}")
    return FormatError.exit_code if found.damaged else 0


def thin_command(options: ThinOptions) -> int:
    """Say what of an archive is old, and put minutes or hours in its place if told so."""
    if options.to not in {"minutes", "hours"}:
        raise OptionError(f"--to: found {options.to!r}, expected minutes or hours")
    before = since(options.older, time.time(), "--older")
    with Archive(options.archive) as archive:
        by_hour = options.to == "hours"
        old = [
            part for part in thinnable(archive, before)
            if part.rows > len(State) and (by_hour or part.rows == part.windows > 60)
        ]  # fmt: skip
        size, runs = sum(part.bytes for part in old), len({part.run for part in old})
        what = (
            f"{len(old):,} hours of {runs:,} runs, {size / 1e6:,.1f} MB: the counts of single"
            f" {'windows' if options.to == 'minutes' else 'minutes'}; totals, verdicts and notes"
            " stay"
        )
        if not options.yes:
            click.echo(f"would drop from {what}; --yes does it")
            return 0
        left = sum(thin(archive[p.run], p.part, by_hour=by_hour) for p in old)
    with Archive(options.archive):
        click.echo(f"dropped from {what}; {left / 1e6:,.1f} MB are left")
    return 0


def _window(text: str) -> tuple[int, int]:
    epoch, _, window = text.rpartition("/")
    try:
        return int(epoch or 0), int(window)
    except ValueError:
        raise OptionError(f"--window: found {text!r}, expected a number, or epoch/number") from None


def _place(note: Note) -> str:
    where = f" on E{note.epoch} W{note.window}" if note.window is not None else ""
    what = " ".join(part for part in (note.check, note.target, note.plot) if part)
    return f"{where} on {what}" if what else where


def _when(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")


def _span(live_s: float) -> str:
    return f"{live_s / 3600:,.2f} h" if live_s >= 3600 else f"{live_s:,.0f} s"


def _write(document: dict[str, Any]) -> None:
    click.echo(orjson.dumps(document).decode())
