"""Plots of the cells of one chamber: hits per channel, their ratio, and the map."""

from collections.abc import Sequence
from typing import Any

from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    FixedTicker,
    LinearColorMapper,
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
    reference_rows,
)
from muonscope.dashboard.plots.ratio import draw_ratio
from muonscope.units import CELL_HEIGHT_MM, CELL_WIDTH_MM

__all__ = [
    "MAP_TOP", "add_colour_bar", "cells_of", "channels", "channels_ratio", "map_figure",
    "occupancy",
]  # fmt: skip

_SHADES = 64
_BAR_PX = 32
"""Width of a colour bar with its numbers."""

MAP_TOP = 2.0
"""Where the scale of the map ends, in medians of the layer."""

_ROBUST = 4.0
"""Where the axis of channels ends at the most, in medians of those with hits."""


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
        scale={"columns": ["hits"], "log": log} | ({} if log else {"robust": _ROBUST}),
    )
    count_axis(made.yaxis[0], log=log)
    source, floor = _cells(paper), 1e-6 if log else 0
    bars: dict[str, Any] = {
        "x": "channel",
        "width": 0.9,
        "bottom": floor,
        "source": source,
    }
    every = made.vbar(
        top="hits", fill_color=paper.colour, fill_alpha=0.35, line_color=paper.colour, **bars
    )
    draw_reference(paper, made, source, "channel", "hits")
    made.vbar(top="scint", fill_color=paper.colour, line_color=None, **bars)
    made.scatter(
        x="channel", y="hits_over", marker="triangle", size=paper.size(9), source=source,
        fill_color=paper.look.palette.ink, line_color=None,
    )  # fmt: skip
    hover(paper, made, every, (*_CELL_ROWS, *reference_rows(paper, "hits")), mode="vline")
    return made


def channels_ratio(paper: Paper) -> figure:
    """Draw the ratio of the hits of each channel to the reference."""
    made = draw_ratio(paper, _cells(paper), "channel", "hits", _channel_range(paper))
    made.xaxis.axis_label = None
    return made


def occupancy(paper: Paper) -> figure:
    """Draw the cells where they are, coloured by their hits over the median of their layer.

    With a reference, over the reference.

    Hot cells are crossed, cells without a hit where their layer has many are outlined:
    colour alone does not tell.
    """
    source, made = _cells(paper), map_figure(paper)
    palette = paper.look.palette
    mapper = LinearColorMapper(
        palette=list(viridis(_SHADES)), low=0.0, high=MAP_TOP, high_color=palette.hot,
        nan_color=palette.empty,
    )  # fmt: skip
    drawn = made.rect(
        x="x_mm", y="z_mm", width=0.9 * CELL_WIDTH_MM, height=0.84 * CELL_HEIGHT_MM,
        source=source, line_color=palette.ink, line_width="hits_edge",
        fill_color={
            "field": "hits_ratio" if paper.look.reference else "hits_layer", "transform": mapper,
        },
    )  # fmt: skip
    made.scatter(
        x="x_mm", y="hits_hot", marker="x", size=paper.size(9), source=source,
        line_color=palette.ink, line_width=paper.size(2),
    )  # fmt: skip
    add_colour_bar(paper, made, mapper, [0, 0.5 * MAP_TOP, MAP_TOP])
    median = ("over the layer's median", "@hits_layer{0.00}")
    rows = (*_CELL_ROWS, median, *reference_rows(paper, "hits"))
    hover(paper, made, drawn, rows)
    return made


def map_figure(paper: Paper) -> figure:
    """Return an empty figure with room for the cells of a chamber, where they are."""
    cells = cells_of(paper)
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
    return made


def add_colour_bar(
    paper: Paper, made: figure, mapper: LinearColorMapper, ticks: Sequence[float]
) -> None:
    """Draw the scale of colours right of a figure."""
    bar = ColorBar(
        color_mapper=mapper,
        level=AXIS_LEVEL,
        width=round(paper.size(8)),
        padding=4,
        margin=0,
        label_standoff=4,
        ticker=FixedTicker(ticks=list(ticks)),
        border_line_color=None,
        bar_line_color=None,
        major_tick_line_color=None,
        background_fill_color=None,
        major_label_text_color=paper.look.palette.muted,
        major_label_text_font_size=paper.font_px,
    )
    made.add_layout(bar, "right")
    made.min_border_right = round(paper.size(_BAR_PX))


_CELL_ROWS = (
    ("channel", "@channel"),
    ("layer, wire", "@layer, @wire"),
    ("hits", "@hits_n{0,0} (@hits_hz{0,0.000} Hz)"),
    ("with scintillator", "@scint_n{0,0} (@scint_hz{0,0.0000} Hz)"),
)


def _cells(paper: Paper) -> ColumnDataSource:
    return paper.source(
        f"cells{paper.number}",
        cells_of(paper),
        ("hits", "scint", "hits_layer", "hits_edge", "hits_hot", "hits_over"),
        counts=["hits", "scint"],
        reference=["hits"],
        layers="hits",
    )


def cells_of(paper: Paper) -> dict[str, list[float]]:
    """Return where the cells of the chamber are, in the order of channels."""
    cells = paper.detector.cells()
    mine = cells.chamber == paper.number
    names = ("channel", "layer", "wire", "x_mm", "z_mm")
    return {name: getattr(cells, name)[mine].tolist() for name in names}


def _channel_range(paper: Paper) -> tuple[float, float]:
    return paper.chamber.first_channel - 0.5, paper.chamber.last_channel + 0.5
