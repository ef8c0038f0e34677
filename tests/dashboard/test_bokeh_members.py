"""The members of BokehJS that the page's scripts rely on, asked for in a real browser."""

from typing import Any

import bokeh
import pytest

from dashboard.looking import Look, drawn
from helpers.served import Served

FOUND = """() => {
  const views = Object.values(Bokeh.index);
  const figures = views.filter((view) => view.all_renderer_views && view.canvas_view);
  const view = figures.find((v) =>
    v.all_renderer_views.some((r) => r.model.type === "GlyphRenderer" && r.glyph._iter_visuals));
  const renderer = view.all_renderer_views.find((r) => r.model.type === "GlyphRenderer");
  const proto = Object.getPrototypeOf;
  const prototypes = (object) => (object ? [object, ...prototypes(proto(object))] : []);
  const inherits = (object, name) => prototypes(proto(object)).some((p) => Object.hasOwn(p, name));
  const sheet = view.all_renderer_views[0].position;
  const outline = view.visuals.outline_line;
  const attr = [...renderer.glyph._iter_visuals()][0].attr;
  const formatter = view.model.below.concat(view.model.left).map((axis) => axis.formatter)
    .find((f) => f.type === "NumeralTickFormatter");
  return {
    "PlotView.base_font_size": inherits(view, "base_font_size"),
    "PlotView._invalidate_layout_if_needed": inherits(view, "_invalidate_layout_if_needed"),
    "PlotView._needs_layout": "_needs_layout" in view,
    "PlotView._invalidate_all": "_invalidate_all" in view,
    "PlotView.all_renderer_views": Array.isArray(view.all_renderer_views),
    "PlotView.canvas_view.events_el": view.canvas_view.events_el instanceof Element,
    "GlyphRendererView.update_position": inherits(renderer, "update_position"),
    "GlyphRendererView.selection_glyph": "set_data" in renderer.selection_glyph,
    "GlyphRendererView.nonselection_glyph": "set_data" in renderer.nonselection_glyph,
    "GlyphRendererView.muted_glyph": "set_data" in renderer.muted_glyph,
    "GlyphRendererView.decimated_glyph": "set_data" in renderer.decimated_glyph,
    "GlyphView.set_data": inherits(renderer.glyph, "set_data"),
    "GlyphView.set_visuals": inherits(renderer.glyph, "set_visuals"),
    "GlyphView.map_data": inherits(renderer.glyph, "map_data"),
    "GlyphView._iter_visuals": inherits(renderer.glyph, "_iter_visuals"),
    "GlyphView._paint": inherits(renderer.glyph, "_paint"),
    "GlyphView visuals' is_Scalar": typeof renderer.glyph[attr].is_Scalar === "function",
    "VisualUniforms.apply": [...renderer.glyph.visuals].every((v) => inherits(v, "apply")),
    "InlineStyleSheet._update, own of its class": Object.hasOwn(proto(sheet), "_update"),
    "InlineStyleSheet.el": sheet.el instanceof HTMLStyleElement,
    "VisualProperties._get_css_value, two classes up":
      Object.hasOwn(proto(proto(outline)), "_get_css_value"),
    "Document._all_models": view.model.document._all_models instanceof Map,
    "NumeralTickFormatter.doFormat": typeof formatter.doFormat === "function",
    "Bokeh.documents": Array.isArray(Bokeh.documents),
    "Bokeh.embed.embed_items": typeof Bokeh.embed.embed_items === "function",
  };
}"""


@pytest.fixture(scope="module")
def version() -> str:
    return str(bokeh.__version__)


def test_bokehjs_still_has_all_members_that_the_page_relies_on(
    finished: Served, look: Look, version: str
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    assert page.evaluate("() => Bokeh.version") == version
    found: dict[str, Any] = page.evaluate(FOUND)
    gone = [name for name, there in found.items() if not there]
    assert len(found) == 25
    assert not gone, (
        f"BokehJS {version} has no {', '.join(gone)} any more: look at static/bokeh-patches.js"
        " and sheet.js, then at the bounds of bokeh in pyproject.toml"
    )
