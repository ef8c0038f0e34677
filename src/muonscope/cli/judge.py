"""The ``judge`` command: verdicts as they change, and a table of them at the end."""

from contextlib import suppress
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from muonscope.cli.say import tell
from muonscope.cli.settings import set_pace
from muonscope.events import Event
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.judging import Judgement, judge_with
from muonscope.quality.advice import ADVICE
from muonscope.quality.fields import verdict_fields
from muonscope.quality.judge import Judge
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.stopping import Stop

__all__ = ["judge_command", "state_text"]

_STYLE = {
    State.GOOD: "green", State.NOT_ENOUGH: "dim", State.WARN: "yellow", State.BAD: "bold red",
    State.NO_DATA: "magenta",
}  # fmt: skip


def judge_command(options: JudgeOptions) -> int:
    """Print what changes, then a table of what is wrong, or all of it as lines of JSON.

    Raises
    ------
    MuonscopeError
        What went wrong; also where a run is as bad as was asked to fail on.
    """
    set_pace()
    stop = Stop()
    reporter = _Lines() if options.json else _Page()
    try:
        found = judge_with(options, reporter, stop)
    finally:
        reporter.end()
    for judgement in found:
        reporter.conclude(judgement)
    return stop.exit_code if stop else 0


class _Page:
    """Shows people what is judged."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def tell(self, event: Event) -> None:
        """Print an event to standard error."""
        with suppress(OSError):
            tell(event)

    def begin(self, run: str, judge: Judge) -> None:
        """Name the run."""
        self._console.print(Text(f"run {run}, detector {judge.detector.name}", style="bold"))

    def changed(self, change: Change) -> None:
        """Print one line."""
        self._console.print(_line(change))

    def differs(self, change: Change, others: State) -> None:
        """Print what the other profile says and this one does not."""
        text = Text("  other profile: ", style="cyan")
        self._console.print(text + _line(change) + Text(f" (here {others.label})", style="cyan"))

    def end(self) -> None:
        """Do nothing more."""

    def conclude(self, judgement: Judgement) -> None:
        """Print the table of a run, and what to do."""
        judged = judgement.judged
        with_what = f"reference: {judgement.reference or 'none'}; profile: {judgement.profile}"
        self._console.print(
            Text(f"run {judgement.run}: {judgement.windows:,} windows; {with_what}")
        )
        if judged.unjudged:
            names = ", ".join(judged.unjudged)
            self._console.print(Text(f"not judged without a reference: {names}", style="dim"))
        if judged.problems:
            self._console.print(_table(judged.problems))
            for check in dict.fromkeys(v.check for v in judged.problems if v.counts):
                self._console.print(Text(f"{check}: {ADVICE[check]}"))
        self._console.print(
            Text.assemble(
                (judged.state.label, _STYLE[judged.state]), f": {judged.reason}",
                f"; at worst {judgement.worst.label}" if judgement.worst != judged.state else "",
            )
        )  # fmt: skip


class _Lines:
    """Writes lines of JSON: changes as they come, and a summary of each run."""

    def tell(self, event: Event) -> None:
        """Print an event to standard error."""
        with suppress(OSError):
            tell(event)

    def begin(self, run: str, judge: Judge) -> None:
        """Write nothing."""

    def changed(self, change: Change) -> None:
        """Write a change."""
        _write({"kind": "change", **_change(change)})

    def differs(self, change: Change, others: State) -> None:
        """Write what the other profile says."""
        _write({"kind": "other profile", **_change(change), "here": others.label})

    def end(self) -> None:
        """Do nothing more."""

    def conclude(self, judgement: Judgement) -> None:
        """Write the summary of a run."""
        judged = judgement.judged
        _write(
            {
                "kind": "run", "run": judgement.run, "detector": judgement.detector.name,
                "windows": judgement.windows, "state": judged.state.label,
                "reason": judged.reason, "worst": judgement.worst.label,
                "profile": judgement.profile, "reference": judgement.reference or None,
                "not_judged": judged.unjudged, "changes": len(judgement.changes),
                "problems": [verdict_fields(v) for v in judged.problems],
            }
        )  # fmt: skip


def state_text(state: State) -> Text:
    """Return a state in its colour."""
    return Text(state.label, style=_STYLE[state])


def _line(change: Change) -> Text:
    verdict = change.verdict
    known = f" [known: {verdict.known}]" if verdict.known else ""
    return Text.assemble(
        f"{_clock(verdict.since_s)} ", (f"{verdict.state.label:<5}", _STYLE[verdict.state]),
        f" {verdict.check} {verdict.target}: {verdict.text}{known}",
    )  # fmt: skip


def _table(problems: list[Verdict]) -> Table:
    table = Table(title="Problems")
    for name in ("state", "check", "target", "since", "what"):
        table.add_column(name)
    for v in problems:
        what = f"{v.text} [known: {v.known}]" if v.known else v.text
        table.add_row(
            state_text(v.state), v.check, v.target, _clock(v.since_s),
            Text(what),
        )  # fmt: skip
    return table


def _clock(run_s: float) -> str:
    minutes, seconds = divmod(run_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:04.1f}"


def _change(change: Change) -> dict[str, Any]:
    epoch, window = change.place
    return {"before": change.before.label, "epoch": epoch, "window": window} | verdict_fields(
        change.verdict
    )


def _write(document: dict[str, Any]) -> None:
    click.echo(orjson.dumps(document).decode())
