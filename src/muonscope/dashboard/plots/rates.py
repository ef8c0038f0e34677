"""Plots of rates against the time in the run, one line for each counter."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bokeh.core.properties import value
from bokeh.models.annotations import LabelSet, Span
from bokeh.models.glyphs import Text
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import (
    FONT,
    Axes,
    Paper,
    count_axis,
    hover,
    new_figure,
    time_axis,
)
from muonscope.tracking.layout import layout_of
from muonscope.tracking.normal import FINE, units_of
from muonscope.tracking.reconstruct import SIGMA_MM

__all__ = ["chamber_times", "drift_velocity", "hit_rates", "lines", "scintillator_rate"]

_BY_CHAMBER = ("hits", "scint")
"""Counters that the trend also has for each chamber: ``hits0``, ``hits1``, ..."""

_SINGLE = (
    "scintillator", "words_in", "orbits", "trigger", "ancillary", "late", "unmapped", "invalid",
    "tracks",
)  # fmt: skip
"""Counters of the whole detector."""


def hit_rates(paper: Paper) -> figure:
    """Draw the rate of hits, in total and of each chamber."""
    made = _against_time(paper, _family(paper, "hits"), "hit rate [Hz]")
    bands = paper.source("bands", {}, ("y0", "y1", "colour"))
    made.hstrip(
        y0="y0", y1="y1", source=bands, fill_color="colour", fill_alpha=0.12, line_color=None,
        level="underlay",
    )  # fmt: skip
    return made


def scintillator_rate(paper: Paper) -> figure:
    """Draw the rate of the scintillator, which is so low that its mean of 30 s tells more."""
    made = _against_time(paper, ["scintillator"], "rate [Hz]")
    raw, ink = made.renderers[0], paper.look.palette.ink
    assert isinstance(raw, GlyphRenderer)
    raw.glyph.line_alpha, raw.glyph.line_width = 0.45, paper.size(1.0)
    made.varea(
        x="x", y1="scintillator_low", y2="scintillator_high", source=raw.data_source,
        fill_color=ink, fill_alpha=0.15,
    )  # fmt: skip
    made.line(
        x="x",
        y="scintillator_mean",
        source=raw.data_source,
        line_color=ink,
        line_width=paper.size(2.0),
    )
    return made


def lines(*counters: str) -> Callable[[Paper], figure]:
    """Return a plot of some counters; those that there are by chamber get a line for each."""

    def draw(paper: Paper) -> figure:
        every = [
            name
            for counter in counters
            for name in (_family(paper, counter) if counter in _BY_CHAMBER else [counter])
        ]
        return _against_time(paper, every, "rate [Hz]")

    return draw


def drift_velocity(paper: Paper) -> figure:
    """Draw the drift velocity that tracks tell, and its error."""
    velocity = paper.detector.drift_velocity_um_per_ns
    unit = velocity * float(units_of(1)[0])
    told = _Constant("velocity", "velocity_sum", "velocity_weight", velocity, unit)
    return _constants_against_time(paper, [told], "drift velocity [um/ns]")


def chamber_times(paper: Paper) -> figure:
    """Draw how much later the hits of each chamber are than the detector file says."""
    layout = layout_of(paper.detector)
    unit = float(units_of(1)[1])
    told = [
        _Constant(f"later{c}", f"later_sum{c}", f"later_weight{c}", 0.0, unit)
        for c in layout.beside_others.tolist()
    ]
    return _constants_against_time(paper, told, "later than told [ns]")


class _Constant(NamedTuple):
    """A constant that follows from two counters: ``base`` and ``unit`` times their ratio."""

    name: str
    sum: str
    weight: str
    base: float
    unit: float


def _constants_against_time(paper: Paper, told: Sequence[_Constant], label: str) -> figure:
    """Draw constants as the mean of a minute, with the band of their errors."""
    made = _time_figure(
        paper, Axes(x_label="", y_label=label, x=(0, 60), y=(0, 1)),
        constants=[constant._asdict() | {"sigma": SIGMA_MM, "fine": FINE} for constant in told],
    )  # fmt: skip
    filled = [f"{constant.name}{part}" for constant in told for part in ("", "_low", "_high")]
    source = paper.source(
        "trend", {}, ("x", "time", "clock", "live_s", *filled),
        rates=[counter for constant in told for counter in (constant.sum, constant.weight)],
    )  # fmt: skip
    drawn = []
    for constant in told:
        colour = _constant_colour(paper, constant)
        made.varea(
            x="x", y1=f"{constant.name}_low", y2=f"{constant.name}_high", source=source,
            fill_color=colour, fill_alpha=0.15,
        )  # fmt: skip
        drawn.append(
            made.line(
                x="x", y=constant.name, source=source, line_color=colour, line_join="round",
                line_width=paper.size(1.6),
            )
        )  # fmt: skip
    made.add_layout(
        Span(
            dimension="width", location=told[0].base, line_dash="dashed",
            line_color=paper.look.palette.muted,
        )
    )  # fmt: skip
    rows = [("time in the run", "@time{00:00:00}"), ("time of day", "@clock")]
    rows += [(constant.name, f"@{constant.name}{{0.00}}") for constant in told]
    hover(paper, made, drawn[0], rows, mode="vline")
    _draw_marks(paper, made)
    return made


def _constant_colour(paper: Paper, constant: _Constant) -> str:
    number = constant.name.removeprefix("later")
    palette = paper.look.palette
    return palette.chamber(int(number)) if number.isdigit() else palette.ink


def _family(paper: Paper, counter: str) -> list[str]:
    return [counter, *(f"{counter}{c}" for c in range(paper.detector.n_chambers))]


def _against_time(paper: Paper, counters: Sequence[str], label: str) -> figure:
    log = paper.look.log
    made = _time_figure(
        paper,
        Axes(
            x_label="", y_label=label, x=(0, 60), y=(0.1, 10) if log else (0, 10),
            log="y" if log else "",
        ),
        scale={"columns": list(counters), "log": log},
    )  # fmt: skip
    count_axis(made.yaxis[0], log=log)
    names = [name for family in _BY_CHAMBER for name in _family(paper, family)] + [*_SINGLE]
    smooth = [f"scintillator_{part}" for part in ("mean", "low", "high")]
    filled = ("x", "time", "clock", "live_s", *names, *smooth)
    source = paper.source("trend", {}, filled, rates=names)
    drawn = [
        made.line(
            x="x", y=counter, source=source, name=counter, line_width=paper.size(1.6),
            line_join="round", line_color=_colour(paper, counter, counters),
        )
        for counter in counters
    ]  # fmt: skip
    rows = [
        ("time in the run", "@time{00:00:00}"),
        ("time of day", "@clock"),
        ("averaged over", "@live_s{0.0} s"),
    ]
    rates = [(_label(paper, counter), f"@{counter}{{0,0.00}} Hz") for counter in counters]
    hover(paper, made, drawn[0], rows + rates, mode="vline")
    _draw_marks(paper, made)
    _draw_levels(paper, made, counters)
    _draw_tips(paper, made, counters)
    return made


def _time_figure(paper: Paper, axes: Axes, **tags: Any) -> figure:
    """Return a figure whose x axis is the time; a click goes there, a cursor shows where one is."""
    run = paper.look.clock == "run"
    x_label = "time in the run [h:min:s]" if run else "time of day [h:min:s]"
    made = new_figure(paper, replace(axes, x_label=x_label), along=paper.look.clock, **tags)
    made.subscribed_events.add("tap")
    time_axis(made.xaxis[0])
    made.add_layout(
        Span(
            dimension="height", location=0, visible=False, name="cursor", line_dash="dashed",
            line_color=paper.look.palette.muted,
        )
    )  # fmt: skip
    return made


def _draw_marks(paper: Paper, made: figure) -> None:
    """Draw where another epoch begins, or something else that the page marks."""
    marks = paper.source("marks", {}, ("x", "text", "label"))
    muted = paper.look.palette.muted
    made.vspan(
        x="x", source=marks, line_color=muted, line_dash="dotted", line_alpha=0.8,
        level="underlay",
    )  # fmt: skip
    made.add_layout(
        LabelSet(
            x="x", y=paper.size(5), y_units="screen", text="label", source=marks, angle=math.pi / 2,
            x_offset=-paper.size(3), text_color=muted, text_font=value(FONT),
            text_font_size=paper.font_px, level="underlay",
        )
    )  # fmt: skip


def _draw_levels(paper: Paper, made: figure, counters: Sequence[str]) -> None:
    """Draw the rates of the reference, each in the colour of its line."""
    if not paper.look.reference:
        return
    colours = {name: _colour(paper, name, counters) for name in counters}
    source = paper.source("levels", {}, ("y", "colour"), levels=colours)
    made.hspan(
        y="y",
        source=source,
        line_color="colour",
        line_dash=[6, 4],
        line_alpha=0.8,
        line_width=paper.size(1.5),
    )


def _draw_tips(paper: Paper, made: figure, counters: Sequence[str]) -> None:
    """Write on each chamber's line, near its end, which it is: not all of us see the colours."""
    tips = {
        name: {"text": str(c), "colour": paper.look.palette.chamber(c)}
        for family in _BY_CHAMBER
        for c in range(paper.detector.n_chambers)
        if (name := f"{family}{c}") in counters
    }
    if not tips:
        return
    source = paper.source("tips", {}, ("x", "y", "text", "colour"), tips=tips)
    written = Text(  # on the line, for behind its end there may be no room
        x="x", y="y", text="text", text_color="colour", text_align="center",
        text_baseline="middle", text_font=value(FONT), text_font_size=paper.font_px,
        text_font_style="bold", background_fill_color=paper.look.palette.ground,
    )  # fmt: skip
    made.add_glyph(source, written)


def _label(paper: Paper, counter: str) -> str:
    """Return the name of a line for people."""
    for family in _BY_CHAMBER:
        for c, chamber in enumerate(paper.detector.chambers):
            if counter == f"{family}{c}":
                return chamber.label
        if counter == family:
            return "all chambers"
    return counter.replace("_", " ")


def _colour(paper: Paper, counter: str, counters: Sequence[str]) -> str:
    """Return the chamber's colour, ink for a total, and others where there are several."""
    palette = paper.look.palette
    of_chambers = {
        f"{family}{c}": palette.chamber(c)
        for family in _BY_CHAMBER
        for c in range(paper.detector.n_chambers)
    }
    several = {name: palette.chamber(4 + i) for i, name in enumerate(counters[1:])}
    return {counters[0]: palette.ink, **several, **of_chambers}[counter]
