/* What stands beside the lines of a history: their names, rates of the reference.

   Pure: columns of a source, from its tags; see plot_kit.py. */

import { referenceRate } from "./reference.js";

const APART = 0.025; // of the points: names of lines that are close do not cover one another

/* The name of each line that is seen, on it near its end. */
export function tipsOf(tips, rates, seen) {
  const columns = { x: [], y: [], text: [], colour: [] };
  const points = rates.x.length;
  Object.entries(tips).forEach(([counter, { text, colour }], nth) => {
    const before = Math.ceil((nth + 1) * APART * points);
    const at = rates[counter]?.slice(0, points - before).findLastIndex(Number.isFinite) ?? -1;
    if (at < 0 || !seen.has(counter)) return;
    const tip = { x: rates.x[at], y: rates[counter][at], text, colour };
    for (const [name, values] of Object.entries(columns)) values.push(tip[name]);
  });
  return columns;
}

/* The rates of the reference that there are. */
export function levelsOf(levels, reference) {
  const known = Object.entries(levels)
    .map(([counter, colour]) => [referenceRate(reference, counter), colour])
    .filter(([rate]) => Number.isFinite(rate));
  return { y: known.map(([rate]) => rate), colour: known.map(([, colour]) => colour) };
}
