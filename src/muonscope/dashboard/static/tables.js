/* From a table of a view document to the columns of a source, as the source's tags say.

   Pure: see plot_kit.py for what the tags mean. context: {unit, live, scintillator, reference,
   event}, where reference is null or a view document, and event the row of one. */

import { MAP_TOP, RATIO_TOP } from "./constants.js";
import { count, hertz } from "./format.js";

const SIGMAS = 5; // above its layer's median: a cell is hot, and not by chance
const DEAD_USUAL = 10; // hits of the layer's median cell: none of a cell is no chance
const SMOOTH_S = 30;
const CONSTANT_S = 60;
const LEAST_TOLD = 20; // mm2: about as many hits
const ENOUGH = 10; // entries for which the difference of two counts is about Gaussian

export function fill(tags, fixed, table, context) {
  const columns = { ...fixed };
  if (tags.bars) return Object.assign(columns, highest(table, tags.bars));
  if (tags.only) return ofEvent(tags, table, context.event);
  const [entries] = Object.values(table);
  const by = tags.bins ? joined(tags.bins, entries) : (tags.rebin ?? 1);
  if (tags.bins) placeBins(columns, tags.bins, by, entries.length);
  for (const [column, values] of Object.entries(table)) columns[column] = shaped(tags, values, by);
  const rows = Object.values(fixed)[0]?.length;
  if (rows !== undefined && Object.values(columns).some((values) => values.length !== rows))
    return null;
  for (const column of tags.counts ?? []) addRates(columns, column, context);
  for (const column of tags.texts ?? [])
    columns[`${column}_text`] = columns[column].map(context.unit === "hz" ? hertz : count);
  if (tags.layers) addLayers(columns, tags.layers);
  if (tags.share) addShare(columns, tags.share);
  if (tags.flux) addFlux(columns, tags.flux);
  for (const column of tags.errors ?? []) addErrors(columns, column, context);
  for (const column of tags.reference ?? []) addReference(columns, column, { tags, by }, context);
  return columns;
}

/* The rows of one event that are wanted. */
function ofEvent({ only, reach, filled }, table, event) {
  const wanted = Object.entries({ ...only, event }).map(([name, value]) => [table[name], [value].flat()]);
  const rows = table.event.flatMap((_, i) =>
    wanted.every(([values, some]) => some.includes(values[i])) ? [i] : [],
  );
  const columns = Object.fromEntries(filled.map((name) => [name, rows.map((i) => table[name]?.[i])]));
  if (!reach) return columns;
  const at = (z) => rows.map((i) => table.x_mm[i] + table.slope[i] * (z - table.z_mm[i]));
  const [low, high] = reach;
  return Object.assign(columns, {
    x_low: at(low),
    z_low: rows.map(() => low),
    x_high: at(high),
    z_high: rows.map(() => high),
  });
}

/* A share and its interval, by Wilson 1927. */
function addShare(columns, { of, in: all, least }) {
  const [share, low, high] = [[], [], []];
  columns[all].forEach((n, i) => {
    const p = columns[of][i] / n;
    const middle = (p + 1 / (2 * n)) / (1 + 1 / n);
    const half = Math.sqrt((p * (1 - p)) / n + 1 / (4 * n * n)) / (1 + 1 / n);
    const told = n >= least ? [p, middle - half, middle + half] : [NaN, NaN, NaN];
    [share, low, high].forEach((column, k) => column.push(told[k]));
  });
  Object.assign(columns, { share, share_low: low, share_high: high });
}

/* How many come from a direction, where the exposure tells; the same in either unit. */
function addFlux(columns, { of, by, least }) {
  const exposure = columns[by];
  columns.flux = columns[`${of}_hz`].map((hz, i) => (exposure[i] >= least ? hz / exposure[i] : NaN));
}

/* Join neighbouring bins, so many as columns has room for, or put the tail into one. */
function shaped(tags, values, by) {
  if (by > 1) return rebinned(values, by);
  if (tags.fold) return folded(values, ...tags.fold);
  return values;
}

/* How many bins are joined: so many that those of the box have enough entries. */
export function joined({ by, box: [first, last], least }, values) {
  const mean = values.slice(first, last).reduce((sum, n) => sum + n, 0) / (last - first);
  return by.find((n) => n * mean >= least) ?? by.at(-1);
}

function placeBins(columns, { low, width }, by, entries) {
  const bins = Math.ceil(entries / by);
  columns.left = Array.from({ length: bins }, (_, i) => low + i * by * width);
  columns.mid = columns.left.map((at) => at + (by * width) / 2);
  columns.right = columns.left.map((at) => at + by * width);
}

function rebinned(values, by) {
  const sums = new Array(Math.ceil(values.length / by)).fill(0);
  for (let i = 0; i < values.length; i++) sums[Math.floor(i / by)] += values[i];
  return sums;
}

function folded(values, first, last) {
  const kept = values.slice(first, last);
  kept.push(values.slice(last).reduce((sum, n) => sum + n, 0));
  return kept;
}

function addRates(columns, column, { unit, live }) {
  const counts = columns[column];
  const rates = counts.map((n) => (live > 0 ? n / live : 0));
  columns[`${column}_n`] = counts;
  columns[`${column}_hz`] = rates;
  columns[column] = unit === "hz" ? rates : counts;
}

function addErrors(columns, column, { unit, live }) {
  const of = unit === "hz" ? live : 1;
  const counts = columns[`${column}_n`];
  columns[`${column}_low`] = counts.map((n) => (n - Math.sqrt(n)) / of);
  columns[`${column}_high`] = counts.map((n) => (n + Math.sqrt(n)) / of);
}

function addReference(columns, column, { tags, by }, context) {
  const { reference, unit, live } = context;
  const found = reference?.tables?.[tags.table]?.[column];
  const counts = found ? shaped(tags, found, by) : null;
  const scale = scaleOf(tags, context);
  const shown = columns[column];
  const expected =
    counts?.length === shown.length ? counts.map((n) => n * scale) : shown.map(() => NaN);
  const ratio = shown.map((value, i) => (expected[i] > 0 ? value / expected[i] : NaN));
  columns[`${column}_ref`] = expected;
  columns[`${column}_ratio`] = ratio;
  columns[`${column}_shown`] = ratio.map((r) => Math.min(r, RATIO_TOP));
  const scaled = scale * (unit === "hz" ? live : 1); // counts here for a count of the reference
  columns[`${column}_pull`] = columns[`${column}_n`].map((n, i) => {
    const m = counts?.length === shown.length ? counts[i] : NaN;
    return n + scaled * m > 0 ? (n - scaled * m) / Math.sqrt(n + scaled ** 2 * m) : NaN;
  });
}

/* Chi-square of a column against its reference, of the entries of which both together tell ENOUGH:
   {sum, n}; null without a reference. */
export function chiSquare(columns, column, { unit, live }) {
  const { [`${column}_pull`]: pulls, [`${column}_n`]: counts, [`${column}_ref`]: expected } = columns;
  if (!pulls) return null;
  const of = unit === "hz" ? live : 1;
  const told = pulls.filter((pull, i) => pull ** 2 >= 0 && counts[i] + expected[i] * of >= ENOUGH);
  const sum = told.reduce((total, pull) => total + pull ** 2, 0);
  return told.length > 0 ? { sum, n: told.length } : null;
}

/* By what the counts of the reference are multiplied. */
function scaleOf({ per }, { unit, live, scintillator, reference }) {
  const of = (n, all) => (all > 0 ? n / all : NaN);
  if (per === "scintillator" && reference?.scintillator > 0)
    return of(scintillator, reference.scintillator) / (unit === "hz" ? live : 1);
  return of(unit === "hz" ? 1 : live, reference?.live_s);
}

/* Each cell beside its layer; what is hot or dead is told by more than a colour. */
function addLayers(columns, column) {
  const counts = columns[`${column}_n`];
  const medians = new Map();
  for (const layer of new Set(columns.layer)) {
    const mine = counts.filter((_, i) => columns.layer[i] === layer).sort((a, b) => a - b);
    medians.set(layer, mine[mine.length >> 1]);
  }
  const usual = columns.layer.map((layer) => medians.get(layer));
  const ratio = counts.map((n, i) => (usual[i] > 0 ? n / usual[i] : NaN));
  const isHot = (r, i) => r > MAP_TOP && counts[i] > usual[i] + SIGMAS * Math.sqrt(usual[i]);
  columns[`${column}_layer`] = ratio;
  columns[`${column}_hot`] = ratio.map((r, i) => (isHot(r, i) ? columns.z_mm[i] : NaN));
  columns[`${column}_edge`] = counts.map((n, i) => (n === 0 && usual[i] >= DEAD_USUAL ? 2 : 0));
}

/* The mean of a rate over the last 30 s, and its error by Poisson (Anscombe 1948). */
export function smoothed(rates, column) {
  const [mean, low, high] = [[], [], []];
  for (const { known, s, sums: [n] } of slidingSums(rates, [column], SMOOTH_S)) {
    const root = Math.sqrt(n + 3 / 8);
    mean.push(known ? n / s : NaN);
    low.push(known ? Math.max(0, (root - 0.5) ** 2 - 3 / 8) / s : NaN);
    high.push(known ? ((root + 0.5) ** 2 - 3 / 8) / s : NaN);
  }
  return { [`${column}_mean`]: mean, [`${column}_low`]: low, [`${column}_high`]: high };
}

/* A constant from the sums of the last minute, and its error; NaN where they tell too little. */
export function constantOf(rates, { name, sum, weight, base, unit, sigma, fine }) {
  const [mean, low, high] = [[], [], []];
  for (const { known, sums: [right, told] } of slidingSums(rates, [sum, weight], CONSTANT_S)) {
    const error = (unit * sigma) / Math.sqrt(told / fine);
    const value = known && told > LEAST_TOLD * fine ? base + (unit * right) / told : NaN;
    mean.push(value);
    low.push(value - error);
    high.push(value + error);
  }
  return { [name]: mean, [`${name}_low`]: low, [`${name}_high`]: high };
}

/* For each row the counts of columns in the last spanS up to it, the live time s that these are
   of, and whether the row has any. */
function slidingSums(rates, columns, spanS) {
  const { time, live_s: live } = rates;
  let from = 0;
  return time.map((_, i) => {
    while (time[i] - time[from] >= spanS) from++;
    const sums = columns.map(() => 0);
    let s = 0;
    for (let j = from; j <= i; j++) {
      if (!(live[j] > 0)) continue;
      columns.forEach((column, k) => (sums[k] += rates[column][j] * live[j]));
      s += live[j];
    }
    return { known: live[i] > 0, s, sums };
  });
}

/* At most so many bars, the highest of each stretch: more would not be seen apart. */
function highest({ time, hits }, most) {
  if (time.length <= most) return { time, hits };
  const kept = { time: [], hits: [] };
  const each = time.length / most;
  for (let i = 0; i < most; i++) {
    let top = Math.floor(i * each);
    for (let j = top + 1; j < Math.floor((i + 1) * each); j++) if (hits[j] > hits[top]) top = j;
    kept.time.push(time[top]);
    kept.hits.push(hits[top]);
  }
  return kept;
}
