/* Ends of axes that do not jump: they grow at once, to a round number, and shrink late. */

const STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];
const QUIET_SHARE = 0.4; // of an axis; below it the axis is too long
const QUIET_UPDATES = 10;
const HEADROOM = 1.04;

/* The round number at or above x > 0. */
export function nice(x) {
  if (!(x > 0) || !Number.isFinite(x)) return 1;
  const decade = 10 ** Math.floor(Math.log10(x));
  return decade * STEPS.find((step) => step * decade >= x * (1 - 1e-12));
}

/* The power of ten at or below x > 0. */
export const decadeBelow = (x) => 10 ** Math.floor(Math.log10(x) + 1e-9);

/* Where a logarithmic axis has numbers: at least two, and not many more than most. */
export function logTicks(low, high, most = 7) {
  const decades = Math.log10(high / low);
  const steps = decades < most / 3 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / most));
  const ticks = [];
  for (let n = Math.floor(Math.log10(low)); 10 ** n <= high; n++) {
    if (n % every === 0) ticks.push(...steps.map((step) => Number(`${step}e${n}`)));
  }
  return ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
}

export class Follower {
  #high = 0;
  #quiet = 0;
  #least;

  constructor(least = 0) {
    this.#least = least;
  }

  /* Take the greatest value of an update; return where the axis ends. */
  follow(most) {
    const wanted = Math.max(nice(Math.max(most, 0) * HEADROOM), this.#least);
    if (wanted > this.#high) this.#become(wanted);
    else if (most >= QUIET_SHARE * this.#high || wanted === this.#high) this.#quiet = 0;
    else if (++this.#quiet >= QUIET_UPDATES) this.#become(wanted);
    return this.#high;
  }

  /* Something else is shown from now on: fit at once. */
  forget() {
    this.#become(0);
  }

  #become(high) {
    this.#high = high;
    this.#quiet = 0;
  }
}

/* Where an axis ends, so that a share of it is left above a value; logarithmic from low > 0. */
export function withRoom(most, low, share) {
  if (low > 0) return most > low ? most * (most / low) ** (share / (1 - share)) : most;
  return most / (1 - share);
}

/* The greatest finite value of some columns, or 0. */
export function greatest(columns) {
  let most = 0;
  for (const column of columns) {
    for (const value of column) if (value > most && value < Infinity) most = value;
  }
  return most;
}

/* Where an axis begins and ends that shows all finite values of some columns, with some air. */
export function around(columns) {
  const values = columns.flat().filter(Number.isFinite);
  if (values.length === 0) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = 0.1 * (high - low || 1);
  return [low - air, high + air];
}

/* The least value above zero, or 0 if there is none. */
export function leastAboveZero(columns) {
  let least = Infinity;
  for (const column of columns) {
    for (const value of column) if (value > 0 && value < least) least = value;
  }
  return least === Infinity ? 0 : least;
}

/* The median of what is above zero, or 0 if nothing is. */
export function medianAboveZero(column) {
  const sorted = Array.from(column)
    .filter((value) => value > 0)
    .sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}
