/* The event that the page of muons shows: one of the few that each window tells. */

import { byId, setText } from "./dom.js";
import { count } from "./format.js";

export class Events {
  #back = 0; // from the last one of the window
  #window = "";

  constructor(changed) {
    byId("event-before").addEventListener("click", () => this.#step(1, changed));
    byId("event-after").addEventListener("click", () => this.#step(-1, changed));
  }

  #step(back, changed) {
    this.#back = Math.max(0, this.#back + back);
    changed();
  }

  /* The row of the event to show in a view document; another window shows its last one. */
  row({ run, epoch, window, tables: { event } }) {
    const place = `${run} ${epoch} ${window}`;
    if (place !== this.#window) this.#back = 0;
    this.#window = place;
    const n = event?.orbit.length ?? 0;
    this.#back = Math.min(this.#back, Math.max(0, n - 1));
    return n - 1 - this.#back;
  }

  /* Say which one it is, and how it goes. */
  tell(document) {
    const { event, tracking } = document.tables;
    const row = this.row(document);
    const n = event?.orbit.length ?? 0;
    byId("event-before").disabled = row <= 0;
    byId("event-after").disabled = row >= n - 1;
    setText(byId("event-told"), n > 0 ? about(document.tables, row) : nothing(tracking));
  }
}

function about({ event, event_lines: lines }, row) {
  const mine = lines.event.flatMap((of, i) => (of === row ? [i] : []));
  const tracks = mine.map((i) => {
    const slope = lines.slope[i].toFixed(3).replace("-", "\u2212");
    const chambers = lines.chambers[i];
    return `${chambers > 1 ? `track of ${chambers} chambers` : "segment"}, slope ${slope}`;
  });
  const place = `event ${row + 1} of ${event.orbit.length} of the window`;
  return [place, `orbit ${count(event.orbit[row])}`, `${event.hits[row]} hits`, ...tracks].join(" \u00b7 ");
}

function nothing(tracking) {
  if (tracking?.orbits[0] > 0) return "no track in this window";
  return "These windows were counted without tracking: start without --without tracking.";
}
