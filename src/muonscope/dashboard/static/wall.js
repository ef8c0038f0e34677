/* A screen on the wall: everything larger, no controls, and pages that take turns. */

import { SCALES } from "./constants.js";
import { byId } from "./dom.js";

const DESK_PX = 1920; // width of a screen whose texts have their own size
const PAGES = ["overview", "chambers", "problems"]; // take turns; the last one if there are any

export class Wall {
  #choices;
  #timer = null;
  #every = 0;

  constructor(choices) {
    this.#choices = choices;
    byId("wall").addEventListener("click", () => this.#toggle());
    addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && choices.now.wall && !document.querySelector("dialog[open]"))
        choices.set({ wall: null });
    });
    document.addEventListener("fullscreenchange", () => {
      if (!document.fullscreenElement && choices.now.wall) choices.set({ wall: null });
    });
  }

  #toggle() {
    const { wall } = this.#choices.now;
    this.#choices.set({ wall: wall ? null : 30 });
    const changed = wall ? document.exitFullscreen?.() : document.documentElement.requestFullscreen?.();
    changed?.catch(() => {}); // then it is as large as the window
  }

  /* Show what is chosen: wall is the time that a page stays, s, or null. */
  show({ wall }) {
    const { style, dataset } = document.documentElement;
    if (wall) dataset.wall = "";
    else delete dataset.wall;
    style.setProperty("--scale", String(scaleOf(wall)));
    byId("wall").setAttribute("aria-pressed", String(Boolean(wall)));
    if (wall === this.#every) return;
    this.#every = wall;
    clearInterval(this.#timer);
    if (wall) this.#timer = setInterval(() => this.#turn(), wall * 1000);
  }

  #turn() {
    const { page } = this.#choices.now;
    const pages = PAGES.filter((name) => name !== "problems" || !byId("problem-count").hidden);
    const next = pages[(pages.indexOf(page) + 1) % pages.length];
    this.#choices.set({ page: next }, { remember: false });
  }
}

/* How much larger all is: texts keep their share of the screen's width. */
export function scaleOf(wall, width = innerWidth) {
  return wall ? SCALES.findLast((scale) => scale <= Math.max(1, width / DESK_PX)) : 1;
}
