"""A morning report as plain text, for mail and terminals, and as plain fields, for programs."""

import math
from typing import Any

from msgspec import to_builtins

from muonscope.processing.report import (
    MorningReport,
    Telescope,
    chamber_rows,
    integrity_of,
    velocity_of,
)
from muonscope.processing.report_clock import Clock
from muonscope.processing.report_problems import Problem, Span
from muonscope.processing.report_words import TITLES, length_text
from muonscope.quality.advice import ADVICE
from muonscope.wall_time import iso

__all__ = ["problem_marks", "report_fields", "report_text", "span_text", "times_text"]

_MOST_SPANS = 3


def report_text(report: MorningReport, clock: Clock) -> str:
    """Return the sentence, what waits, and the problems, as lines of text."""
    lines = [report.sentence, "", f"{report.archive}, {clock.period}"]
    if report.damaged:
        lines += ["", "Cannot be read:", *(f"- {text}" for text in report.damaged)]
    if report.waiting:
        lines += ["", "Waits for you:", *(f"- {text}" for text in report.waiting)]
    for problem in report.problems:
        lines += ["", *_problem_lines(problem, clock)]
    if report.holes:
        lines += ["", "Without data:"]
        lines += [
            f"- {clock.text(hole.begin)} to {clock.text(hole.end)}, {length_text(hole.seconds)},"
            f" {'in' if hole.within else 'before'} run {hole.run}"
            for hole in report.holes
        ]
    if report.runs:
        lines += ["", "Runs:"]
        lines += [
            f"- {run.name}: {length_text(run.live_s)} since {clock.text(run.begun_at)}, at worst"
            f" {run.worst.label}{'' if run.ended_at else ', not ended'}"
            for run in report.runs
        ]
    return "\n".join(lines) + "\n"


def _problem_lines(problem: Problem, clock: Clock) -> list[str]:
    marks = ", ".join(problem_marks(problem))
    lines = [
        f"{problem.worst.label}: {TITLES[problem.check]}, {problem.place} ({marks})",
        f"  {times_text(problem, clock)}",
        f"  {problem.text}",
    ]
    if problem.known:
        lines.append(f"  Known: {problem.known}")
    if problem.follows:
        lines.append(f"  With it: {', '.join(f'{p.check} {p.target}' for p in problem.follows)}")
    return [*lines, f"  {ADVICE[problem.check]}"]


def problem_marks(problem: Problem) -> list[str]:
    """Return whether it is new or known, and whether it is over."""
    told = ["known" if problem.known else "new" if problem.new else "was there before"]
    if not problem.open:
        return [*told, "until its run ended" if problem.spans[-1].ended else "over"]
    return [*told, "still there when the run ended" if problem.spans[-1].ended else "still there"]


def times_text(problem: Problem, clock: Clock) -> str:
    """Return from when to when it was there, and how long in all."""
    spans = [span_text(span, clock) for span in problem.spans[:_MOST_SPANS]]
    if len(problem.spans) == 1:
        return f"{spans[0]}: {length_text(problem.seconds)}"
    more = len(problem.spans) - len(spans)
    if more:
        spans.append(f"{more:,} more until {clock.text(problem.spans[-1].end.at)}")
    total = length_text(problem.seconds)
    return f"{len(problem.spans):,} times, {total} in all: {'; '.join(spans)}"


def span_text(span: Span, clock: Clock) -> str:
    """Return from when to when, by the clock and in the run; only there if it was read later."""
    begin, end = clock.text(span.begin.at), clock.text(span.end.at)
    begin_s, end_s = _run_time(span.begin.run_s), _run_time(span.end.run_s)
    if not span.live:
        return f"{begin_s} to {end_s} in run {span.run}, which was read on {end}"
    if not span.over and not span.ended:
        return f"since {begin} ({begin_s} in run {span.run})"
    return f"{begin} to {end} ({begin_s} to {end_s} in run {span.run})"


def _run_time(run_s: float) -> str:
    whole = int(run_s + 0.05)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def report_fields(report: MorningReport) -> dict[str, Any]:
    """Return what a report says as plain fields; times as ISO 8601 in UTC."""
    good, judged = report.good
    return {
        "sentence": report.sentence, "archive": report.archive,
        "since": iso(report.since), "until": iso(report.until), "live_s": report.live_s,
        "windows_good": good, "windows_judged": judged, "worst": report.worst.label,
        "waiting": list(report.waiting), "damaged": list(report.damaged),
        "problems": [_problem_fields(problem) for problem in report.problems],
        "holes": [
            {"run": h.run, "begin": iso(h.begin), "end": iso(h.end), "seconds": h.seconds,
             "within": h.within}
            for h in report.holes
        ],
        "runs": [
            {
                "run": run.name, "detector": run.detector.name,
                "conditions": dict(run.conditions), "begun_at": iso(run.begun_at),
                "last_at": iso(run.last_at),
                "ended_at": None if run.ended_at is None else iso(run.ended_at),
                "live_s": run.live_s, "worst": run.worst.label,
                "states": {state.label: n for state, n in run.states.items()},
                "account": dict(run.account), "outside": dict(run.outside),
                "notes": to_builtins(run.notes),
                "signed_by": run.signed.who if run.signed else None,
            }
            for run in report.runs
        ],
        "telescopes": [_telescope_fields(told) for told in report.telescopes],
    }  # fmt: skip


def _problem_fields(problem: Problem) -> dict[str, Any]:
    return {
        "detector": problem.detector, "check": problem.check, "target": problem.target,
        "worst": problem.worst.label, "text": problem.text, "value": problem.value,
        "expected": problem.expected, "unit": problem.unit, "score": problem.score,
        "known": problem.known, "new": problem.new, "open": problem.open,
        "seconds": problem.seconds, "advice": ADVICE[problem.check],
        "spans": [
            {
                "run": s.run, "begin_s": s.begin.run_s, "begin": iso(s.begin.at),
                "end_s": s.end.run_s, "end": iso(s.end.at), "over": s.over,
                "worst": s.worst.label,
            }
            for s in problem.spans
        ],
        "explains": [_problem_fields(other) for other in problem.follows],
    }  # fmt: skip


def _telescope_fields(told: Telescope) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "detector": told.detector.name, "live_s": told.total.live_s,
        "hits": told.total.total_hits, "words": told.total.accounting.words_in,
        "reference": told.reference_told, "bad_words": integrity_of(told),
        "drift_velocity_um_per_ns": known(velocity_of(told.total, told.detector)[0]),
        "chambers": [
            {
                "label": row.label, "hz": known(row.hz), "reference_hz": known(row.reference_hz),
                "week_ago_hz": known(row.week_ago_hz), "efficiency": known(row.efficiency),
                "reference_efficiency": known(row.reference_efficiency),
                "week_ago_efficiency": known(row.week_ago_efficiency),
            }
            for row in chamber_rows(told)
        ],
    }  # fmt: skip
