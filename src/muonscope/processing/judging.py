"""Judging: any results, or words as they are counted, window by window, to verdicts."""

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from muonscope import kernels
from muonscope.counting.counter import Counter
from muonscope.counting.doubts import nothing_decoded
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError, VerdictError
from muonscope.events import Event
from muonscope.intake.find_results import Found, find_results, results_in
from muonscope.intake.opening import detector_for
from muonscope.options import made, sources_of
from muonscope.processing.inputs import open_input
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import Output
from muonscope.processing.plan import Plan, blocks_without, plan_of
from muonscope.processing.reporter import LogReporter
from muonscope.processing.run import Run
from muonscope.quality.judge import Judge, Judged
from muonscope.quality.profile import Profile, default_profile, parse_profiles
from muonscope.quality.reference import Reference, ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import Change, State
from muonscope.results.read_message import Remainder, Result, WindowResult, read_result
from muonscope.results.seen_windows import SeenWindows
from muonscope.stopping import Stop
from muonscope.transports.base import Published
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.ledgers import StatelessLedger

__all__ = ["JudgeReporter", "Judgement", "judge", "judge_with", "read_profiles", "reference_from"]

_IN_FLIGHT = 64
"""Windows that may come in another order than theirs, as from the partitions of a topic."""

_FAIL_ON = {"": State.NO_DATA + 1, "warn": State.WARN, "bad": State.BAD}


class JudgeReporter(Protocol):
    """Something that shows people what is judged."""

    def tell(self, event: Event) -> None:
        """Show an event."""

    def begin(self, run: str, judge: Judge) -> None:
        """Tell that a run begins."""

    def changed(self, change: Change) -> None:
        """Show a verdict that is another one than before."""

    def differs(self, change: Change, others: State) -> None:
        """Show a verdict of the other profile that this one does not share."""


class _Quiet(LogReporter):
    """Tells of events in the log, and of nothing else."""

    def begin(self, run: str, judge: Judge) -> None:
        """Tell nothing."""

    def changed(self, change: Change) -> None:
        """Tell nothing: who calls gets all changes."""

    def differs(self, change: Change, others: State) -> None:
        """Tell nothing: who calls gets all differences."""


@dataclass(slots=True, kw_only=True)
class Judgement:
    """What was found in one run."""

    run: str
    detector: Detector
    profile: str
    """Name of the thresholds."""
    reference: str
    """What it was compared with; empty if with nothing."""
    judged: Judged
    """The verdicts at the end."""
    changes: list[Change] = field(default_factory=list)
    differences: list[tuple[Change, State]] = field(default_factory=list)
    """Changes that another profile would have told, and the state of this one."""
    windows: int = 0
    worst: State = State.NOT_ENOUGH
    """The worst that the telescope was in, known problems left out."""

    @property
    def state(self) -> State:
        """The state at the end."""
        return self.judged.state


def judge(
    source: Any, *, reporter: JudgeReporter | None = None, stop: Stop | None = None, **options: Any
) -> list[Judgement]:
    """Judge words or results; return what was found in each run.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders: words or results.
    reporter
        Shows how it goes; by default nothing does.
    stop
        Ends it in order when it is set, from another thread; so does Ctrl-C.
    options
        As those of the command ``muonscope judge``, with ``_`` for ``-``: see
        :class:`~muonscope.processing.judge_options.JudgeOptions`.

    Raises
    ------
    OptionError
        If an option makes no sense, or a profile is none.
    SourceError, FormatError
        If a source cannot be read, or holds nothing to judge.

    Examples
    --------
    >>> import muonscope
    >>> (found,) = muonscope.judge("sim:quiet?seconds=20&fault=hv-off:ch1@10s-", reference="none")
    >>> found.state.label, found.judged.problems[0].target
    ('BAD', 'ch1')
    """
    wanted = made(JudgeOptions, {"sources": sources_of(source), **options})
    return judge_with(wanted, reporter or _Quiet(), Stop() if stop is None else stop)


def judge_with(options: JudgeOptions, reporter: JudgeReporter, stop: Stop) -> list[Judgement]:
    """Judge until the source ends, or until stopped; return what was found in each run.

    Raises
    ------
    OptionError
        If an option makes no sense, or a profile is none.
    SourceError, FormatError
        If a source cannot be read, or holds nothing to judge.
    VerdictError
        If a run was as bad as ``fail_on`` says.
    """
    if options.fail_on not in _FAIL_ON:
        raise OptionError(f"--fail-on: found {options.fail_on!r}, expected warn or bad")
    with stop.listening():
        profiles, others = read_profiles(options.profile), read_profiles(options.compare)
        kafka = kafka_options(
            options.kafka_config, stop=stop, tell=reporter.tell, no_wait=options.no_wait
        )
        found = find_results(options.sources, kafka, stop)
        detector = _detector(options, found)
        reference = None
        if options.reference not in {"auto", "none"}:
            reference = reference_from(
                options.reference, detector, kafka, stop, reporter, options.without
            )

        def new() -> tuple[Judge, Judge | None]:
            made_with = [profiles, *([others] if options.compare else [])]
            one, *more = (
                Judge(
                    detector, profiles=some, reference=reference,
                    auto=options.reference == "auto", today=datetime.now(UTC).date(),
                )
                for some in made_with
            )  # fmt: skip
            return one, more[0] if more else None

        bench = _Bench(new, reporter, detector)
        results = _results(options, found, detector, stop, reporter)
        for result in _in_order(results, options.run):
            bench.take(result)
        bench.close()
    if not bench.found and not stop:
        raise FormatError(f"{' '.join(options.sources)}: holds no window to judge")
    if bad := [j for j in bench.found if j.worst >= _FAIL_ON[options.fail_on]]:
        raise VerdictError(f"run {bad[0].run} was {bad[0].worst.label}: {bad[0].judged.reason}")
    return bench.found


def read_profiles(path: str) -> list[Profile]:
    """Return the profiles in a file; without one, that which is shipped.

    Raises
    ------
    OptionError
        If it cannot be read, or is none.
    """
    if not path:
        return [default_profile()]
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise OptionError(f"{path}: cannot be read: {exc}") from exc
    return parse_profiles(text, where=path)


def reference_from(
    source: str, detector: Detector, kafka: KafkaOptions, stop: Stop, reporter: JudgeReporter,
    without: Sequence[str] = (),
) -> Reference:  # fmt: skip
    """Return the reference that the windows of a source make: words or results.

    ``without`` names what is not counted of words, and not looked at in results.

    Raises
    ------
    FormatError
        If there are fewer than 30 whole windows of the detector.
    SourceError
        If it cannot be read.
    """
    options = JudgeOptions(sources=(source,), without=tuple(without))
    builder = ReferenceBuilder(detector)
    found = find_results([source], kafka, stop)
    for result in _in_order(_results(options, found, detector, stop, reporter), ""):
        if isinstance(result, WindowResult):
            builder.add(Seen.of(result))
    made_of = builder.build(source)
    if made_of is None:
        raise FormatError(
            f"--reference {source}: found {builder.windows} whole windows of {detector.name},"
            " expected 30 or more"
        )
    return made_of


class _Bench:
    """Judges run after run."""

    def __init__(
        self, new: Callable[[], tuple[Judge, Judge | None]], reporter: JudgeReporter,
        detector: Detector,
    ) -> None:  # fmt: skip
        self._new, self._reporter, self._detector = new, reporter, detector
        self._judge, self._other = new()
        self._now: Judgement | None = None
        self.found: list[Judgement] = []

    def take(self, result: Result) -> None:
        """Judge a window, or what belongs to none."""
        if self._now is None or self._now.run != result.run:
            self.close()
            self._judge, self._other = self._new()
            self._now = Judgement(
                run=result.run, detector=self._detector, profile="", reference="",
                judged=self._judge.judged,
            )  # fmt: skip
            self._reporter.begin(result.run, self._judge)
        now, others = self._now, list[Change]()
        if isinstance(result, Remainder):
            changes = self._judge.end(result)
            others = self._other.end(result) if self._other else []
        else:
            changes = self._judge.take(result)
            others = self._other.take(result) if self._other else []
            now.windows += 1
        now.worst = max(now.worst, self._judge.judged.state)
        for change in changes:
            now.changes.append(change)
            self._reporter.changed(change)
        for change in others:
            key = change.verdict.check, change.verdict.target
            mine = self._judge.judged.verdicts.get(key)
            state = mine.state if mine else State.GOOD
            if state != change.verdict.state:
                now.differences.append((change, state))
                self._reporter.differs(change, state)

    def close(self) -> None:
        """End the run that is judged."""
        if self._now:
            self._now.profile = self._judge.profile.name
            self._now.reference = self._judge.reference.name if self._judge.reference else ""
            self.found.append(self._now)
            self._now = None


def _detector(options: JudgeOptions, found: Found | None) -> Detector:
    name = options.detector or (found.detector if found else "")
    return detector_for(options.sources, name)


def _results(
    options: JudgeOptions, found: Found | None, detector: Detector, stop: Stop,
    reporter: JudgeReporter,
) -> Iterator[Result]:  # fmt: skip
    """Yield what a source holds: results as they are, words as they are counted."""
    if found is None:
        yield from _counted(options, detector, stop, reporter)
        return
    yield from results_in(found, detector, blocks_without(options.without), stop)


class _Kept(StatelessLedger):
    """Takes what a run publishes, to be judged."""

    def __init__(self, plan: Plan) -> None:
        self._run, self._conditions, self._detector = plan.name, plan.conditions, plan.detector
        self._blocks = plan.blocks
        self.results: list[Result] = []

    def publish(self, messages: Sequence[Published]) -> None:
        for message in messages:
            if message.window is None:
                self.results.append(read_result(message.data, self._detector, self._blocks))
            else:
                window = message.window()
                self.results.append(WindowResult.of(window, self._run, self._conditions))


def _counted(
    options: JudgeOptions, detector: Detector, stop: Stop, reporter: JudgeReporter
) -> Iterator[Result]:
    """Yield the windows of words."""
    asked = ProcessOptions(
        sources=options.sources, detector=options.detector, run=options.run,
        window=options.window, condition=options.condition, kafka_config=options.kafka_config,
        no_wait=options.no_wait, allow_duplicates=options.allow_duplicates, idle_exit="",
        without=options.without,
    )  # fmt: skip
    plan = plan_of(asked, stop, reporter.tell, group="muonscope-judge")
    plan = replace(plan, detector=detector)
    kernels.load(plan.kernels, tell=reporter.tell)
    kept = _Kept(plan)
    output = Output(ledger=kept)
    with open_input(plan, output, stop) as source:
        counter = Counter(detector, plan.spec, plan.blocks)
        run = Run(plan.name, source.words, counter, output, conditions=plan.conditions)
        for status in run.steps():
            for event in [*status.events, *source.watch.events()]:
                reporter.tell(event)
            yield from kept.results
            kept.results.clear()
            if stop:
                return
        run.doubt(run.finish())
        yield from kept.results
        for event in [*source.watch.events(last=True), *run.doubts]:
            reporter.tell(event)
    if run.errors:
        raise run.errors[0]
    if run.rejects.total and not counter.words_in:
        raise FormatError(nothing_decoded(run.rejects))


def _in_order(results: Iterator[Result], only: str) -> Iterator[Result]:
    """Yield the windows of each run by epoch and number, each once, and its remainder last."""
    waiting: list[tuple[tuple[float, float], int, Result]] = []
    run, seen, n = "", SeenWindows(), 0
    for result in results:
        if only and result.run != only:
            continue
        if result.run != run:
            yield from (r for *_, r in sorted(waiting))
            waiting, run, seen = [], result.run, SeenWindows()
        n += 1
        if isinstance(result, Remainder):
            heapq.heappush(waiting, ((math.inf, math.inf), n, result))
        elif seen.is_new(*result.place):
            heapq.heappush(waiting, (result.place, n, result))
        if len(waiting) > _IN_FLIGHT:
            yield heapq.heappop(waiting)[2]
    yield from (r for *_, r in sorted(waiting))
