/* The reference: a view document from the server, a file, or the screen. */

import { MOST_REFERENCE_BYTES, OWN_HEADER, RESULTS_TYPE, VIEW_TYPE } from "./constants.js";

const KEPT = "muonscope-reference";

export class Reference {
  document = null;
  name = "";

  constructor() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      if (kept) this.#take(kept.document, kept.name);
    } catch {
      // nothing was kept, or it cannot be read
    }
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
    sessionStorage.removeItem(KEPT);
  }

  #take({ run, detector, live_s, tables }, name) {
    const kept = Object.entries(tables).filter(([table]) => !table.startsWith("orbits"));
    this.document = { run, detector, live_s, tables: Object.fromEntries(kept) };
    this.name = String(name);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ document: this.document, name: this.name }));
    } catch {
      // too large to be kept over a reload
    }
  }
}
