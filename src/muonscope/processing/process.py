"""Processing: from options to published windows, with the life of a run between."""

from typing import Any

from muonscope import kernels
from muonscope.options import made, sources_of
from muonscope.processing.inputs import open_input
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import open_output
from muonscope.processing.plan import Plan, plan_of
from muonscope.processing.reporter import Account, LogReporter, Reporter
from muonscope.processing.spark import process_with_spark
from muonscope.processing.watched import supervised, watched_run
from muonscope.stopping import Stop

__all__ = ["process", "process_with"]


def process(
    source: Any,
    *,
    reporter: Reporter | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> Account:
    """Count words in exact windows of detector time; write a message per window.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders.
    reporter
        Shows how it goes; by default events go to the log ``muonscope``.
    stop
        Ends the run in order when it is set, from another thread; so does Ctrl-C.
    options
        As those of the command ``muonscope process``, with ``_`` for ``-``: see
        :class:`~muonscope.processing.options.ProcessOptions`.

    Returns
    -------
    Account
        Counts of the whole run, and where all words and bytes went.

    Raises
    ------
    MuonscopeError
        As the command: also where a stream could not be read, or nothing decoded.

    Examples
    --------
    >>> import tempfile, muonscope
    >>> folder = tempfile.mkdtemp()
    >>> account = muonscope.process("sim:quiet?seconds=3", to=folder)
    >>> account.windows
    4
    """
    wanted = made(ProcessOptions, {"sources": sources_of(source), **options})
    account = process_with(wanted, reporter or LogReporter(), Stop() if stop is None else stop)
    if account.errors:
        raise account.errors[0]
    return account


def process_with(options: ProcessOptions, reporter: Reporter, stop: Stop) -> Account:
    """Process until the sources end, or until stopped; return where everything went.

    Raises
    ------
    OptionError
        If options contradict one another, or one makes no sense.
    FormatError
        If nothing could be decoded.
    SourceError, SinkError, StateError
        If sources, results or state cannot be read or written.
    """
    with stop.listening():
        if options.engine == "spark":
            return process_with_spark(options, reporter, stop)
        plan = plan_of(options, stop, reporter.tell)
        kernels.load(plan.kernels, tell=reporter.tell)
        return supervised(plan, lambda: _attempt(plan, reporter, stop), reporter, stop)


def _attempt(plan: Plan, reporter: Reporter, stop: Stop) -> Account:
    """Process until the end, a stop, or a lost transaction."""
    with (
        open_output(plan, reporter.tell) as output,
        open_input(plan, output, stop) as words,
        watched_run(plan, output, words, reporter) as watched,
    ):
        watched.go_on()
        watched.run.save()
        return watched.conclude(stop, paused=bool(stop) and output.ledger.keeps_state)
