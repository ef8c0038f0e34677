/* From a table of a view document to the columns of a source, as the source's tags say.

   Pure: see plot_kit.py for what the tags mean. context: {unit, live, reference}, where
   reference is null or a view document. */

import { RATIO_TOP } from "./constants.js";
import { count, hertz } from "./format.js";

export function fill(tags, fixed, table, context) {
  const columns = { ...fixed };
  if (tags.bars) return Object.assign(columns, highest(table, tags.bars));
  for (const [column, values] of Object.entries(table)) columns[column] = shaped(tags, values);
  const rows = Object.values(fixed)[0]?.length;
  if (rows !== undefined && Object.values(columns).some((values) => values.length !== rows))
    return null;
  for (const column of tags.counts ?? []) addRates(columns, column, context);
  for (const column of tags.texts ?? [])
    columns[`${column}_text`] = columns[column].map(context.unit === "hz" ? hertz : count);
  for (const column of tags.reference ?? []) addReference(columns, column, tags, context);
  return columns;
}

/* Join neighbouring bins, or put the tail into one. */
function shaped(tags, values) {
  if (tags.rebin) return rebinned(values, tags.rebin);
  if (tags.fold) return folded(values, ...tags.fold);
  return values;
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

function addReference(columns, column, tags, { unit, live, reference }) {
  const found = reference?.tables?.[tags.table]?.[column];
  const counts = found ? shaped(tags, found) : null;
  const scale = reference?.live_s > 0 ? (unit === "hz" ? 1 : live) / reference.live_s : NaN;
  const shown = columns[column];
  const expected =
    counts?.length === shown.length ? counts.map((n) => n * scale) : shown.map(() => NaN);
  const ratio = shown.map((value, i) => (expected[i] > 0 ? value / expected[i] : NaN));
  columns[`${column}_ref`] = expected;
  columns[`${column}_ratio`] = ratio;
  columns[`${column}_shown`] = ratio.map((r) => Math.min(r, RATIO_TOP));
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
