/* The numbers beside axes, where Bokeh writes them otherwise than we want. */

import { timeOfDay } from "./format.js";

/* Times of the day, which Bokeh does not know in the viewer's zone. */
export function nameTimes({ below }) {
  below[0].formatter.doFormat = (ticks) => ticks.map((at) => timeOfDay(at));
}

/* The numbers of Bokeh say m for a million, which physicists read as a thousandth. */
export function nameMillions({ left, right, below }) {
  for (const { formatter } of [...left, ...right, ...below]) {
    if (formatter?.type !== "NumeralTickFormatter") continue;
    const { doFormat } = formatter;
    formatter.doFormat = (...args) =>
      doFormat.apply(formatter, args).map((text) => text.replace("m", "M"));
  }
}
