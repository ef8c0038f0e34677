/* What is wrong, where, since when, and what to do: the page, its top on the overview, and who
   has seen it. */

import { OWN_HEADER } from "./constants.js";
import { byId, el, setText } from "./dom.js";
import { clock, sentence, timeOfDay } from "./format.js";
import { keep, kept } from "./kept.js";
import { showTimeline } from "./timeline.js";
import { Sound } from "./verdict.js";

const ON_OVERVIEW = 3;
const WHO = "muonscope-name"; // of the viewer, kept for the next time

export class Problems {
  document = null;
  #sound = new Sound();
  #asked = null; // the problem that the dialog is about
  #changed;

  /* changed() is called when there are other problems. */
  constructor(changed) {
    this.#changed = changed;
    byId("seen-cancel").addEventListener("click", () => byId("seen-dialog").close());
    byId("seen-send").addEventListener("click", () => this.#send());
  }

  hear(document) {
    this.document = document;
    this.#sound.hear(document.problems);
    this.#changed();
  }

  /* Draw the top on the overview. */
  drawBrief() {
    const list = byId("top-problems");
    const problems = this.document?.problems.filter(({ known }) => !known) ?? [];
    list.hidden = problems.length === 0;
    list.replaceChildren(...problems.slice(0, ON_OVERVIEW).map(brief));
    const more = problems.length - ON_OVERVIEW + (this.document?.more ?? 0);
    if (more > 0)
      list.append(el("li", { class: "more" }, el("a", { href: "#page=problems" }, `${more} more`)));
  }

  /* Draw the page. */
  draw(runS) {
    const { document } = this;
    if (!document) return;
    const { problems, reference, profile, not_judged: unjudged, more } = document;
    const compared = reference
      ? `compared with ${reference}`
      : `no reference: ${unjudged.join(", ")} ${unjudged.length === 1 ? "is" : "are"} not judged`;
    setText(byId("problems-about"), `Thresholds of profile ${profile}; ${compared}.`);
    const items = problems.map((problem) => this.#item(problem));
    byId("problem-list").replaceChildren(
      ...(items.length ? items : [el("li", { class: "none" }, sentence(document.reason))]),
    );
    byId("problems-more").hidden = more === 0;
    setText(byId("problems-more"), `${more} more are in api/v1/verdicts.`);
    this.drawTimeline(runS);
  }

  /* Draw when verdicts turned, up to now, runS. */
  drawTimeline(runS) {
    if (this.document) showTimeline(this.document, runS);
  }

  #item(problem) {
    const { state, text, check, target, advice, known, acknowledged } = problem;
    const when = `since ${timeOfDay(problem.since_at)} (${clock(problem.since_s)} in the run)`;
    const seen = acknowledged
      ? el(
          "span",
          { class: "seen" },
          `seen by ${acknowledged.name}, ${timeOfDay(acknowledged.at)}`,
          acknowledged.note ? `: ${acknowledged.note}` : "",
        )
      : null;
    const button = el("button", { type: "button" }, "Acknowledge\u2026");
    button.addEventListener("click", () => this.#ask(problem));
    return el(
      "li",
      { "data-verdict": known ? "KNOWN" : state, "data-check": check, "data-target": target },
      el("strong", { class: "word" }, known ? `${state}, known` : state),
      el(
        "div",
        { class: "what" },
        el("p", { class: "text" }, text),
        el("p", { class: "advice" }, known ? `Known: ${known}.` : advice),
      ),
      el("div", { class: "when" }, el("span", {}, when), seen),
      known || acknowledged ? null : button,
    );
  }

  #ask(problem) {
    this.#asked = problem;
    setText(byId("seen-what"), problem.text);
    setText(byId("seen-problem"), "");
    byId("seen-name").value = kept(WHO) ?? "";
    byId("seen-note").value = "";
    byId("seen-dialog").showModal();
  }

  async #send() {
    const name = byId("seen-name").value.trim();
    if (!name) return setText(byId("seen-problem"), "Please give your name.");
    const { check, target } = this.#asked;
    const headers = { ...OWN_HEADER, "Content-Type": "application/json" };
    const body = JSON.stringify({ check, target, name, note: byId("seen-note").value.trim() });
    const asked = { method: "POST", headers, body };
    const answer = await fetch("api/v1/acknowledgements", asked).catch(() => null);
    if (answer?.ok) {
      keep(WHO, name);
      return byId("seen-dialog").close();
    }
    const told = answer ? (await answer.json()).error : "the server did not answer";
    setText(byId("seen-problem"), `Not done: ${told}.`);
  }
}

/* A problem in a line that leads to the page. */
function brief({ state, text, since_at: at, acknowledged }) {
  const seen = acknowledged ? `, seen by ${acknowledged.name}` : "";
  return el(
    "li",
    { "data-verdict": state },
    el("strong", { class: "word" }, state),
    el("a", { class: "text", href: "#page=problems" }, text),
    el("span", { class: "when" }, `since ${timeOfDay(at)}${seen}`),
  );
}
