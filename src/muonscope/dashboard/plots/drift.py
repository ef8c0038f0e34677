"""The drift-time box of one chamber."""

from bokeh.models import BasicTicker, ColumnDataSource
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_HIGH_NS, DRIFT_LOW_NS
from muonscope.dashboard.plot_kit import (
    Axes,
    Paper,
    count_axis,
    draw_reference,
    hover,
    new_figure,
    reference_rows,
)
from muonscope.dashboard.plots.ratio import draw_ratio

__all__ = ["drift", "drift_ratio"]

_BINS = {
    "low": DRIFT_LOW_NS, "width": DRIFT_BIN_NS, "by": [2, 4, 8, 16], "box": [40, 200], "least": 40,
}  # fmt: skip
"""Bins of 5 ns at the least, and so wide that a bin from 0 to 400 ns, where the box is, has an
error of 16 % or less; the edges are fitted to the finest bins whatever is drawn."""


def drift(paper: Paper) -> figure:
    """Draw the distribution of drift times, with the reference behind."""
    log = paper.look.log
    made = new_figure(
        paper,
        Axes(
            x_label="drift time [ns]",
            y_label=paper.counted("hits", "bin"),
            x=(DRIFT_LOW_NS, DRIFT_HIGH_NS),
            y=(0.5, 10) if log else (0, 10),
            log="y" if log else "",
        ),
        scale={"columns": ["counts"], "log": log},
    )
    made.xaxis.ticker = BasicTicker(desired_num_ticks=5, num_minor_ticks=0)
    count_axis(made.yaxis[0], log=log)
    source = _bins(paper)
    box = made.quad(
        left="left", right="right", top="counts", bottom=1e-6 if log else 0, source=source,
        fill_color=paper.colour, fill_alpha=0.75, line_color=None,
    )  # fmt: skip
    made.segment(
        x0="mid", x1="mid", y0="counts_low", y1="counts_high", source=source,
        line_color=paper.look.palette.ink, line_alpha=0.6, line_width=paper.size(1),
    )  # fmt: skip
    draw_reference(paper, made, source, "mid", "counts")
    for edge in ("rising", "falling"):
        made.add_layout(
            Span(
                dimension="height", location=0, visible=False, name=edge,
                line_width=paper.size(1.5),
                line_color=paper.look.palette.ink, line_dash="dashed",
            )
        )  # fmt: skip
    rows = (
        ("drift time", "@left to @right ns"),
        ("hits", "@counts_n{0,0} (@counts_hz{0,0.000} Hz)"),
        *reference_rows(paper, "counts"),
    )
    hover(paper, made, box, rows, mode="vline")
    return made


def drift_ratio(paper: Paper) -> figure:
    """Draw the ratio of the drift times to the reference."""
    return draw_ratio(paper, _bins(paper), "mid", "counts", (DRIFT_LOW_NS, DRIFT_HIGH_NS))


def _bins(paper: Paper) -> ColumnDataSource:
    return paper.source(
        f"drift{paper.number}",
        {},
        ("left", "mid", "right", "counts"),
        bins=_BINS,
        counts=["counts"],
        errors=["counts"],
        reference=["counts"],
        per="scintillator",
    )
