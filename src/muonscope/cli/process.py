"""The ``process`` command."""

import time
from collections.abc import Callable
from contextlib import ExitStack

from muonscope.cli.kernels import kernels_for, load_kernels, set_pace
from muonscope.cli.plan import Options, Plan, Supply, plan_of, say
from muonscope.cli.stopping import Stop
from muonscope.counting.summary import Summary
from muonscope.errors import FormatError, RolledBackError
from muonscope.run import Run

__all__ = ["again_after_rollback", "conclude", "process_sources"]

_ROLLBACKS, _ROLLBACKS_S = 5, 120.0
"""More lost transactions than so many within so many seconds are no accident."""

_PAUSE_S = 0.5


def process_sources(options: Options) -> int:
    """Process sources to the end, or until stopped; return the exit code."""
    stop = Stop()
    with stop.listening():
        if options.engine == "spark":
            from muonscope.cli.process_spark import process_with_spark

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
    from muonscope.cli.metrics import Metrics
    from muonscope.cli.report import Progress
    from muonscope.counting.counter import Counter

    with ExitStack() as stack:
        metrics = stack.enter_context(Metrics(plan.options.metrics_port, plan.detector))
        outlet = stack.enter_context(plan.open_outlet())
        supply = stack.enter_context(plan.open_supply(outlet, stop))
        sink = stack.enter_context(plan.open_sink(outlet))
        counter = Counter(plan.detector, plan.spec)
        run = Run(
            plan.name, supply.intake, counter, sink, store=outlet.store,
            options=plan.kept, restored=outlet.restored, lasting=outlet.lasting,
            reject=outlet.reject_from(plan.options.sources[0]),
        )  # fmt: skip
        if outlet.store and not outlet.restored:
            run.save()
        with Progress(supply.behind) as progress:
            for status in run.steps():
                progress.update(status)
                metrics.update(status, run, supply)
                supply.note()
        run.save()
        paused = bool(stop) and outlet.store is not None
        whole = run.total.merge(counter.remainder) if paused else run.finish()
        metrics.update(None, run, supply)
    return conclude(plan, run, supply, whole, stop, paused=paused, words_in=counter.words_in)


def conclude(
    plan: Plan, run: Run, supply: Supply, whole: Summary, stop: Stop, *,
    paused: bool, words_in: int,
) -> int:  # fmt: skip
    """Print the account; return the exit code, or raise what went wrong with a stream."""
    from muonscope.cli.report import print_account

    title = f"run {plan.name}"
    if paused:
        still_open = words_in - whole.accounting.words_in
        title += f" (paused with {still_open:,} words in open windows; the same command goes on)"
    print_account(whole, run.bytes, run.rejects, windows=run.windows, title=title)
    for line in supply.remarks():
        say(line)
    if stop:
        return stop.exit_code
    if run.errors:
        raise run.errors[0]
    if run.rejects.total and not words_in and not supply.endless:
        first = f"; first: {run.rejects.examples[0]}" if run.rejects.examples else ""
        raise FormatError(f"nothing could be decoded{first}")
    return 0
