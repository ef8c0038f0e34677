/* A stretch of the history: chosen by dragging over a plot (with Shift it moves), by Ctrl and the
   wheel, or with buttons. */

import { DEFAULT_LAST_S } from "./constants.js";
import { el } from "./dom.js";

const LEAST_PX = 8; // a shorter drag is a click
const LEAST_S = 5;
const WHEEL_STEP = 1.25;

const BUTTONS = [
  ["\u2039", "Earlier", 1, -0.5],
  ["\u2212", "Zoom out", 2, 0],
  ["+", "Zoom in", 0.5, 0],
  ["\u203a", "Later", 1, 0.5],
];

/* Buttons for a panel. Those that only make sense within a stretch are there while there is one. */
export function zoomButtons(label, zoom) {
  const made = BUTTONS.map(([text, name, factor, moved]) => {
    const button = el("button", { type: "button", class: "quiet", title: name, "aria-label": `${name}, ${label}` }, text);
    button.addEventListener("click", () => zoom.by(factor, moved));
    button.dataset.within = String(moved !== 0);
    return button;
  });
  const follow = el("button", { type: "button", class: "quiet", title: "Show the newest (Escape)", "aria-label": `Newest, ${label}` }, "Newest");
  follow.addEventListener("click", () => zoom.newest());
  follow.dataset.within = "true";
  return el("div", { class: "zoom", role: "group", "aria-label": `Stretch of ${label}` }, ...made, follow);
}

/* Which stretch is shown; Escape ends it, where it ends nothing else. */
export class Zoom {
  #choices;
  #trend;

  constructor(choices, trend) {
    this.#choices = choices;
    this.#trend = trend;
    addEventListener(
      "keydown",
      ({ key }) => {
        const busy = document.querySelector("dialog[open], details[open]");
        if (key === "Escape" && !busy && choices.now.zoom) this.newest();
      },
      { capture: true },
    );
  }

  /* Show [from, to], s in the run. */
  show(ends) {
    this.#choices.set({ zoom: bounded(ends, [this.#begin, this.#trend.end]) });
  }

  /* Make what is shown longer by a factor, or move it by a share of its length. */
  by(factor, moved) {
    const { page, span, zoom } = this.#choices.now;
    const spanS = page === "trends" ? span : DEFAULT_LAST_S;
    const { end } = this.#trend;
    const [from, to] = zoom ?? [Math.max(this.#begin, end - spanS), end];
    const by = moved * (to - from);
    this.show(scaled([from + by, to + by], factor));
  }

  newest() {
    this.#choices.set({ zoom: null });
  }

  get #begin() {
    return this.#trend.columns.run_s[0] ?? 0;
  }
}

/* Show the buttons that make sense. */
export function showZoom(zoom) {
  for (const button of document.querySelectorAll(".zoom [data-within=true]")) button.hidden = !zoom;
}

/* Let a figure, which fills the element home, choose: changed([from, to]) in units of its axis. */
export function zoomable(view, home, changed) {
  const { events_el: ground } = view.canvas_view;
  const band = el("div", { class: "band", hidden: true });
  home.append(band);
  const place = ({ clientX }) => {
    const { left, right } = view.frame.bbox;
    return Math.min(Math.max(clientX - ground.getBoundingClientRect().left, left), right);
  };
  const inside = (event) => {
    const { left, top, bottom } = view.frame.bbox;
    const at = event.clientY - ground.getBoundingClientRect().top;
    return place(event) > left && at > top && at < bottom;
  };
  const time = (px) => view.frame.x_scale.invert(px);
  let drag = null;
  ground.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0 || !inside(event)) return;
    const { start, end } = view.model.x_range;
    drag = { from: place(event), start, end, pans: event.shiftKey, moved: false };
    ground.setPointerCapture(event.pointerId);
  });
  ground.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const at = place(event);
    drag.moved ||= Math.abs(at - drag.from) >= LEAST_PX;
    if (!drag.moved) return;
    if (drag.pans) {
      const { left, right } = view.frame.bbox;
      const by = ((drag.from - at) / (right - left)) * (drag.end - drag.start);
      changed([drag.start + by, drag.end + by]);
      return;
    }
    const { top, height } = view.frame.bbox;
    const [left, width] = [Math.min(at, drag.from), Math.abs(at - drag.from)];
    Object.assign(band.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    band.hidden = false;
  });
  const finish = (event) => {
    const { from, moved, pans } = drag ?? {};
    band.hidden = true;
    drag = null;
    if (!moved || pans || event.type === "pointercancel") return;
    const ends = [time(from), time(place(event))];
    changed([Math.min(...ends), Math.max(...ends)]);
  };
  ground.addEventListener("pointerup", finish);
  ground.addEventListener("pointercancel", finish);
  ground.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey || !inside(event)) return;
      event.preventDefault(); // else the browser zooms the page
      const { start, end } = view.model.x_range;
      changed(scaled([start, end], event.deltaY < 0 ? 1 / WHEEL_STEP : WHEEL_STEP, time(place(event))));
    },
    { passive: false },
  );
}

/* A stretch that is longer by a factor, around a time; by default its middle. */
export function scaled([from, to], factor, around = (from + to) / 2) {
  return [around - (around - from) * factor, around + (to - around) * factor];
}

/* The stretch within what there is, [first, last], and not too short; null where it is all of it. */
export function bounded([from, to], [first, last]) {
  const length = Math.max(to - from, LEAST_S);
  if (length >= last - first) return null;
  const start = Math.min(Math.max(from, first), last - length);
  return [start, start + length].map((s) => Math.round(s * 10) / 10);
}
