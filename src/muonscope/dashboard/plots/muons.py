"""Plots of the page of muons: an event as it was, and where tracks went."""

from collections.abc import Callable, Sequence
from typing import Any

from bokeh.models import BasicTicker, LinearColorMapper
from bokeh.palettes import viridis
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
from muonscope.dashboard.plots.cells import add_colour_bar, cells_of, map_figure
from muonscope.tracking.acceptance import sky_exposure
from muonscope.tracking.histograms import HISTOGRAMS, PER_VIEW, SKY
from muonscope.tracking.layout import layout_of
from muonscope.units import CELL_HEIGHT_MM, CELL_WIDTH_MM

__all__ = [
    "LEAST_ASKED",
    "chamber_event",
    "efficiency",
    "histogram",
    "intensity",
    "sky",
    "view_event",
]

LEAST_ASKED = 10
"""Muons that must have crossed a cell before its efficiency is coloured."""

_MOST_INTENSE = 120.0
"""Where the scale of intensities ends, /m2 s sr: straight down it is about 80 at sea level."""
_LEAST_EXPOSED = 0.05
"""Part of the best exposure below which the intensity of a direction is not told."""

_SHADES = 64
_WORST = 0.8
"""Where the scale of efficiencies begins."""

_AXES = {axis.name: axis for axis in HISTOGRAMS}
_EVENT_ROWS = (
    ("cell", "@cell"),
    ("time since the first hit", "@time_ns{0.0} ns"),
)
_LINE_ROWS = (
    ("slope", "@slope{+0.000}"),
    ("chambers", "@chambers"),
    ("t0 since the first hit", "@t0_ns{0.0} ns"),
    ("chi2", "@chi2{0.0}"),
)


def view_event(paper: Paper) -> figure:
    """Draw all chambers of a view, the hits of the event in them, and its tracks."""
    layout, view = layout_of(paper.detector), paper.number
    of = [c for c in range(paper.detector.n_chambers) if layout.view[c] == view]
    cells = [i for i in range(len(layout.chamber)) if layout.chamber[i] in of]
    x, z = layout.x_mm[cells], layout.z_mm[cells]
    name = "x" if layout.views[view] == "phi" else "y"
    low, high = float(z.min()) - 60.0, float(z.max()) + 60.0
    made = new_figure(
        paper,
        Axes(
            x_label=f"{name} [mm]", y_label="z [mm]",
            x=(float(x.min()) - CELL_WIDTH_MM, float(x.max()) + CELL_WIDTH_MM), y=(low, high),
        ),
    )  # fmt: skip
    made.grid.visible = False
    made.xaxis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0)
    palette = paper.look.palette
    for chamber in of:
        colour = palette.chamber(chamber)
        hits = paper.source("event_hits", {}, _HITS, only={"chamber": chamber})
        drawn = made.rect(
            x="x_mm", y="z_mm", width=CELL_WIDTH_MM, height=CELL_HEIGHT_MM, source=hits,
            fill_color=colour, fill_alpha=0.8, line_color=None,
        )  # fmt: skip
        hover(paper, made, drawn, _EVENT_ROWS)
    _draw_lines(paper, made, {"view": view}, low, high)
    _draw_cells(paper, made, f"view_cells{view}", x.tolist(), z.tolist())
    return made


def chamber_event(paper: Paper) -> figure:
    """Draw the hits of the event in a chamber: both places that each drift time allows."""
    layout, chamber = layout_of(paper.detector), paper.number
    cells = [i for i in range(len(layout.chamber)) if layout.chamber[i] == chamber]
    x, z = layout.x_mm[cells], layout.z_mm[cells]
    low, high = float(z.min()) - 1.5 * CELL_HEIGHT_MM, float(z.max()) + 1.5 * CELL_HEIGHT_MM
    made = new_figure(
        paper,
        Axes(
            x_label="x [mm]" if paper.chamber.view == "phi" else "y [mm]", y_label="z [mm]",
            x=(float(x.min()) - CELL_WIDTH_MM, float(x.max()) + CELL_WIDTH_MM), y=(low, high),
        ),
    )  # fmt: skip
    made.grid.visible = False
    for axis in (made.xaxis[0], made.yaxis[0]):
        axis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0)
    palette = paper.look.palette
    used, others = (
        paper.source("event_hits", {}, _HITS, only={"chamber": chamber, "used": used})
        for used in (1, 0)
    )
    shape: dict[str, Any] = {
        "x": "x_mm",
        "y": "z_mm",
        "width": CELL_WIDTH_MM,
        "height": CELL_HEIGHT_MM,
    }
    drawn = made.rect(
        **shape, source=used, fill_color=paper.colour, fill_alpha=0.3, line_color=paper.colour
    )
    made.rect(**shape, source=others, fill_color=None, line_color=palette.muted, line_dash="dashed")
    _draw_lines(
        paper, made, {"view": int(layout.view[chamber]), "chamber": [-1, chamber]}, low, high
    )
    made.scatter(
        x="mirror_mm", y="z_mm", marker="circle", size=paper.size(7), source=used,
        fill_color=palette.ground, line_color=palette.ink, line_alpha=0.7,
    )  # fmt: skip
    made.scatter(
        x="at_mm", y="z_mm", marker="circle", size=paper.size(7), source=used,
        fill_color=palette.ink, line_color=None,
    )  # fmt: skip
    hover(paper, made, drawn, (*_EVENT_ROWS, ("passed at", "@at_mm{0.00} mm")))
    _draw_cells(paper, made, f"chamber_cells{chamber}", x.tolist(), z.tolist())
    return made


_HITS = ("cell", "time_ns", "x_mm", "z_mm", "at_mm", "mirror_mm")


def _draw_cells(
    paper: Paper, made: figure, name: str, x: Sequence[float], z: Sequence[float]
) -> None:
    """Outline cells; they come last, for the first source of a panel is what people save."""
    made.rect(
        x="x_mm", y="z_mm", width=CELL_WIDTH_MM, height=CELL_HEIGHT_MM,
        source=paper.source(name, {"x_mm": x, "z_mm": z}, ()), fill_color=None,
        line_color=paper.look.palette.grid, line_width=paper.size(1), level="underlay",
    )  # fmt: skip


def _draw_lines(
    paper: Paper, made: figure, only: dict[str, int | list[int]], low: float, high: float
) -> None:
    """Draw tracks from one height to another."""
    lines = paper.source(
        "event_lines", {},
        ("x_low", "z_low", "x_high", "z_high", "slope", "chambers", "t0_ns", "chi2"),
        only=only, reach=[low, high],
    )  # fmt: skip
    drawn = made.segment(
        x0="x_low", y0="z_low", x1="x_high", y1="z_high", source=lines,
        line_color=paper.look.palette.ink, line_width=paper.size(1.5),
    )  # fmt: skip
    hover(paper, made, drawn, _LINE_ROWS)


def histogram(name: str) -> Callable[[Paper], figure]:
    """Return a plot of a histogram of tracks."""
    axis = _AXES[name]
    edges = [axis.low + axis.width * i for i in range(axis.bins + 1)]

    def draw(paper: Paper) -> figure:
        log = paper.look.log
        made = new_figure(
            paper,
            Axes(
                x_label=axis.label, y_label=paper.counted("tracks", "bin"),
                x=(edges[0], edges[-1]), y=(0.5, 10) if log else (0, 10), log="y" if log else "",
            ),
            scale={"columns": ["counts"], "log": log},
        )  # fmt: skip
        made.xaxis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0)
        count_axis(made.yaxis[0], log=log)
        mid = [edge + axis.width / 2 for edge in edges[:-1]]
        source = paper.source(
            f"track_{name}{paper.number}",
            {"left": edges[:-1], "mid": mid, "right": edges[1:]}, ("counts",),
            counts=["counts"], reference=["counts"],
        )  # fmt: skip
        colour = paper.look.palette.ink if axis.per == PER_VIEW else paper.colour
        bars = made.quad(
            left="left", right="right", top="counts", bottom=1e-6 if log else 0, source=source,
            fill_color=colour, fill_alpha=0.7, line_color=None,
        )  # fmt: skip
        draw_reference(paper, made, source, "mid", "counts")
        rows = (
            (axis.label, "@left{0.00} to @right{0.00}"),
            ("tracks", "@counts_n{0,0} (@counts_hz{0,0.000} Hz)"),
            *reference_rows(paper, "counts"),
        )
        hover(paper, made, bars, rows, mode="vline")
        return made

    return draw


def sky(paper: Paper) -> figure:
    """Draw where muons come from: the slope in one view against that in the other."""
    row = ("muons", "@muons_n{0,0} (@muons_hz{0.000} Hz)")
    return _map_of_slopes(paper, "muons", row, shades={"columns": ["muons"]})


def intensity(paper: Paper) -> figure:
    """Draw how many muons come from where, per area, time and solid angle."""
    return _map_of_slopes(paper, "flux", ("intensity", "@flux{0.0} /m2 s sr"))


def _map_of_slopes(paper: Paper, column: str, row: tuple[str, str], **tags: Any) -> figure:
    """Draw a column of the map of slopes; without ``shades`` on the scale of intensities."""
    views = layout_of(paper.detector).views
    at = [SKY.low + SKY.width * (i + 0.5) for i in range(SKY.bins)]
    ends = (SKY.low, SKY.low + SKY.width * SKY.bins)
    made = new_figure(
        paper,
        Axes(
            x_label=f"slope, {views[0]} view [1]", y_label=f"slope, {views[-1]} view [1]",
            x=ends, y=ends,
        ),
        **tags,
    )  # fmt: skip
    made.grid.visible = False
    exposure = sky_exposure(paper.detector).ravel()
    least = _LEAST_EXPOSED * float(exposure.max())
    source = paper.source(
        "track_sky",
        {"x": [x for x in at for _ in at], "y": at * len(at), "exposure": exposure.tolist()},
        ("muons", "flux"),
        counts=["muons"], flux={"of": "muons", "by": "exposure", "least": least},
    )  # fmt: skip
    palette = paper.look.palette
    mapper = LinearColorMapper(
        palette=list(viridis(_SHADES)), low=1e-6, high=_MOST_INTENSE, low_color=palette.ground,
        nan_color=palette.empty,
    )  # fmt: skip
    drawn = made.rect(
        x="x", y="y", width=SKY.width, height=SKY.width, source=source, line_color=None,
        fill_color={"field": column, "transform": mapper},
    )  # fmt: skip
    if "shades" not in tags:
        add_colour_bar(paper, made, mapper, [0, _MOST_INTENSE / 2, _MOST_INTENSE])
    hover(paper, made, drawn, (("slopes", "@x{+0.00}, @y{+0.00}"), row))
    return made


def efficiency(paper: Paper) -> figure:
    """Draw the cells of a chamber, coloured by the share of muons that they have seen."""
    made = map_figure(paper)
    palette = paper.look.palette
    mapper = LinearColorMapper(
        palette=list(viridis(_SHADES)), low=_WORST, high=1.0, low_color=palette.hot,
        nan_color=palette.empty,
    )  # fmt: skip
    source = paper.source(
        f"efficiency{paper.number}",
        cells_of(paper),
        ("expected", "seen", "share", "share_low", "share_high"),
        share={"of": "seen", "in": "expected", "least": LEAST_ASKED},
    )
    drawn = made.rect(
        x="x_mm", y="z_mm", width=0.9 * CELL_WIDTH_MM, height=0.84 * CELL_HEIGHT_MM,
        source=source, line_color=palette.ink, line_width=0,
        fill_color={"field": "share", "transform": mapper},
    )  # fmt: skip
    add_colour_bar(paper, made, mapper, [_WORST, 0.9, 1.0])
    rows = (
        ("channel", "@channel"),
        ("muons", "@seen{0,0} of @expected{0,0}"),
        ("efficiency", "@share{0.000} (@share_low{0.000} to @share_high{0.000})"),
    )
    hover(paper, made, drawn, rows)
    return made
