"""Plots of the cells of one chamber: hits per channel, their ratio, and the map."""

from typing import Any

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    FixedTicker,
    LinearColorMapper,
    LogColorMapper,
)
from bokeh.models.annotations import ColorBar
from bokeh.palettes import viridis
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import (
    AXIS_LEVEL,
    Axes,
    Paper,
    count_axis,
    draw_reference,
    hover,
    new_figure,
)
from muonscope.dashboard.plots.ratio import draw_ratio
from muonscope.units import CELL_HEIGHT_MM, CELL_WIDTH_MM

__all__ = ["channels", "channels_ratio", "occupancy"]

_SHADES = 64
_BAR_PX = 52
"""Width of a colour bar with numbers such as 150k: it is laid out before there are any."""


def channels(paper: Paper) -> figure:
    """Draw the hits of each channel, and in front those of orbits with a scintillator hit."""
    log = paper.look.log
    made = new_figure(
        paper,
        Axes(
            x_label="TDC channel [number]",
            y_label=paper.counted("hits"),
            x=_channel_range(paper),
            y=(0.5, 10) if log else (0, 10),
            log="y" if log else "",
        ),
        scale={"columns": ["hits"], "log": log},
    )
    count_axis(made.yaxis[0], log=log)
    source, floor = _cells(paper), 1e-6 if log else 0
    bars: dict[str, Any] = {
        "x": "channel",
        "width": 0.9,
        "bottom": floor,
        "source": source,
        "line_color": None,
    }
    every = made.vbar(top="hits", fill_color=paper.colour, fill_alpha=0.35, **bars)
    draw_reference(paper, made, source, "channel", "hits")
    made.vbar(top="scint", fill_color=paper.colour, **bars)
    hover(paper, made, every, _CELL_ROWS, mode="vline")
    return made


def channels_ratio(paper: Paper) -> figure:
    """Draw the ratio of the hits of each channel to the reference."""
    made = draw_ratio(paper, _cells(paper), "channel", "hits", _channel_range(paper))
    made.xaxis.axis_label = None
    return made


def occupancy(paper: Paper) -> figure:
    """Draw the cells where they are, coloured by their hits.

    The page sets the top of the scale to a round number above twice the median of the
    cells that have hits, so that a hot cell does not darken the others.
    """
    source, cells = _cells(paper), _static(paper)
    x_mm, z_mm = cells["x_mm"], cells["z_mm"]
    made = new_figure(
        paper,
        Axes(
            x_label="x [mm]",
            y_label=f"layer [{CELL_HEIGHT_MM:.0f} mm]",
            x=(min(x_mm) - CELL_WIDTH_MM, max(x_mm) + CELL_WIDTH_MM),
            y=(min(z_mm) - 0.6 * CELL_HEIGHT_MM, max(z_mm) + 0.6 * CELL_HEIGHT_MM),
        ),
    )
    made.grid.visible = False
    made.xaxis.ticker = BasicTicker(desired_num_ticks=4, num_minor_ticks=0)
    heights = dict(zip(z_mm, cells["layer"], strict=True))
    made.yaxis.ticker = FixedTicker(ticks=sorted(heights))
    made.yaxis.major_label_overrides = {z: str(layer) for z, layer in heights.items()}
    drawn = made.rect(
        x="x_mm", y="z_mm", width=0.94 * CELL_WIDTH_MM, height=0.9 * CELL_HEIGHT_MM,
        source=source, line_color=None,
        fill_color={"field": "hits", "transform": _mapper(paper, source)},
    )  # fmt: skip
    made.add_layout(_colour_bar(paper, source), "right")
    made.min_border_right = _BAR_PX
    hover(paper, made, drawn, _CELL_ROWS)
    return made


def _mapper(paper: Paper, source: ColumnDataSource) -> LinearColorMapper | LogColorMapper:
    """Return what colours by hits; the page moves its ends."""
    palette = paper.look.palette
    kind = LogColorMapper if paper.look.log else LinearColorMapper
    return kind(
        palette=list(viridis(_SHADES)),
        low=1e-9,
        high=10,
        low_color=palette.empty,
        high_color=palette.hot,
        tags=[{"source": source.name, "column": "hits", "log": paper.look.log}],
    )


def _colour_bar(paper: Paper, source: ColumnDataSource) -> ColorBar:
    """Return the scale, with a mapper of its own: else each update would lay it out anew."""
    bar = ColorBar(
        color_mapper=_mapper(paper, source),
        level=AXIS_LEVEL,
        width=8,
        padding=4,
        margin=0,
        label_standoff=4,
        border_line_color=None,
        bar_line_color=None,
        major_tick_line_color=None,
        background_fill_color=None,
        major_label_text_color=paper.look.palette.muted,
        major_label_text_font_size="11px",
    )
    count_axis(bar, log=paper.look.log, ticks=3)
    return bar


_CELL_ROWS = (
    ("channel", "@channel"),
    ("layer, wire", "@layer, @wire"),
    ("hits", "@hits_n{0,0} (@hits_hz{0,0.000} Hz)"),
    ("with scintillator", "@scint_n{0,0} (@scint_hz{0,0.0000} Hz)"),
)


def _cells(paper: Paper) -> ColumnDataSource:
    return paper.source(
        f"cells{paper.number}",
        _static(paper),
        ("hits", "scint"),
        counts=["hits", "scint"],
        reference=["hits"],
    )


def _static(paper: Paper) -> dict[str, list[float]]:
    cells = paper.detector.cells()
    mine = cells.chamber == paper.number
    names = ("channel", "layer", "wire", "x_mm", "z_mm")
    return {name: getattr(cells, name)[mine].tolist() for name in names}


def _channel_range(paper: Paper) -> tuple[float, float]:
    return paper.chamber.first_channel - 0.5, paper.chamber.last_channel + 0.5
