/* The history of the run in this browser: rows of counts, as many as are worth drawing. */

import { HOLE_S, MOST_ROWS } from "./constants.js";

const MOST_MARKS = 100;
const SLACK = 500; // rows beyond, so that not every update moves all of them
const POINTS = 360;
const WIDTHS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const PLACES = new Set(["run_s", "at", "epoch", "window"]); // of joined rows, that of the first

export class Trend {
  columns;
  next;
  loadedS; // how far back was asked

  constructor() {
    this.forget();
  }

  /* Begin without rows: those of another history do not belong here. */
  forget() {
    this.columns = { run_s: [], epoch: [], window: [], live_s: [] };
    this.next = this.loadedS = 0;
  }

  get length() {
    return this.columns.run_s.length;
  }

  /* How far back every window can have a row of its own, s. */
  get detailS() {
    return this.length ? 0.95 * MOST_ROWS * usual(this.columns.live_s) : 0;
  }

  get end() {
    return this.length ? this.columns.run_s.at(-1) + usual(this.columns.live_s) : 0;
  }

  /* Take all of an answer of api/v1/windows. */
  load({ next, columns }, lastS) {
    this.columns = columns;
    while (this.length > MOST_ROWS) this.columns = thinned(this.columns);
    this.next = next;
    this.loadedS = lastS;
  }

  /* Take the rows of an update; return false if some are missing, between or at the beginning. */
  append({ first, columns }) {
    const rows = columns?.run_s?.length ?? 0;
    if (rows === 0) return true;
    if (first > this.next || first + rows < this.next) return false;
    const skip = this.next - first;
    for (const [name, values] of Object.entries(columns)) {
      (this.columns[name] ??= []).push(...values.slice(skip));
    }
    this.next = first + rows;
    if (this.length <= MOST_ROWS + SLACK) return true;
    for (const values of Object.values(this.columns)) values.splice(0, values.length - MOST_ROWS);
    return this.end - this.columns.run_s[0] >= this.loadedS;
  }

  row(i) {
    return Object.fromEntries(
      Object.entries(this.columns).map(([name, values]) => [name, values[i]]),
    );
  }

  /* The row of a window, or -1; rows are in the order of time. */
  find({ epoch, window }) {
    const { epoch: epochs, window: windows } = this.columns;
    for (let i = this.length - 1; i >= 0; i--) {
      if (epochs[i] < epoch || (epochs[i] === epoch && windows[i] <= window)) return i;
    }
    return -1;
  }

  /* Where something began, s in the run and by the clock: another epoch, or words after a hole. */
  marks() {
    const { run_s, live_s, epoch, at } = this.columns;
    const found = [];
    for (let i = 1; i < this.length; i++) {
      const hole = run_s[i] - run_s[i - 1] - live_s[i - 1];
      if (epoch[i] !== epoch[i - 1]) found.push({ i, text: `epoch ${epoch[i]} begins` });
      else if (hole > HOLE_S) found.push({ i, text: `after a hole of ${Math.round(hole)} s` });
    }
    return found.slice(-MOST_MARKS).map(({ i, text }) => ({ run_s: run_s[i], at: at?.[i] ?? NaN, text }));
  }

  /* Marks for what verdicts tell of FPGAs, and for the reset of the run view, s since 1970 or null. */
  marksOf(turns, resetAt) {
    const silent = turns.filter(({ check }) => check === "fpga_silent");
    const told = silent.map(({ target, state, since_s: s }) => ({
      run_s: s,
      at: this.clockAt(s),
      text: `${target} ${state === "GOOD" ? "writes again" : "is silent"}`,
    }));
    if (resetAt) told.push({ run_s: this.runTimeAt(resetAt), at: resetAt, text: "the run view was begun anew" });
    return told.slice(-MOST_MARKS);
  }

  /* The time in the run at a time of the clock, s since 1970; that of the nearest row. */
  runTimeAt(clock) {
    let best = -1;
    const { at, run_s } = this.columns;
    for (let i = 0; i < this.length; i++)
      if (best < 0 || Math.abs(at[i] - clock) < Math.abs(at[best] - clock)) best = i;
    return run_s[best] ?? NaN;
  }

  /* When it was s in the run, s since 1970. */
  clockAt(s) {
    return this.columns.at?.[this.at(s)] ?? NaN;
  }

  /* The row in which the run was at s. */
  at(s) {
    const { run_s } = this.columns;
    let i = run_s.findLastIndex((start) => start <= s);
    return Math.min(Math.max(i, 0), this.length - 1);
  }

  /* Rates in Hz of some counters over spanS up to endS, in at most ~400 points. */
  rates(counters, spanS, endS = this.end) {
    const width = WIDTHS_S.find((w) => w >= spanS / POINTS) ?? WIDTHS_S.at(-1);
    const out = { time: [], at: [], live_s: [] };
    for (const counter of counters) out[counter] = [];
    const { run_s, live_s } = this.columns;
    let i = run_s.findIndex((start) => start >= endS - spanS);
    if (i < 0) return out;
    let previousEnd = run_s[i];
    while (i < run_s.length && run_s[i] < endS) {
      if (run_s[i] - previousEnd > 2 * width + live_s[i]) breakLine(out, counters, run_s[i]);
      const from = i;
      const bin = Math.floor(run_s[i] / width + 1e-6);
      let live = 0;
      while (i < run_s.length && Math.floor(run_s[i] / width + 1e-6) === bin) {
        live += live_s[i++];
      }
      previousEnd = run_s[i - 1] + live_s[i - 1];
      if (i === run_s.length && out.time.length > 1 && live < width / 2) break; // hardly begun
      out.time.push((run_s[from] + previousEnd) / 2);
      out.at.push(this.columns.at?.[i - 1] ?? NaN);
      out.live_s.push(live);
      for (const counter of counters) out[counter].push(sum(this.columns[counter], from, i) / live);
    }
    return out;
  }
}

/* Join each two of the rows that are short, the oldest first, until few enough are left. */
function thinned(columns) {
  const { live_s } = columns;
  const rows = live_s.length;
  const first = live_s.findIndex((live) => live <= 1.5 * usual(live_s));
  const pairs = Math.min(rows - MOST_ROWS, Math.floor((rows - first) / 2));
  if (pairs === 0)
    return Object.fromEntries(
      Object.entries(columns).map(([name, values]) => [name, values.slice(-MOST_ROWS)]),
    );
  const joined = Object.entries(columns).map(([name, values]) => {
    const kept = values.slice(0, first);
    for (let i = first; i < first + 2 * pairs; i += 2) {
      kept.push(PLACES.has(name) ? values[i] : values[i] + values[i + 1]);
    }
    return [name, kept.concat(values.slice(first + 2 * pairs))];
  });
  return Object.fromEntries(joined);
}

/* Length of the newest rows, s: the last one may be of a window in which the run has ended. */
function usual(live_s) {
  return Math.max(...live_s.slice(-9));
}

function sum(values, from, to) {
  let total = 0;
  for (let i = from; i < to; i++) total += values?.[i] ?? NaN;
  return total;
}

/* Nothing was counted for a while: the line shall not say that something was. */
function breakLine(out, counters, at) {
  out.time.push(at);
  out.at.push(NaN);
  out.live_s.push(NaN);
  for (const counter of counters) out[counter].push(NaN);
}
