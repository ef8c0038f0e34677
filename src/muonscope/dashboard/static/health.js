/* Is it well, and how old is what is shown: the state in one word, on every page. */

import { byId, setText } from "./dom.js";
import { ago } from "./format.js";
import { showInTab } from "./verdict.js";

export class Health {
  line = "connecting";
  status = null;
  #heard = 0;
  #tell;

  /* tell(status, state) is called whenever something changed, and once a second. */
  constructor(tell) {
    this.#tell = tell;
    setInterval(() => this.#beat(), 1000);
  }

  hear(status) {
    this.status = status;
    this.#heard = performance.now();
    this.#beat();
  }

  set connection(line) {
    this.line = line;
    this.#beat();
  }

  /* Age of the newest window, s, counted on while the server is silent. */
  get age() {
    const { status } = this;
    return status === null || status.age_s === null
      ? NaN
      : status.age_s + (performance.now() - this.#heard) / 1000;
  }

  get freshness() {
    if (!Number.isFinite(this.age)) return "none";
    if (this.age < this.status.fresh_s) return "fresh";
    return this.age < this.status.old_s ? "ageing" : "old";
  }

  /* Whether what is shown is of too long ago, though windows come. */
  get behind() {
    const { status } = this;
    return status !== null && status.lag_s !== null && status.lag_s > status.fresh_s;
  }

  /* {word, kind, reason}: what people read, what colours it, and why. */
  get state() {
    if (this.line === "disconnected") {
      return {
        word: "disconnected",
        kind: "disconnected",
        reason: "no connection to the server; trying again",
      };
    }
    const { status } = this;
    if (status === null)
      return { word: "connecting", kind: "waiting", reason: "the server has not answered yet" };
    if (status.state === "receiving" && this.behind) {
      const reason = `windows come, but ${ago(status.lag_s)} later than at best in this run`;
      return { word: "behind", kind: "behind", reason };
    }
    return { word: status.state, kind: status.state, reason: status.reason };
  }

  #beat() {
    const { state, freshness } = this;
    const pulse = byId("pulse");
    pulse.dataset.state = state.kind;
    pulse.title = state.reason;
    document.documentElement.dataset.freshness = freshness;
    setText(byId("state"), state.word);
    document.documentElement.toggleAttribute("data-ended", state.kind === "finished");
    setText(byId("age"), this.#ageText(state.kind, freshness));
    this.#showVerdict(state);
    this.#tell(this.status, state);
  }

  /* What has come to its end does not grow old. */
  #ageText(kind, freshness) {
    if (kind === "finished") return "";
    if (freshness === "none") return "no data yet";
    if (kind === "behind") return `${ago(this.status.lag_s)} behind`;
    return `${ago(this.age)} old \u00b7 ${freshness}`;
  }

  /* Whether the data are good, in one word; without the server nobody knows. */
  #showVerdict(state) {
    const { status } = this;
    const box = byId("verdict");
    box.hidden = status === null;
    if (status === null) return;
    const lost = state.kind === "disconnected";
    box.dataset.verdict = lost ? "NO DATA" : status.verdict;
    box.title = lost ? state.reason : status.verdict_reason;
    const { problems } = status;
    const count = problems > 0 && !lost ? ` \u00b7 ${problems} problem${problems > 1 ? "s" : ""}` : "";
    setText(byId("verdict-word"), `${box.dataset.verdict}${count}`);
    setText(byId("verdict-reason"), box.title);
    const badge = byId("problem-count");
    badge.hidden = problems === 0;
    badge.dataset.verdict = status.verdict;
    setText(badge, String(problems));
    showInTab(box.dataset.verdict, lost ? 0 : problems, `muonscope ${status.detector}`);
  }
}
