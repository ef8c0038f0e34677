"""Judging: any results, or words as they are counted, window by window, to verdicts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from muonscope.archiving.archivist import Archivist, Noted
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError, SinkError, VerdictError
from muonscope.events import Event
from muonscope.intake.archived import ArchivedResults
from muonscope.options import made, sources_of
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.profiles import read_profiles
from muonscope.processing.reporter import LogReporter
from muonscope.processing.source_windows import SourceWindows
from muonscope.quality.judge import Judge, Judged
from muonscope.quality.reference import Reference, ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import Change, State
from muonscope.results.read_message import Remainder, Result, WindowResult
from muonscope.stopping import Stop

__all__ = ["JudgeReporter", "Judgement", "judge", "judge_with"]

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
    SinkError
        If the archive cannot be written, or has some windows with other counts.
    """
    if options.fail_on not in _FAIL_ON:
        raise OptionError(f"--fail-on: found {options.fail_on!r}, expected warn or bad")
    with stop.listening():
        profiles, others = read_profiles(options.profile), read_profiles(options.compare)
        windows = SourceWindows.of(options, stop, reporter.tell)
        detector = windows.detector
        reference = None
        if options.reference not in {"auto", "none"}:
            reference = _reference(options, detector, stop, reporter)

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

        archivist = None
        if options.archive:
            if isinstance(windows.found, ArchivedResults):
                raise OptionError(
                    "--archive: found an archive as the source: its minutes are no windows; copy"
                    " the folders of its runs"
                )
            archivist = Archivist(options.archive, detector, reporter.tell, time.time)
        bench = _Bench(new, reporter, detector, archivist)
        try:
            for result in windows.results():
                bench.take(result)
        finally:
            bench.close()
    if archivist and archivist.differing:
        raise SinkError(
            f"{options.archive}: {archivist.differing:,} windows are there with other counts"
        )
    if not bench.found and not stop:
        raise FormatError(f"{' '.join(options.sources)}: holds no window to judge")
    if bad := [j for j in bench.found if j.worst >= _FAIL_ON[options.fail_on]]:
        raise VerdictError(f"run {bad[0].run} was {bad[0].worst.label}: {bad[0].judged.reason}")
    return bench.found


def _reference(
    options: JudgeOptions, detector: Detector, stop: Stop, reporter: JudgeReporter
) -> Reference:
    """Return the reference that the windows of a source make: words or results.

    Raises
    ------
    FormatError
        If there are fewer than 30 whole windows of the detector.
    SourceError
        If it cannot be read.
    """
    source = options.reference
    asked = JudgeOptions(
        sources=(source,), without=options.without, kafka_config=options.kafka_config,
        no_wait=options.no_wait,
    )  # fmt: skip
    builder = ReferenceBuilder(detector)
    for result in SourceWindows.of(asked, stop, reporter.tell, detector).results():
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
        detector: Detector, archivist: Archivist | None,
    ) -> None:  # fmt: skip
        self._new, self._reporter, self._detector = new, reporter, detector
        self._archivist = archivist
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
            now.windows += result.windows
        now.worst = max(now.worst, self._judge.judged.state)
        if self._archivist:
            self._archivist.take(Noted.of(result, time.time(), self._judge, changes))
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
        if self._archivist:
            try:
                self._archivist.finish()
                self._archivist.settle(whole=True)
            finally:
                self._archivist.close()
        if self._now:
            self._now.profile = self._judge.profile.name
            self._now.reference = self._judge.reference.name if self._judge.reference else ""
            self.found.append(self._now)
            self._now = None
