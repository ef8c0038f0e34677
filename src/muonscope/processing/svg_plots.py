"""Plots as SVG for pages without scripts: histograms over each other, maps of cells, bars of time.

Pure: numbers in, text out. All texts that are handed in are escaped. Colours are those of Okabe and
Ito, which people with any colour vision tell apart; lines differ in their dashes as well. Sizes are
in the units of the picture, which the page may scale.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "BLUE", "GREY", "INK", "ORANGE", "Bar", "Steps", "bar_timeline", "cell_map",
    "step_overlay", "ticks",
]  # fmt: skip

Array = npt.NDArray[Any]

BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#6b7480", "#1c2430"

_WIDTH, _HEIGHT, _RATIO = 460.0, 190.0, 80.0
_LEFT, _RIGHT, _TOP, _BOTTOM, _GAP = 62.0, 12.0, 24.0, 40.0, 14.0
_FONT = "font-family='sans-serif' font-size='11'"
_MOST_LOG = 2.0
"""Colours of a map end at a quarter and at four times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """One histogram of an overlay."""

    label: str
    counts: Array
    """Shape (bins,): what is drawn, scaled already."""
    errors: Array | None = None
    """Standard deviations of ``counts``."""
    colour: str = BLUE
    filled: bool = False
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time in a row of a timeline."""

    row: str
    begin: float
    end: float
    colour: str
    text: str
    """Shown when it is pointed at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """A rectangle with linear axes."""

    x: tuple[float, float]
    """Range of the axis."""
    y: tuple[float, float]
    top: float
    height: float

    def at_x(self, value: float) -> float:
        low, high = self.x
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(self, value: float) -> float:
        low, high = self.y
        return self.top + self.height * (1 - (value - low) / (high - low))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round numbers between two, about so many of them; none if there is no range."""
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return []
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(m for m in (1, 2, 5, 10) if m * unit >= rough * 0.999) * unit
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def step_overlay(
    edges: Array, series: Sequence[Steps], *, title: str, x_label: str, y_label: str,
    ratio_label: str = "",
) -> str:  # fmt: skip
    """Return histograms over each other; with ``ratio_label`` the first by the second below.

    ``edges`` has one entry more than each histogram. What is not finite is left out.
    """
    highest = max((float(np.nanmax(_finite(s.counts), initial=0.0)) for s in series), default=0.0)
    span = (float(edges[0]), float(edges[-1]))
    panel = _Panel(x=span, y=(0.0, highest * 1.1 or 1.0), top=_TOP, height=_HEIGHT)
    parts = [_text(_LEFT, 14, title, "start", weight="bold"), _legend(series)]
    parts += _axes(panel, "" if ratio_label else x_label, y_label)
    parts += [_steps(panel, edges, one) for one in sorted(series, key=lambda s: not s.filled)]
    height = _TOP + _HEIGHT + _BOTTOM
    if ratio_label and len(series) > 1:
        below = _Panel(x=span, y=(0.0, 2.0), top=_TOP + _HEIGHT + _GAP, height=_RATIO)
        parts += [*_axes(below, x_label, ratio_label, about=4), *_ratios(below, edges, series)]
        height += _GAP + _RATIO
    return _svg(height, title, parts)


def cell_map(
    ratios: Array, marked: Array, texts: Sequence[Sequence[str]], *, title: str
) -> str:  # fmt: skip
    """Return a chamber as rows of cells, coloured by the logarithm of a ratio.

    Parameters
    ----------
    ratios
        Shape (layers, wires), layer 1 first, drawn at the bottom; NaN: grey.
    marked
        Of the same shape: cells with a thick border.
    texts
        What is shown of each cell when it is pointed at.
    """
    layers, wires = ratios.shape
    wide = (_WIDTH - _LEFT - _RIGHT) / (wires + 0.5)  # every other layer is half a cell further
    high = min(26.0, wide)
    parts = [_text(_LEFT, 14, title, "start", weight="bold")]
    for layer in range(layers):
        y = _TOP + (layers - 1 - layer) * high
        odd = wide / 2 * (layer % 2)
        parts.append(_text(_LEFT - 4, y + high / 2 + 4, f"layer {layer + 1}", "end"))
        for wire in range(wires):
            border = f"stroke='{INK}' stroke-width='2.5'" if marked[layer, wire] else (
                "stroke='#ffffff' stroke-width='1'"
            )  # fmt: skip
            parts.append(
                f"<rect x='{_LEFT + wire * wide + odd:.1f}' y='{y + 1:.1f}' width='{wide - 2:.1f}'"
                f" height='{high - 2:.1f}' fill='{_colour(float(ratios[layer, wire]))}' {border}>"
                f"<title>{escape(texts[layer][wire])}</title></rect>"
            )
    bottom = _TOP + layers * high
    parts += [
        _text(_LEFT + (wire + 0.75) * wide, bottom + 14, str(wire + 1))
        for wire in range(0, wires, max(1, wires // 8))
    ]
    parts.append(_text((_LEFT + _WIDTH) / 2, bottom + 30, "wire"))
    return _svg(bottom + 62, title, [*parts, *_scale(bottom + 40)])


def bar_timeline(
    bars: Iterable[Bar], span: tuple[float, float], *, title: str, x_label: str,
    tick_text: Callable[[float], str] = "{:g}".format,
) -> str:  # fmt: skip
    """Return a row for each name, in the order in which they come, with its stretches of time."""
    given = list(bars)
    rows = list(dict.fromkeys(bar.row for bar in given))
    high = 18.0
    panel = _Panel(x=span, y=(0.0, 1.0), top=_TOP, height=max(1, len(rows)) * high)
    parts = [_text(_LEFT, 14, title, "start", weight="bold")]
    parts += [_text(_LEFT - 4, _TOP + i * high + 13, row, "end") for i, row in enumerate(rows)]
    for bar in given:
        begin, end = (panel.at_x(min(max(t, span[0]), span[1])) for t in (bar.begin, bar.end))
        parts.append(
            f"<rect x='{begin:.1f}' y='{_TOP + rows.index(bar.row) * high + 2:.1f}'"
            f" width='{max(end - begin, 1):.1f}' height='{high - 4:.1f}' fill='{bar.colour}'>"
            f"<title>{escape(bar.text)}</title></rect>"
        )
    parts += _x_axis(panel, x_label, tick_text)
    return _svg(_TOP + panel.height + _BOTTOM, title, parts)


def _svg(height: float, title: str, parts: Iterable[str]) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH:g} {height:g}' role='img'"
        f" aria-label='{escape(title)}' {_FONT} fill='{INK}'>{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", weight: str = "normal") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}'>"
        f"{escape(text)}</text>"
    )


def _legend(series: Sequence[Steps]) -> str:
    """Return names and lines from the right end of the line of the title."""
    parts, x = [], _WIDTH - _RIGHT
    for one in reversed(series):
        label = _cut(one.label, 20)
        dash = " stroke-dasharray='5 3'" if one.dashed else ""
        width, opacity = (9, 0.3) if one.filled else (2, 1)
        parts.append(_text(x, 14, label, "end"))
        x -= 6.4 * len(label) + 6
        parts.append(
            f"<line x1='{x - 18:.1f}' x2='{x:.1f}' y1='10' y2='10' stroke='{one.colour}'"
            f" stroke-width='{width}' stroke-opacity='{opacity}'{dash}/>"
        )
        x -= 30
    return "".join(parts)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _axes(panel: _Panel, x_label: str, y_label: str, about: int = 4) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, panel.top + panel.height
    parts = [
        f"<path d='M{_LEFT:g} {panel.top:g}V{bottom:g}H{right:g}' fill='none' stroke='{GREY}'/>"
    ]
    for value in ticks(*panel.y, about):
        y = panel.at_y(value)
        parts.append(
            f"<line x1='{_LEFT - 4:g}' x2='{right:g}' y1='{y:.1f}' y2='{y:.1f}' stroke='#e3e7ec'/>"
        )
        parts.append(_text(_LEFT - 7, y + 4, _number(value), "end"))
    middle = panel.top + panel.height / 2
    parts.append(
        f"<text transform='translate(13 {middle:.1f}) rotate(-90)' text-anchor='middle'>"
        f"{escape(y_label)}</text>"
    )
    return [*parts, *(_x_axis(panel, x_label, _number) if x_label else [])]


def _x_axis(panel: _Panel, label: str, tick_text: Callable[[float], str]) -> list[str]:
    bottom = panel.top + panel.height
    parts = []
    for value in ticks(*panel.x, 7):
        x = panel.at_x(value)
        parts.append(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{bottom:.1f}' y2='{bottom + 4:.1f}'"
            f" stroke='{GREY}'/>"
        )
        parts.append(_text(x, bottom + 16, tick_text(value)))
    return [*parts, _text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 33, label)]


def _number(value: float) -> str:
    """Return an axis number: 0, 0.25, 1500, 20k, 3M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if name == 'k' else unit):g}{name}"
    return f"{value:.6g}"


def _finite(values: Array) -> Array:
    values = np.asarray(values, np.float64)
    return values[np.isfinite(values)]


def _steps(panel: _Panel, edges: Array, one: Steps) -> str:
    counts = np.nan_to_num(np.asarray(one.counts, np.float64), posinf=0.0)
    points = [f"M{panel.at_x(float(edges[0])):.1f} {panel.at_y(0):.1f}"]
    for count, edge in zip(counts.tolist(), edges[1:].tolist(), strict=True):
        points.append(f"V{panel.at_y(count):.1f}H{panel.at_x(edge):.1f}")
    points.append(f"V{panel.at_y(0):.1f}")
    dash = " stroke-dasharray='5 3'" if one.dashed else ""
    fill = f"fill='{one.colour}' fill-opacity='0.25'" if one.filled else "fill='none'"
    line = f"<path d='{''.join(points)}' {fill} stroke='{one.colour}' stroke-width='1.5'{dash}/>"
    if one.errors is None:
        return line
    centres = ((edges[1:] + edges[:-1]) / 2).tolist()
    rows = zip(centres, counts.tolist(), np.asarray(one.errors, np.float64).tolist(), strict=True)
    top = panel.y[1]
    return line + "".join(
        _bar(panel, x, max(n - e, 0.0), min(n + e, top), one.colour) for x, n, e in rows if e > 0
    )


def _bar(panel: _Panel, x: float, low: float, high: float, colour: str) -> str:
    at = panel.at_x(x)
    return (
        f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{panel.at_y(low):.1f}' y2='{panel.at_y(high):.1f}'"
        f" stroke='{colour}'/>"
    )


def _ratios(panel: _Panel, edges: Array, series: Sequence[Steps]) -> list[str]:
    """Return the first histogram by the second; points outside are arrows at the edge."""
    one, other = series[0], series[1]
    low, high = panel.y
    at_one = panel.at_y(1)
    line = f"<line x1='{_LEFT:g}' x2='{_WIDTH - _RIGHT:g}' y1='{at_one:.1f}' y2='{at_one:.1f}'"
    parts = [f"{line} stroke='{GREY}' stroke-dasharray='4 3'/>"]
    n, m = (np.asarray(s.counts, np.float64) for s in (one, other))
    parts_of_error = [
        np.zeros(len(n)) if s.errors is None else np.asarray(s.errors) for s in (one, other)
    ]
    for i, x in enumerate(((edges[1:] + edges[:-1]) / 2).tolist()):
        if not (m[i] > 0 and math.isfinite(n[i]) and math.isfinite(m[i])):
            continue
        value = float(n[i] / m[i])
        if value > high:
            at = panel.at_x(x)
            parts.append(
                f"<path d='M{at - 3:.1f} {panel.top + 7:.1f}h6l-3 -6z' fill='{one.colour}'/>"
            )
            continue
        relative = [
            e[i] / c[i] if c[i] > 0 else 0.0 for e, c in zip(parts_of_error, (n, m), strict=True)
        ]
        error = value * math.hypot(*relative)
        parts.append(_bar(panel, x, max(low, value - error), min(high, value + error), one.colour))
        parts.append(
            f"<circle cx='{panel.at_x(x):.1f}' cy='{panel.at_y(value):.1f}' r='1.8'"
            f" fill='{one.colour}'/>"
        )
    return parts


def _colour(ratio: float) -> str:
    """Return blue below 1, white at 1, orange above; grey where nothing is known."""
    if math.isnan(ratio):
        return "#c9ced6"
    log = math.log2(ratio) if 0 < ratio < math.inf else math.copysign(math.inf, ratio - 1)
    part = min(1.0, abs(log) / _MOST_LOG)
    end = (0xD5, 0x5E, 0x00) if log > 0 else (0x00, 0x72, 0xB2)
    white = (0xF4, 0xF5, 0xF7)
    mixed = (round(w + (e - w) * part) for w, e in zip(white, end, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _scale(top: float) -> list[str]:
    """Return the colours of a map with their ratios."""
    parts, wide = [], 50.0
    left = _LEFT + 40
    for i, ratio in enumerate((0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)):
        parts.append(
            f"<rect x='{left + i * wide:.1f}' y='{top:.1f}' width='{wide:g}' height='8'"
            f" fill='{_colour(ratio)}' stroke='#ffffff'/>"
        )
        text = f"{ratio:g}" if 0.25 < ratio < 4 else {0.25: "≤ 0.25", 4.0: "≥ 4"}[ratio]
        parts.append(_text(left + (i + 0.5) * wide, top + 19, text))
    return [_text(left - 6, top + 8, "ratio", "end"), *parts]
