/* The page of archived runs: the list, and a run with its verdicts, notes and signatures. */

import { OWN_HEADER } from "./constants.js";
import { byId, el, setText, table } from "./dom.js";
import { clock, count } from "./format.js";

const LIST_S = 10; // between two looks at the list
let runs = [];
let shown = null; // key of the run that is shown

const path = (key, what = "") => `api/v1/runs/${encodeURIComponent(key)}${what}`;
const when = (at) => (at ? at.slice(0, 19).replace("T", " ") : "");
const percent = (part) => (part === null ? "" : `${(100 * part).toFixed(1)} %`);
const conditionsOf = (row) => Object.entries(row.conditions).map(([name, value]) => `${name}=${value}`).join(" ");
const state = (label) => el("span", { "data-verdict": label }, el("strong", { class: "word" }, label));

function say(text) {
  const banner = byId("banner");
  banner.hidden = !text;
  setText(banner, text);
}

async function asked(address, body) {
  const sent = body && { method: "POST", body: JSON.stringify(body), headers: OWN_HEADER };
  const answer = await fetch(address, sent);
  if (answer.status === 204) return null;
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error ?? `answer ${answer.status}`);
  return told;
}

/* Do something that may fail, and say so where it does. */
async function attempt(work) {
  try {
    await work();
    say("");
  } catch (error) {
    say(error.message);
  }
}

function matches(row, words) {
  const text = [row.run, row.detector, conditionsOf(row), row.worst, row.signed_by].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function drawList() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = runs.filter((row) => matches(row, words));
  const head = ["run", "from (UTC)", "alive", "good", "worst", "signed by", "notes", "detector, conditions"];
  const rows = found.map((row) => [
    el("a", { href: `#run=${encodeURIComponent(row.key)}` }, row.run),
    when(row.begun_at),
    clock(row.live_s),
    percent(row.good),
    state(row.worst),
    row.signed_by,
    row.notes ? count(row.notes) : "",
    `${row.detector} ${conditionsOf(row)}`,
  ]);
  const told = runs.length ? "no run matches" : "nothing has been archived yet";
  byId("list").replaceChildren(table(`${found.length} of ${runs.length} runs`, head, rows, told));
}

async function loadList() {
  const told = await asked("api/v1/runs");
  runs = told.runs;
  setText(byId("archive"), told.archive);
  drawList();
  if (told.damaged.length) throw new Error(`cannot be read: ${told.damaged[0]}`);
}

function windowsOf(signature) {
  const ranges = signature.good.map(({ epoch, first, last }) => `${epoch ? `${epoch}/` : ""}${first}${last > first ? `-${last}` : ""}`);
  return ranges.join(", ") || "none";
}

const windowsTold = (one) => `${count(one.windows)} ${one.windows === 1 ? "window" : "windows"} (${windowsOf(one)})`;

/* A form whose fields are sent as they are named; what it sends is added to the run. */
function form(title, button, fields, send) {
  const inputs = fields.map(([name, label, kind = "input"]) => {
    const input = el(kind, { name, id: `new-${name}`, rows: kind === "textarea" ? 2 : null });
    return [name, input, el("label", { for: `new-${name}` }, label, input)];
  });
  const made = el("form", {}, el("h4", {}, title), ...inputs.map(([, , label]) => label), el("button", {}, button));
  made.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()]));
    attempt(async () => {
      await send(given);
      await showRun(shown);
      await loadList();
    });
  });
  return made;
}

const listed = (text) => text.split(/[,\s]+/).filter(Boolean);

function noteForm(key) {
  const fields = [["who", "Your name"], ["window", "Window (optional)"], ["text", "Note", "textarea"]];
  return form("Add a note", "Add", fields, ({ who, window, text }) => {
    const place = window === "" ? {} : { epoch: 0, window: Number(window) };
    return asked(path(key, "/notes"), { who, text, ...place });
  });
}

function signForm(key) {
  const fields = [["signer", "Your name"], ["but", "But not windows"], ["also", "Also windows"], ["why", "Why"]];
  return form("Sign the proposal", "Sign", fields, ({ signer, but, also, why }) =>
    asked(path(key, "/signatures"), { who: signer, note: why, but: listed(but), also: listed(also) }),
  );
}

function changesTable(changes) {
  const head = ["time in the run", "when (UTC)", "check", "target", "state", "what"];
  const rows = changes.map((change) => [
    clock(change.run_s), when(change.at), change.check.replaceAll("_", " "), change.target, state(change.state),
    change.known ? `${change.text} [known: ${change.known}]` : change.text,
  ]);
  return table("Verdicts that changed", head, rows, "none: it was the same all the time");
}

function draw(told) {
  const { row, states, changes, notes, proposal, signatures } = told;
  const shares = Object.entries(states).map(([label, n]) => `${label} ${count(n)}`).join(", ");
  const signed = [...signatures].reverse();
  byId("run").hidden = false;
  byId("run").replaceChildren(
    el("header", { class: "bar" },
      el("h2", {}, `Run ${row.run}`),
      el("a", { class: "button end", href: `run/${encodeURIComponent(row.key)}/` }, "Open all its plots"),
    ),
    el("p", {}, `${count(row.windows)} windows, ${clock(row.live_s)} alive: ${shares}. ${row.ended ? "Ended" : "Not ended"}; newest window ${when(row.last_at)} UTC.`),
    el("article", { class: "panel" }, changesTable(changes)),
    el("article", { class: "panel" },
      el("h3", {}, "Good windows"),
      el("p", {}, `Proposed from the verdicts: ${windowsTold(proposal)}`),
      ...signed.map((one, i) => el("p", { class: i ? "hint" : "" },
        `Signed by ${one.who}, ${when(one.at)} UTC: ${windowsTold(one)}${one.note ? ` (${one.note})` : ""}`)),
      signForm(row.key),
    ),
    el("article", { class: "panel" },
      el("h3", {}, "Notes"),
      ...notes.map((note) => el("p", {}, el("strong", {}, `${new Date(note.at * 1000).toISOString().slice(0, 16).replace("T", " ")} ${note.who}`),
        `${note.window === undefined ? "" : ` on window ${note.epoch}/${note.window}`}: ${note.text}`)),
      noteForm(row.key),
    ),
  );
}

async function showRun(key) {
  shown = key;
  byId("run").hidden = key === null;
  if (key !== null) draw(await asked(path(key)));
}

function follow() {
  const key = new URLSearchParams(location.hash.slice(1)).get("run");
  attempt(() => showRun(key));
}

byId("find").addEventListener("input", drawList);
window.addEventListener("hashchange", follow);
await attempt(loadList);
follow();
setInterval(() => document.hidden || attempt(loadList), LIST_S * 1000);
