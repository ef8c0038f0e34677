"""The problems of a night: from when to when each verdict was bad, and what explains what.

A verdict that turns back and forth is one problem that was there several times. A problem that
comes and goes with a greater one, of the chamber or FPGA that its target belongs to, is told with
that one: a dead chamber is one problem, not 64.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from muonscope.archiving.run_file import ChangeRecord
from muonscope.detector import Detector
from muonscope.processing.report_course import Course, Moment
from muonscope.processing.report_words import place_text
from muonscope.quality.targets import chambers_of
from muonscope.quality.verdict import State

__all__ = ["Problem", "RunChanges", "Span", "grouped", "problems_of"]

_SOONER_S, _LATER_S = 20.0, 90.0
"""So much sooner than its root a problem may come, as some verdicts are sure sooner than others,
and so much later it may go: what counts the last minute needs one more to be over."""

_CELLS = ("cell_dead", "cell_rate", "cell_trains", "cell_efficiency")
_CHAMBERS = (
    "chamber_cells", "chambers_together", "scintillator_in_time", "synchronous_noise", "drift_box",
    "chamber_time", "chamber_place", "track_residual", "chamber_efficiency",
)  # fmt: skip
_WHOLE = ("telescope_rate", "track_rate", "drift_velocity")
_EXPLAINS = {
    "data": ("fpga_silent", "fpga_pauses", "integrity"),
    "fpga_silent": (
        "fpga_pauses", "chamber_rate", "scintillator", "integrity", *_WHOLE, *_CHAMBERS, *_CELLS,
    ),
    "fpga_pauses": ("scintillator", "integrity", *_WHOLE, *_CHAMBERS, *_CELLS),
    "chamber_rate": (*_WHOLE, *_CHAMBERS, *_CELLS),
    "telescope_rate": ("track_rate", "synchronous_noise", "scintillator_in_time", *_CELLS),
    "scintillator": ("scintillator_in_time",),
    "scintillator_in_time": ("chambers_together", "drift_box", "track_rate"),
    "synchronous_noise": ("track_rate", *_CELLS),
    "drift_velocity": ("drift_box", "track_residual", "track_rate", "chamber_time"),
    "chamber_time": ("drift_box", "track_residual", "track_rate"),
    "chamber_cells": ("cell_dead", "cell_rate", "chamber_efficiency", "cell_efficiency"),
    "cell_dead": ("chamber_cells", "cell_efficiency", "cell_trains"),
    "cell_rate": ("cell_trains", "cell_efficiency"),
    "chamber_efficiency": ("cell_efficiency", "track_rate"),
}  # fmt: skip
"""What a problem of each check may bring about, in the order in which checks are looked at."""

_LOOKED_AT = list(_EXPLAINS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time in which a verdict was not good."""

    run: str
    begin: Moment
    """When it was sure."""
    end: Moment
    """When it was over; where it was not, the newest that is known of the run."""
    over: bool
    worst: State
    last: State
    """The state before it was over."""
    live: bool
    """Whether the run was read as it was taken, so that the wall clock tells when this was."""
    ended: bool = False
    """Whether the run ended while it was there."""

    @property
    def seconds(self) -> float:
        """How long it was, s of detector time."""
        return max(0.0, self.end.run_s - self.begin.run_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What was wrong with a target, however often."""

    detector: str
    check: str
    target: str
    place: str
    """The target as people call it."""
    spans: tuple[Span, ...]
    """Those that reach into the period, in their order."""
    text: str
    """What was measured when it was worst, what was expected, and the limit."""
    value: float
    expected: float
    unit: str
    score: float
    """In parts of the alarm threshold."""
    known: str
    """Why it does not count; empty where it does."""
    new: bool
    """Whether it was not there in the days before."""
    chambers: frozenset[int]
    """Those that the target is, belongs to or feeds; all for the telescope."""
    follows: "tuple[Problem, ...]" = field(default=())
    """Problems that this one explains."""

    @property
    def worst(self) -> State:
        """The worst that it was."""
        return max(span.worst for span in self.spans)

    @property
    def open(self) -> bool:
        """Whether it is still there."""
        return not self.spans[-1].over

    @property
    def seconds(self) -> float:
        """How long it was there, s of detector time."""
        return sum(span.seconds for span in self.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanges:
    """A run with the verdicts that changed in it."""

    run: str
    detector: Detector
    ended: bool
    course: Course
    changes: Sequence[ChangeRecord]


def problems_of(
    runs: Sequence[RunChanges], since: float, until: float, before: float
) -> list[Problem]:
    """Return what was wrong from ``since`` until ``until``; new is what was not ``before`` it.

    Runs come in the order of time; what was wrong at the end of a run is still wrong if no later
    run of the same detector follows.
    """
    spans: dict[tuple[str, str, str], list[tuple[Span, ChangeRecord]]] = {}
    detectors = {}
    newest = {run.detector.fingerprint: run.run for run in runs}
    for run in runs:
        hash_ = run.detector.fingerprint
        detectors[hash_] = run.detector
        for (check, target), span, worst in _spans(run):
            left = not span.over and newest[hash_] != run.run
            told = replace(span, over=True, ended=True) if left else span
            spans.setdefault((hash_, check, target), []).append((told, worst))
    found = []
    for (hash_, check, target), some in spans.items():
        inside = [(s, c) for s, c in some if s.begin.at < until and s.end.at >= since]
        if not inside:
            continue
        worst = max((c for _, c in inside), key=lambda c: (not c.known, c.after, c.score))
        earlier = any(before <= s.end.at and s.begin.at < since for s, _ in some)
        detector = detectors[hash_]
        found.append(Problem(
            detector=detector.name, check=check, target=target,
            place=place_text(target, detector), spans=tuple(s for s, _ in inside),
            text=worst.text, value=worst.value, expected=worst.expected, unit=worst.unit,
            score=worst.score, known=worst.known, new=not earlier,
            chambers=frozenset(chambers_of(target, detector) or range(detector.n_chambers)),
        ))  # fmt: skip
    return found


def grouped(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that no other one explains, the worst first, each with what it does."""
    every = sorted(problems, key=_order)
    root_of: dict[int, int] = {}
    for i, other in enumerate(every):
        for j, root in enumerate(every):
            if i != j and _explains(root, other):
                root_of[i] = j
                break
    top = [i for i in range(len(every)) if i not in root_of]
    follows: dict[int, list[Problem]] = {i: [] for i in top}
    for i in root_of:
        follows[_top_of(i, root_of)].append(every[i])
    roots = [replace(every[i], follows=tuple(follows[i])) for i in top]
    return sorted(roots, key=lambda p: (
        bool(p.known), not p.open, -p.worst, p.spans[0].begin.at, p.check, p.target
    ))  # fmt: skip


def _order(problem: Problem) -> tuple[int, str, str]:
    place = _LOOKED_AT.index(problem.check) if problem.check in _LOOKED_AT else len(_LOOKED_AT)
    return place, problem.target, problem.check


def _top_of(i: int, root_of: dict[int, int]) -> int:
    while i in root_of:
        i = root_of[i]
    return i


def _explains(root: Problem, other: Problem) -> bool:
    if other.check not in _EXPLAINS.get(root.check, ()) or root.detector != other.detector:
        return False
    if (root.known and not other.known) or not root.chambers & other.chambers:
        return False
    cells = root.check in _CELLS and other.check in _CELLS
    if cells and root.target != other.target:
        return False
    # many dead cells are more than each of them, and a few are not
    many = [p.worst > State.WARN for p in (root, other) if p.check == "chamber_cells"]
    if many and many[0] != (root.check == "chamber_cells"):
        return False
    return all(any(_within(span, whole) for whole in root.spans) for span in other.spans)


def _within(span: Span, whole: Span) -> bool:
    return (
        span.run == whole.run
        and span.begin.run_s >= whole.begin.run_s - _SOONER_S
        and (span.end.run_s <= whole.end.run_s + _LATER_S or not whole.over)
    )


def _spans(run: RunChanges) -> Iterable[tuple[tuple[str, str], Span, ChangeRecord]]:
    """Yield from when to when each verdict was not good, and the change to the worst of it."""
    begun: dict[tuple[str, str], tuple[Moment, ChangeRecord, State]] = {}
    for change in run.changes:
        key, moment = (change.check, change.target), run.course.moment(change)
        before = begun.pop(key, None)
        if change.after > State.NOT_ENOUGH:
            begin, worst, _ = before or (moment, change, change.after)
            worse = (change.after, change.score) > (worst.after, worst.score)
            begun[key] = begin, change if worse else worst, change.after
        elif before:
            yield key, _span(run, before, moment, over=True), before[1]
    for key, left in begun.items():
        yield key, _span(run, left, run.course.last, over=False), left[1]


def _span(
    run: RunChanges, begun: tuple[Moment, ChangeRecord, State], end: Moment, *, over: bool
) -> Span:
    begin, worst, last = begun
    return Span(
        run=run.run, begin=begin, end=end, over=over, worst=worst.after, last=last,
        live=run.course.live, ended=run.ended and not over,
    )  # fmt: skip
