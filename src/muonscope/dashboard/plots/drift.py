"""The drift-time box of one chamber."""

from bokeh.models import BasicTicker, ColumnDataSource
from bokeh.plotting import figure

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_HIGH_NS, DRIFT_LOW_NS
from muonscope.dashboard.plot_kit import Axes, Paper, count_axis, draw_reference, hover, new_figure
from muonscope.dashboard.plots.ratio import draw_ratio

__all__ = ["drift", "drift_ratio"]

_REBIN = 2
_BIN_NS = DRIFT_BIN_NS * _REBIN
"""Width of a bin as it is drawn, ns."""


def drift(paper: Paper) -> figure:
    """Draw the distribution of drift times, with the reference behind."""
    log = paper.look.log
    made = new_figure(
        paper,
        Axes(
            x_label="drift time [ns]",
            y_label=paper.counted("hits", f"{_BIN_NS:g} ns"),
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
    draw_reference(paper, made, source, "left", "counts", mode="after")
    rows = (
        ("drift time", "@left to @right ns"),
        ("hits", "@counts_n{0,0} (@counts_hz{0,0.000} Hz)"),
    )
    hover(paper, made, box, rows, mode="vline")
    return made


def drift_ratio(paper: Paper) -> figure:
    """Draw the ratio of the drift times to the reference."""
    return draw_ratio(paper, _bins(paper), "left", "counts", (DRIFT_LOW_NS, DRIFT_HIGH_NS))


def _bins(paper: Paper) -> ColumnDataSource:
    edges = [DRIFT_LOW_NS + _BIN_NS * i for i in range(DRIFT_BINS // _REBIN + 1)]
    return paper.source(
        f"drift{paper.number}",
        {"left": edges[:-1], "right": edges[1:]},
        ("counts",),
        rebin=_REBIN,
        counts=["counts"],
        reference=["counts"],
    )
