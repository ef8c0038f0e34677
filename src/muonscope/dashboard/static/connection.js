/* The stream of updates: reconnects with growing pauses, and rests while the tab is hidden. */

import { STATUS_S } from "./constants.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const SILENCE_MS = 15_000 * STATUS_S; // so long without a status: the line is dead

export class Connection {
  #source = null;
  #retry = 0;
  #watch = 0;
  #pause = FIRST_PAUSE_MS;
  #view;
  #hear;

  /* hear: {view, status, line}; line is told "connected", "connecting", "disconnected", "resting". */
  constructor(view, hear) {
    this.#view = view;
    this.#hear = hear;
    document.addEventListener("visibilitychange", () =>
      document.hidden ? this.#rest() : this.#open(),
    );
    addEventListener("online", () => this.#open());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.#open());
    if (!document.hidden) this.#open();
  }

  set view(name) {
    if (name === this.#view) return;
    this.#view = name;
    if (!document.hidden) this.#open();
  }

  #open() {
    this.#close();
    const source = new EventSource(`stream?view=${encodeURIComponent(this.#view)}`);
    this.#source = source;
    source.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      this.#hear.line("connected");
    };
    source.onerror = () => this.#lost();
    for (const kind of ["view", "status"]) {
      source.addEventListener(kind, (event) => {
        this.#listen();
        this.#hear[kind](JSON.parse(event.data));
      });
    }
    this.#listen();
  }

  #listen() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost() {
    this.#close();
    this.#hear.line("disconnected");
    this.#retry = setTimeout(() => this.#tryAgain(), this.#pause * (0.75 + 0.5 * Math.random()));
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }

  /* An EventSource does not tell why it failed: ask first whether the login still holds. */
  async #tryAgain() {
    try {
      const signal = AbortSignal.timeout(SILENCE_MS);
      const answer = await fetch("api/v1/health", { cache: "no-store", signal });
      if (document.hidden) return; // it rests by now
      if (answer.status === 401) location.reload();
      else if (answer.ok) this.#open();
      else this.#lost();
    } catch {
      if (!document.hidden) this.#lost();
    }
  }

  #rest() {
    this.#close();
    this.#hear.line("resting");
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
  }
}
