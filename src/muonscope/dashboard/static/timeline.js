/* When verdicts turned: a row for the telescope, and one for each target that was ever wrong. */

import { byId, el, setText } from "./dom.js";
import { clock, timeOfDay } from "./format.js";
import { rank } from "./verdict.js";

const MOST_ROWS = 30;

/* Draw the turns of a problems document up to runS, the time in the run now. */
export function showTimeline({ turns }, runS) {
  const rows = new Map();
  for (const turn of turns) {
    const key = turn.check ? `${turn.check} \u00b7 ${turn.target}` : turn.target;
    if (!rows.has(key)) rows.set(key, []);
    rows.get(key).push(turn);
  }
  const begin = Math.min(runS, ...turns.map(({ since_s: s }) => s));
  const end = Math.max(runS, ...turns.map(({ since_s: s }) => s), begin + 1);
  const wrong = [...rows].filter(
    ([key, found]) => key === "telescope" || found.some(({ state }) => rank(state) > 1),
  );
  const latest = ([key, found]) => (key === "telescope" ? Infinity : found.at(-1).since_s);
  wrong.sort((a, b) => latest(b) - latest(a));
  byId("timeline-rows").replaceChildren(
    ...wrong.slice(0, MOST_ROWS).map(([key, found]) => row(key, found, begin, end)),
  );
  setText(
    byId("timeline-span"),
    turns.length ? `from ${clock(begin)} to ${clock(end)} in the run` : "nothing has turned yet",
  );
}

function row(key, turns, begin, end) {
  const parts = turns.map((turn, i) => {
    const until = turns[i + 1]?.since_s ?? end;
    const part = el("span", {
      class: "part",
      "data-verdict": turn.state,
      title: `${turn.state} since ${timeOfDay(turn.since_at)} (${clock(turn.since_s)} in the run)`,
    });
    part.style.left = `${(100 * (turn.since_s - begin)) / (end - begin)}%`;
    part.style.width = `${Math.max(0.15, (100 * (until - turn.since_s)) / (end - begin))}%`;
    return part;
  });
  const told = turns.map(({ state, since_at: at }) => `${state} since ${timeOfDay(at)}`);
  return el(
    "div",
    { class: "row" },
    el("span", { class: "name" }, key),
    el("span", { class: "strip", role: "img", "aria-label": `${key}: ${told.join(", ")}` }, ...parts),
  );
}
