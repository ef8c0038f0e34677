"""The figures of the dashboard's pages, as Bokeh models that a browser draws.

A plot is a function from a :class:`~muonscope.dashboard.plot_kit.Paper` to a figure, and a
line in ``PLOTS``; nothing else has to know it. The models hold no data but what never
changes: where the cells are, how wide the bins are. The numbers come with the updates,
and the page puts them into the sources by name (see :mod:`muonscope.dashboard.plot_kit`).

There is no JavaScript in the models: the page's security policy forbids to evaluate any.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, get_args

from bokeh.document import Document
from bokeh.models.renderers import GlyphRenderer
from bokeh.plotting import figure

from muonscope.counting.blocks.drift import DRIFT_HIGH_NS, DRIFT_LOW_NS
from muonscope.dashboard.bokeh_document import serialized
from muonscope.dashboard.plot_kit import Paper
from muonscope.dashboard.plots import cells, chambers, drift, muons, orbits, rates
from muonscope.dashboard.style import Look
from muonscope.detector import Detector

__all__ = ["PAGES", "PLOTS", "Look", "Page", "Plot", "layout"]

Page = Literal["overview", "chambers", "muons", "trends"]

PAGES: tuple[Page, ...] = get_args(Page)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One plot of a page."""

    page: Page
    title: str
    """What it shows, for people."""
    draw: Callable[[Paper], figure]
    per_chamber: bool = False
    """One of these for each chamber."""
    per_view: bool = False
    """One of these for each view."""
    of_tracks: bool = False
    """Only for views with two chambers or more, and for their chambers, where there are any: it is
    of tracks."""
    with_reference: bool = False
    """Only drawn where there is a reference."""
    on_wall: bool = False
    """Drawn on the overview, too, where that is for a screen on the wall."""
    hint: str = ""
    """How to read it, for people."""
    reference_hint: str = ""
    """The same where there is a reference; empty: no other."""
    empty: str = ""
    """What is missing where all that it shows is zero, for people."""


_SELECTED = "light: all, solid: with scintillator"

PLOTS: dict[str, Plot] = {
    "rates": Plot(page="overview", title="Hit rate", draw=rates.hit_rates),
    "scintillator": Plot(
        page="overview", title="Scintillator rate", draw=rates.scintillator_rate,
        hint="bold: mean of the last 30 s, with its error",
    ),
    "bars": Plot(
        page="overview", title="Hits per chamber", draw=chambers.chamber_bars, hint=_SELECTED
    ),
    "channels": Plot(
        page="chambers", title="Hits per channel", draw=cells.channels, per_chamber=True,
        hint=f"{_SELECTED}, \u25b2: beyond the axis", empty="no hits in this view",
    ),
    "channels_ratio": Plot(
        page="chambers", title="Hits per channel / reference", draw=cells.channels_ratio,
        per_chamber=True, with_reference=True,
    ),
    "occupancy": Plot(
        page="chambers", title="Cells", draw=cells.occupancy, per_chamber=True, on_wall=True,
        hint="hits / median of the layer; crossed: hot, framed: dead",
        reference_hint="hits / reference; crossed: hot, framed: dead",
    ),
    "drift": Plot(
        page="chambers", title="Drift time", draw=drift.drift, per_chamber=True,
        empty=f"no drift times from {DRIFT_LOW_NS:g} to {DRIFT_HIGH_NS:g} ns in this view",
    ),
    "drift_ratio": Plot(
        page="chambers", title="Drift time / reference", draw=drift.drift_ratio, per_chamber=True,
        with_reference=True,
    ),
    "multiplicity": Plot(
        page="chambers", title="Hits per orbit", draw=orbits.multiplicity, per_chamber=True,
        empty="no hits in this view",
    ),
    "orbits": Plot(
        page="chambers", title="Orbits of the window", draw=orbits.orbits, per_chamber=True,
        empty="no hits in this window",
    ),
    "event": Plot(
        page="muons", title="Event", draw=muons.view_event, per_view=True,
        hint="hit cells and tracks of one event",
    ),
    "event_chamber": Plot(
        page="muons", title="Event", draw=muons.chamber_event, per_chamber=True,
        hint="dots: where the muon passed, and the mirror; dashed: hits of no track",
    ),
    "tracks": Plot(
        page="muons", title="Track rate", draw=rates.lines("tracks"),
        hint="tracks over two chambers or more",
    ),
    "velocity": Plot(
        page="muons", title="Drift velocity", draw=rates.drift_velocity, of_tracks=True,
        hint="from tracks of the last minute, as if nothing else had changed; dashed: the detector"
        " file",
    ),
    "times": Plot(
        page="muons", title="Times of chambers", draw=rates.chamber_times, of_tracks=True,
        hint="from tracks of the last minute, each as if it alone had changed",
    ),
    "sky": Plot(
        page="muons", title="Muon sky", draw=muons.sky,
        hint="slopes of muons seen in both views, not corrected for acceptance",
        empty="no muon was seen in both views",
    ),
    "intensity": Plot(
        page="muons", title="Muon intensity", draw=muons.intensity,
        hint="the same divided by the area and solid angle that the chambers cover, per m2 s sr;"
        " grey: hardly any",
        empty="no muon was seen in both views",
    ),
    "slope": Plot(
        page="muons", title="Slope", draw=muons.histogram("slope"), per_view=True,
        hint="of tracks and segments", empty="no tracks or segments",
    ),
    "place": Plot(
        page="muons", title="Place", draw=muons.histogram("place"), per_view=True,
        hint="of tracks and segments, at the mean height of their hits",
        empty="no tracks or segments",
    ),
    "chi2": Plot(
        page="muons", title="Chi-square", draw=muons.histogram("chi2"), per_view=True,
        of_tracks=True, hint="of tracks, at 0.33 mm", empty="no tracks over two chambers",
    ),
    "efficiency": Plot(
        page="muons", title="Cell efficiency", draw=muons.efficiency, per_chamber=True,
        of_tracks=True,
        hint="share of the muons that must have crossed a cell; grey: fewer than"
        f" {muons.LEAST_ASKED}",
    ),
    "residual": Plot(
        page="muons", title="Residuals", draw=muons.histogram("residual"), per_chamber=True,
        of_tracks=True,
        hint="measured less fitted place of hits", empty="no tracks over two chambers",
    ),
    "track_drift": Plot(
        page="muons", title="Drift time from tracks", draw=muons.histogram("drift"),
        per_chamber=True, of_tracks=True, hint="no scintillator is needed",
        empty="no tracks over two chambers",
    ),
    "late": Plot(
        page="muons", title="Time of the chamber", draw=muons.histogram("late"), per_chamber=True,
        of_tracks=True,
        hint="by which its hits are later than their tracks", empty="no tracks over two chambers",
    ),
    "trend_hits": Plot(page="trends", title="Hits", draw=rates.lines("hits")),
    "trend_scint": Plot(
        page="trends", title="Hits with scintillator", draw=rates.lines("scint"),
        hint="hits in orbits that have a scintillator hit",
    ),
    "trend_scintillator": Plot(
        page="trends", title="Scintillator", draw=rates.lines("scintillator")
    ),
    "trend_orbits": Plot(page="trends", title="Orbits with hits", draw=rates.lines("orbits")),
    "trend_words": Plot(page="trends", title="Words", draw=rates.lines("words_in")),
    "trend_other": Plot(
        page="trends", title="Trigger and ancillary words",
        draw=rates.lines("trigger", "ancillary"),
    ),
    "trend_dropped": Plot(
        page="trends", title="Words not used", draw=rates.lines("late", "unmapped", "invalid")
    ),
}  # fmt: skip
"""The plots by name. To add one, write its function and add a line here."""


def layout(page: str, look: Look, detector: Detector) -> bytes:
    """Return the figures of ``page`` as JSON: Bokeh documents, and where each panel goes.

    Raises
    ------
    ValueError
        If there is no such page.
    """
    if page not in PAGES:
        raise ValueError(f"page: found {page!r}, expected {', '.join(PAGES)}")
    wanted = tuple(
        (name, plot)
        for name, plot in PLOTS.items()
        if (plot.page == page or (look.wall and page == "overview" and plot.on_wall))
        and (look.reference or not plot.with_reference)
    )
    return _layout(wanted, look, detector)


@lru_cache(maxsize=64)
def _layout(wanted: tuple[tuple[str, Plot], ...], look: Look, detector: Detector) -> bytes:
    document = Document()
    panels: list[dict[str, Any]] = []
    with document.models.freeze():  # or each root walks through all models again
        for paper, name, plot in _sheets(wanted, look, detector):
            made = plot.draw(paper)
            document.add_root(made)
            hint = (look.reference and plot.reference_hint) or plot.hint
            panels.append(_panel(made, name, replace(plot, hint=hint), paper))
    elements = {panel["figure"]: panel["element"] for panel in panels}
    colours = [look.palette.chamber(c) for c in range(detector.n_chambers)]
    return serialized(document, elements, panels=panels, colours=colours)


def _sheets(
    wanted: tuple[tuple[str, Plot], ...], look: Look, detector: Detector
) -> Iterator[tuple[Paper, str, Plot]]:
    """Yield a paper for each panel; those of a page share their sources."""
    paper = Paper(look=look, detector=detector)
    for name, plot in wanted:
        for number in _numbers(plot, detector):
            yield replace(paper, number=number), name, plot


def _numbers(plot: Plot, detector: Detector) -> list[int]:
    """Return of which chambers, or views, there is a plot; 0 of one that is of all."""
    views = [chamber.view for chamber in detector.chambers]
    of = views if plot.per_chamber else detector.views
    if not (plot.per_chamber or plot.per_view):
        of = [max(views, key=views.count)]
    return [i for i, view in enumerate(of) if not plot.of_tracks or views.count(view) > 1]


def _panel(made: figure, name: str, plot: Plot, paper: Paper) -> dict[str, Any]:
    full_name = f"{name}{paper.number}" if plot.per_chamber or plot.per_view else name
    drawn = [r for r in made.renderers if isinstance(r, GlyphRenderer)]
    fed = dict.fromkeys(r.data_source.name for r in drawn if r.data_source.name)
    if not fed:
        raise ValueError(f"plot {name}: draws no source of its paper")
    return {
        "name": full_name,
        "plot": name,
        "chamber": paper.number if plot.per_chamber else None,
        "view": paper.detector.views[paper.number] if plot.per_view else None,
        "title": plot.title,
        "hint": plot.hint,
        "empty": plot.empty,
        "element": f"panel-{full_name}",
        "figure": made.id,
        "sources": list(fed),
        "series": [
            {"name": r.name, "colour": r.glyph.line_color} for r in drawn if r.name is not None
        ],
    }
