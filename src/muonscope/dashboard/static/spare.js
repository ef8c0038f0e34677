/* What BokehJS 3.9 does with every paint though nothing asks for it here: it writes style sheets
   anew and then asks the browser for computed styles, which works all of them out again. That
   was more than half of the time of an update. Where a later version differs, nothing breaks. */

const FONT_PX = 14; // fonts of the figures are in px: what em would be is never used

let classesDone = false;

/* Spare a figure all that. */
export function spare(view) {
  Object.defineProperty(view, "base_font_size", { value: FONT_PX });
  for (const renderer of view.all_renderer_views) {
    if (renderer.model.type === "GlyphRenderer") renderer.update_position = () => {};
  }
  if (classesDone) return;
  classesDone = true;
  spareStyleSheets(view.all_renderer_views[0]?.position);
  spareComputedStyles(view.visuals?.outline_line);
}

/* A dozen style sheets for each figure; nearly always they say what they said. */
function spareStyleSheets(sheet) {
  const sheets = sheet && Object.getPrototypeOf(sheet);
  if (!sheets || !Object.hasOwn(sheets, "_update")) return;
  sheets._update = function (css) {
    if (this.el.textContent !== css) this.el.textContent = css;
  };
}

/* The style of each line and text, in case a page overrides colours with CSS variables
   (--bk-...). This page does not. */
function spareComputedStyles(visual) {
  const visuals = visual && Object.getPrototypeOf(Object.getPrototypeOf(visual));
  if (visuals && Object.hasOwn(visuals, "_get_css_value")) visuals._get_css_value = () => "";
}
