/* The reference: a view document from the server, a file, or the screen. */

import { MOST_REFERENCE_BYTES, OWN_HEADER, RESULTS_TYPE, VIEW_TYPE } from "./constants.js";
import { keep, kept, SESSION } from "./kept.js";

const KEPT = "muonscope-reference";

/* The rate of a counter of the history in a reference, Hz; NaN where it does not tell. */
export function referenceRate(reference, counter) {
  const { accounting, live_s, tables } = reference ?? {};
  const [, family, chamber] = /^(hits|scint)(\d*)$/.exec(counter) ?? [];
  const each = family ? tables?.chambers?.[family] : null;
  if (each) return (chamber ? each[chamber] : each.reduce((sum, n) => sum + n, 0)) / live_s;
  return (accounting?.[counter] ?? NaN) / live_s;
}

export class Reference {
  document = null;
  name = "";

  constructor() {
    const found = JSON.parse(kept(KEPT, SESSION) ?? "null");
    if (found) this.#take(found.document, found.name);
  }

  async fromServer() {
    const answer = await fetch("api/v1/reference");
    if (!answer.ok) throw new Error("The dashboard was started without --reference.");
    this.#take(await answer.json(), "of the server");
  }

  fromScreen(document) {
    this.#take(document, `${document.run}, ${document.view}, as it was shown`);
  }

  /* A view document (.json), or results (.jsonl): the server checks the one and adds up the
     other, and keeps neither. */
  async fromFile(file) {
    if (file.size > MOST_REFERENCE_BYTES) {
      throw new Error(`${file.name} has more than ${MOST_REFERENCE_BYTES >> 20} MiB.`);
    }
    const type = /\.(jsonl|ndjson)$/i.test(file.name) ? RESULTS_TYPE : VIEW_TYPE;
    const headers = { ...OWN_HEADER, "Content-Type": type };
    const asked = { method: "POST", headers, body: file };
    const answer = await fetch("api/v1/reference-summary", asked).catch(() => null);
    if (!answer) throw new Error("The server did not answer.");
    const told = await answer.json();
    if (!answer.ok) throw new Error(`${file.name}: ${told.error}`);
    this.#take(told, file.name);
  }

  forget() {
    this.document = null;
    this.name = "";
    keep(KEPT, null, SESSION);
  }

  #take({ run, detector, live_s, scintillator, accounting, tables }, name) {
    const drawn = Object.entries(tables).filter(([table]) => !table.startsWith("orbits"));
    const shown = Object.fromEntries(drawn);
    this.document = { run, detector, live_s, scintillator, accounting, tables: shown };
    this.name = String(name);
    keep(KEPT, JSON.stringify({ document: this.document, name: this.name }), SESSION);
  }
}
