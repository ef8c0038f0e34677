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
    if (!(document?.live_s > 0) || !areTables(document.tables)) {
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

/* Columns of numbers, by table: anything else would break the figures, after a reload too. */
function areTables(tables) {
  const isObject = (found) => typeof found === "object" && found !== null;
  const isColumn = (found) => Array.isArray(found) && found.every(Number.isFinite);
  const isTable = (found) => isObject(found) && Object.values(found).every(isColumn);
  return isObject(tables) && Object.values(tables).every(isTable);
}

/* Add up the messages of a file of results, as the server does for its views: of several
   runs the newest, those that were left not being returned to, and each window once. */
async function summed(file, detector) {
  let total = nothing(null, detector);
  const left = new Set();
  let text = "";
  let number = 0;
  const add = (line) => {
    number++;
    if (!line.trim()) return;
    try {
      const message = JSON.parse(line);
      if ((message?.window ?? null) === null) return;
      checkDetector(message.detector, detector);
      if (left.has(message.run)) return;
      if (message.run !== total.run) {
        left.add(total.run);
        total = nothing(message.run, detector);
      }
      addMessage(total, detector, message);
    } catch (problem) {
      throw new Error(`Line ${number} is no result: ${problem.message}`);
    }
  };
  const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (text + part.value).split("\n");
    text = lines.pop();
    lines.forEach(add);
  }
  add(text);
  if (total.run === null) throw new Error("No window is in it.");
  return total;
}

function checkDetector(found, { name }) {
  if (found !== name) throw new Error(`That is of detector ${String(found)}, this is ${name}.`);
}

/* The sums of a run before its first window. */
function nothing(run, detector) {
  const zeros = (n) => new Array(n).fill(0);
  const tables = {};
  detector.chambers.forEach((chamber, c) => {
    const n = chamber.last_channel - chamber.first_channel + 1;
    tables[`cells${c}`] = { hits: zeros(n), scint: zeros(n) };
    tables[`drift${c}`] = { counts: zeros(320) };
    tables[`multiplicity${c}`] = { orbits: zeros(64) };
  });
  return { run, detector: detector.name, live_s: 0, tables, places: new Set() };
}

function addMessage(total, detector, message) {
  const place = `${message.epoch}.${message.window}`;
  if (total.places.has(place)) return;
  total.places.add(place);
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
