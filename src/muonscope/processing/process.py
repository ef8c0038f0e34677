"""Processing: from options to published windows, with the life of a run between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from muonscope import kernels
from muonscope.counting.counter import Counter
from muonscope.errors import FormatError
from muonscope.options import made, sources_of
from muonscope.processing.inputs import Input, open_input
from muonscope.processing.metrics_server import MetricsServer
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import Output, open_output
from muonscope.processing.plan import Plan, plan_of
from muonscope.processing.reporter import Account, LogReporter, Progress, Reporter
from muonscope.processing.run import Run
from muonscope.stopping import Stop

__all__ = ["Watched", "process", "process_with", "watched_run"]


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
    3
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
            from muonscope.processing.spark import process_with_spark  # brings Spark

            return process_with_spark(options, reporter, stop)
        plan = plan_of(options, stop, reporter.tell)
        kernels.load(kernels.needed_to_count(options.sources), tell=reporter.tell)
        return supervised(plan, lambda: _attempt(plan, reporter, stop), reporter, stop)


def supervised(
    plan: Plan, attempt: Callable[[], Account], reporter: Reporter, stop: Stop
) -> Account:
    """Return what ``attempt`` returns; it is made again when a topic lost a transaction."""
    if plan.destination is None:
        return attempt()
    from muonscope.transports.kafka.rollback import again_after_rollback

    return again_after_rollback(attempt, stop, reporter.tell)


def _attempt(plan: Plan, reporter: Reporter, stop: Stop) -> Account:
    """Process until the end, a stop, or a lost transaction."""
    with (
        open_output(plan) as output,
        open_input(plan, output, stop) as words,
        watched_run(plan, output, words, reporter) as watched,
    ):
        watched.go_on()
        watched.run.save()
        return watched.conclude(stop, paused=bool(stop) and output.ledger.keeps_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A run, and all that shows how it goes."""

    run: Run
    counter: Counter
    input: Input
    reporter: Reporter
    metrics: MetricsServer

    def go_on(self) -> None:
        """Process what the input has now."""
        run, watch = self.run, self.input.watch
        for status in run.steps():
            for event in status.events:
                self.reporter.tell(event)
            self.reporter.progress(
                Progress(
                    words=status.words,
                    windows=status.windows,
                    orbit=status.orbit,
                    standing=lambda: watch.standing(run.positions),
                )
            )
            self.metrics.update(status, run, watch)
            self.tell()

    def tell(self) -> None:
        """Tell people what has happened to the source."""
        for event in self.input.watch.events():
            self.reporter.tell(event)

    def conclude(self, stop: Stop, *, paused: bool) -> Account:
        """Finish, unless it is only paused; report the account and return it.

        Raises
        ------
        FormatError
            If nothing could be decoded of a source that has come to its end.
        """
        run, counter = self.run, self.counter
        whole = run.total.merge(counter.remainder) if paused else run.finish()
        self.metrics.update(None, run, self.input.watch)
        account = Account(
            run=run.name,
            total=whole,
            windows=run.windows,
            bytes=run.bytes,
            rejects=run.rejects,
            paused_words=counter.words_in - whole.accounting.words_in if paused else None,
            errors=list(run.errors),
        )
        self.reporter.account(account)
        for event in self.input.watch.events(last=True):
            self.reporter.tell(event)
        if not stop and not run.errors:
            self._refuse_nothing()
        return account

    def _refuse_nothing(self) -> None:
        rejects = self.run.rejects
        if rejects.total and not self.counter.words_in and not self.input.endless:
            first = f"; first: {rejects.examples[0]}" if rejects.examples else ""
            raise FormatError(f"nothing could be decoded{first}")


@contextmanager
def watched_run(plan: Plan, output: Output, words: Input, reporter: Reporter) -> Iterator[Watched]:
    """Give the run of ``plan``, with all that shows how it goes.

    Results are opened last: nothing is overwritten before all else is known to be there.
    """
    with ExitStack() as stack:
        metrics = stack.enter_context(MetricsServer(plan.options.metrics_port, plan.detector))
        counter = Counter(plan.detector, plan.spec)
        run = Run(plan.name, words.words, counter, output, plan.kept)
        yield Watched(run=run, counter=counter, input=words, reporter=reporter, metrics=metrics)
