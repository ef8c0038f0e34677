/* Pause, and go back and forth through the windows that are kept. */

import { sentence } from "./format.js";

const SETTLE_MS = 120; // a moving slider asks once it rests

export class Pause {
  document = null; // what is shown while paused
  problem = "";
  #asked = 0;
  #timer = 0;
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  /* Fetch the view at a place; the run view has no past: a minute stands in for it. */
  show(view, at) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fetch(view === "run" ? "recent" : view, at), SETTLE_MS);
  }

  /* Keep what is on the screen: the run view, too, stands still where it is paused. */
  hold(document) {
    this.live();
    this.document = document;
  }

  /* Tell whether that is what is shown. */
  holds(view, at) {
    const held = this.document;
    const same = held?.epoch === at.epoch && held.window === at.window;
    return same && held.view === view && (at.run === null || held.run === at.run);
  }

  live() {
    clearTimeout(this.#timer);
    this.#asked++;
    this.document = null;
    this.problem = "";
  }

  async #fetch(view, { epoch, window, run }) {
    const asked = ++this.#asked;
    let found = null;
    let problem = "";
    try {
      const answer = await fetch(`api/v1/summary?${new URLSearchParams({ view, epoch, window })}`);
      if (answer.ok) found = await answer.json();
      else problem = sentence((await answer.json()).error);
    } catch {
      problem = "The server did not answer.";
    }
    if (asked !== this.#asked) return;
    if (found && run !== null && found.run !== run) {
      problem = `That window is of run ${run}; here is run ${found.run}.`;
      found = null;
    }
    this.document = found ?? this.document;
    this.problem = problem;
    this.#changed();
  }
}
