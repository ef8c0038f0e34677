/* The page that tells within a second what the detector does, and whether it is well. */

import { DROPPED, RATE_S, RECENT_S } from "./constants.js";
import { byId, el, setText } from "./dom.js";
import { ago, clock, count, hertz } from "./format.js";
import { accountingTable, dropRows } from "./system.js";

const FACTS = [
  ["state", "State"],
  ["run", "Run"],
  ["time", "Detector time"],
  ["lag", "Lag"],
  ["rate", `Hit rate, ${RATE_S} s`],
  ["hits", "Hits"],
  ["scintillator", `Scintillator, ${RATE_S} s`],
  ["dropped", "Words not used"],
];
const VIEWS = { window: "newest window", recent: `last ${RECENT_S} s`, run: "run" };

/* Make what is not a plot; once. */
export function build() {
  const facts = FACTS.map(([name, label]) =>
    el(
      "div",
      { class: "fact", id: `fact-${name}` },
      el("span", { class: "label" }, label),
      el("strong", { class: "value" }, "\u2013"),
      el("span", { class: "more" }),
    ),
  );
  byId("facts").append(...facts);
  byId("overview-plots").append(
    el(
      "article",
      { class: "panel plot-accounting", id: "accounting" },
      el("div", {
        class: "scroll",
        tabindex: "0",
        role: "region",
        "aria-label": "Where the words of the run went",
      }),
    ),
  );
}

function fact(name, value, more = "") {
  const node = byId(`fact-${name}`);
  setText(node.querySelector(".value"), value);
  setText(node.querySelector(".more"), more);
  node.title = more;
}

/* state: {word, reason, kind} as the head of the page shows it. */
export function updateStatus(status, state) {
  fact("state", state.word, state.reason);
  byId("fact-state").dataset.state = state.kind;
  fact("run", status.run ?? "\u2013", status.source);
  fact(
    "time",
    clock(status.detector_s ?? NaN),
    status.windows === 1 ? "1 window" : `${count(status.windows)} windows`,
  );
  const lag = status.lag_s === null ? "\u2013" : ago(status.lag_s);
  fact("lag", lag, "later than at best in this run");
  const mean = status.rates ? `mean of the last ${RATE_S} s` : "no windows come";
  fact("rate", hertz(status.rates?.hits ?? NaN), mean);
  fact("scintillator", hertz(status.rates?.scintillator ?? NaN), mean);
  const kinds = DROPPED.map((kind) => [kind, status.accounting[kind]]);
  const dropped = kinds.reduce((sum, [, n]) => sum + n, 0);
  byId("fact-dropped").dataset.dropped = String(dropped > 0);
  fact(
    "dropped",
    count(dropped),
    dropped > 0
      ? kinds.map(([kind, n]) => `${count(n)} ${kind}`).join(", ")
      : "every word is used",
  );
  updateAccounting(status);
}

let accounted = "";

function updateAccounting(status) {
  const key = JSON.stringify([
    status.accounting,
    status.bytes,
    status.malformed,
    status.duplicates,
    status.other_runs,
  ]);
  if (key === accounted) return;
  accounted = key;
  byId("accounting")
    .querySelector(".scroll")
    .replaceChildren(accountingTable(status.accounting, dropRows(status)));
}

export function updateView(document) {
  fact("hits", count(document.hits), `${VIEWS[document.view]}, ${count(document.live_s)} s live`);
}
