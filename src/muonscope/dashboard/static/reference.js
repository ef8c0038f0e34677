/* What the present is compared with: a view document from the server, a file, or the screen. */

const KEPT = "muonscope-reference";
const MOST_BYTES = 512 * 1024 * 1024;

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

  /* A view document (.json), or results (.jsonl) which are added up; of this detector. */
  async fromFile(file, detector) {
    if (file.size > MOST_BYTES) throw new Error(`${file.name} has more than 512 MB.`);
    const found = /\.(jsonl|ndjson)$/i.test(file.name)
      ? await summed(file, detector)
      : JSON.parse(await file.text());
    this.#take(found, file.name, detector);
  }

  forget() {
    this.document = null;
    this.name = "";
    sessionStorage.removeItem(KEPT);
  }

  #take(document, name, expected = null) {
    if (!(document?.live_s > 0) || typeof document.tables !== "object") {
      throw new Error("That is no view document: save one with the JSON button of the page.");
    }
    if (expected) checkDetector(document.detector, expected);
    const { run, detector, live_s, tables } = document;
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

/* Add up the messages of a file of results, as the server does for its views. */
async function summed(file, detector) {
  const chambers = detector.chambers;
  const zeros = (n) => new Array(n).fill(0);
  const total = { run: null, detector: detector.name, live_s: 0, tables: {} };
  chambers.forEach((chamber, c) => {
    const n = chamber.last_channel - chamber.first_channel + 1;
    total.tables[`cells${c}`] = { hits: zeros(n), scint: zeros(n) };
    total.tables[`drift${c}`] = { counts: zeros(320) };
    total.tables[`multiplicity${c}`] = { orbits: zeros(64) };
  });
  let text = "";
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (text + part.value).split("\n");
    text = lines.pop();
    for (const line of lines) if (line.trim()) addMessage(total, detector, JSON.parse(line));
  }
  if (text.trim()) addMessage(total, detector, JSON.parse(text));
  return total;
}

function checkDetector(found, { name }) {
  if (found !== name) throw new Error(`That is of detector ${String(found)}, this is ${name}.`);
}

function addMessage(total, detector, message) {
  if (message.window === null || message.window === undefined) return;
  checkDetector(message.detector, detector);
  total.run ??= message.run;
  total.live_s += (message.end_ns - message.start_ns) * 1e-9;
  detector.chambers.forEach(({ first_channel: first }, c) => {
    const from = message[`chamber${c}`];
    const {
      [`cells${c}`]: cells,
      [`drift${c}`]: drift,
      [`multiplicity${c}`]: orbits,
    } = total.tables;
    addSparse(cells.hits, from.hist_CHANNEL, first);
    addSparse(cells.scint, from.hist_SCINT, first);
    addAll(drift.counts, from.drift_histogram.counts);
    addAll(orbits.orbits, from.multiplicity);
  });
}

function addSparse(sums, { bin_edges: edges, bin_counts: counts }, first) {
  edges.forEach((edge, i) => {
    if (edge - first in sums) sums[edge - first] += counts[i];
  });
}

function addAll(sums, counts) {
  for (let i = 0; i < sums.length; i++) sums[i] += counts[i] ?? 0;
}
