"""The ``process`` command."""

from muonscope.cli.report import ConsoleReporter
from muonscope.cli.settings import set_pace
from muonscope.processing.options import ProcessOptions
from muonscope.processing.process import process_with
from muonscope.stopping import Stop

__all__ = ["process_command"]


def process_command(options: ProcessOptions) -> int:
    """Process sources to the end, or until stopped; return the exit code.

    Raises
    ------
    MuonscopeError
        What went wrong, also with a single stream.
    """
    set_pace()
    stop = Stop()
    with ConsoleReporter() as reporter:
        account = process_with(options, reporter, stop)
    if stop:
        return stop.exit_code
    if account.errors:
        raise account.errors[0]
    return 0
