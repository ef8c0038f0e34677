"""Plots of rates against the time in the run, one line for each counter."""

from collections.abc import Callable, Sequence

from bokeh.models.annotations import Span
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import Axes, Paper, count_axis, hover, new_figure, time_axis

__all__ = ["hit_rates", "lines", "scintillator_rate"]

_BY_CHAMBER = ("hits", "scint")
"""Counters that the trend also has for each chamber: ``hits0``, ``hits1``, ..."""

_SINGLE = (
    "scintillator", "words_in", "orbits", "trigger", "ancillary", "late", "unmapped", "invalid",
)  # fmt: skip
"""Counters of the whole detector."""


def hit_rates(paper: Paper) -> figure:
    """Draw the rate of hits, in total and of each chamber."""
    return _against_time(paper, _family(paper, "hits"), "hit rate [Hz]")


def scintillator_rate(paper: Paper) -> figure:
    """Draw the rate of the scintillator, which is much less than that of the hits."""
    return _against_time(paper, ["scintillator"], "rate [Hz]")


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


def _family(paper: Paper, counter: str) -> list[str]:
    return [counter, *(f"{counter}{c}" for c in range(paper.detector.n_chambers))]


def _against_time(paper: Paper, counters: Sequence[str], label: str) -> figure:
    log = paper.look.log
    made = new_figure(
        paper,
        Axes(
            x_label="time in the run [h:min:s]",
            y_label=label,
            x=(0, 60),
            y=(0.1, 10) if log else (0, 10),
            log="y" if log else "",
        ),
        scale={"columns": list(counters), "log": log},
        along="run",
    )
    made.subscribed_events.add("tap")  # a click on the history goes there
    time_axis(made.xaxis[0])
    count_axis(made.yaxis[0], log=log)
    names = [name for family in _BY_CHAMBER for name in _family(paper, family)] + [*_SINGLE]
    source = paper.source("trend", {}, ("time", "live_s", *names), rates=names)
    drawn = [
        made.line(
            x="time", y=counter, source=source, name=counter, line_width=1.6, line_join="round",
            line_color=_colour(paper, counter, counters),
        )
        for counter in counters
    ]  # fmt: skip
    rows = [("time in the run", "@time{00:00:00}"), ("averaged over", "@live_s{0.0} s")]
    rates = [(counter, f"@{counter}{{0,0.00}} Hz") for counter in counters]
    hover(paper, made, drawn[0], rows + rates, mode="vline")
    made.add_layout(
        Span(
            dimension="height", location=0, visible=False, name="cursor", line_dash="dashed",
            line_color=paper.look.palette.muted,
        )
    )  # fmt: skip
    return made


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
