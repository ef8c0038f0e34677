"""The ``report`` command: the sentence, the list for mail, or JSON; a page if asked for."""

import time

import click
import orjson

from muonscope.processing.report import MorningReport
from muonscope.processing.report_clock import Clock
from muonscope.processing.report_options import ReportOptions
from muonscope.processing.report_text import report_fields, report_text
from muonscope.processing.reporting import report_with

__all__ = ["report_command"]


def report_command(options: ReportOptions) -> None:
    """Print the sentence, or all of it as text or JSON.

    Raises
    ------
    MuonscopeError
        What went wrong; also where something was as bad as was asked to fail on.
    """

    def show(report: MorningReport, clock: Clock) -> None:
        if options.json:
            click.echo(orjson.dumps(report_fields(report)).decode())
        elif options.text or not options.to:
            click.echo(report_text(report, clock), nl=False)
        elif options.to != "-":
            click.echo(report.sentence)

    report_with(options, time.time(), show)
