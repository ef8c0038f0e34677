"""The thin strip below a histogram: its ratio to the reference."""

from bokeh.models import ColumnDataSource, FixedTicker
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import Axes, Paper, hover, new_figure

__all__ = ["RATIO_TOP", "draw_ratio"]

RATIO_TOP = 2.0
"""Where the axis of a ratio ends; a greater ratio is drawn there."""


def draw_ratio(
    paper: Paper, source: ColumnDataSource, x: str, column: str, x_range: tuple[float, float]
) -> figure:
    """Draw ``column`` over its reference against ``x``."""
    made = new_figure(
        paper,
        Axes(x_label="", y_label="ratio [1]", x=x_range, y=(-0.05 * RATIO_TOP, 1.05 * RATIO_TOP)),
    )
    made.yaxis.ticker = FixedTicker(ticks=[0, 1, 2])
    made.xaxis.visible = False
    made.add_layout(Span(location=1.0, dimension="width", line_color=paper.look.palette.reference))
    dots = made.scatter(
        x=x,
        y=f"{column}_shown",
        size=paper.size(4),
        source=source,
        fill_color=paper.colour,
        line_color=None,
    )
    hover(
        paper,
        made,
        dots,
        [(x.replace("_", " "), f"@{x}"), ("ratio", f"@{column}_ratio{{0.00}}")],
        "vline",
    )
    return made
