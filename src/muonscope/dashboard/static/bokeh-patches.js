/* Work that BokehJS does with every update though nothing here asks for it; together it was more
   than two thirds of the time of an update.

   All of it relies on members that are not public. They were found in 3.8, 3.9 and 3.10, which
   pyproject.toml allows; 3.7 has no _needs_layout. tests/dashboard/test_bokeh_members.py asks a
   real browser for each of them by name. A patch can go when its update costs nothing without
   it: benchmarks/dashboard_run.py measures that. */

const FONT_PX = 14; // fonts of the figures are in px: what em would be is never used
const UNUSED = ["selection_glyph", "nonselection_glyph", "muted_glyph", "decimated_glyph"];
const SHAPES = new Set(["Quad", "VBar", "HBar", "Segment"]);

const nothing = () => {};

let classesDone = false;

/* Spare a figure all that.

   base_font_size is a getter that asks the browser for computed styles, at each painting, and so
   makes it lay out the page. Can go when BokehJS keeps the size, or asks only for sizes in em. */
export function spare(view) {
  Object.defineProperty(view, "base_font_size", { value: FONT_PX });
  spareLayout(view);
  for (const renderer of view.all_renderer_views) {
    if (renderer.model.type === "GlyphRenderer") spareGlyphs(renderer);
  }
  if (classesDone) return;
  classesDone = true;
  spareStyleSheets(view.all_renderer_views[0]?.position);
  spareComputedStyles(view.visuals?.outline_line);
}

/* Each glyph is there five times, for data that are selected, muted and so on: no tool of this
   page selects or mutes. And each has an element, whose style sheet follows the data. Can go when
   BokehJS makes the other four on demand, and the element only where something is in it. */
function spareGlyphs(renderer) {
  renderer.update_position = nothing;
  for (const name of UNUSED) {
    if (renderer[name])
      Object.assign(renderer[name], { set_data: nothing, set_visuals: nothing, map_data: nothing });
  }
  spareLook(renderer.glyph);
}

/* Colours and lines of a glyph are worked out with all data; where they do not follow the data,
   once is enough. Can go when BokehJS tells the two apart. */
function spareLook(glyph) {
  const { set_visuals } = glyph;
  if (!glyph._iter_visuals) return;
  glyph.set_visuals = function (source, indices) {
    set_visuals.call(this, source, indices);
    const follows = [...this._iter_visuals()].some(({ attr }) => !this[attr].is_Scalar());
    if (follows) return;
    this.set_visuals = nothing;
    if (SHAPES.has(this.model.type)) paintTogether(this);
  };
}

/* Shapes that look the same and do not overlap are one path: else each is filled by itself. Can
   go when BokehJS paints with one path, or with WebGL also where there is no graphics card. */
function paintTogether(glyph) {
  const { _paint, visuals } = glyph;
  glyph._paint = function (ctx, indices, data) {
    if (indices.length === 0) return;
    ctx.beginPath();
    ctx.beginPath = nothing;
    for (const visual of visuals) visual.apply = nothing;
    try {
      _paint.call(this, ctx, indices, data);
    } finally {
      delete ctx.beginPath;
      for (const visual of visuals) delete visual.apply;
    }
    for (const visual of visuals) visual.apply(ctx, indices[0]);
  };
}

/* Before each painting the numbers at the axes are measured, in case the figure has to be laid
   out anew. Where only data changed, they are the same. Can go when BokehJS measures only after
   ranges or sizes changed. */
function spareLayout(view) {
  const measure = view._invalidate_layout_if_needed;
  view._invalidate_layout_if_needed = function () {
    if (this._needs_layout || this._invalidate_all) measure.call(this);
  };
}

/* A dozen style sheets for each figure are written with each update; nearly always they say what
   they said, and then the browser works out all styles again. Can go when BokehJS compares. */
function spareStyleSheets(sheet) {
  const sheets = sheet && Object.getPrototypeOf(sheet);
  if (!sheets || !Object.hasOwn(sheets, "_update")) return;
  sheets._update = function (css) {
    if (this.el.textContent !== css) this.el.textContent = css;
  };
}

/* The style of each line and text is asked for, in case a page overrides colours with CSS
   variables (--bk-...). This page does not. Can go when BokehJS lets that be switched off. */
function spareComputedStyles(visual) {
  const visuals = visual && Object.getPrototypeOf(Object.getPrototypeOf(visual));
  if (visuals && Object.hasOwn(visuals, "_get_css_value")) visuals._get_css_value = () => "";
}

/* Build figures; return {built, release}. Each figure listens to the size of the visual viewport
   and never stops, which would keep all figures that ever were: release() ends that. Can go when
   views take their listeners away with them. */
export async function releasable(build) {
  const viewport = window.visualViewport;
  if (!viewport) return { built: await build(), release: () => {} };
  const heard = [];
  viewport.addEventListener = (...listener) => {
    heard.push(listener);
    EventTarget.prototype.addEventListener.apply(viewport, listener);
  };
  try {
    const built = await build();
    return {
      built,
      release: () => heard.forEach((listener) => viewport.removeEventListener(...listener)),
    };
  } finally {
    delete viewport.addEventListener;
  }
}
