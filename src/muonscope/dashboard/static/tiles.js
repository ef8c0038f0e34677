/* Chambers at a glance: verdict, rate beside what is expected, cells, edges of the drift box. */

import { byId, el, setText } from "./dom.js";
import { figures, hertz } from "./format.js";

const SILENT = new Set(["waiting", "stale"]); // no window comes: what was judged is not of now

/* Draw a tile for each chamber. detector, and what the server told: problems (document), status,
   view (document); each of the three may be null still. */
export function showTiles(detector, problems, status, view) {
  const home = byId("tiles");
  if (home.childElementCount !== detector.chambers.length)
    home.replaceChildren(...detector.chambers.map(tile));
  detector.chambers.forEach((_, c) => {
    const node = home.children[c];
    const judged = problems?.chambers[c];
    const state = SILENT.has(status?.state) ? "NO DATA" : (judged?.state ?? "NO DATA");
    const mean = view ? view.tables.chambers.hits[c] / view.live_s : NaN;
    const rate = status?.rates?.chambers[c] ?? mean;
    node.dataset.verdict = state;
    const say = (name, text) => setText(node.querySelector(`.${name}`), text);
    say("word", judged?.problems > 1 && state === judged.state ? `${state} (${judged.problems})` : state);
    say("rate", hertz(rate));
    say("band", bandText(judged?.band, rate));
    say("cells", judged ? `${judged.dead} dead, ${judged.noisy} noisy cells` : "");
    say("box", edgesText(view?.edges?.[c]));
  });
}

function tile({ label }, c) {
  const part = (name) => el("span", { class: name });
  return el(
    "a",
    { class: "tile", href: `#page=chambers&chambers=${c}` },
    el("span", { class: "label" }, label),
    el("strong", { class: "word" }),
    part("rate"),
    part("band"),
    part("cells"),
    part("box"),
  );
}

function bandText(band, rate) {
  if (!band) return "no reference";
  const usual = `${figures(band.low)}\u2013${figures(band.high)}`;
  if (rate < band.low) return `too low, not ${usual}`;
  return rate > band.high ? `too high, not ${usual}` : `expected ${usual}`;
}

/* -2.1 +- 0.9 to 371 +- 2 ns, or what is missing. */
export function edgesText(edges) {
  if (!edges) return "";
  const { rising_ns: from, rising_error_ns: fromError, falling_ns: to, falling_error_ns: toError } = edges;
  if (from === null && to === null) return "too few drift times for edges";
  return `box ${edge(from, fromError)} to ${edge(to, toError)} ns`;
}

/* To the tenth of a nanosecond only where the error is less than one. */
function edge(at, error) {
  if (at === null) return "?";
  const digits = error < 1 ? 1 : 0;
  return `${at.toFixed(digits).replace("-", "\u2212")} \u00b1 ${error.toFixed(digits)}`;
}
