"""``muonscope`` with plots that somebody has added; they ask for tables in ways of their own."""

from bokeh.plotting import figure

from muonscope.cli.main import run
from muonscope.dashboard import figures
from muonscope.dashboard.figures import Plot
from muonscope.dashboard.paper import Axes, Paper, new_figure


def early(paper: Paper) -> figure:
    """Draw the drift times of one chamber in bins of ten that there are."""
    made = new_figure(
        paper, Axes(x_label="bin [10]", y_label="hits [counts]"), scale={"columns": ["counts"]}
    )
    source = paper.source(
        f"drift{paper.number}", {"bin": list(range(32))}, ("counts",), rebin=10, counts=["counts"]
    )
    made.vbar(x="bin", top="counts", source=source)
    return made


def late(paper: Paper) -> figure:
    """Draw the late words alone."""
    made = new_figure(
        paper,
        Axes(x_label="time [s]", y_label="rate [Hz]"),
        scale={"columns": ["late"]},
        along="run",
    )
    source = paper.source("trend", {}, ("time", "late"), rates=["late"])
    made.line(x="time", y="late", source=source)
    return made


if __name__ == "__main__":
    figures.PLOTS["early"] = Plot(page="chambers", title="Early", draw=early, per_chamber=True)
    figures.PLOTS["late"] = Plot(page="overview", title="Late", draw=late)
    run()
