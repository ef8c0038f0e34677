"""The ``simulate`` command: a progress bar, and a line at the end."""

import math
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from muonscope.cli.say import tell
from muonscope.replaying.options import SimulateOptions
from muonscope.replaying.simulate import simulation_asked_for, write_simulation
from muonscope.simulation.options import Simulation
from muonscope.stopping import Stop

__all__ = ["simulate_command"]


def simulate_command(options: SimulateOptions) -> int:
    """Write a simulation; return the exit code."""
    simulation = simulation_asked_for(options)
    stop, console = Stop(), Console(stderr=True)
    with stop.listening(), _Bar(simulation, console) as bar:
        words, seconds = write_simulation(options, simulation, stop, tell, bar.update)
    where = "standard output" if options.dest == "-" else options.dest
    with suppress(OSError):  # what is shown is for people only
        text = "stopped after " if stop else ""
        text += f"{words:,} words of {seconds:,.1f} s written to {where}"
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    return stop.exit_code


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, simulation: Simulation, console: Console) -> None:
        self._progress = Progress(
            BarColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        by_words = simulation.words is not None
        total = simulation.words if by_words else simulation.seconds
        endless = total is None or total == math.inf
        self._task = self._progress.add_task("", total=None if endless else total, text="")
        self._by_words = by_words

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, words: int, seconds: float) -> None:
        """Show how far it is."""
        text = f"{words:,} words, {seconds:,.1f} s"
        done = words if self._by_words else seconds
        self._progress.update(self._task, completed=done, text=text)
