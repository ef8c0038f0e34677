"""Gathering a morning report from an archive.

Windows are not read one by one: counts of hours that are sealed stand in the catalogue, rates in
the files of minutes, and of each window only its time and state are read. Something that is damaged
is told in the report, and the rest of it is made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from muonscope.archiving.archive import Archive
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.good_windows import signatures
from muonscope.archiving.notes import read_notes
from muonscope.archiving.reference_choice import chosen_reference
from muonscope.counting.summary import Summary, merged
from muonscope.errors import FormatError, SourceNotFoundError
from muonscope.processing.report import MorningReport, RunReport, Telescope, Trend
from muonscope.processing.report_course import PAUSE_S, Course, Hole, Reading, read_course
from muonscope.processing.report_problems import Problem, RunChanges, grouped, problems_of
from muonscope.processing.report_words import TITLES, joined, length_text
from muonscope.quality.verdict import State
from muonscope.units import ORBIT_S

__all__ = ["morning_report"]

_DAY_S = 86_400.0
_WEEK_S = 7 * _DAY_S
_SILENT_S = 600.0
"""A run that has not ended, and of which nothing came for so long, waits for somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A run of the archive, as far as it was read."""

    run: ArchivedRun
    reading: Reading
    course: Course


def morning_report(
    archive: Archive, since: float, until: float, runs: Sequence[str] = ()
) -> MorningReport:
    """Return what came from ``since`` until ``until``, s since 1970; of some ``runs``, or of all.

    Raises
    ------
    SourceNotFoundError
        If a run that is named is not there.
    """
    damaged = archive.damaged
    found = []
    for run in [archive.readable(name) for name in runs or archive]:
        if run.about.begun_at >= until:
            continue
        reading = read_course(run, since - _WEEK_S, until)
        damaged += reading.damaged
        if reading.course is not None:
            found.append(_Found(run=run, reading=reading, course=reading.course))
    found.sort(key=lambda one: (one.run.about.begun_at, one.run.name))
    inside = [one for one in found if one.course.came(since, until).any()]
    told = tuple(_run_report(one, since, until, damaged) for one in inside)
    changes = [
        RunChanges(
            run=one.run.name, detector=one.run.detector, course=one.course,
            ended=one.run.about.ended_at is not None, changes=one.reading.changes,
        )
        for one in found
    ]  # fmt: skip
    problems = grouped(problems_of(changes, since, until, since - _WEEK_S))
    damaged = list(dict.fromkeys(damaged))
    return MorningReport(
        archive=archive.folder.path.resolve().name, since=since, until=until, runs=told,
        telescopes=tuple(_telescopes(archive, found, since, until, damaged)),
        holes=_holes(inside, since, until), problems=tuple(problems),
        waiting=tuple(_waiting(told, problems, until, damaged)),
        damaged=tuple(dict.fromkeys(damaged)),
    )  # fmt: skip


def _run_report(found: _Found, since: float, until: float, damaged: list[str]) -> RunReport:
    run, about = found.run, found.run.about
    total, states = run.came(since, until, leave_out=found.reading.damaged_parts)
    trend, notes, signed = None, [], []
    try:
        trend = _trend(run, found.course, since, until)
        notes, signed = read_notes(run.folder), signatures(run)
    except FormatError as exc:
        damaged.append(str(exc))
    return RunReport(
        name=run.name, detector=run.detector, conditions=about.conditions,
        compared_with=about.reference, begun_at=about.begun_at,
        last_at=float(found.course.at[found.course.came(since, until)].max()),
        ended_at=about.ended_at, live_s=total.live_s, states=states,
        account=about.account or {}, outside=about.outside,
        notes=tuple(note for note in notes if since <= note.at < until),
        signed=signed[-1] if signed else None, course=found.course, trend=trend,
    )  # fmt: skip


def _trend(run: ArchivedRun, course: Course, since: float, until: float) -> Trend:
    chambers = range(run.detector.n_chambers)
    names = [f"hits{c}" for c in chambers]
    minutes = run.minutes(["epoch", "first_orbit", "at", "live_orbits", *names])
    at = minutes["at"].cast("int64").to_numpy() / 1e3
    chosen = (at >= since) & (at < until)
    epoch, first = (minutes[n].to_numpy()[chosen] for n in ("epoch", "first_orbit"))
    live = np.asarray(minutes["live_orbits"].to_numpy()[chosen], np.float64) * ORBIT_S
    hits = np.array([minutes[n].to_numpy()[chosen] for n in names], np.float64)
    hz = np.divide(hits, live, out=np.full(hits.shape, np.nan), where=live > 0)
    begin = course.run_s(epoch, first)
    order = np.argsort(begin, kind="stable")
    return Trend(run_s=begin[order], hz=hz[:, order])


def _telescopes(
    archive: Archive, found: Sequence[_Found], since: float, until: float, damaged: list[str]
) -> list[Telescope]:
    """Return what each detector counted, with tracks and without apart."""
    kinds: dict[tuple[str, bool], list[_Found]] = {}
    for one in found:
        kinds.setdefault((one.run.about.detector_hash, one.run.about.tracking), []).append(one)
    told = []
    for some in kinds.values():
        total = _summed(some, since, until)
        if total is None:
            continue
        reference, why = None, ""
        newest = [one for one in some if one.course.came(since, until).any()][-1].run
        try:
            other, signed, why = chosen_reference(archive, newest)
            reference = other.total(good=signed.good_list)
            why = f"run {other.name}: {why}"
        except SourceNotFoundError as exc:
            why = f"none: {str(exc).removeprefix(f'{archive.folder.path}: ')}"
        except FormatError as exc:
            why = "none: what it would be is damaged"
            damaged.append(str(exc))
        told.append(Telescope(
            detector=newest.detector, total=total, reference=reference, reference_told=why,
            week_ago=_summed(some, since - _WEEK_S, until - _WEEK_S),
        ))  # fmt: skip
    return told


def _summed(some: Sequence[_Found], begin: float, end: float) -> Summary | None:
    """Return the counts of all that came from ``begin`` until ``end``; None if nothing did."""
    sums = [
        one.run.came(begin, end, leave_out=one.reading.damaged_parts)[0]
        for one in some if one.course.came(begin, end).any()
    ]  # fmt: skip
    return merged(sums, some[0].run.detector, some[0].run.blocks) if sums else None


def _holes(inside: Sequence[_Found], since: float, until: float) -> tuple[Hole, ...]:
    """Return the times without data, in runs and between those of the same detector."""
    holes = [h for one in inside for h in one.course.holes(one.run.name, since, until)]
    for detector in {one.run.about.detector_hash for one in inside}:
        runs = [one for one in inside if one.run.about.detector_hash == detector]
        spans = sorted(
            (float(at.min()), float(at.max()), one.run.name)
            for one in runs for at in [one.course.at[one.course.came(since, until)]]
        )  # fmt: skip
        latest = -math.inf
        for (_, end, _), (begin, _, name) in pairwise(spans):
            latest = max(latest, end)
            if begin - latest > PAUSE_S:
                holes.append(
                    Hole(run=name, begin=latest, end=begin, seconds=begin - latest, within=False)
                )
    return tuple(sorted(holes, key=lambda hole: hole.begin))


def _waiting(
    runs: Sequence[RunReport], problems: Sequence[Problem], until: float, damaged: Sequence[str]
) -> list[str]:
    """Return what waits for somebody, in words, the most urgent first."""
    told = [
        f"{TITLES[p.check]}, {p.place}, is {p.spans[-1].last.label}"
        for p in problems if p.open and not p.known and p.spans[-1].last > State.WARN
    ]  # fmt: skip
    told += [
        f"run {run.name} has not ended, and nothing came for {length_text(until - run.last_at)}"
        for run in runs if run.ended_at is None and until - run.last_at > _SILENT_S
    ]  # fmt: skip
    if damaged:
        told.append("the archive is damaged")
    unsigned = [run.name for run in runs if run.ended_at is not None and run.signed is None]
    if unsigned:
        names = joined(unsigned if len(unsigned) <= 3 else [*unsigned[:2], "others"])
        told.append(f"run{'s' if len(unsigned) > 1 else ''} {names} to be signed as good")
    return told
