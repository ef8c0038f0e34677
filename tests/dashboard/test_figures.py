"""The figures: every plot builds, says its units, and asks only for what the server sends."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import orjson
import pytest
from bokeh.models import PlainText
from bokeh.plotting import figure

from dashboard.lives import decoded, live_of, window
from muonscope.dashboard import figures
from muonscope.dashboard.figures import PAGES, PLOTS, Look, Plot, layout
from muonscope.dashboard.plot_kit import Axes, Paper, new_figure
from muonscope.dashboard.style import Theme, Unit
from muonscope.detector import Detector, shipped_detector
from muonscope.results.history import counter_names

DETECTORS = {name: shipped_detector(name) for name in ("legnaro", "bologna2", "run000591")}
"""Four chambers, two of them, and another word format; the other setups are drawn as Legnaro is."""

LEGNARO = DETECTORS["legnaro"]
LOOKS = [
    Look(theme=theme, log=log, unit=unit, reference=reference)
    for theme, log, unit, reference in product(
        get_args(Theme), (False, True), get_args(Unit), (False, True)
    )
]

Document = dict[str, Any]

BINS = {"left", "mid", "right"}
"""Where bins are that the page joins as there are entries."""

MADE_THERE = (
    "_n",
    "_hz",
    "_text",
    "_layer",
    "_hot",
    "_edge",
    "_over",
    "_low",
    "_high",
    "share",
    "flux",
)
"""Ends of the columns that the page makes of others, see plot_kit.py."""


def built(page: str, look: Look = LOOKS[0], detector: Detector = LEGNARO) -> Document:
    """Return the layout of a page, decoded."""
    document: Document = orjson.loads(layout(page, look, detector))
    return document


def models(found: object, kind: str = "") -> Iterator[Document]:
    """Give all models in some JSON whose name ends with ``kind``."""
    if isinstance(found, dict):
        if found.get("type") == "object" and str(found.get("name")).endswith(kind):
            yield found
        found = list(found.values())
    if isinstance(found, list):
        for part in found:
            yield from models(part, kind)


def sources(document: Document) -> dict[str, Document]:
    """Return the attributes of the sources of a layout by their names."""
    found = [model["attributes"] for model in models(document, "ColumnDataSource")]
    return {source["name"]: source for source in found}


def columns_of(source: Document) -> set[str]:
    return {name for name, _ in source["data"]["entries"]}


def label_of(axis: Any) -> str:
    """Return the text of an axis, which must be plain."""
    assert axis.axis_label is None or isinstance(axis.axis_label, PlainText)
    return axis.axis_label.text if axis.axis_label else ""


def glyphs(made: figure) -> list[Any]:
    """Return what draws data in a figure."""
    return list(made.renderers)


def drawn(look: Look, detector: Detector) -> Iterator[tuple[str, Paper, figure]]:
    """Give each plot, of each chamber if it is of one, with its paper."""
    for name, plot in PLOTS.items():
        paper = Paper(look=look, detector=detector)
        for number in range(detector.n_chambers) if plot.per_chamber else [0]:
            mine = replace(paper, number=number)
            yield name, mine, plot.draw(mine)


# --- looks ---------------------------------------------------------------------------------


def test_a_look_is_parsed_from_the_query_and_has_defaults() -> None:
    assert Look.parse({}) == Look(theme="light", log=False, unit="counts", reference=False)
    query = {"theme": "dark", "log": "1", "unit": "hz", "reference": "1"}
    assert Look.parse(query) == Look(theme="dark", log=True, unit="hz", reference=True)


@pytest.mark.parametrize(
    "query",
    [{"theme": "pink"}, {"log": "yes"}, {"unit": ""}, {"reference": "2"}, {"colour": "red"}],
)
def test_a_look_with_anything_unexpected_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Look.parse(query)


def test_a_page_without_figures_is_refused() -> None:
    with pytest.raises(ValueError, match="expected overview, chambers, muons, trends"):
        layout("system", LOOKS[0], LEGNARO)


# --- every plot of every page --------------------------------------------------------------


@pytest.mark.parametrize(
    ("detector", "look"),
    [("legnaro", look) for look in LOOKS if look.theme == "light"]
    + [("legnaro", Look(wall=True, scale=2.0))]
    + [(name, look) for name in DETECTORS for look in (LOOKS[0], LOOKS[-1])],
    ids=str,
)
def test_every_plot_builds_and_says_its_units(detector: str, look: Look) -> None:
    for name, paper, made in drawn(look, DETECTORS[detector]):
        assert made.renderers, name
        for axis in (made.xaxis[0], made.yaxis[0]):
            label = label_of(axis)
            assert not axis.visible or ("[" in label and label.endswith("]")), (name, label)
        for renderer in glyphs(made):
            source = renderer.data_source
            fields = renderer.glyph.properties_with_values(include_defaults=False)
            for value in fields.values():
                if isinstance(value, dict) and "field" in value:
                    assert value["field"] in source.data, (name, value)
        assert paper.sources


@pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
def test_every_page_is_json_that_names_a_panel_for_each_figure(detector: Detector) -> None:
    names: list[str] = []
    for page in PAGES:
        document = built(page, Look(reference=True), detector)
        (item,) = document["items"]
        panels = document["panels"]
        assert item["roots"] == {panel["figure"]: panel["element"] for panel in panels}
        assert [p["chamber"] for p in panels if p["plot"] == "channels"] in (
            [], [*range(detector.n_chambers)],
        )  # fmt: skip
        assert {source for panel in panels for source in panel["sources"]} <= set(sources(document))
        names += [panel["name"] for panel in panels]
        assert len(document["colours"]) == detector.n_chambers
    assert len(names) == len(set(names))


def test_the_ratio_to_the_reference_is_drawn_only_where_there_is_one() -> None:
    plots = [
        {panel["plot"] for panel in built("chambers", Look(reference=on))["panels"]}
        for on in (False, True)
    ]
    assert plots[1] - plots[0] == {"channels_ratio", "drift_ratio"}


# --- what the figures ask for --------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_what_is_filled_comes_from_a_table_of_the_view_or_from_the_history(page: str) -> None:
    live = live_of([window(0)])
    view = decoded(live.view("window"))
    history = set(live.windows(10).columns)
    for name, source in sources(built(page)).items():
        (tags,) = source["tags"]
        told = dict(tags["entries"]) if "entries" in tags else tags
        if told["table"] == "trend":
            assert set(told["rates"]) <= history
        elif name == "marks":
            assert told["filled"] == ["x", "text", "label"]
        elif name.startswith("tips"):
            assert told["filled"] == ["x", "y", "text", "colour"]
            assert set(dict(told["tips"]["entries"])) <= history
        elif name == "bands":
            assert told["filled"] == ["y0", "y1", "colour"]
        elif re.match("(view|chamber)_cells", name):
            assert told["filled"] == []
        elif "only" in told:
            table = set(view["tables"][told["table"]])
            assert set(dict(told["only"]["entries"])) | {"event"} <= table
            made = {"x_low", "z_low", "x_high", "z_high"} if "reach" in told else set()
            assert set(told["filled"]) - made <= table
        else:
            assert set(told["filled"]) >= (BINS if "bins" in told else set())
            bare = {c for c in set(told["filled"]) - BINS if not c.endswith(MADE_THERE)}
            assert bare == set(view["tables"][name])
        assert set(told["filled"]) <= columns_of(source)


def test_trends_have_a_line_for_every_counter_of_the_history() -> None:
    lines = {series["name"] for panel in built("trends")["panels"] for series in panel["series"]}
    assert lines == set(counter_names(LEGNARO)) - {"live_orbits"}


def test_plots_share_a_source_where_they_ask_for_the_same_of_a_table() -> None:
    paper = Paper(look=Look(reference=True), detector=LEGNARO)
    first, *others = [
        paper.source("drift0", {"left": range(n)}, ("counts",), rebin=rebin, **more)
        for n, rebin, more in (
            (160, 2, {}), (160, 2, {}), (320, 1, {}), (160, 2, {"reference": ["counts"]}),
        )
    ]  # fmt: skip
    assert others[0] is first
    assert [source.name for source in (first, *others[1:])] == ["drift0", "drift0.1", "drift0.2"]
    assert {source.tags[0]["table"] for source in others} == {"drift0"}


def test_a_plot_that_no_update_feeds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(paper: Paper) -> figure:
        made = new_figure(paper, Axes(x_label="x [1]", y_label="y [1]"))
        made.line(x=[0, 1], y=[1, 1])
        return made

    monkeypatch.setitem(figures.PLOTS, "limit", Plot(page="overview", title="Limit", draw=limit))
    with pytest.raises(ValueError, match="plot limit: draws no source of its paper"):
        built("overview")


def test_counts_have_a_rate_and_the_reference_a_ratio() -> None:
    plain, compared = (
        columns_of(sources(built("chambers", Look(reference=on)))["cells0"]) for on in (False, True)
    )
    assert {"hits_n", "hits_hz", "scint_n", "scint_hz"} <= plain
    assert compared - plain == {"hits_ref", "hits_ratio", "hits_shown", "hits_pull"}


def test_cells_stand_where_the_detector_has_them() -> None:
    cells = LEGNARO.cells()
    entries = dict(sources(built("chambers"))["cells1"]["data"]["entries"])
    for name in ("channel", "layer", "wire", "x_mm", "z_mm"):
        assert entries[name] == getattr(cells, name)[cells.chamber == 1].tolist()


def test_axes_follow_tables_and_columns_that_there_are() -> None:
    for look in (Look(), Look(log=True, unit="hz", reference=True)):
        for name, _, made in drawn(look, LEGNARO):
            scale = made.tags[0].get("scale")
            if scale:
                assert set(scale["columns"]) <= set(glyphs(made)[0].data_source.data), name


# --- looks and rules -----------------------------------------------------------------------


@pytest.mark.parametrize("theme", get_args(Theme))
def test_a_chamber_has_one_colour_everywhere(theme: Theme) -> None:
    palette = Look(theme=theme).palette
    assert len(set(palette.chambers)) == len(palette.chambers)
    for name, paper, made in drawn(Look(theme=theme, reference=True), LEGNARO):
        if not PLOTS[name].per_chamber or name in {"occupancy", "efficiency"}:
            continue
        colours = {
            colour
            for renderer in glyphs(made)
            for colour in (
                getattr(renderer.glyph, "fill_color", None),
                getattr(renderer.glyph, "line_color", None),
            )
            if colour in palette.chambers
        }
        assert colours == {palette.chamber(paper.number)}, name
    lines = glyphs(PLOTS["rates"].draw(Paper(look=Look(theme=theme), detector=LEGNARO)))
    of_chambers = [line.glyph.line_color for line in lines[1:] if line.name]
    assert of_chambers == list(palette.chambers[: LEGNARO.n_chambers])


def test_more_chambers_than_colours_begin_them_again() -> None:
    palette = Look().palette
    assert palette.chamber(len(palette.chambers)) == palette.chamber(0)


def test_no_model_brings_javascript_which_the_page_would_have_to_evaluate() -> None:
    for page in PAGES:
        names = {model["name"] for model in models(built(page, Look(reference=True, log=True)))}
        assert not [name for name in names if "CustomJS" in name or "FuncTick" in name]


def test_the_label_of_an_axis_is_text_whatever_it_says() -> None:
    paper = Paper(look=Look(), detector=LEGNARO)
    made = new_figure(paper, Axes(x_label="$$x$$ [1]", y_label="y [1]"))
    assert label_of(made.xaxis[0]) == "$$x$$ [1]"


def test_a_plot_is_added_with_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def dots(paper: Paper) -> figure:
        made = new_figure(paper, Axes(x_label="chamber [number]", y_label="hits [counts]"))
        made.scatter(
            x="chamber", y="hits", source=paper.source("chambers", {"chamber": [0]}, ["hits"])
        )
        return made

    before = built("overview")
    monkeypatch.setitem(figures.PLOTS, "dots", Plot(page="overview", title="Dots", draw=dots))
    added = built("overview")
    assert len(added["panels"]) == len(before["panels"]) + 1
    assert added["panels"][-1]["name"] == "dots"
