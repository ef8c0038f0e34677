"""The figures of a morning report: states and rates against time, chambers, cells, boxes."""

import math
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS
from muonscope.counting.summary import Summary
from muonscope.processing.report import (
    MorningReport,
    RunReport,
    Telescope,
    chamber_rows,
    integrity_of,
    velocity_of,
)
from muonscope.processing.report_clock import Clock
from muonscope.processing.report_html import figure, table, wide_figure
from muonscope.processing.report_plots import Axis, Stretch, rate_lines, state_timeline
from muonscope.processing.report_words import TITLES, share_text
from muonscope.processing.svg_plots import GREY, Steps, cell_map, step_overlay
from muonscope.quality.edges import Edge, edges_of
from muonscope.quality.verdict import State

__all__ = ["run_figures", "telescope_section"]

Array = npt.NDArray[Any]

_MOST_ROWS = 20
_UNKNOWN = "-"
_STEPS = (60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400)
_MERGED_BINS = 4
"""Bins of a drift box that are drawn as one."""


def run_figures(run: RunReport, report: MorningReport, clock: Clock) -> Iterator[str]:
    """Yield the timeline and the rates of a run."""
    axis = _axis(run, report, clock)
    yield wide_figure(
        state_timeline(_stretches(run, report), axis, title=f"{run.name}: what was wrong")
    )
    if run.trend is not None and len(run.trend.run_s):
        labels = [chamber.label for chamber in run.detector.chambers]
        yield wide_figure(
            rate_lines(
                run.trend.run_s, run.trend.hz, labels, axis, title=f"{run.name}: rates of hits [Hz]"
            )
        )


def _axis(run: RunReport, report: MorningReport, clock: Clock) -> Axis:
    course = run.course
    inside = course.came(report.since, report.until)
    begin, end = float(course.begin_s[inside].min()), float(course.end_s[inside].max())
    marks: list[tuple[float, str]]
    if not course.live:
        step = _step(end - begin)
        times = [n * step for n in range(math.ceil(begin / step), math.floor(end / step) + 1)]
        marks = [(t, f"{t // 3600}:{t % 3600 // 60:02}") for t in times]
        label = "time in the run [h:min], which was read afterwards"
        return Axis(begin=begin, end=end, marks=marks, label=label)
    first, last = float(course.at[inside].min()), float(course.at[inside].max())
    step = _step(last - first)
    offset = clock.local(first).utcoffset()
    shift = offset.total_seconds() if offset else 0.0
    numbers = range(math.ceil((first + shift) / step), math.floor((last + shift) / step) + 1)
    wall = [number * step - shift for number in numbers]
    places = np.interp(wall, course.at, course.end_s).tolist()
    marks = [(p, clock.hour(t)) for p, t in zip(places, wall, strict=True)]
    label = f"wall-clock time, {clock.local(first):%d %b %Y %Z}"
    return Axis(begin=begin, end=end, marks=marks, label=label)


def _step(length: float) -> int:
    """Return the time between two marks, s."""
    return next((step for step in _STEPS if length / step <= 9), _STEPS[-1])


def _stretches(run: RunReport, report: MorningReport) -> Iterator[Stretch]:
    """Yield the states of the telescope, then those of each problem."""
    course = run.course
    inside = np.flatnonzero(course.came(report.since, report.until))
    states = course.state[inside]
    cuts = np.flatnonzero(np.append(True, (np.diff(states) != 0) | (np.diff(inside) != 1)))
    for first, last in zip(cuts, np.append(cuts[1:], len(states)) - 1, strict=True):
        state = State(int(states[first]))
        begin, end = course.begin_s[inside[first]], course.end_s[inside[last]]
        yield Stretch(
            row="telescope", begin=float(begin), end=float(end), state=state, text=state.label
        )
    problems = [p for p in report.problems if any(s.run == run.name for s in p.spans)]
    for problem in problems[:_MOST_ROWS]:
        row = f"{problem.target}: {TITLES[problem.check]}"
        for span in problem.spans:
            if span.run == run.name:
                yield Stretch(
                    row=row, begin=span.begin.run_s, end=span.end.run_s, state=span.worst,
                    text=f"{row}: {span.worst.label}",
                )  # fmt: skip


def telescope_section(told: Telescope) -> Iterator[str]:
    """Yield the chambers of a telescope beside what they were, its cells, boxes and words."""
    yield f"<h2>Detector {escape(told.detector.name)}</h2>"
    yield f"<p class='small'>{escape(f'Reference: {told.reference_told}.')}</p>"
    yield _chambers(told)
    velocity, error = velocity_of(told.total, told.detector)
    if not math.isnan(velocity):
        others = [
            f"{name} {value:.2f}"
            for name, side in (("reference", told.reference), ("a week ago", told.week_ago))
            for value in [velocity_of(side, told.detector)[0]] if not math.isnan(value)
        ]  # fmt: skip
        beside = f" ({', '.join(others)})" if others else ""
        yield f"<p>Drift velocity: {velocity:.2f} ± {error:.2f} µm/ns{escape(beside)}</p>"
    yield _integrity(told)
    beside = "the reference" if told.reference else "the median of the cell's layer"
    yield f"<h2>Cells: occupied milliseconds by those of {beside}</h2>"
    yield f"<div class='plots'>{''.join(map(figure, _maps(told)))}</div>"
    yield "<h2>Drift times</h2>"
    filled = "; grey, filled: the reference, scaled by live time" if told.reference else ""
    yield f"<p class='small'>In orbits with a scintillator hit. Blue: this report{filled}.</p>"
    yield f"<div class='plots'>{''.join(_boxes(told))}</div>"


def _chambers(told: Telescope) -> str:
    rows = chamber_rows(told)
    tracked = any(not math.isnan(row.efficiency) for row in rows)
    head = ["chamber", "hits [Hz]", "reference", "a week ago"]
    head += ["efficiency", "reference", "a week ago"] if tracked else []
    body = []
    for row in rows:
        texts = [
            row.label, f"{row.hz:,.1f}", _change(row.hz, row.reference_hz),
            _change(row.hz, row.week_ago_hz),
        ]  # fmt: skip
        seen = (row.efficiency, row.reference_efficiency, row.week_ago_efficiency)
        body.append([*texts, *map(_percent, seen)] if tracked else texts)
    return table(head, body, right=range(1, len(head)))


def _change(value: float, other: float) -> str:
    """Return another rate, and how much this one is above or below it."""
    if math.isnan(other):
        return _UNKNOWN
    return f"{other:,.1f} ({value / other - 1:+.1%})" if other else f"{other:,.1f}"


def _percent(share: float) -> str:
    return _UNKNOWN if math.isnan(share) else f"{share:.2%}"


def _integrity(told: Telescope) -> str:
    words = max(1, told.total.accounting.words_in)
    parts = [
        f"{kind} {n:,}{f' ({share_text(n / words)})' if n else ''}"
        for kind, n in integrity_of(told).items()
    ]
    return f"<p>Bad words of {words:,}: {escape(', '.join(parts))}</p>"


def _maps(told: Telescope) -> Iterator[str]:
    """Yield a map of each chamber: how much its cells are occupied, by the expectation."""
    detector, cells = told.detector, told.detector.cells()
    mine = _occupied_hz(told.total)
    reference = None if told.reference is None else _occupied_hz(told.reference)
    for number, chamber in enumerate(detector.chambers):
        of = np.flatnonzero(cells.chamber == number)
        layers, wires = cells.layer[of] - 1, cells.wire[of] - 1
        shape = int(layers.max()) + 1, int(wires.max()) + 1
        hz, expected = np.full(shape, np.nan), np.full(shape, np.nan)
        hz[layers, wires] = mine[of]
        if reference is None:
            expected[:] = np.nanmedian(hz, axis=1, keepdims=True)
        else:
            expected[layers, wires] = reference[of]
        ratio = np.divide(hz, expected, out=np.full(shape, np.nan), where=expected > 0)
        texts = [
            [f"layer {i + 1}, wire {j + 1}: {hz[i, j]:.2f} Hz, {ratio[i, j]:.2f} times"
             for j in range(shape[1])]
            for i in range(shape[0])
        ]  # fmt: skip
        yield cell_map(ratio, (ratio < 0.5) | (ratio > 2), texts, title=chamber.label)


def _occupied_hz(summary: Summary) -> Array:
    rates: Array = summary.arrays["occupied"] / max(summary.live_s, 1e-9)
    return rates


def _boxes(told: Telescope) -> Iterator[str]:
    """Yield the drift box of each chamber, with the edges that are fitted to it."""
    bins = DRIFT_BINS // _MERGED_BINS
    edges = DRIFT_LOW_NS + DRIFT_BIN_NS * _MERGED_BINS * np.arange(bins + 1)
    for number, chamber in enumerate(told.detector.chambers):
        counts = told.total.drift_histogram[number, 1:-1]
        series = [Steps(label="report", counts=_merged(counts), errors=_merged(counts) ** 0.5)]
        if told.reference is not None and told.reference.live_s:
            scale = told.total.live_s / told.reference.live_s
            other = _merged(told.reference.drift_histogram[number, 1:-1]) * scale
            series.append(Steps(label="reference", counts=other, colour=GREY, filled=True))
        plot = step_overlay(
            edges, series, title=chamber.label, x_label="drift time [ns]",
            y_label=f"hits per {DRIFT_BIN_NS * _MERGED_BINS:g} ns",
        )  # fmt: skip
        found = edges_of(counts)
        yield figure(plot, f"rises at {_edge(found.rising)}, falls at {_edge(found.falling)}")


def _merged(counts: Array) -> Array:
    merged: Array = counts.reshape(-1, _MERGED_BINS).sum(axis=1)
    return merged


def _edge(edge: Edge | None) -> str:
    return "(too few)" if edge is None else f"{edge.at_ns:.1f} ± {edge.error_ns:.1f} ns"
