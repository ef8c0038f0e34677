"""The ``compare`` command: a sentence, a table of what differs, or JSON."""

import click
import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from muonscope.cli.say import tell
from muonscope.cli.settings import set_pace
from muonscope.processing.compare_options import CompareOptions
from muonscope.processing.compare_page import chance_text, size_text
from muonscope.processing.comparing import compare_with
from muonscope.quality.comparison import Comparison, Difference, Finding
from muonscope.stopping import Stop

__all__ = ["compare_command"]

_MOST = 25
"""Rows of the table; the page and JSON have more."""

_WIDTH = 92
"""Of the table, letters: no number in it is cut, whatever the terminal."""

_STYLE = {Difference.DIFFERS: "bold red", Difference.NEGLIGIBLE: "yellow"}


def compare_command(options: CompareOptions) -> int:
    """Print what differs, worst first.

    Raises
    ------
    MuonscopeError
        What went wrong; also where the runs differ and that was asked to fail on.
    """
    set_pace()
    stop = Stop()
    compare_with(options, tell, stop, _write if options.json else _print)
    return stop.exit_code if stop else 0


def _write(found: Comparison) -> None:
    click.echo(orjson.dumps(found.as_dict()).decode())


def _print(found: Comparison) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, _WIDTH)
    style = "bold red" if found.differing else "green"
    console.print(Text(found.sentence, style=style))
    for note in found.notes:
        console.print(Text(note, style="dim"))
    rows = [*found.differing, *found.negligible]
    if rows:
        console.print(_table(rows[:_MOST]))
    if len(rows) > _MOST:
        console.print(Text(f"and {len(rows) - _MOST:,} more: --json has all", style="dim"))


def _table(rows: list[Finding]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("", "what", "target"):
        table.add_column(name, no_wrap=True)
    for name in ("run", "expected", "size", "p"):
        table.add_column(name, no_wrap=True, justify="right")
    for f in rows:
        table.add_row(
            Text(f.difference.label, style=_STYLE[f.difference]), f.what, Text(f.target),
            f"{f.n:,}", f"{f.expected:,.0f}", size_text(f), chance_text(f),
        )  # fmt: skip
    return table
