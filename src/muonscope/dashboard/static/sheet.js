/* The figures of one page: declared by the server, drawn here, fed by name. */

import { byId, setText } from "./dom.js";
import {
  around,
  decadeBelow,
  Follower,
  greatest,
  leastAboveZero,
  logTicks,
  medianAboveZero,
  nice,
  withRoom,
} from "./scales.js";
import { levelsOf, tipsOf } from "./beside.js";
import { releasable, spare } from "./bokeh-patches.js";
import { nameMillions, nameTimes } from "./axis-numbers.js";
import { timeOfDay } from "./format.js";
import { chiSquare, constantOf, fill, smoothed } from "./tables.js";
import { spokenCounts, spokenRates } from "./spoken.js";
import { zoomable } from "./zoom.js";

const TEXT_SHARE = 0.25; // of an axis: numbers stand behind the ends of horizontal bars
const OVER_PLACE = 0.95; // of the axis: where a mark says that a bar goes beyond it
const AIR_SHARE = 0.05; // of a logarithmic axis, above the highest bar
const MOST_LABELS = 8; // of marks: more would cover one another
const SPEAK_MS = 3000; // between two descriptions in words
const SPANS_S = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 57_600];

export class Sheet {
  panels = [];
  colours = [];
  #documents = [];
  #managers = [];
  #sources = new Map(); // name -> {model, tags, fixed}, see plot_kit.py
  #figures = new Map(); // name of the panel -> {model, view, tags, follower}
  #release = () => {};
  #speaking = null; // a timer
  #spoken = false;
  #names;

  /* names(series) says what a line is called. */
  constructor(names) {
    this.#names = names;
  }

  /* Ask for the figures of a page. */
  async fetch(page, look) {
    const answer = await fetch(`layout/${page}?${new URLSearchParams(look)}`);
    if (!answer.ok) throw new Error(`layout of ${page}: ${answer.status}`);
    return answer.json();
  }

  /* Draw them; place(panel, colours) makes room for each. */
  async build({ docs, items, panels, colours }, place) {
    this.panels = panels;
    this.colours = colours;
    for (const panel of panels) place(panel, colours);
    const { built, release } = await releasable(() => Bokeh.embed.embed_items(docs, items));
    this.#managers = built;
    this.#release = release;
    this.#find();
  }

  #find() {
    const views = new Map();
    for (const manager of this.#managers)
      for (const view of manager.roots) views.set(view.model.id, view);
    for (const panel of this.panels) {
      const view = views.get(panel.figure);
      const model = view.model;
      const tags = model.tags[0] ?? {};
      const follower = new Follower(tags.scale?.least ?? 0);
      this.#figures.set(panel.name, { model, view, tags, follower, panel, hidden: false });
      this.#documents = [...new Set([...this.#documents, model.document])];
      spare(view);
      nameMillions(view.model);
      if (tags.along === "day") nameTimes(view.model);
      view.canvas_view.events_el.removeAttribute("tabindex"); // a picture takes no key
    }
    for (const document of this.#documents) {
      for (const model of document._all_models.values()) this.#note(model);
    }
  }

  #note(model) {
    const tags = model.tags?.[0] ?? {};
    if (model.type === "ColumnDataSource" && model.name) {
      const filled = new Set(tags.filled);
      const fixed = Object.fromEntries(
        Object.entries(columnsOf(model)).filter(([name]) => !filled.has(name)),
      );
      this.#sources.set(model.name, { model, tags, fixed });
    }
  }

  /* Draw a view document; context: see tables.js. Of hidden panels nothing is drawn. */
  show(document, context) {
    const wanted = new Set(this.#shown().flatMap(({ panel }) => panel.sources));
    for (const [name, { model, tags, fixed }] of this.#sources) {
      const table = document.tables[tags.table];
      if (!table || !wanted.has(name)) continue;
      const columns = fill(tags, fixed, table, context);
      const over = `${tags.layers}_over`; // set once the axis is known
      if (columns && tags.layers) columns[over] = columnsOf(model)[over];
      if (columns) renew(model, columns);
      if (columns && tags.reference) this.#tellDifference(name, columns, tags.reference[0], context);
    }
    this.#showLevels(context.reference);
    for (const figure of this.#shown()) {
      this.#fit(figure, document, context);
      markEdges(figure, document.edges);
    }
  }

  /* Say in words what each plot shows: soon, and not with every update. */
  speak() {
    this.#speaking ??= setTimeout(() => this.#describe(), this.#spoken ? SPEAK_MS : 0);
  }

  #describe() {
    this.#speaking = null;
    this.#spoken = true;
    for (const { panel, tags } of this.#shown()) {
      const columns = this.data(panel.sources[0]);
      const text = this.#isTrend(panel)
        ? spokenRates(panel.series.map(({ name }) => [this.#names(name), columns[name]?.at(-1)]))
        : spokenCounts(columns, tags.scale?.columns[0]);
      const plot = byId(panel.element);
      plot.setAttribute("aria-label", `${plot.dataset.label}: ${text}`);
    }
  }

  /* Write into the head of the first panel of a source how far it is from the reference. */
  #tellDifference(name, columns, column, context) {
    const found = chiSquare(columns, column, context);
    const { panel } = this.#shown().find(({ panel: { sources } }) => sources[0] === name) ?? {};
    if (!panel) return; // a panel that draws it besides something else
    const told = byId(panel.element).parentElement.querySelector(".chi");
    setText(told, found ? `\u03c7\u00b2/n ${found.sum.toFixed(0)}/${found.n}` : "");
  }

  /* The rates of the reference, where lines are drawn for them. */
  #showLevels(reference) {
    for (const { model, tags } of this.#sources.values())
      if (tags.levels) renew(model, levelsOf(tags.levels, reference));
  }

  /* Draw the history: the last spanS, or less where the run is younger, or the stretch zoom, s in
     the run. Return the rates. */
  showTrend(trend, { spanS, cursorS, zoom, marks }) {
    const figures = this.#shown().filter(({ panel }) => this.#isTrend(panel));
    if (figures.length === 0) return null;
    const covered = trend.length ? trend.end - trend.columns.run_s[0] : 0;
    const fits = Math.min(spanS, SPANS_S.find((s) => s >= covered) ?? spanS);
    const span = zoom ? zoom[1] - zoom[0] : fits;
    const latest = covered > spanS ? trend.end - spanS : (trend.columns.run_s[0] ?? 0);
    const start = zoom ? zoom[0] : latest;
    const names = new Set(figures.flatMap(({ panel }) => panel.sources));
    const sources = [...names]
      .map((name) => this.#sources.get(name))
      .filter(({ tags }) => tags.table === "trend");
    const constants = figures.flatMap(({ tags }) => tags.constants ?? []);
    const drawn = new Set(figures.flatMap(({ tags }) => tags.scale?.columns ?? []));
    for (const { sum, weight } of constants) drawn.add(sum).add(weight);
    const counters = new Set(sources.flatMap(({ tags }) => tags.rates));
    const rates = trend.rates(
      [...counters].filter((name) => drawn.has(name)),
      span,
      zoom?.[1],
    );
    const byDay = figures[0].tags.along === "day";
    rates.x = byDay ? rates.at : rates.time;
    rates.clock = rates.at.map((at) => timeOfDay(at));
    if (rates.scintillator) Object.assign(rates, smoothed(rates, "scintillator"));
    for (const told of constants) Object.assign(rates, constantOf(rates, told));
    const days = zoom ? zoom.map((s) => trend.clockAt(s)) : limits(rates.at, spanS);
    const [from, to] = byDay ? days : [start, start + span];
    this.#mark([...trend.marks(), ...marks], byDay);
    this.#showTips(rates, figures);
    const unused = rates.time.map(() => NaN);
    for (const { model, tags } of sources) {
      model.data = Object.fromEntries(tags.filled.map((column) => [column, rates[column] ?? unused]));
    }
    for (const figure of figures) {
      setRange(figure.model.x_range, from, to);
      const told = figure.tags.constants ?? [];
      const ends = around(told.flatMap(({ name: n, base }) => [rates[`${n}_low`], rates[`${n}_high`], base]));
      if (told.length && ends) setRange(figure.model.y_range, ...ends);
      this.#fit(figure, null, {});
      const cursor = figure.model.center.find((model) => model.name === "cursor");
      const place = byDay ? trend.clockAt(cursorS ?? 0) : (cursorS ?? 0);
      cursor?.setv({ visible: cursorS !== null && Number.isFinite(place), location: place });
    }
    return rates;
  }

  /* What stands at the ends of lines that are seen. */
  #showTips(rates, figures) {
    const seen = new Set(
      figures.flatMap(({ model }) => model.renderers.filter((r) => r.visible).map((r) => r.name)),
    );
    for (const { model, tags } of this.#sources.values())
      if (tags.tips) renew(model, tipsOf(tags.tips, rates, seen));
  }

  /* Rates that are expected: [{y0, y1, colour}]. */
  showBands(bands) {
    const source = this.#sources.get("bands");
    if (!source) return;
    const columns = { y0: [], y1: [], colour: [] };
    for (const band of bands)
      for (const [name, values] of Object.entries(columns)) values.push(band[name]);
    renew(source.model, columns);
  }

  /* Lines where something began. */
  #mark(marks, byDay) {
    const source = this.#sources.get("marks");
    if (!source) return;
    const columns = {
      x: marks.map(({ run_s: s, at }) => (byDay ? at : s)),
      text: marks.map(({ text }) => text),
      label: marks.map(({ text }) => (marks.length > MOST_LABELS ? "" : text)),
    };
    renew(source.model, columns);
  }

  /* Show or hide a panel's lines by name. */
  showSeries(visible) {
    for (const { model } of this.#figures.values()) {
      for (const renderer of model.renderers) {
        if (renderer.name) renderer.visible = visible(renderer.name);
      }
    }
  }

  /* Panels that are not shown cost nothing. */
  hide(hidden) {
    for (const figure of this.#figures.values()) figure.hidden = hidden(figure.panel);
  }

  /* Something else is shown from now on: axes fit at once. */
  forget() {
    for (const { follower } of this.#figures.values()) follower.forget();
  }

  /* Call back with the time where the history was clicked, s in the run, or s since 1970 and
     true. */
  onTimeClick(call) {
    for (const { model, tags } of this.#figures.values()) {
      if (["run", "day"].includes(tags.along))
        model.on_event("tap", (event) => call(event.x, tags.along === "day"));
    }
  }

  /* Call back with the stretch of the history that was chosen, as onTimeClick does. */
  onZoom(call) {
    for (const { view, tags, panel } of this.#figures.values()) {
      if (!["run", "day"].includes(tags.along)) continue;
      const byDay = tags.along === "day";
      zoomable(view, byId(panel.element), (ends) => call(ends, byDay));
    }
  }

  /* All columns of a source, also those of which only a part is drawn. */
  whole(name, document) {
    const { model, tags } = this.#sources.get(name);
    return tags.bars ? { ...document.tables[tags.table] } : columnsOf(model);
  }

  figure(name) {
    return this.#figures.get(name);
  }

  /* The columns of a source. */
  data(name) {
    const model = this.#sources.get(name)?.model;
    return model ? columnsOf(model) : null;
  }

  dispose() {
    clearTimeout(this.#speaking);
    this.#release();
    for (const document of this.#documents) {
      document.clear();
      const i = Bokeh.documents.indexOf(document);
      if (i >= 0) Bokeh.documents.splice(i, 1);
    }
    for (const manager of this.#managers) manager.clear();
    this.#figures.clear();
    this.#sources.clear();
  }

  /* Let the scale of colours end at the greatest value. */
  #shade(model, { sources, element, empty }, { columns: [column] }) {
    const high = greatest([this.data(sources[0])[column]]);
    const { transform } = model.renderers[0].glyph.fill_color;
    if (high > 0 && transform.high !== high) transform.high = high;
    if (empty) byId(element).parentElement.querySelector(".nothing").hidden = high > 0;
  }

  #isTrend({ sources }) {
    return this.#sources.get(sources[0]).tags.table === "trend";
  }

  #shown() {
    return [...this.#figures.values()].filter(({ hidden }) => !hidden);
  }

  #fit({ model, tags, follower, panel }, document, { unit, live }) {
    if (tags.along === "window" && document) fitWindow(model.x_range, document);
    if (tags.shades && document) this.#shade(model, panel, tags.shades);
    if (!tags.scale) return;
    const { columns, log, axis, robust } = tags.scale;
    const source = this.#sources.get(panel.sources[0]).model;
    const data = columnsOf(source);
    const visible = columns.filter((name) =>
      model.renderers.every((r) => r.name !== name || r.visible),
    );
    const values = visible.flatMap((name) => [data[name], data[`${name}_ref`]]).filter(Boolean);
    const highest = greatest(values);
    const most = robust ? Math.min(highest, robust * medianAboveZero(values[0])) : highest;
    if (panel.empty) byId(panel.element).parentElement.querySelector(".nothing").hidden = highest > 0;
    const line = this.#isTrend(panel);
    const least = log && !line ? 0.5 * (unit === "hz" && live > 0 ? decadeBelow(1 / live) : 1) : 0;
    const room = axis === "x" ? TEXT_SHARE : least ? AIR_SHARE : 0;
    const high = follower.follow(withRoom(most, least, room));
    const low = log && line ? lowRate(values, high) : least;
    const top = Math.max(high, 10 * low);
    setRange(axis === "x" ? model.x_range : model.y_range, low, top);
    if (log) setTicks(axis === "x" ? model.below[0] : model.left[0], logTicks(low, top));
    if (robust) markBeyond(source, columns[0], high);
  }
}

const columnsOf = ({ data }) => (data instanceof Map ? Object.fromEntries(data) : data);

/* Where a drift box begins and ends. */
function markEdges({ model, panel }, edges) {
  for (const span of model.center) {
    if (!["rising", "falling"].includes(span.name)) continue;
    const at = edges?.[panel.chamber]?.[`${span.name}_ns`] ?? null;
    span.setv({ visible: at !== null, location: at ?? 0 });
  }
}

/* Mark the bars that go beyond their axis. */
function markBeyond(source, column, high) {
  const data = columnsOf(source);
  const over = data[column].map((value) => (value > high ? OVER_PLACE * high : NaN));
  const marked = { [`${column}_over`]: over };
  if (!sameColumns(marked, data)) source.data = { ...data, ...marked };
}

/* What has not changed is not painted again. */
function renew(model, columns) {
  if (!sameColumns(columns, columnsOf(model))) model.data = columns;
}

function sameColumns(some, others) {
  return Object.entries(some).every(([name, values]) => {
    const other = others[name];
    return (
      values === other ||
      (values.length === other?.length && values.every((value, i) => Object.is(value, other[i])))
    );
  });
}

function lowRate(values, high) {
  const least = leastAboveZero(values);
  return least ? Math.min(decadeBelow(least), nice(high) / 10) : high / 1000;
}

/* Windows differ by an orbit; their axis does not move for that. */
function fitWindow(range, { start_s: start, end_s: end }) {
  const length = end - start;
  if (Math.abs(range.end - length) > length / 1000) range.setv({ start: 0, end: length });
}

function setRange(range, start, end) {
  if (range.start !== start || range.end !== end) range.setv({ start, end });
}

function setTicks({ ticker }, ticks) {
  if (ticks.join() !== ticker.ticks.join()) ticker.ticks = ticks;
}

/* The axis of the last times, where all that there is fits into it from its beginning on. */
function limits(times, longest) {
  const known = times.filter(Number.isFinite);
  const [first, last] = [known[0] ?? 0, known.at(-1) ?? 0];
  const shown = Math.min(longest, SPANS_S.find((s) => s >= last - first) ?? longest);
  const start = Math.max(first, last - shown);
  return [start, start + shown];
}
