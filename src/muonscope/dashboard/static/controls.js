/* The controls: from the choices to the elements, and from the elements to the choices. */

import { THEME } from "./choices.js";
import { byId, el, icon, setText } from "./dom.js";
import { clock } from "./format.js";
import { keep } from "./kept.js";

export class Controls {
  #choices;
  #trend;
  #act;

  /* act: {pause(), resume(), go(row), step(by), save(), reset()} */
  constructor(choices, trend, act) {
    this.#choices = choices;
    this.#trend = trend;
    this.#act = act;
    this.#radio("view", String);
    this.#radio("unit", String);
    this.#radio("span", Number);
    this.#radio("clock", String);
    for (const name of ["log", "reference"]) {
      byId(name).addEventListener("change", (event) =>
        choices.set({ [name]: event.target.checked }),
      );
    }
    byId("theme").addEventListener("click", () => {
      const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      keep(THEME, theme);
      choices.set({ theme });
    });
    byId("pause").addEventListener("click", () => (choices.now.at ? act.resume() : act.pause()));
    byId("back").addEventListener("click", () => act.step(-1));
    byId("forward").addEventListener("click", () => act.step(1));
    byId("place").addEventListener("input", (event) => act.go(Number(event.target.value)));
    byId("save").addEventListener("click", () => act.save());
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("main").focus();
    });
    this.#navigation();
    this.#resetDialog();
  }

  #radio(name, read) {
    for (const input of document.querySelectorAll(`input[name=${name}]`)) {
      input.addEventListener("change", () => this.#choices.set({ [name]: read(input.value) }));
    }
  }

  /* Going to another page keeps the other choices. */
  #navigation() {
    for (const link of document.querySelectorAll("nav a, a.verdict")) {
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        this.#choices.set({ page: link.dataset.page });
      });
    }
  }

  #resetDialog() {
    const dialog = byId("reset-dialog");
    byId("reset").addEventListener("click", () => {
      dialog.returnValue = "cancel";
      dialog.showModal();
    });
    dialog.addEventListener("close", () => dialog.returnValue === "reset" && this.#act.reset());
  }

  /* Chips for the chambers; once the detector is known. */
  addChambers(detector) {
    const chips = detector.chambers.map(({ label }, c) => {
      const mark = el("span", { class: "mark", "aria-hidden": "true" });
      const made = chip(String(c), [mark, String(c)], () => this.#chooseChambers());
      made.title = label;
      made.firstChild.setAttribute("aria-label", label);
      return made;
    });
    byId("chambers-control").append(...chips);
  }

  /* Give the chips the colours that the figures have. */
  recolour(colours) {
    document
      .querySelectorAll("#chambers-control .mark")
      .forEach((mark, c) => (mark.style.background = colours[c]));
  }

  #chooseChambers() {
    const inputs = [...document.querySelectorAll("#chambers-control input")];
    const chosen = inputs.filter((input) => input.checked).map((input) => Number(input.value));
    this.#choices.set({
      chambers: chosen.length === inputs.length || chosen.length === 0 ? null : chosen,
    });
  }

  /* Chips for the plots of the trends page. */
  addTrends(panels) {
    const home = byId("trend-control");
    if (home.querySelector("label")) return;
    home.append(
      ...panels.map(({ plot, title }) =>
        chip(plot, [title], () => {
          const chosen = [...home.querySelectorAll("input:checked")].map((input) => input.value);
          this.#choices.set({ show: chosen });
        }),
      ),
    );
  }

  /* Show what is chosen. */
  update() {
    const now = this.#choices.now;
    byId("controls").dataset.page = now.page;
    for (const name of ["view", "unit", "span", "clock"]) {
      for (const input of document.querySelectorAll(`input[name=${name}]`))
        input.checked = input.value === String(now[name]);
    }
    byId("log").checked = now.log;
    byId("reference").checked = now.reference;
    byId("theme").setAttribute(
      "aria-pressed",
      String(document.documentElement.dataset.theme === "dark"),
    );
    byId("reset").hidden = now.view !== "run" || now.at !== null;
    for (const input of document.querySelectorAll("#chambers-control input")) {
      input.checked = now.chambers === null || now.chambers.includes(Number(input.value));
    }
    for (const input of document.querySelectorAll("#trend-control input"))
      input.checked = now.show.includes(input.value);
    for (const link of document.querySelectorAll("nav a")) {
      if (link.dataset.page === now.page) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.updateHistory();
  }

  updateHistory() {
    const { at } = this.#choices.now;
    const trend = this.#trend;
    const last = Math.max(0, trend.length - 1);
    const row = at ? Math.max(0, trend.find(at)) : last;
    const place = byId("place");
    place.max = String(last);
    if (document.activeElement !== place || !at) place.value = String(row);
    place.disabled = trend.length === 0;
    place.setAttribute(
      "aria-valuetext",
      trend.length
        ? `${clock(trend.columns.run_s[row] + trend.columns.live_s[row])} in the run`
        : "no window yet",
    );
    byId("back").disabled = row === 0;
    byId("forward").disabled = !at;
    const pause = byId("pause");
    if (pause.dataset.paused === String(at !== null)) return;
    pause.dataset.paused = String(at !== null);
    pause.setAttribute("aria-label", at ? "Go live" : "Pause");
    pause.replaceChildren(icon(at ? "play" : "pause"), el("span", {}, at ? "Go live" : "Pause"));
  }
}

/* Ask for a reference: where from, and what went wrong. */
export function referenceDialog({ reference, choices, screen, changed }) {
  const dialog = byId("reference-dialog");
  const show = (problem = "") => {
    setText(byId("reference-name"), reference.document ? reference.name : "none");
    setText(byId("reference-problem"), problem);
  };
  const attempt = async (take) => {
    try {
      await take();
      show();
      choices.set({ reference: reference.document !== null });
      changed();
      dialog.close();
    } catch (problem) {
      show(problem.message);
    }
  };
  byId("reference-choose").addEventListener("click", () => {
    show();
    byId("reference-screen").disabled = screen() === null;
    dialog.showModal();
  });
  byId("reference-server").addEventListener("click", () => attempt(() => reference.fromServer()));
  byId("reference-screen").addEventListener("click", () =>
    attempt(() => reference.fromScreen(screen())),
  );
  byId("reference-none").addEventListener("click", () => attempt(() => reference.forget()));
  byId("reference-file").addEventListener("change", (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) attempt(() => reference.fromFile(file));
  });
}

function chip(value, content, changed) {
  const input = el("input", { type: "checkbox", value });
  input.addEventListener("change", changed);
  return el("label", {}, input, el("span", {}, ...content));
}
