"""A run and all that shows how it goes, whatever engine brings its words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from muonscope.counting.counter import Counter
from muonscope.counting.doubts import nothing_decoded
from muonscope.errors import FormatError
from muonscope.processing.inputs import Input
from muonscope.processing.metrics_server import MetricsServer
from muonscope.processing.outputs import Output
from muonscope.processing.plan import Plan
from muonscope.processing.reporter import Account, Progress, Reporter
from muonscope.processing.run import Run
from muonscope.stopping import Stop
from muonscope.wording import describe

__all__ = ["Watched", "supervised", "watched_run"]


def supervised(
    plan: Plan, attempt: Callable[[], Account], reporter: Reporter, stop: Stop
) -> Account:
    """Return what ``attempt`` returns; it is made again when a topic lost a transaction."""
    if plan.destination is None:
        return attempt()
    from muonscope.transports.kafka.rollback import again_after_rollback

    return again_after_rollback(attempt, stop, reporter.tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A run, and all that shows how it goes."""

    run: Run
    counter: Counter
    input: Input
    reporter: Reporter
    metrics: MetricsServer
    strict: bool = False
    """Whether doubtful results are an error."""

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
            If nothing could be decoded of a source that has come to its end, or results are
            doubtful and that was not to be accepted.
        """
        run, counter = self.run, self.counter
        whole = run.total.merge(counter.remainder) if paused else run.finish()
        untold = run.doubt(whole)
        self.metrics.update(None, run, self.input.watch)
        account = Account(
            run=run.name,
            total=whole,
            windows=run.windows,
            bytes=run.bytes,
            rejects=run.rejects,
            paused_words=counter.words_in - whole.accounting.words_in if paused else None,
            errors=list(run.errors),
            doubts=run.doubts,
        )
        self.reporter.account(account)
        for event in self.input.watch.events(last=True):
            self.reporter.tell(event)
        ended = not stop and not run.errors
        if ended and run.rejects.total and not counter.words_in:
            raise FormatError(nothing_decoded(run.rejects))
        for doubt in untold:
            self.reporter.tell(doubt)
        if ended and account.doubts and self.strict:
            raise FormatError(f"--strict: the results are doubtful: {describe(account.doubts[0])}")
        return account


@contextmanager
def watched_run(plan: Plan, output: Output, words: Input, reporter: Reporter) -> Iterator[Watched]:
    """Give the run of ``plan``, with all that shows how it goes.

    Results are opened last: nothing is overwritten before all else is known to be there.
    """
    with MetricsServer(plan.options.metrics_port, plan.detector) as metrics:
        counter = Counter(plan.detector, plan.spec, plan.blocks)
        run = Run(plan.name, words.words, counter, output, plan.kept, plan.conditions)
        yield Watched(
            run=run, counter=counter, input=words, reporter=reporter, metrics=metrics,
            strict=plan.options.strict,
        )  # fmt: skip
