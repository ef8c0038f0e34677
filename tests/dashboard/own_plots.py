"""``muonscope`` with plots that somebody has added; they ask for tables in ways of their own."""

from bokeh.plotting import figure

from muonscope.cli.main import run
from muonscope.dashboard import figures
from muonscope.dashboard.figures import Plot
from muonscope.dashboard.plot_kit import Axes, Paper, new_figure


def early(paper: Paper) -> figure:
    """Draw the drift times of one chamber in bins of ten and of twenty that there are."""
    made = new_figure(
        paper, Axes(x_label="bin [10]", y_label="hits [counts]"), scale={"columns": ["counts"]}
    )
    made.line(x=[0, 32], y=[1, 1])  # a limit, which no update feeds
    for rebin in (10, 20):
        bins = {"bin": list(range(320 // rebin))}
        source = paper.source(f"drift{paper.number}", bins, ("counts",), rebin=rebin)
        made.scatter(x="bin", y="counts", source=source)
    return made


def late(paper: Paper) -> figure:
    """Draw the late words alone."""
    made = new_figure(
        paper,
        Axes(x_label="time [s]", y_label="rate [Hz]"),
        scale={"columns": ["late"]},
        along="run",
    )
    made.line(x=[0, 60], y=[1, 1])
    source = paper.source("trend", {}, ("time", "late"), rates=["late"])
    made.line(x="time", y="late", source=source)
    return made


if __name__ == "__main__":
    figures.PLOTS["early"] = Plot(page="chambers", title="Early", draw=early, per_chamber=True)
    figures.PLOTS["late"] = Plot(page="overview", title="Late", draw=late)
    run()
