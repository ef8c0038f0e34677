"""The kit of a plot: the look, the detector, and the sources that plots share.

A source stands for one table of the view document; plots that ask for the same share it.
Its columns are either static, and given here, or come with each update. What the page has
to do to a table on its way into a source is said in the tags of the source:

``table``
    The name of the table.
``filled``
    The columns that come with the updates; the others stay.
``counts``
    Columns of counts. Each column ``c`` is divided by the live time when the unit is Hz;
    ``c_n`` has the bare count and ``c_hz`` the rate, whatever the unit.
``texts``
    Columns for which ``c_text`` is filled with the number, written for people.
``reference``
    Columns for which ``c_ref`` is filled with the reference, scaled to the same live time,
    ``c_ratio`` with the ratio to it, ``c_shown`` with the ratio cut at the axis, and ``c_pull``
    with the difference in standard deviations.
``layers``
    A column ``c`` of cells for which ``c_layer`` is filled with its ratio to the median of the
    layer, ``c_hot`` and ``c_edge`` with what marks hot and dead cells, and ``c_over``, once the
    axis is known, with the place of a mark where a bar goes beyond it.
``per``
    ``"scintillator"``: the reference is scaled to as many hits of the scintillator, not to the live
    time.
``only``
    Rows of the event that is looked at, whose columns have these values, or one of these.
``reach``
    ``[low, high]``: ``x_low`` and ``x_high`` are filled with where the line of a row is at these
    heights, ``z_low`` and ``z_high``.
``share``
    ``{of, in, least}``: ``share`` is filled with the ratio of two columns, where the second has
    ``least``, and ``share_low`` and ``share_high`` with its interval (Wilson, one sigma).
``flux``
    ``{of, by, least}``: ``flux`` is filled with the rate of a column of counts, divided by another
    column where that has ``least``.
``rebin``
    Add up each so many entries.
``bins``
    ``{low, width, by, box, least}``: entries are bins of ``width`` from ``low`` on; so many are
    added up, of the numbers ``by``, that a bin of the ``box``, ``[first, last]``, has ``least``
    entries on average. ``left``, ``mid`` and ``right`` are filled with where the bins are.
``errors``
    Columns of counts for which ``c_low`` and ``c_high`` are filled with the ends of an error bar.
``fold``
    ``[first, last]``: keep the entries from first on; what is at ``last`` and beyond is one.
``bars``
    A list of times with a height each; at most so many bars are drawn, the highest.
``levels``
    Counters whose rate in the reference is drawn: ``y`` and ``colour`` of each.
``tips``
    Counters of the trend on whose line ``text`` is written near its end, in ``colour``.
``rates``
    Columns of the trend that become Hz, where the axis of a figure follows them; ``time`` is
    the middle of each row, s in the run, ``clock`` the time of day as a text, ``x`` the one of
    the two that the viewer has chosen.

The tags of a figure say what its axes follow, and what is drawn in it:

``constants``
    Constants against time: ``name``, ``name_low`` and ``name_high`` are filled with ``base`` plus
    ``unit`` times the counter ``sum`` by the counter ``weight``, of the last minute; the error is
    that of hits of ``sigma`` mm, ``weight`` being counted in parts of ``fine`` of a mm2.

``shades``
    ``columns``, whose greatest value the scale of colours of the first glyph ends at.

``scale``
    ``columns``, of the source of the first glyph, whose greatest value the axis of counts
    ends above; ``log`` as the axis is; ``axis``: ``"x"`` where counts are not on y;
    ``least``: where the axis ends at the least; ``robust``: at the most, in medians.
``along``
    x follows the time, ``"window"`` of the latest window, or that of the history in the
    ``"run"`` or of the ``"day"``, whose
    table ``marks`` has the times ``x`` at which something began, the ``text`` of what it is, and
    the ``label`` that is drawn, empty where there are many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bokeh.models import (
    AdaptiveTicker,
    Axis,
    BasicTicker,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    PlainText,
    Range1d,
)
from bokeh.models.annotations import ColorBar
from bokeh.plotting import figure

from muonscope.dashboard.style import Look
from muonscope.detector import Chamber, Detector

__all__ = [
    "AXIS_LEVEL", "FONT", "Axes", "Paper", "count_axis", "draw_reference", "hover", "new_figure",
    "reference_rows", "time_axis",
]  # fmt: skip

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_LEFT_PX = 52
"""Room for labels left of each frame, px: figures that stand below each other align."""

AXIS_LEVEL: Literal["overlay"] = "overlay"
"""Axes are painted on the canvas above the data's: while only the data change, they stay."""

Columns = Sequence[float] | Sequence[int] | Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The ground that a plot is drawn on; the papers of one page share their sources."""

    look: Look
    detector: Detector
    number: int = 0
    """The chamber that the plot is of, if it is of one."""
    sources: list[ColumnDataSource] = field(default_factory=list)

    @property
    def chamber(self) -> Chamber:
        """The chamber that the plot is of."""
        return self.detector.chambers[self.number]

    @property
    def colour(self) -> str:
        """The chamber's colour."""
        return self.look.palette.chamber(self.number)

    def size(self, px: float) -> float:
        """Return a size in px as the look has it."""
        return round(px * self.look.scale, 2)

    @property
    def font_px(self) -> str:
        """Size of the font of axes."""
        return f"{self.size(11):g}px"

    @property
    def hertz(self) -> bool:
        """Whether counts are shown per second."""
        return self.look.unit == "hz"

    def counted(self, what: str, per: str = "") -> str:
        """Return the label of an axis of counts, with its unit."""
        unit = ("Hz" if self.hertz else "counts") + (f" / {per}" if per else "")
        return f"{what} [{unit}]"

    def source(
        self, table: str, static: Mapping[str, Columns], filled: Sequence[str], **tags: Any
    ) -> ColumnDataSource:
        """Return the source of ``table``, which plots that ask for the same share.

        ``filled`` names the columns that come with the updates; they begin with zeros.
        """
        length = len(next(iter(static.values()))) if static else 0
        columns = [*filled]
        for name in tags.get("counts", ()):
            columns += [f"{name}_n", f"{name}_hz"]
        columns += [f"{name}_text" for name in tags.get("texts", ())]
        if not self.look.reference:
            tags.pop("reference", None)
        for name in tags.get("reference", ()):
            columns += [f"{name}_ref", f"{name}_ratio", f"{name}_shown", f"{name}_pull"]
        for name in tags.get("errors", ()):
            columns += [f"{name}_low", f"{name}_high"]
        data = {name: list(values) for name, values in static.items()} | {
            name: [0.0] * length for name in columns
        }
        described = [tags | {"table": table, "filled": columns}]
        others = [source for source in self.sources if source.tags[0]["table"] == table]
        for source in others:
            if source.tags == described and source.data == data:
                return source
        name = f"{table}.{len(others)}" if others else table
        self.sources.append(ColumnDataSource(data, name=name, tags=described))
        return self.sources[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes of a figure: labels with units, and where they begin."""

    x_label: str
    y_label: str
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    log: Literal["x", "y", ""] = ""


def new_figure(paper: Paper, axes: Axes, **tags: Any) -> figure:
    """Return an empty figure in the style of the page, with ``tags`` for the page."""
    made = figure(
        sizing_mode="stretch_both",
        min_width=0,
        min_height=0,
        x_range=Range1d(start=axes.x[0], end=axes.x[1]),
        y_range=Range1d(start=axes.y[0], end=axes.y[1]),
        x_axis_type="log" if axes.log == "x" else "linear",
        y_axis_type="log" if axes.log == "y" else "linear",
        x_axis_label=PlainText(text=axes.x_label),
        y_axis_label=PlainText(text=axes.y_label),
        title=None,
        tools="",
        toolbar_location=None,
        output_backend="canvas",
        lod_threshold=None,
        min_border=4,
        min_border_left=round(paper.size(_LEFT_PX)),
        min_border_right=round(paper.size(10)),
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        tags=[tags],
    )
    for axis in (made.xaxis[0], made.yaxis[0]):
        _dress_axis(paper, axis)
    made.grid.grid_line_color = paper.look.palette.grid
    made.xgrid.visible = False
    return made


def _dress_axis(paper: Paper, axis: Axis) -> None:
    palette = paper.look.palette
    axis.level = AXIS_LEVEL
    axis.axis_line_color = palette.muted
    axis.axis_line_alpha = 0.5
    axis.major_tick_line_color = palette.muted
    axis.major_tick_line_alpha = 0.5
    axis.major_tick_in = 0
    axis.major_tick_out = 4
    axis.minor_tick_line_color = None
    axis.major_label_text_color = axis.axis_label_text_color = palette.muted
    axis.major_label_text_font = axis.axis_label_text_font = FONT
    axis.major_label_text_font_size = axis.axis_label_text_font_size = paper.font_px
    axis.axis_label_text_font_style = "normal"
    axis.axis_label_standoff = 4
    axis.major_label_standoff = 3


def count_axis(axis: Axis | ColorBar, *, log: bool = False, ticks: int = 4) -> None:
    """Give ``axis`` short numbers (2.5k) and few ticks."""
    axis.formatter = NumeralTickFormatter(format="0[.]0[00]a")
    axis.ticker = (
        FixedTicker(ticks=[])  # the page sets them: Bokeh's are at 1, 2 and 3 of one decade
        if log
        else BasicTicker(desired_num_ticks=ticks, num_minor_ticks=0)
    )


def draw_reference(
    paper: Paper, made: figure, source: ColumnDataSource, x: str, column: str
) -> None:
    """Draw the reference of ``column`` as a line of steps, if there is a reference."""
    if paper.look.reference:
        made.step(
            x=x, y=f"{column}_ref", mode="center", source=source,
            line_color=paper.look.palette.reference, line_width=paper.size(1.5),
        )  # fmt: skip


def reference_rows(paper: Paper, column: str) -> tuple[tuple[str, str], ...]:
    """Return what a tooltip says of the reference of ``column``, if there is a reference."""
    if not paper.look.reference:
        return ()
    return (
        ("over the reference", f"@{column}_ratio{{0.00}}"),
        ("difference", f"@{column}_pull{{+0.0}} standard deviations"),
    )


def time_axis(axis: Axis) -> None:
    """Give ``axis`` hours, minutes and seconds."""
    axis.formatter = NumeralTickFormatter(format="00:00:00")
    axis.ticker = AdaptiveTicker(
        base=60, mantissas=[1, 2, 5, 10, 20, 30], desired_num_ticks=4, num_minor_ticks=0
    )


def hover(
    paper: Paper,
    made: figure,
    renderer: Any,
    rows: Sequence[tuple[str, str]],
    mode: Literal["mouse", "hline", "vline"] = "mouse",
) -> None:
    """Show ``rows`` of (name, format) of what is under the pointer."""
    name = f'<td style="color: {paper.look.palette.muted}; padding-right: 8px">'
    lines = "".join(f"<tr>{name}{label}</td><td>{form}</td></tr>" for label, form in rows)
    made.add_tools(
        HoverTool(
            renderers=[renderer],
            tooltips=f'<table style="font: {paper.size(12):g}px {FONT}">{lines}</table>',
            mode=mode,
            point_policy="follow_mouse",
            line_policy="nearest",
            attachment="horizontal",
            visible=False,
        )
    )
