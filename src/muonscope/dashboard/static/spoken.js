/* What a plot shows, in a sentence with its numbers: for those who do not see it.

   Pure: columns as tables.js fills them. */

import { count, figures, hertz } from "./format.js";

const MOST_NAMED = 8; // cells that are told by their channel

/* A histogram, a map or a list of orbits; column is the one that its axis follows. */
export function spokenCounts(columns, column) {
  if (columns.hits_edge && !column) return spokenMap(columns);
  const values = columns[`${column}_n`] ?? columns[column] ?? [];
  if (!values.some((n) => n > 0)) return "nothing in this view";
  const [most, total] = [Math.max(...values), values.reduce((sum, n) => sum + n, 0)];
  const text = `${count(total)} in all, at most ${count(most)} ${placeOf(columns, values.indexOf(most))}`;
  const differs = columns[`${column}_pull`]?.filter((pull) => Math.abs(pull) > 5).length;
  return differs === undefined ? text : `${text}, ${differs} far from the reference`;
}

/* The newest rates of a history: [[name, rate]]. */
export function spokenRates(rates) {
  const known = rates.filter(([, rate]) => Number.isFinite(rate));
  return known.length ? known.map(([name, rate]) => `${name} ${hertz(rate)}`).join(", ") : "no rates yet";
}

function spokenMap({ channel, hits_hot: hot, hits_edge: edge }) {
  const named = (found, word) => {
    const list = channel.filter((_, i) => found(i));
    if (list.length === 0) return `no ${word} cell`;
    const rest = list.length > MOST_NAMED ? ` and ${list.length - MOST_NAMED} more` : "";
    return `${word} on channel ${list.slice(0, MOST_NAMED).join(", ")}${rest}`;
  };
  return `${named((i) => Number.isFinite(hot[i]), "hot")}; ${named((i) => edge[i] > 0, "dead")}`;
}

function placeOf({ channel, left, right, n, chamber, time }, i) {
  if (channel) return `on channel ${channel[i]}`;
  if (left) return `from ${figures(left[i])} to ${figures(right[i])} ns`;
  if (chamber) return `in chamber ${chamber[i]}`;
  if (n) return `with ${n[i]} hits`;
  return time ? `at ${time[i].toFixed(4)} s` : "";
}
