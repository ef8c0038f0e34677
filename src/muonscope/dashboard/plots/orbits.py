"""Plots of the orbits of one chamber: how many hits they have, and when."""

from bokeh.models import BasicTicker, FixedTicker
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import (
    Axes,
    Paper,
    count_axis,
    draw_reference,
    hover,
    new_figure,
    reference_rows,
)

__all__ = ["multiplicity", "orbits"]

_LAST = 20
"""Orbits with so many hits, or more, share the last bar."""

_BARS = 600
"""The most bars that an orbit strip draws; it is about as many pixels wide."""


def multiplicity(paper: Paper) -> figure:
    """Draw the number of orbits by their hits; always logarithmic, for the tail is the point."""
    made = new_figure(
        paper,
        Axes(
            x_label="hits [per orbit]",
            y_label=paper.counted("orbits"),
            x=(0.4, _LAST + 0.6),
            y=(0.5, 10),
            log="y",
        ),
        scale={"columns": ["orbits"], "log": True},
    )
    made.xaxis.ticker = FixedTicker(ticks=[1, 5, 10, _LAST])
    made.xaxis.major_label_overrides = {_LAST: f"{_LAST}+"}
    count_axis(made.yaxis[0], log=True)
    source = paper.source(
        f"multiplicity{paper.number}", {"n": list(range(1, _LAST + 1))}, ("orbits",),
        fold=[1, _LAST], counts=["orbits"], reference=["orbits"],
    )  # fmt: skip
    bars = made.vbar(
        x="n", top="orbits", bottom=1e-6, width=0.85, source=source, fill_color=paper.colour,
        fill_alpha=0.75, line_color=None,
    )  # fmt: skip
    draw_reference(paper, made, source, "n", "orbits")
    rows = (("hits per orbit", f"@n ({_LAST}: or more)"),
            ("orbits", "@orbits_n{0,0} (@orbits_hz{0,0.000} Hz)"),
            *reference_rows(paper, "orbits"))  # fmt: skip
    hover(paper, made, bars, rows, mode="vline")
    return made


def orbits(paper: Paper) -> figure:
    """Draw the hits of each orbit of the latest window, when they were."""
    made = new_figure(
        paper,
        Axes(x_label="time in the window [s]", y_label="hits [per orbit]", y=(0, 5)),
        scale={"columns": ["hits"], "log": False, "least": 5},
        along="window",
    )
    made.xaxis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0)
    made.yaxis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0, min_interval=1)
    source = paper.source(f"orbits{paper.number}", {}, ("time", "hits"), bars=_BARS)
    strip = made.segment(
        x0="time",
        x1="time",
        y0=0,
        y1="hits",
        source=source,
        line_color=paper.colour,
        line_width=paper.size(1),
    )
    hover(
        paper,
        made,
        strip,
        [("time in the window", "@time{0.0000} s"), ("hits in the orbit", "@hits")],
    )
    return made
