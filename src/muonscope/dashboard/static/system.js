/* The page of the machinery: everything that the status says, as tables. */

import { DROPPED } from "./constants.js";
import { el, table } from "./dom.js";
import { ago, clock, count, figures, hertz, percent } from "./format.js";

const MEANINGS = {
  words_in: "words that came in",
  hits: "on cells",
  scintillator: "of the scintillator",
  trigger: "of the firmware's trigger",
  ancillary: "of other kinds",
  unmapped: "on channels that the detector does not know",
  invalid: "damaged: unknown head or impossible time",
  late: "came after their window had closed",
};

/* Where the words went; what was dropped is marked, in words too. */
export function accountingTable(account, extra = []) {
  const rows = Object.entries(account).map(([name, n]) => {
    const dropped = DROPPED.includes(name) && n > 0;
    const share = name === "words_in" ? "" : percent(n, account.words_in);
    return [
      [name.replace("_", " "), DROPPED.includes(name) ? "drop" : ""],
      [count(n), dropped ? "number dropped" : "number"],
      [share, "number"],
      dropped ? [`dropped: ${MEANINGS[name]}`, "dropped"] : [MEANINGS[name] ?? "", "meaning"],
    ];
  });
  const head = ["words", ["number", "number"], ["share", "number"], ["meaning", "meaning"]];
  return table("Where the words of the run went", head, [...rows, ...extra]);
}

/* Other things that are not in the plots, for the accounting of the overview. */
export function dropRows(status) {
  const rows = [
    ["bytes rejected", status.bytes?.bytes_rejected, "dropped: could not be decoded"],
    ["malformed results", status.malformed, "dropped: messages that are no results"],
    ["duplicates", status.duplicates, "dropped: results that were there already"],
    ["other runs", status.other_runs, "dropped: results of another run"],
  ];
  return rows.map(([name, n, meaning]) =>
    n > 0
      ? [[name, "drop"], [count(n), "number dropped"], "", [meaning, "dropped"]]
      : [
          [name, "drop"],
          [count(n ?? NaN), "number"],
          "",
          [meaning.replace("dropped: ", ""), "meaning"],
        ],
  );
}

/* Replace the tables that changed. */
export function showTables(section, status) {
  const old = [...section.children];
  systemTables(status).forEach((made, i) => {
    const framed = el("article", { class: "panel scroll", tabindex: "0" }, made);
    if (!old[i]) section.append(framed);
    else if (!old[i].isEqualNode(framed)) old[i].replaceChildren(made);
  });
}

function systemTables(status) {
  return [
    stateTable(status),
    sourcesTable(status),
    accountingTable(status.accounting, dropRows(status)),
    table(
      "Rejected pieces",
      ["code", ["number", "number"]],
      Object.entries(status.rejects).map(([code, n]) => [code, [count(n), "number dropped"]]),
      "nothing was rejected",
    ),
    list("Last examples of what was dropped", status.examples, "none"),
    list("What was noticed", status.notes, "nothing unusual"),
    table(
      "Configuration",
      ["name", "value"],
      Object.entries(status.config).map(([name, value]) => [name, text(value)]),
      "defaults",
    ),
  ];
}

function stateTable(status) {
  const latency = status.latency_ms;
  return table(
    "State",
    [],
    [
      ["state", `${status.state}: ${status.reason}`],
      ["run", text(status.run)],
      ["detector", status.detector],
      ["detector time", clock(status.detector_s ?? NaN)],
      ["later than at best in this run", status.lag_s === null ? "\u2013" : ago(status.lag_s)],
      [
        "words",
        `${count(status.words)} (${status.words_per_s === null ? "\u2013" : figures(status.words_per_s)} per s)`,
      ],
      ["hits now", status.rates ? hertz(status.rates.hits) : "\u2013"],
      ["windows", count(status.windows)],
      [
        "latency, to the broadcast",
        latency
          ? `p50 ${figures(latency.p50)} ms, p99 ${figures(latency.p99)} ms (${count(latency.windows)} windows)`
          : "\u2013",
      ],
      ["viewers", count(status.viewers)],
      ["started", text(status.started)],
      ["run view reset", status.reset_at ?? "never"],
      ["reference of the server", status.reference ? "yes" : "no"],
      ["version", `muonscope ${status.version}`],
    ],
  );
}

function sourcesTable(status) {
  const rows = status.sources.map((source) => [
    source.name || status.source,
    [source.partition === null ? "\u2013" : String(source.partition), "number"],
    [`${count(source.read)} ${source.unit}`, "number"],
    [source.behind === null ? "not known" : `${count(source.behind)} ${source.unit}`, "number"],
  ]);
  const head = ["source", ["partition", "number"], ["read", "number"], ["behind", "number"]];
  return table("Sources", head, rows, `nothing has been read yet from ${status.source}`);
}

const list = (caption, texts, none) =>
  table(
    caption,
    [],
    texts.map((line) => [[line, "text"]]),
    none,
  );

const text = (value) =>
  value === null || value === undefined || value === ""
    ? "\u2013"
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
