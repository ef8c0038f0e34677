/* Keeps the history whole: asks for the rows that were missed, or for more of the past. */

const MARGIN_S = 5; // more than is missing, to be sure
const REST_MS = 1000; // between two questions

export class TrendLoader {
  #trend;
  #with;
  #busy = false;
  #life = 0; // number of the history: answers of one before do not count

  /* with: {wantedS(), end(): time in the run of the newest window, connected(), changed()} */
  constructor(trend, withWhat) {
    this.#trend = trend;
    this.#with = withWhat;
  }

  /* Take the rows of an update. */
  take(rows) {
    if (rows && !this.#trend.append(rows)) this.mend();
  }

  /* See that there is as much of the past as is wanted. */
  extend() {
    if (this.#with.wantedS() > this.#trend.loadedS) this.mend();
  }

  /* Another history from now on, of another run or server: all of it is asked for. */
  again() {
    this.#life++;
    this.#trend.forget();
    this.mend();
  }

  async mend() {
    if (this.#busy) return;
    this.#busy = true;
    await this.#ask().catch(() => undefined);
    this.#with.changed();
    setTimeout(() => {
      this.#busy = false;
      if (this.#with.connected()) this.extend();
    }, REST_MS);
  }

  /* Only what is missing, if that will do; else all. */
  async #ask() {
    const trend = this.#trend;
    const life = this.#life;
    const wanted = this.#with.wantedS();
    const missing = trend.length ? Math.ceil(this.#with.end() - trend.end) + MARGIN_S : 0;
    const enough = missing > 0 && missing < trend.loadedS && wanted <= trend.loadedS;
    const some = enough ? await rowsOf(missing) : null;
    if (life !== this.#life || (some && trend.append(some))) return;
    const lastS = Math.max(wanted, trend.loadedS);
    const all = await rowsOf(lastS);
    if (all && life === this.#life) trend.load(all, lastS);
  }
}

async function rowsOf(lastS) {
  const answer = await fetch(`api/v1/windows?last=${lastS}`);
  return answer.ok ? answer.json() : null;
}
