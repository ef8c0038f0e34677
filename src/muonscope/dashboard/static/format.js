/* Numbers for people. */

const NONE = "\u2013";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (n) => (Number.isFinite(n) ? whole.format(n) : NONE);

/* Three figures, and no more digits than the number has. */
export function figures(x) {
  if (!Number.isFinite(x)) return NONE;
  const size = Math.abs(x);
  if (size >= 100) return whole.format(x);
  return x.toFixed(size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4);
}

export const hertz = (x) => (Number.isFinite(x) ? `${figures(x)} Hz` : NONE);

/* 3723.4 -> 1:02:03; of the run or of the detector. */
export function clock(s) {
  if (!Number.isFinite(s)) return NONE;
  const t = Math.floor(Math.abs(s));
  const two = (n) => String(n).padStart(2, "0");
  return `${s < 0 ? "-" : ""}${Math.floor(t / 3600)}:${two(Math.floor(t / 60) % 60)}:${two(t % 60)}`;
}

const hours = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/* A time of the wall clock, ISO or s since 1970, as the viewer's clock shows it, with the day if it is not today. */
export function timeOfDay(time, now = new Date()) {
  const at = new Date((typeof time === "number" ? 1000 * time : time) ?? NaN);
  if (Number.isNaN(at.getTime())) return NONE;
  const today = at.toDateString() === now.toDateString();
  return today ? hours.format(at) : `${days.format(at)} ${hours.format(at)}`;
}

export function ago(s) {
  if (!Number.isFinite(s)) return NONE;
  if (s < 10) return `${Math.max(0, s).toFixed(1)} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return `${Math.round(s / 3600)} h`;
}

export const percent = (part, all) =>
  all > 0 ? `${((100 * part) / all).toFixed(part === all ? 0 : 2)} %` : NONE;

/* Begins with a capital, ends with a full stop. */
export const sentence = (text) => text[0].toUpperCase() + text.slice(1).replace(/\.?$/, ".");

/* A name that any file system takes. */
export const fileName = (...parts) =>
  parts
    .filter((part) => part !== null && part !== undefined && part !== "")
    .join("-")
    .replace(/[^\w.-]+/g, "_")
    .slice(0, 100);
