/* The stream of updates: reconnects with growing pauses, and rests while the tab is hidden. */

import { STATUS_S } from "./constants.js";
import { openStream } from "./stream.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const SILENCE_MS = 15_000 * STATUS_S; // so long without a status: the line is dead

export class Connection {
  #closeStream = null;
  #retry = 0;
  #watch = 0;
  #pause = FIRST_PAUSE_MS;
  #asked;
  #hear;

  /* hear: {view, problems, status, line}; line is told "connected", "connecting", "disconnected", "resting". */
  constructor(asked, hear) {
    this.#asked = write(asked);
    this.#hear = hear;
    document.addEventListener("visibilitychange", () =>
      document.hidden ? this.#rest() : this.#open(),
    );
    addEventListener("online", () => this.#open());
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", (event) => event.persisted && this.#open());
    if (!document.hidden) this.#open();
  }

  /* {view, lists, tracks}: which view, and whether with single orbits, and with tracks. */
  ask(asked) {
    if (write(asked) === this.#asked) return;
    this.#asked = write(asked);
    if (!document.hidden) this.#open();
  }

  #open() {
    this.#close();
    this.#closeStream = openStream(this.#asked, {
      open: () => {
        this.#pause = FIRST_PAUSE_MS;
        this.#hear.line("connected");
      },
      error: () => this.#lost(),
      event: (kind, data) => {
        this.#listen();
        this.#hear[kind](JSON.parse(data));
      },
    });
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
    this.#closeStream?.();
    this.#closeStream = null;
    clearTimeout(this.#retry);
    clearTimeout(this.#watch);
  }
}

const write = ({ view, lists, tracks }) =>
  `view=${view}&lists=${lists ? 1 : 0}&tracks=${tracks ? 1 : 0}`;
