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

from muonscope.dashboard.bokeh_document import serialized
from muonscope.dashboard.plot_kit import Paper
from muonscope.dashboard.plots import cells, chambers, drift, orbits, rates
from muonscope.dashboard.style import Look
from muonscope.detector import Detector

__all__ = ["PAGES", "PLOTS", "Look", "Page", "Plot", "layout"]

Page = Literal["overview", "chambers", "trends"]

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
    with_reference: bool = False
    """Only drawn where there is a reference."""
    hint: str = ""
    """How to read it, for people."""
    empty: str = ""
    """What is missing where all that it shows is zero, for people."""


_SELECTED = "light: all, solid: with scintillator"

PLOTS: dict[str, Plot] = {
    "rates": Plot(page="overview", title="Hit rate", draw=rates.hit_rates),
    "scintillator": Plot(
        page="overview", title="Scintillator rate", draw=rates.scintillator_rate
    ),
    "bars": Plot(
        page="overview", title="Hits per chamber", draw=chambers.chamber_bars, hint=_SELECTED
    ),
    "channels": Plot(
        page="chambers", title="Hits per channel", draw=cells.channels, per_chamber=True,
        hint=_SELECTED, empty="no hits in this view",
    ),
    "channels_ratio": Plot(
        page="chambers", title="Hits per channel / reference", draw=cells.channels_ratio,
        per_chamber=True, with_reference=True,
    ),
    "occupancy": Plot(
        page="chambers", title="Cells", draw=cells.occupancy, per_chamber=True,
        hint="grey: no hit; pink: off the scale",
    ),
    "drift": Plot(
        page="chambers", title="Drift time", draw=drift.drift, per_chamber=True,
        empty="no drift times: no scintillator hit with hits in this view",
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
        if plot.page == page and (look.reference or not plot.with_reference)
    )
    return _layout(wanted, look, detector)


@lru_cache(maxsize=64)
def _layout(wanted: tuple[tuple[str, Plot], ...], look: Look, detector: Detector) -> bytes:
    document = Document()
    panels: list[dict[str, Any]] = []
    with document.models.freeze():  # or each root walks through all models again
        for paper, name, plot, chamber in _sheets(wanted, look, detector):
            made = plot.draw(paper)
            document.add_root(made)
            panels.append(_panel(made, name, plot, chamber))
    elements = {panel["figure"]: panel["element"] for panel in panels}
    colours = [look.palette.chamber(c) for c in range(detector.n_chambers)]
    return serialized(document, elements, panels=panels, colours=colours)


def _sheets(
    wanted: tuple[tuple[str, Plot], ...], look: Look, detector: Detector
) -> Iterator[tuple[Paper, str, Plot, int | None]]:
    """Yield a paper for each panel; those of a page share their sources."""
    paper = Paper(look=look, detector=detector)
    for name, plot in wanted:
        for chamber in range(detector.n_chambers) if plot.per_chamber else (None,):
            yield replace(paper, number=chamber or 0), name, plot, chamber


def _panel(made: figure, name: str, plot: Plot, chamber: int | None) -> dict[str, Any]:
    full_name = name if chamber is None else f"{name}{chamber}"
    drawn = [r for r in made.renderers if isinstance(r, GlyphRenderer)]
    fed = dict.fromkeys(r.data_source.name for r in drawn if r.data_source.name)
    if not fed:
        raise ValueError(f"plot {name}: draws no source of its paper")
    return {
        "name": full_name,
        "plot": name,
        "chamber": chamber,
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
