"""Comparing: a run of words or results with a reference run, to findings and a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from muonscope.archiving.archive import Archive
from muonscope.archiving.reference_choice import chosen_reference
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError, VerdictError
from muonscope.events import Tell
from muonscope.intake.archived import ArchivedResults
from muonscope.intake.opening import is_simulated
from muonscope.options import made
from muonscope.processing.compare_options import CompareOptions
from muonscope.processing.compare_page import compare_page
from muonscope.processing.judge_options import JudgeOptions
from muonscope.processing.reporter import LogReporter
from muonscope.processing.source_windows import SourceWindows
from muonscope.quality.comparing import compare as compared
from muonscope.quality.comparison import Comparison
from muonscope.quality.side import Side, SideBuilder
from muonscope.results.read_message import WindowResult
from muonscope.stopping import Stop, Stopped
from muonscope.transports.new_file import writing

__all__ = ["ReadRun", "compare", "compare_with", "read_run"]

AUTO = "auto"
"""As a reference: the best one that the archive has."""

_FAIL_ON = ("", "differs")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRun:
    """A run that was read, with what tells whether it can be compared."""

    side: Side
    hashes: frozenset[str]
    """Of the descriptions of its detector, as its windows tell them."""
    windows: dict[int, tuple[int, int]]
    """First and last window of each epoch."""


def compare(run: Any, reference: Any, /, *, stop: Stop | None = None, **options: Any) -> Comparison:
    """Compare words or results of a run with those of a reference; return what differs.

    Parameters
    ----------
    run, reference
        Each a file, folder, glob or URL: words or results.
    stop
        Ends it when it is set, from another thread; so does Ctrl-C.
    options
        As those of the command ``muonscope compare``, with ``_`` for ``-``: see
        :class:`~muonscope.processing.compare_options.CompareOptions`.

    Raises
    ------
    OptionError
        If an option makes no sense, or a source holds several runs and none is named.
    SourceError, FormatError
        If a source cannot be read, holds no window, or is of another detector.
    SinkError
        If the page cannot be written.
    VerdictError
        If the two differ, and ``fail_on`` says so.

    Examples
    --------
    >>> import muonscope
    >>> found = muonscope.compare(
    ...     "sim:quiet?seconds=20&fault=hv-off:ch1", "sim:quiet?seconds=20&seed=2",
    ...     without=("tracking",),
    ... )
    >>> found.differing[0].what, found.differing[0].target
    ('chamber_rate', 'ch1')
    """
    wanted = made(CompareOptions, {"source": str(run), "reference": str(reference), **options})
    found: list[Comparison] = []
    compare_with(wanted, LogReporter().tell, Stop() if stop is None else stop, found.append)
    return found[0]


def compare_with(
    options: CompareOptions, tell: Tell, stop: Stop, show: Callable[[Comparison], None]
) -> None:
    """Compare two runs; ``show`` what was found, also where it is an error afterwards.

    Raises
    ------
    OptionError
        If an option makes no sense, or a source holds several runs and none is named.
    SourceError, FormatError
        If a source cannot be read, holds no window, or is of another detector.
    SinkError
        If the page cannot be written.
    VerdictError
        If the two differ, and ``fail_on`` says so.
    Stopped
        If it is stopped before all is read.
    """
    _check(options)
    with stop.listening():
        *sources, why = _sources(options, tell, stop)
        run, reference = (read_run(source) for source in sources)
    _check_same(run, reference)
    sides = _named(run.side, reference.side, options)
    found = compared(
        *sides, scale=options.scale, level=options.level, least_size=options.least_size
    )  # fmt: skip
    notes = (why, _in_common(run, reference, sources, options))
    found = replace(found, notes=(*found.notes, *filter(None, notes)))
    if options.to:
        with writing(options.to, force=options.force) as file:
            file.write(compare_page(found, *sides).encode())
    show(found)
    if options.fail_on and found.differing:
        raise VerdictError(found.sentence)


def read_run(source: SourceWindows) -> ReadRun:
    """Return the sum of the windows of the only run of a source, and how they scatter.

    Raises
    ------
    OptionError
        If there are several runs.
    FormatError
        If there is no window.
    Stopped
        If it is stopped before all is read.
    """
    builder: SideBuilder | None = None
    run, hashes, windows = "", set[str](), dict[int, tuple[int, int]]()
    for result in source.results():
        if run and result.run != run:
            raise OptionError(
                f"{_named_source(source)}: found runs {run} and {result.run},"
                " expected the name of one: --run, or --reference-run"
            )
        run = result.run
        if not isinstance(result, WindowResult):
            continue
        if builder is None:
            builder = SideBuilder(run, Summary.empty(source.detector, result.summary.blocks))
        builder.add(result.summary, tells_all=result.version > 1)
        hashes |= {result.detector_hash} - {""}
        first, last = windows.get(result.epoch, (result.window, result.window))
        windows[result.epoch] = min(first, result.window), max(last, result.window)
    if source.stop:
        raise Stopped(source.stop.exit_code)
    if builder is None:
        of_run = f" of run {source.asked.run}" if source.found and source.asked.run else ""
        raise FormatError(f"{_named_source(source)}: holds no window{of_run} to compare")
    return ReadRun(side=builder.build(), hashes=frozenset(hashes), windows=windows)


def _named_source(source: SourceWindows) -> str:
    return " ".join(source.asked.sources)


def _check(options: CompareOptions) -> None:
    if options.fail_on not in _FAIL_ON:
        raise OptionError(f"--fail-on: found {options.fail_on!r}, expected differs")
    if options.to and Path(options.to).suffix not in {".html", ".htm"}:
        raise OptionError(f"--to: found {options.to!r}, expected a name in .html")
    if options.source == options.reference == "-":
        raise OptionError("REFERENCE: found -, which is RUN already; expected another source")


def _sources(
    options: CompareOptions, tell: Tell, stop: Stop
) -> tuple[SourceWindows, SourceWindows, str]:
    """Return both sources, and why the second was chosen, if it was.

    The detector of one that does not tell it is that of the other.
    """
    asked = [
        JudgeOptions(
            sources=(name,), run=run, detector=options.detector, window=options.window,
            without=options.without, allow_duplicates=options.allow_duplicates,
            kafka_config=options.kafka_config, no_wait=options.no_wait,
        )
        for name, run in (
            (options.source, options.run), (options.reference, options.reference_run)
        )
    ]  # fmt: skip
    one = SourceWindows.of(asked[0], stop, tell)
    if options.reference == AUTO:
        return one, *_chosen(one)
    other = SourceWindows.of(asked[1], stop, tell)
    if not options.detector and _tells(one) != _tells(other):
        if _tells(one):
            other = replace(other, detector=one.detector)
        else:
            one = replace(one, detector=other.detector)
    return one, other, ""


def _chosen(source: SourceWindows) -> tuple[SourceWindows, str]:
    """Return the good windows of the run that an archived one is to be compared with, and why."""
    found = source.found
    if not isinstance(found, ArchivedResults) or len(found.runs) != 1:
        raise OptionError(
            f"REFERENCE: found {AUTO}, which chooses among the runs of an archive: RUN must be one"
            " of them, as ARCHIVE/runs/NAME"
        )
    (run,) = found.runs
    other, signed, why = chosen_reference(Archive(run.folder.path.parent.parent), run)
    good = ArchivedResults([other], signed.good_list)
    asked = replace(source.asked, sources=(str(other.folder.path),), run="")
    return replace(source, asked=asked, found=good), f"{other.name}: {why}; its good windows"


def _tells(source: SourceWindows) -> bool:
    """Tell whether a source says of which detector it is."""
    return bool(source.found and source.found.detector) or is_simulated(source.asked.sources)


def _check_same(run: ReadRun, reference: ReadRun) -> None:
    detector: Detector = run.side.summary.detector
    if detector.fingerprint != reference.side.summary.detector.fingerprint:
        return  # which is told when they are compared
    if run.hashes and reference.hashes and run.hashes != reference.hashes:
        mine, other = (", ".join(sorted(r.hashes)) for r in (run, reference))
        raise FormatError(
            f"{run.side.name} and {reference.side.name} are of different descriptions of the"
            f" detector {detector.name}: found {mine} and {other}, expected the same"
        )


def _named(run: Side, reference: Side, options: CompareOptions) -> tuple[Side, Side]:
    """Return the sides with names that differ, as far as the sources do."""
    if run.name != reference.name:
        return run, reference
    return (
        replace(run, name=f"{run.name} ({options.source})"),
        replace(reference, name=f"{reference.name} ({options.reference})"),
    )


def _in_common(
    run: ReadRun, reference: ReadRun, sources: Sequence[SourceWindows],
    options: CompareOptions,
) -> str:  # fmt: skip
    """Return what is to be said of windows that both have."""
    results = all(source.found for source in sources)
    if run.side.name != reference.side.name or not (results or options.source == options.reference):
        return ""
    for epoch, (first, last) in run.windows.items():
        low, high = reference.windows.get(epoch, (last + 1, last))
        if max(first, low) <= min(last, high):
            return (
                f"both hold windows {max(first, low)} to {min(last, high)} of run {run.side.name}:"
                " they agree more than chance lets two runs agree"
            )
    return ""
