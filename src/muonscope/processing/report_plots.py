"""Plots of a morning report as SVG: what was wrong against time, and rates against time.

Pure: numbers in, text out; all texts are escaped. A state is told by the height of its bar as well
as by its colour, a line by its dashes as well.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.processing.svg_plots import BLUE, GREY, INK, ORANGE, ticks
from muonscope.quality.verdict import State

__all__ = ["Axis", "Stretch", "rate_lines", "state_timeline"]

Array = npt.NDArray[Any]

_WIDTH, _LEFT, _RIGHT, _ROW, _PLOT = 760.0, 190.0, 24.0, 20.0, 150.0
_MOST_POINTS = 400
_COLOURS = {
    State.GOOD: "#9fd8c4", State.NOT_ENOUGH: "#dde1e7", State.WARN: "#f0b400", State.BAD: ORANGE,
    State.NO_DATA: INK,
}  # fmt: skip
_HEIGHTS = {
    State.GOOD: 0.2, State.NOT_ENOUGH: 0.1, State.WARN: 0.5, State.BAD: 0.9, State.NO_DATA: 0.9
}  # fmt: skip
_LINES = ((BLUE, ""), (ORANGE, "6 3"), ("#009e73", "2 2"), ("#cc79a7", "8 3 2 3"), (INK, "4 2"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The time of a run, s, and where it has which marks."""

    begin: float
    end: float
    marks: Sequence[tuple[float, str]]
    """Places and what stands there."""
    label: str

    def x(self, value: float) -> float:
        """Return where a time is drawn; what is outside is at the border."""
        part = (value - self.begin) / max(self.end - self.begin, 1e-9)
        return _LEFT + min(1.0, max(0.0, part)) * (_WIDTH - _LEFT - _RIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time in a state, in one row."""

    row: str
    begin: float
    end: float
    state: State
    text: str
    """Shown when it is pointed at."""


def state_timeline(stretches: Iterable[Stretch], axis: Axis, *, title: str) -> str:
    """Return a row for each name, in the order in which they come, with its states."""
    given = list(stretches)
    rows = list(dict.fromkeys(one.row for one in given))
    parts = [_text(4, 14, title, "start", bold=True)]
    top = 24.0
    for i, row in enumerate(rows):
        y = top + i * _ROW
        parts.append(_text(_LEFT - 6, y + 14, row if len(row) < 31 else f"{row[:30]}…", "end"))
        parts.append(_line(_LEFT, y + _ROW - 1, _WIDTH - _RIGHT, y + _ROW - 1, "#e3e7ec"))
        parts += [_bar(one, axis, y) for one in _thinned([s for s in given if s.row == row], axis)]
    bottom = top + len(rows) * _ROW
    parts += [*_marks(axis, top, bottom), *_key(bottom + 52)]
    return _svg(bottom + 64, title, parts)


def rate_lines(
    run_s: Array, hz: Array, labels: Sequence[str], axis: Axis, *, title: str
) -> str:  # fmt: skip
    """Return rates against time, one line each; where nothing is known a line is interrupted.

    ``run_s`` has shape (n,), ``hz`` (lines, n).
    """
    step = -(-len(run_s) // _MOST_POINTS) if len(run_s) else 1
    mean = [_means(row, step) for row in hz]
    at = run_s[::step]
    known = np.concatenate([row[np.isfinite(row)] for row in mean]) if mean else np.zeros(0)
    highest = float(known.max(initial=0.0)) * 1.08 or 1.0
    top, bottom = 40.0, 40.0 + _PLOT
    parts = [_text(4, 14, title, "start", bold=True)]

    def y(value: float) -> float:
        return bottom - value / highest * _PLOT

    for value in ticks(0.0, highest, 4):
        parts.append(_line(_LEFT, y(value), _WIDTH - _RIGHT, y(value), "#e3e7ec"))
        parts.append(_text(_LEFT - 6, y(value) + 4, f"{value:,.6g}", "end"))
    for i, (row, label) in enumerate(zip(mean, labels, strict=True)):
        colour, dash = _LINES[i % len(_LINES)]
        style = f"fill='none' stroke='{colour}' stroke-width='1.4' stroke-dasharray='{dash}'"
        parts.append(f"<path d='{_path(at, row, axis, y)}' {style}/>")
        x = _LEFT + i * 135
        parts.append(f"<path d='M{x:.0f} 28h24' {style}/>")
        parts.append(_text(x + 28, 32, label if len(label) < 17 else f"{label[:16]}…", "start"))
    parts += _marks(axis, top, bottom)
    return _svg(bottom + 40, title, parts)


def _means(row: Array, step: int) -> Array:
    """Return means of so many entries each; NaN where there are none."""
    if step == 1:
        return row
    filled = np.append(row, np.full(-len(row) % step, np.nan)).reshape(-1, step)
    n = np.isfinite(filled).sum(axis=1)
    sums = np.nansum(filled, axis=1)
    means: Array = np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0)
    return means


def _path(at: Array, row: Array, axis: Axis, y: Callable[[float], float]) -> str:
    points, pen = [], "M"
    longest = 3.5 * float(np.median(np.diff(at))) if len(at) > 1 else 0.0
    before = None
    for when, value in zip(at.tolist(), row.tolist(), strict=True):
        if not np.isfinite(value):
            pen = "M"
            continue
        if before is not None and when - before > longest:
            pen = "M"
        points.append(f"{pen}{axis.x(when):.1f} {y(value):.1f}")
        pen, before = "L", when
    return "".join(points) + "h0.1" if points else "M0 0"


def _thinned(row: Sequence[Stretch], axis: Axis) -> list[Stretch]:
    """Leave out what would be drawn on top of something that is as bad."""
    kept: list[Stretch] = []
    for one in row:
        last = kept[-1] if kept else None
        if last and one.state <= last.state and axis.x(one.end) - axis.x(last.begin) < 1.0:
            continue
        kept.append(one)
    return kept


def _bar(one: Stretch, axis: Axis, top: float) -> str:
    begin, end = axis.x(one.begin), axis.x(one.end)
    high = _HEIGHTS[one.state] * (_ROW - 2)
    told = f"<title>{escape(one.text)}</title>"
    return (
        f"<rect x='{begin:.1f}' y='{top + _ROW - 1 - high:.1f}' width='{max(end - begin, 1.5):.1f}'"
        f" height='{high:.1f}' fill='{_COLOURS[one.state]}'>{told}</rect>"
    )


def _key(y: float) -> list[str]:
    """Return what the bars mean."""
    parts, x = [], _LEFT
    for state in State:
        high = _HEIGHTS[state] * 16
        parts.append(
            f"<rect x='{x:.0f}' y='{y + 4 - high:.1f}' width='14' height='{high:.1f}'"
            f" fill='{_COLOURS[state]}'/>"
        )
        parts.append(_text(x + 18, y + 4, state.label, "start"))
        x += 40 + 8 * len(state.label)
    return parts


def _marks(axis: Axis, top: float, bottom: float) -> list[str]:
    parts = [_line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, GREY)]
    for value, text in axis.marks:
        x = axis.x(value)
        parts.append(_line(x, top, x, bottom + 4, "#d5dae1"))
        parts.append(_text(x, bottom + 16, text))
    return [*parts, _text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 32, axis.label)]


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f"<path d='M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}' stroke='{colour}'/>"


def _text(x: float, y: float, text: str, anchor: str = "middle", *, bold: bool = False) -> str:
    weight = " font-weight='bold'" if bold else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'{weight}>{escape(text)}</text>"


def _svg(height: float, title: str, parts: Iterable[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH:g} {height:g}' role='img'"
        f" aria-label='{escape(title)}' font-family='sans-serif' font-size='11' fill='{INK}'>"
        f"{''.join(parts)}</svg>"
    )
