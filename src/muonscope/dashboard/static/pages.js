/* The pages with figures: each is built when it is first seen, and again when its look changes. */

import { DRAWN_PAGES } from "./constants.js";
import { byId } from "./dom.js";
import { chamberOf, clear, placer, seriesLabel, updateChambers, updateLegends } from "./panels.js";
import { Sheet } from "./sheet.js";

export class Pages {
  #built = new Map(); // page -> {key, sheet}
  #wanted = null; // {page, look}
  #work = Promise.resolve();
  #with;

  /* with: {detector(), document(): what is shown, describe(panel), clicked(s),
     zoomed(ends), zoom, loaded(page, sheet)} */
  constructor(withWhat) {
    this.#with = withWhat;
  }

  /* Show a page, and build its figures if need be. */
  show(page, look) {
    for (const section of document.querySelectorAll("main > section[data-page]"))
      section.hidden = section.dataset.page !== page;
    this.#wanted = { page, look };
    if (DRAWN_PAGES.includes(page)) this.#work = this.#work.then(() => this.#build(page, look));
  }

  async settled() {
    await this.#work;
  }

  /* The figures of a page, if they are there. */
  ready(page) {
    return this.#built.get(page)?.sheet ?? null;
  }

  forget() {
    for (const { sheet } of this.#built.values()) sheet?.forget();
  }

  async #build(page, look) {
    const key = JSON.stringify(look);
    const outdated = this.#wanted.page !== page || JSON.stringify(this.#wanted.look) !== key;
    if (outdated || this.#built.get(page)?.key === key) return;
    byId(page).dataset.loading = "";
    const sheet = new Sheet((series) => seriesLabel(series, this.#with.detector()));
    let layout;
    try {
      layout = await sheet.fetch(page, look);
    } catch (problem) {
      delete byId(page).dataset.loading;
      console.warn(`the figures of ${page} did not come:`, problem);
      return; // what is there stays; it is tried again with the next choice or connection
    }
    try {
      const section = byId(page);
      section.style.minHeight = `${section.offsetHeight}px`;
      this.#built.get(page)?.sheet?.dispose();
      this.#built.set(page, { key, sheet: null });
      clear(page);
      await sheet.build(
        layout,
        placer(page, this.#with.detector(), {
          find: (panel) => this.#of(sheet, panel),
          zoom: this.#with.zoom,
        }),
      );
      this.#built.set(page, { key, sheet });
      sheet.onTimeClick((s, byDay) => this.#with.clicked(s, byDay));
      sheet.onZoom((ends, byDay) => this.#with.zoomed(ends, byDay));
      this.#with.loaded(page, sheet);
      section.style.minHeight = "";
      delete section.dataset.loading;
    } catch (problem) {
      this.#built.delete(page);
      console.warn(`the figures of ${page} could not be built:`, problem);
    }
  }

  #of(sheet, panel) {
    const { view } = sheet.figure(panel.name);
    const [source] = panel.sources;
    const columns = Object.entries(sheet.whole(source, this.#with.document()));
    const lines = new Set(panel.series.map(({ name }) => name));
    const other = ([name]) =>
      MARKS.test(name) || (lines.size > 0 && !lines.has(name) && !BESIDE.includes(name));
    const shown = columns.filter((column) => !other(column));
    const named = shown.map(([name, values]) => [`${name}${unitOf(name, panel)}`, values]);
    return { view, columns: Object.fromEntries(named), what: this.#with.describe(panel) };
  }

  /* Hide what is not chosen: panels of chambers, lines of chambers, plots of trends. */
  select(page, chambers, show) {
    const sheet = this.ready(page);
    const off = (c) => c !== null && chambers !== null && !chambers.includes(c);
    const hidden = ({ plot, chamber }) =>
      off(chamber) || (page === "trends" && !show.includes(plot));
    sheet.hide(hidden);
    sheet.showSeries((name) => !off(chamberOf(name)));
    const section = byId(page);
    for (const item of section.querySelectorAll(".legend li")) {
      item.hidden = off(chamberOf(item.dataset.series));
    }
    if (page === "chambers") {
      const homes = section.querySelectorAll(".chamber");
      homes.forEach((home, c) => (home.hidden = off(c)));
      section.dataset.chambers = String([...homes].filter((home) => !home.hidden).length);
    }
    if (page === "trends") {
      for (const panel of section.querySelectorAll(".panel"))
        panel.hidden = !show.includes(panel.dataset.plot);
    }
  }

  /* time: {spanS, cursorS, zoom, marks} of the history, see sheet.js. */
  draw(page, document, context, trend, time) {
    const sheet = this.ready(page);
    sheet.show(document, context);
    const rates = sheet.showTrend(trend, time);
    sheet.speak();
    if (rates) updateLegends(byId(page), rates);
    if (page === "chambers") updateChambers(document);
  }
}

const BESIDE = ["time", "clock", "live_s"]; // of a history, beside its lines
const MARKS = /_(over|edge|hot)$/; // columns that only draw something

const UNITS = { time: "s", live_s: "s", x_mm: "mm", z_mm: "mm", left: "ns", right: "ns" };

/* The unit of a column as files name it: " [Hz]"; counts and numbers have none. */
function unitOf(name, { series }) {
  const unit = series.some((line) => line.name === name) || /_hz$/.test(name) ? "Hz" : UNITS[name];
  return unit ? ` [${unit}]` : "";
}
