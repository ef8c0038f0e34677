/* What the viewer has chosen, kept in the fragment of the address: #page=chambers&view=run&... */

import {
  CLOCKS,
  DEFAULT_LAST_S,
  DRAWN_PAGES,
  LONGEST_LAST_S,
  MOST_DIGITS,
  THEMES,
  UNITS,
  VIEWS,
} from "./constants.js";

/* Where the theme is kept that was chosen last in this browser; theme.js, no module, reads it, too. */
export const THEME = "muonscope-theme";

const AT = new RegExp(`^(\\d{1,${MOST_DIGITS}})\\.(\\d{1,${MOST_DIGITS}})(?:\\.(.+))?$`, "s");
const DEFAULTS = {
  page: "overview",
  view: "recent",
  unit: "counts",
  log: false,
  clock: "run", // time on the axes of the history
  chambers: null, // numbers, or null for all
  at: null, // {epoch, window, run}: paused there; an address need not name the run
  theme: "auto",
  reference: false,
  show: ["trend_hits", "trend_scintillator"], // plots of the trends page
  span: DEFAULT_LAST_S, // s of history on the trends page
  wall: null, // s that a page stays on a screen on the wall, or null: no such screen
  zoom: null, // [from, to] of the history, s in the run, or null for the newest
};
const ZOOM = /^(\d{1,9}(?:\.\d)?)-(\d{1,9}(?:\.\d)?)$/;

const READERS = {
  page: oneOf(...DRAWN_PAGES, "problems", "system"),
  view: oneOf(...VIEWS),
  unit: oneOf(...UNITS),
  clock: oneOf(...CLOCKS),
  log: (text) => text === "1",
  reference: (text) => text === "1",
  theme: oneOf("auto", ...THEMES),
  chambers: (text) => (/^\d+(,\d+)*$/.test(text) ? text.split(",").map(Number) : undefined),
  at: (text) => {
    const found = AT.exec(text);
    if (!found) return undefined;
    return { epoch: Number(found[1]), window: Number(found[2]), run: found[3] ?? null };
  },
  wall: (text) => (/^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined),
  zoom: (text) => {
    const ends = ZOOM.exec(text)?.slice(1).map(Number);
    return ends && ends[0] < ends[1] ? ends : undefined;
  },
  show: (text) => (/^[\w,]*$/.test(text) ? text.split(",").filter(Boolean) : undefined),
  span: (text) => (/^[1-9]\d{1,6}$/.test(text) ? Math.min(Number(text), LONGEST_LAST_S) : undefined),
};
const WRITERS = {
  log: (value) => (value ? "1" : "0"),
  reference: (value) => (value ? "1" : "0"),
  zoom: (ends) => ends.join("-"),
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

  /* Choose; going to another page can be undone with the browser's back button, if it is to be
     remembered. */
  set(changes, { remember = true } = {}) {
    const next = { ...this.now, ...changes };
    const fragment = write(next);
    if (fragment !== location.hash) {
      const call = next.page === this.now.page || !remember ? "replaceState" : "pushState";
      history[call](null, "", fragment);
    }
    this.#become(next);
  }

  /* Chambers that the detector does not have are no choice. */
  bound(chambers) {
    const wanted = this.now.chambers?.filter((c) => c < chambers) ?? [];
    const all = wanted.length === 0 || wanted.length === chambers;
    if (this.now.chambers) this.set({ chambers: all ? null : wanted });
  }

  #become(next) {
    const before = this.now;
    if (write(before) === write(next)) return;
    this.now = next;
    for (const listener of this.#listeners) listener(next, before);
  }
}
