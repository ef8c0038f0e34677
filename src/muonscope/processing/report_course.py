"""The course of an archived run: when each window was taken and came, and what was judged then.

Of each window only a few columns are read. What is damaged is told, and the rest of the run is
read all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.folders import Part
from muonscope.archiving.run_file import ChangeRecord
from muonscope.archiving.windows_file import PIECE_S, SealedWindows
from muonscope.errors import FormatError
from muonscope.quality.verdict import State
from muonscope.units import ORBIT_S

__all__ = ["PAUSE_S", "Course", "Hole", "Moment", "Reading", "read_course"]

Array = npt.NDArray[Any]

_COLUMNS = ("epoch", "window", "first_orbit", "live_orbits", "at", "state", "windows")
_NUMBERS = _COLUMNS[:5] + _COLUMNS[6:]
_HOLE_S = 10.0
"""A longer time without a window is told: detector time, as the judge has it."""

PAUSE_S = 60.0
"""The same between epochs and runs, by the wall clock, in which windows come in bunches."""

_LIVE = 1.5
"""A run whose windows came faster than this, beside detector time, was read afterwards."""


class Moment(NamedTuple):
    """A moment of a run."""

    run_s: float
    """Time in the run, s: detector time with its epochs one after the other."""
    at: float
    """The same by the wall clock: when the window that ends then came, s since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A time without data."""

    run: str
    """The run that it is in, or the one that follows it."""
    begin: float
    end: float
    """By the wall clock, s since 1970."""
    seconds: float
    """How long it was: detector time within an epoch, else by the wall clock."""
    within: bool
    """Whether it is in a run; else it is between two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The windows of a run in their order, one entry each; times as :class:`Moment` has them."""

    epoch: Array
    window: Array
    begin_s: Array
    end_s: Array
    at: Array
    state: Array
    """Of the telescope after the window."""
    windows: Array
    """Windows in an entry: more than 1 where a run was thinned."""
    window_orbits: int
    """Orbits of a window."""
    zero: Mapping[int, int]
    """The orbit of each epoch at which the time of the run would be 0."""

    @property
    def speed(self) -> float:
        """Detector time by the time in which windows came: 1 while a detector is read live."""
        took = float(self.at[-1] - self.at[0])
        return float(self.end_s[-1] - self.begin_s[0]) / max(took, 1e-3)

    @property
    def live(self) -> bool:
        """Whether windows came as fast as they were taken."""
        return self.speed < _LIVE

    def came(self, begin: float, end: float) -> Array:
        """Return which windows came from ``begin`` until ``end``."""
        chosen: Array = (self.at >= begin) & (self.at < end)
        return chosen

    def moment(self, change: ChangeRecord) -> Moment:
        """Return when a verdict changed: at the end of its window, or where a hole begins."""
        if change.epoch < 0:
            return self.last
        places = self.epoch.astype(np.int64) << 40 | self.window
        after = int(np.searchsorted(places, change.epoch << 40 | change.window, side="right")) - 1
        if change.check == "data" and change.after is State.NO_DATA and after > 0:
            return Moment(float(self.end_s[after - 1]), float(self.at[after - 1]))
        at = float(self.at[max(0, after)]) if change.at is None else change.at
        end = (change.window + 1) * self.window_orbits
        known = change.epoch in self.zero
        run_s = (end - self.zero[change.epoch]) * ORBIT_S if known else change.run_s
        return Moment(run_s, at)

    def run_s(self, epoch: Array, orbit: Array) -> Array:
        """Return the time in the run of orbits of epochs, s."""
        zero = np.array([self.zero.get(number, 0) for number in epoch.tolist()], np.int64)
        times: Array = (orbit - zero) * ORBIT_S
        return times

    @property
    def last(self) -> Moment:
        """The end of the newest window."""
        return Moment(float(self.end_s.max()), float(self.at.max()))

    def holes(self, run: str, begin: float, end: float) -> list[Hole]:
        """Return the times without windows that reach into those from ``begin`` until ``end``."""
        before = np.maximum.accumulate(self.end_s)[:-1]
        lacking = self.begin_s[1:] - before
        waited = np.diff(self.at)
        same = np.diff(self.epoch) == 0
        length = np.where(same, lacking, waited)
        by_hour = (self.end_s - self.begin_s) > 1.5 * PIECE_S  # thinned: nobody knows any more
        told = np.where(same, lacking > _HOLE_S, waited > PAUSE_S) & ~by_hour[1:] & ~by_hour[:-1]
        told &= (self.at[1:] >= begin) & (self.at[:-1] < end)
        return [
            Hole(
                run=run, begin=float(self.at[i]), end=float(self.at[i + 1]),
                seconds=float(length[i]), within=True,
            )
            for i in np.flatnonzero(told).tolist()
        ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read of a run."""

    course: Course | None
    """None if not a single window can be read."""
    changes: Sequence[ChangeRecord]
    """The verdicts that changed, in the order of windows."""
    damaged: Sequence[str]
    """What could not be read, in words."""
    damaged_parts: frozenset[Part]


def read_course(run: ArchivedRun, begin: float, end: float) -> Reading:
    """Read the course of a run in the hours whose windows came from ``begin`` until ``end``.

    Of hours before, only the verdicts that changed are read.
    """
    found: list[SealedWindows] = []
    changes: list[ChangeRecord] = []
    told = run.parts  # which finds what is damaged
    damaged, parts = list(run.left_out.values()), set(run.left_out)
    for part, facts in told.items():
        early = facts.last_at < begin
        if facts.first_at >= end or (early and not facts.changes):
            continue
        path = run.folder.sealed_file(part)
        try:
            some = SealedWindows.read(path, run.detector, run.blocks, [] if early else _COLUMNS)
        except FormatError as exc:
            damaged.append(str(exc))
            parts.add(part)
        else:
            changes += some.changes
            if not early:
                found.append(some)
    try:
        found += run.open_windows
        changes += [change for some in run.open_windows for change in some.changes]
    except FormatError as exc:
        damaged.append(str(exc))
    changes.sort(key=lambda change: (change.epoch, change.window))
    return Reading(
        course=_course(run, found) if any(map(len, found)) else None,
        changes=[*changes, *run.about.end_changes], damaged=damaged,
        damaged_parts=frozenset(parts),
    )  # fmt: skip


def _course(run: ArchivedRun, found: Sequence[SealedWindows]) -> Course:
    columns = {name: np.concatenate([some.numbers(name) for some in found]) for name in _NUMBERS}
    states = [State.named(label) for some in found for label in some.table["state"].to_pylist()]
    order = np.lexsort((columns["window"], columns["epoch"]))
    columns = {name: column[order] for name, column in columns.items()}
    first, length = columns["first_orbit"], columns["live_orbits"]
    zero = _zero(run, columns["epoch"], first, length)
    begins = first - np.array([zero[number] for number in columns["epoch"].tolist()], np.int64)
    return Course(
        epoch=columns["epoch"], window=columns["window"], begin_s=begins * ORBIT_S,
        end_s=(begins + length) * ORBIT_S, at=columns["at"],
        state=np.array(states, np.int64)[order], windows=columns["windows"],
        zero=zero, window_orbits=run.about.window_orbits,
    )  # fmt: skip


def _zero(run: ArchivedRun, epoch: Array, first: Array, length: Array) -> dict[int, int]:
    """Return the orbit of each epoch at which the time of the run would be 0.

    Epochs follow one another, each from its first orbit to its end.
    """
    begin: dict[int, int] = {}
    end: dict[int, int] = {}
    for part, facts in run.parts.items():
        begin[part.epoch] = min(begin.get(part.epoch, facts.first_orbit), facts.first_orbit)
        end[part.epoch] = max(end.get(part.epoch, 0), facts.end_orbit)
    for number in np.unique(epoch).tolist():
        mine = epoch == number
        begin[number] = min(begin.get(number, 1 << 62), int(first[mine].min()))
        end[number] = max(end.get(number, 0), int((first + length)[mine].max()))
    zero, total = {}, 0
    for number in sorted(begin):
        zero[number] = begin[number] - total
        total += end[number] - begin[number]
    return zero
