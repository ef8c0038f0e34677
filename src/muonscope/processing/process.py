"""The ``process`` command."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from muonscope.errors import FormatError, RolledBackError
from muonscope.kernels import kernels_for, load_kernels, set_pace
from muonscope.processing.inputs import Supply
from muonscope.processing.plan import Options, Outlet, Plan, plan_of
from muonscope.processing.run import Run
from muonscope.say import say
from muonscope.stopping import Stop

if TYPE_CHECKING:
    from muonscope.cli.report import Progress
    from muonscope.counting.counter import Counter
    from muonscope.processing.metrics_server import Metrics

__all__ = ["Shown", "again_after_rollback", "process_sources", "shown_run"]

_ROLLBACKS, _ROLLBACKS_S = 5, 120.0
"""More lost transactions than so many within so many seconds are no accident."""

_PAUSE_S = 0.5


def process_sources(options: Options) -> int:
    """Process sources to the end, or until stopped; return the exit code."""
    stop = Stop()
    with stop.listening():
        if options.engine == "spark":
            from muonscope.processing.spark import process_with_spark

            return process_with_spark(options, stop)
        return _process(options, stop)


def _process(options: Options, stop: Stop) -> int:
    plan = plan_of(options, stop)
    load_kernels(kernels_for(options.sources))
    set_pace()
    return again_after_rollback(lambda: _attempt(plan, stop), stop)


def again_after_rollback(attempt: Callable[[], int], stop: Stop) -> int:
    """Return what ``attempt`` returns, made again when a transaction was lost.

    Raises
    ------
    RolledBackError
        If that happens again and again, or it is to stop.
    """
    rollbacks: list[float] = []
    while True:
        try:
            return attempt()
        except RolledBackError as exc:
            now = time.monotonic()
            rollbacks = [at for at in rollbacks if now - at < _ROLLBACKS_S] + [now]
            if stop or len(rollbacks) > _ROLLBACKS:
                raise
            say(f"{exc}; going on from the saved state")
            time.sleep(_PAUSE_S)


def _attempt(plan: Plan, stop: Stop) -> int:
    """Process until the end, a stop, or a lost transaction."""
    with ExitStack() as stack:
        outlet = stack.enter_context(plan.open_outlet())
        supply = stack.enter_context(plan.open_supply(outlet, stop))
        shown = stack.enter_context(shown_run(plan, outlet, supply))
        shown.go_on()
        shown.run.save()
        paused = bool(stop) and outlet.store is not None
        return shown.conclude(stop, paused=paused)


@contextmanager
def shown_run(plan: Plan, outlet: Outlet, supply: Supply) -> Iterator["Shown"]:
    """Give the run of ``plan``, with all that shows how it goes.

    The sink is opened last: nothing is overwritten before all else is known to be there.
    """
    from muonscope.cli.report import Progress
    from muonscope.counting.counter import Counter
    from muonscope.processing.metrics_server import Metrics

    with ExitStack() as stack:
        metrics = stack.enter_context(Metrics(plan.options.metrics_port, plan.detector))
        sink = stack.enter_context(plan.open_sink(outlet))
        counter = Counter(plan.detector, plan.spec)
        run = Run(
            plan.name, supply.intake, counter, sink, store=outlet.store,
            options=plan.kept, restored=outlet.restored, lasting=outlet.lasting,
            reject=outlet.reject_from(plan.options.sources[0]),
        )  # fmt: skip
        if outlet.store and not outlet.restored:
            run.save()
        showing = stack.enter_context(ExitStack())
        progress = showing.enter_context(Progress(supply.behind))
        yield Shown(run, counter, supply, progress, metrics, showing)


class Shown:
    """A run, its counter, and what shows how it goes."""

    def __init__(
        self, run: Run, counter: "Counter", supply: Supply, progress: "Progress",
        metrics: "Metrics", showing: ExitStack,
    ) -> None:  # fmt: skip
        """Take what belongs together; ``showing`` ends what is shown meanwhile."""
        self.run, self._counter, self._supply = run, counter, supply
        self._progress, self._metrics, self._showing = progress, metrics, showing

    def go_on(self) -> None:
        """Process what the supply has now."""
        for status in self.run.steps():
            self._progress.update(status)
            self._metrics.update(status, self.run, self._supply)
            self.tell()

    def tell(self) -> None:
        """Tell people what has happened to the supply."""
        for line in self._supply.note():
            say(line)

    def conclude(self, stop: Stop, *, paused: bool) -> int:
        """Finish, unless it is only paused; print the account; return the exit code.

        Raises
        ------
        MuonscopeError
            What went wrong with a stream.
        """
        from muonscope.cli.report import print_account

        run, counter = self.run, self._counter
        whole = run.total.merge(counter.remainder) if paused else run.finish()
        self._showing.close()
        self._metrics.update(None, run, self._supply)
        title = f"run {run.name}"
        if paused:
            still_open = counter.words_in - whole.accounting.words_in
            title += (
                f" (paused with {still_open:,} words in open windows; the same command goes on)"
            )
        print_account(whole, run.bytes, run.rejects, windows=run.windows, title=title)
        for line in self._supply.remarks():
            say(line)
        if stop:
            return stop.exit_code
        if run.errors:
            raise run.errors[0]
        if run.rejects.total and not counter.words_in and not self._supply.endless:
            first = f"; first: {run.rejects.examples[0]}" if run.rejects.examples else ""
            raise FormatError(f"nothing could be decoded{first}")
        return 0
