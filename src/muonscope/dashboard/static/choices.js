/* What the viewer has chosen, kept in the fragment of the address: #page=chambers&view=run&... */

import {
  DEFAULT_LAST_S,
  DRAWN_PAGES,
  LONGEST_LAST_S,
  MOST_DIGITS,
  THEMES,
  UNITS,
  VIEWS,
} from "./constants.js";

const AT = new RegExp(`^(\\d{1,${MOST_DIGITS}})\\.(\\d{1,${MOST_DIGITS}})(?:\\.(.+))?$`, "s");
const DEFAULTS = {
  page: "overview",
  view: "recent",
  unit: "counts",
  log: false,
  chambers: null, // numbers, or null for all
  at: null, // {epoch, window, run}: paused there; an address need not name the run
  theme: "auto",
  reference: false,
  show: ["trend_hits", "trend_scintillator"], // plots of the trends page
  span: DEFAULT_LAST_S, // s of history on the trends page
};
const READERS = {
  page: oneOf(...DRAWN_PAGES, "system"),
  view: oneOf(...VIEWS),
  unit: oneOf(...UNITS),
  log: (text) => text === "1",
  reference: (text) => text === "1",
  theme: oneOf("auto", ...THEMES),
  chambers: (text) => (/^\d+(,\d+)*$/.test(text) ? text.split(",").map(Number) : undefined),
  at: (text) => {
    const found = AT.exec(text);
    if (!found) return undefined;
    return { epoch: Number(found[1]), window: Number(found[2]), run: found[3] ?? null };
  },
  show: (text) => (/^[\w,]*$/.test(text) ? text.split(",").filter(Boolean) : undefined),
  span: (text) => (/^[1-9]\d{1,6}$/.test(text) ? Math.min(Number(text), LONGEST_LAST_S) : undefined),
};
const WRITERS = {
  log: (value) => (value ? "1" : "0"),
  reference: (value) => (value ? "1" : "0"),
  at: ({ epoch, window, run }) => [epoch, window, ...(run ? [run] : [])].join("."),
};

function oneOf(...known) {
  return (text) => (known.includes(text) ? text : undefined);
}

/* What is not known in an address is left at its default. */
export function parse(fragment) {
  const choices = { ...DEFAULTS };
  for (const [name, text] of new URLSearchParams(fragment.replace(/^#/, ""))) {
    const value = Object.hasOwn(READERS, name) ? READERS[name](text) : undefined;
    if (value !== undefined) choices[name] = value;
  }
  return choices;
}

export function write(choices) {
  const query = new URLSearchParams({ page: choices.page });
  for (const [name, value] of Object.entries(choices)) {
    if (name === "page" || value === null || String(value) === String(DEFAULTS[name])) continue;
    query.set(name, name in WRITERS ? WRITERS[name](value) : String(value));
  }
  return `#${query.toString().replaceAll("%2C", ",")}`;
}

/* The choices of this page, and who is told when they change. */
export class Choices {
  #listeners = [];

  constructor() {
    this.now = parse(location.hash);
    addEventListener("hashchange", () => this.#become(parse(location.hash)));
  }

  onChange(listener) {
    this.#listeners.push(listener);
  }

  /* Choose; going to another page can be undone with the browser's back button. */
  set(changes) {
    const next = { ...this.now, ...changes };
    const fragment = write(next);
    if (fragment !== location.hash) {
      const call = next.page === this.now.page ? "replaceState" : "pushState";
      history[call](null, "", fragment);
    }
    this.#become(next);
  }

  #become(next) {
    const before = this.now;
    if (write(before) === write(next)) return;
    this.now = next;
    for (const listener of this.#listeners) listener(next, before);
  }
}
