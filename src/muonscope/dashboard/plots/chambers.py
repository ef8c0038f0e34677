"""The plot that compares the chambers."""

import math
from typing import Any

from bokeh.core.properties import value
from bokeh.models import FixedTicker, PlainText
from bokeh.plotting import figure

from muonscope.dashboard.plot_kit import (
    FONT,
    Axes,
    Paper,
    count_axis,
    hover,
    new_figure,
    reference_rows,
)

__all__ = ["chamber_bars"]


def chamber_bars(paper: Paper) -> figure:
    """Draw the hits of each chamber; in front, those of orbits with a scintillator hit."""
    chambers, palette = paper.detector.chambers, paper.look.palette
    numbers, log = list(range(len(chambers))), paper.look.log
    made = new_figure(
        paper,
        Axes(
            x_label=paper.counted("hits"),
            y_label="chamber [number]",
            x=(0.5, 10) if log else (0, 10),
            y=(len(chambers) - 0.5, -0.5),
            log="x" if log else "",
        ),
        scale={"columns": ["hits"], "log": log, "axis": "x"},
    )
    made.ygrid.visible, made.xgrid.visible = False, True
    made.yaxis.ticker = FixedTicker(ticks=numbers)
    made.yaxis.major_label_overrides = {n: PlainText(text=str(n)) for n in numbers}
    count_axis(made.xaxis[0], log=log)
    source = paper.source(
        "chambers",
        {"chamber": numbers, "colour": [palette.chamber(n) for n in numbers]},
        ("hits", "scint"),
        counts=["hits", "scint"],
        texts=["hits"],
        reference=["hits"],
    )
    bars: dict[str, Any] = {
        "y": "chamber", "left": 1e-6 if log else 0, "source": source, "fill_color": "colour",
        "height": 0.7,
    }  # fmt: skip
    every = made.hbar(right="hits", fill_alpha=0.35, line_color="colour", **bars)
    made.hbar(right="scint", line_color=None, **bars)
    if paper.look.reference:
        made.scatter(
            x="hits_ref", y="chamber", marker="dash", angle=math.pi / 2, source=source,
            size=paper.size(22), line_color=palette.reference, line_width=paper.size(3),
        )  # fmt: skip
    made.text(
        x="hits", y="chamber", text="hits_text", source=source, x_offset=paper.size(6),
        text_baseline="middle", text_color=palette.ink, text_font=value(FONT),
        text_font_size=f"{paper.size(13):g}px",
    )  # fmt: skip
    rows = (
        ("chamber", "@chamber"),
        ("hits", "@hits_n{0,0} (@hits_hz{0,0.0} Hz)"),
        ("with scintillator", "@scint_n{0,0} (@scint_hz{0,0.00} Hz)"),
        *reference_rows(paper, "hits"),
    )
    hover(paper, made, every, rows, mode="hline")
    return made
