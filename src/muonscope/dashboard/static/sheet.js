/* The figures of one page: declared by the server, drawn here, fed by name. */

import { byId } from "./dom.js";
import {
  decadeBelow,
  Follower,
  greatest,
  leastAboveZero,
  medianAboveZero,
  nice,
  withRoom,
} from "./scales.js";
import { releasable, spare } from "./bokeh-patches.js";
import { fill } from "./tables.js";

const MAP_SCALE = 2; // the top of a colour scale, in medians of the cells that have hits
const TEXT_SHARE = 0.25; // of an axis: numbers stand behind the ends of horizontal bars
const AIR_SHARE = 0.05; // of a logarithmic axis, above the highest bar
const SPANS_S = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 28_800, 57_600];

export class Sheet {
  panels = [];
  colours = [];
  #documents = [];
  #managers = [];
  #sources = new Map(); // name -> {model, tags, fixed}, see plot_kit.py
  #figures = new Map(); // name of the panel -> {model, view, tags, follower}
  #mappers = [];
  #release = () => {};

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
    } else if (/ColorMapper$/.test(model.type) && tags.source) {
      this.#mappers.push({ model, tags, follower: new Follower() });
    }
  }

  /* Draw a view document; context: see tables.js. Of hidden panels nothing is drawn. */
  show(document, context) {
    const wanted = new Set(this.#shown().flatMap(({ panel }) => panel.sources));
    for (const [name, { model, tags, fixed }] of this.#sources) {
      const table = document.tables[tags.table];
      if (!table || !wanted.has(name)) continue;
      const columns = fill(tags, fixed, table, context);
      if (columns && !sameColumns(columns, columnsOf(model))) model.data = columns;
    }
    for (const figure of this.#shown()) this.#fit(figure, document, context);
    for (const mapper of this.#mappers) if (wanted.has(mapper.tags.source)) this.#colour(mapper);
  }

  /* Draw the history: the last spanS, or less where the run is younger. Return the rates. */
  showTrend(trend, spanS, cursorS) {
    const figures = this.#shown().filter(({ panel }) => this.#isTrend(panel));
    if (figures.length === 0) return null;
    const covered = trend.length ? trend.end - trend.columns.run_s[0] : 0;
    const span = Math.min(spanS, SPANS_S.find((s) => s >= covered) ?? spanS);
    const start = covered > spanS ? trend.end - spanS : (trend.columns.run_s[0] ?? 0);
    const names = new Set(figures.flatMap(({ panel }) => panel.sources));
    const sources = [...names]
      .map((name) => this.#sources.get(name))
      .filter(({ tags }) => tags.table === "trend");
    const drawn = new Set(figures.flatMap(({ tags }) => tags.scale?.columns ?? []));
    const counters = new Set(sources.flatMap(({ tags }) => tags.rates));
    const rates = trend.rates(
      [...counters].filter((name) => drawn.has(name)),
      span,
    );
    const unused = rates.time.map(() => NaN);
    for (const { model, tags } of sources) {
      model.data = Object.fromEntries(tags.filled.map((column) => [column, rates[column] ?? unused]));
    }
    for (const figure of figures) {
      setRange(figure.model.x_range, start, start + span);
      this.#fit(figure, null, {});
      const cursor = figure.model.center.find((model) => model.name === "cursor");
      cursor?.setv({ visible: cursorS !== null, location: cursorS ?? 0 });
    }
    return rates;
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
    for (const { follower } of this.#mappers) follower.forget();
  }

  /* Call back with the time in the run where the history was clicked, s. */
  onTimeClick(call) {
    for (const { model, tags } of this.#figures.values()) {
      if (tags.along === "run") model.on_event("tap", (event) => call(event.x));
    }
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
    this.#release();
    for (const document of this.#documents) {
      document.clear();
      const i = Bokeh.documents.indexOf(document);
      if (i >= 0) Bokeh.documents.splice(i, 1);
    }
    for (const manager of this.#managers) manager.clear();
    this.#figures.clear();
    this.#sources.clear();
    this.#mappers = [];
  }

  #isTrend({ sources }) {
    return this.#sources.get(sources[0]).tags.table === "trend";
  }

  #shown() {
    return [...this.#figures.values()].filter(({ hidden }) => !hidden);
  }

  #fit({ model, tags, follower, panel }, document, { unit, live }) {
    if (tags.along === "window" && document) fitWindow(model.x_range, document);
    if (!tags.scale) return;
    const { columns, log, axis } = tags.scale;
    const data = columnsOf(this.#sources.get(panel.sources[0]).model);
    const visible = columns.filter((name) =>
      model.renderers.every((r) => r.name !== name || r.visible),
    );
    const values = visible.flatMap((name) => [data[name], data[`${name}_ref`]]).filter(Boolean);
    const most = greatest(values);
    if (panel.empty) byId(panel.element).parentElement.querySelector(".nothing").hidden = most > 0;
    const line = this.#isTrend(panel);
    const least = log && !line ? 0.5 * (unit === "hz" && live > 0 ? decadeBelow(1 / live) : 1) : 0;
    const room = axis === "x" ? TEXT_SHARE : least ? AIR_SHARE : 0;
    const high = follower.follow(withRoom(most, least, room));
    const low = log && line ? lowRate(values, high) : least;
    setRange(axis === "x" ? model.x_range : model.y_range, low, Math.max(high, 10 * low));
  }

  #colour({ model, tags, follower }) {
    const values = columnsOf(this.#sources.get(tags.source).model)[tags.column];
    const high = follower.follow(MAP_SCALE * medianAboveZero(values));
    const least = leastAboveZero([values]) || high / 10;
    const low = tags.log ? Math.min(decadeBelow(least), high / 10) : 1e-9;
    const top = Math.max(high, low);
    if (model.low !== low || model.high !== top) model.setv({ low, high: top });
  }
}

const columnsOf = ({ data }) => (data instanceof Map ? Object.fromEntries(data) : data);

/* What has not changed is not painted again. */
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

/* The numbers of Bokeh say m for a million, which physicists read as a thousandth. */
function nameMillions({ left, right, below }) {
  for (const { formatter } of [...left, ...right, ...below]) {
    if (formatter?.type !== "NumeralTickFormatter") continue;
    const { doFormat } = formatter;
    formatter.doFormat = (...args) =>
      doFormat.apply(formatter, args).map((text) => text.replace("m", "M"));
  }
}
