"""The ``muonscope`` command: its parts, and its one place to catch errors.

Nothing heavy is imported here, so that ``--help`` answers at once; each command imports
what it needs when it runs. What a command takes is written once, as a dataclass of options.
"""

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import click

from muonscope._version import __version__
from muonscope.alarms.options import AckOptions, ListAlarmsOptions, SilenceOptions, TestOptions
from muonscope.archiving.options import (
    NoteOptions,
    ProposeOptions,
    RebuildOptions,
    RunsOptions,
    ShowGoodOptions,
    ShowRunOptions,
    SignOptions,
    ThinOptions,
)
from muonscope.cli.flags import DescribedCommand, parameters_of
from muonscope.cli.options import (
    CheckOptions,
    InspectOptions,
    ListOptions,
    ShowOptions,
    TopicsOptions,
)
from muonscope.dashboard.options import DashboardOptions, DemoOptions
from muonscope.errors import MuonscopeError, SinkError
from muonscope.processing.compare_options import CompareOptions
from muonscope.processing.export_options import ExportOptions
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.options import ProcessOptions
from muonscope.processing.report_options import ReportOptions
from muonscope.replaying.options import (
    CalibrateOptions,
    ConvertOptions,
    ReplayOptions,
    SimulateOptions,
    TracksOptions,
)
from muonscope.stopping import Stopped

__all__ = ["app", "run"]

INTERRUPTED = 130
_BROKEN_PIPE = 141
_INTERNAL = 70
_CONTEXT = {"help_option_names": ["-h", "--help"]}


def _code_of(work: Callable[[], int], *, debug: bool) -> int:
    """Return the exit code of ``work``; every error is one clear line, and no traceback.

    With ``debug`` errors are left as they are.
    """
    try:
        code = work()
        sys.stdout.flush()
    except Stopped as exc:  # that is no error
        return exc.exit_code
    except (Exception, KeyboardInterrupt) as exc:
        if debug:
            raise
        return _code_of_error(exc)
    return code


def _code_of_error(error: BaseException) -> int:
    """Print an error as one line; return the exit code of its kind."""
    match error:
        case MuonscopeError():
            return _told(f"error: {error}", error.exit_code)
        case KeyboardInterrupt():
            return _told("interrupted", INTERRUPTED)
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _BROKEN_PIPE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return _told(f"error: {where}{error.strerror or error}", SinkError.exit_code)
        case _:
            text = f"internal error: {type(error).__name__}: {error}; --debug shows where"
            return _told(text, _INTERNAL)


def _told(text: str, code: int) -> int:
    click.echo(f"muonscope: {text}", err=True)
    return code


def _command(
    name: str,
    options: type,
    work: tuple[str, str],
    text: str,
    example: str,
) -> click.Command:
    """Return a command that fills ``options`` and gives them to a function of a module."""

    def call(*, debug: bool, **given: Any) -> None:
        def run() -> int:
            module, function = work
            code: int | None = getattr(import_module(module), function)(options(**given))
            return code or 0

        raise click.exceptions.Exit(_code_of(run, debug=debug))

    debug = click.Option(["--debug"], is_flag=True, help="Show where an error came from.")
    return DescribedCommand(
        name, callback=call, params=[*parameters_of(options), debug], help=text,
        epilog=f"Example: muonscope {example}", context_settings=_CONTEXT,
    )  # fmt: skip


@click.group(
    "muonscope", context_settings=_CONTEXT, no_args_is_help=True,
    help="Live data quality for trigger-less drift-tube muon telescopes.",
)  # fmt: skip
@click.version_option(__version__, message="muonscope %(version)s", help="Show the version.")
def app() -> None:
    """Choose a command."""


def _group(name: str, text: str, commands: Iterable[click.Command]) -> click.Group:
    """Return a command that has others under it."""
    group = click.Group(name, help=text, context_settings=_CONTEXT, no_args_is_help=True)
    for command in commands:
        group.add_command(command)
    return group


for _made in (
    _command(
        "process", ProcessOptions, ("muonscope.cli.process", "process_command"),
        "Count words in exact windows of detector time; write a message per window.",
        "process run/ --detector legnaro --to results.jsonl",
    ),
    _command(
        "inspect", InspectOptions, ("muonscope.cli.inspect", "inspect_command"),
        "Tell what a file is: format, words, time, rates, and everything odd in it.",
        "inspect unknown.dat",
    ),
    _command(
        "convert", ConvertOptions, ("muonscope.cli.convert", "convert_command"),
        "Write words in another format; refuse where that would lose anything.",
        "convert run.csv run.parquet",
    ),
    _command(
        "tracks", TracksOptions, ("muonscope.cli.tracks", "tracks_command"),
        "Reconstruct muons: a row for each track, with t0, place, slope and hits.",
        "tracks run/ --to tracks.parquet",
    ),
    _command(
        "calibrate", CalibrateOptions, ("muonscope.cli.calibrate", "calibrate_command"),
        "Fit drift velocity, times, offsets and tilts of a telescope to its own tracks.",
        "calibrate run/ --to mine.toml",
    ),
    _command(
        "export", ExportOptions, ("muonscope.cli.export", "export_command"),
        "Write the counts of a run for ROOT, hist, pandas and others.",
        "export results.jsonl --to run.root",
    ),
    _command(
        "simulate", SimulateOptions, ("muonscope.cli.simulate", "simulate_command"),
        "Write simulated words to DEST: a file, a folder of files, kafka://, or -.",
        "simulate run/ --seconds 60 --fault noisy:ch0:61@20s-40s",
    ),
    _command(
        "judge", JudgeOptions, ("muonscope.cli.judge", "judge_command"),
        "Tell whether data are good: what is wrong, since when, and what to do.",
        "judge results.jsonl --reference good.jsonl",
    ),
    _command(
        "compare", CompareOptions, ("muonscope.cli.compare", "compare_command"),
        "Tell what differs between a run and a reference, worst first.",
        "compare results.jsonl good.jsonl --to report.html",
    ),
    _command(
        "report", ReportOptions, ("muonscope.cli.morning", "report_command"),
        "Tell what came since yesterday, what was wrong, and what waits for you.",
        "report archive/ --since 24h --to report.html",
    ),
    _command(
        "replay", ReplayOptions, ("muonscope.cli.replay", "replay_command"),
        "Send words of a recording to a topic, as a DAQ would.",
        "replay run/ --to kafka://localhost:9092/topic_stream",
    ),
    _command(
        "topics", TopicsOptions, ("muonscope.cli.topics", "topics_command"),
        "Tell what is in topics: how much, how new, the last window, and who is behind.",
        "topics kafka://localhost:9092",
    ),
    _command(
        "dashboard", DashboardOptions, ("muonscope.cli.dashboard", "dashboard_command"),
        "Show words or results live, to any number of browsers.",
        "dashboard kafka://localhost:9092/topic_results",
    ),
    _command(
        "demo", DemoOptions, ("muonscope.cli.dashboard", "demo_command"),
        "Show a simulated telescope in real time, and tell what to look at.",
        "demo --open",
    ),
    _group(
        "runs", "List the runs of an archive, show and note them, and keep it in order.",
        (
            _command(
                "list", RunsOptions, ("muonscope.cli.runs", "list_runs"),
                "List runs: when, how long, how much of it good, the worst that was.",
                "runs list archive/ --since 7d --where hv=3600",
            ),
            _command(
                "show", ShowRunOptions, ("muonscope.cli.runs", "show_run"),
                "Show what a run is, how its verdicts changed, and the notes on it.",
                "runs show archive/ R1213",
            ),
            _command(
                "note", NoteOptions, ("muonscope.cli.runs", "note_command"),
                "Add a note to a run.",
                'runs note archive/ R1213 "gas bottle changed" --window 3600',
            ),
            _command(
                "rebuild", RebuildOptions, ("muonscope.cli.runs", "rebuild_command"),
                "Seal what was left open; make minutes and catalogue again.",
                "runs rebuild archive/",
            ),
            _command(
                "thin", ThinOptions, ("muonscope.cli.runs", "thin_command"),
                "Drop single windows, or minutes, that are old; say first what would go.",
                "runs thin archive/ --older 90d",
            ),
        ),
    ),
    _group(
        "good", "Propose, sign and show which windows of archived runs are good.",
        (
            _command(
                "propose", ProposeOptions, ("muonscope.cli.good", "propose_command"),
                "Show which windows the verdicts propose, and what was wrong in others.",
                "good propose archive/ R1213",
            ),
            _command(
                "sign", SignOptions, ("muonscope.cli.good", "sign_command"),
                "Sign the proposal, with changes; it is kept for ever.",
                'good sign archive/ R1213 --who Ada --but 300-320 --note "hoist moved"',
            ),
            _command(
                "show", ShowGoodOptions, ("muonscope.cli.good", "show_command"),
                "Show what was signed, and write it as lists for analysis.",
                "good show archive/ --to good.json --quality quality.json",
            ),
        ),
    ),
    _group(
        "alarms", "Test, list, acknowledge and silence the alarms of a dashboard.",
        (
            _command(
                "test", TestOptions, ("muonscope.cli.alarms", "test_command"),
                "Send one alarm through each route, and tell what came of it.",
                "alarms test alarms.toml",
            ),
            _command(
                "list", ListAlarmsOptions, ("muonscope.cli.alarms", "list_command"),
                "List what is wrong, who has seen it, and what is silenced.",
                "alarms list alarms.toml",
            ),
            _command(
                "ack", AckOptions, ("muonscope.cli.alarms", "ack_command"),
                "Say that somebody has seen an alarm: it is not repeated until it gets worse.",
                'alarms ack alarms.toml cell_dead ch0:61 --note "wire cut"',
            ),
            _command(
                "silence", SilenceOptions, ("muonscope.cli.alarms", "silence_command"),
                "Send no alarms that match, for some time.",
                'alarms silence alarms.toml --match check=cell* --until 2h',
            ),
        ),
    ),
    _group(
        "detectors", "List, show and check detector descriptions.",
        (
            _command(
                "list", ListOptions, ("muonscope.cli.detectors", "list_command"),
                "List the shipped detectors.", "detectors list",
            ),
            _command(
                "show", ShowOptions, ("muonscope.cli.detectors", "show_command"),
                "Show the description of a shipped detector, to copy and change.",
                "detectors show run001213",
            ),
            _command(
                "check", CheckOptions, ("muonscope.cli.detectors", "check_command"),
                "Check a detector description and tell what it says.",
                "detectors check mine.toml",
            ),
        ),
    ),
):  # fmt: skip
    app.add_command(_made)


def run() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
