/* Verdicts in a word, a shape and a colour: the same on the page, in the tab and to the ear. */

import { byId } from "./dom.js";

/* Shapes tell what colours tell, too: not everybody sees red and green apart. */
const SHAPES = {
  GOOD: '<circle cx="8" cy="8" r="6.5" fill="#0a7045"/>',
  "NOT ENOUGH YET": '<circle cx="8" cy="8" r="5.5" fill="none" stroke="#687586" stroke-width="2.5"/>',
  WARN: '<path d="M8 1 15.5 14.5H.5z" fill="#c07a00"/>',
  BAD: '<path d="M1 1h14v14H1z" fill="#c3241c"/><path d="M8 3.5v5.5M8 11v2" stroke="#fff" stroke-width="2.2"/>',
  "NO DATA": '<path d="M2 2 14 14M14 2 2 14" stroke="#687586" stroke-width="3"/>',
};
const RANK = ["GOOD", "NOT ENOUGH YET", "WARN", "BAD", "NO DATA"];
const ALARMING = RANK.indexOf("WARN");
const TONE_S = 0.18;

export const rank = (state) => RANK.indexOf(state);

/* Show the verdict in the tab, where the page is not seen. */
export function showInTab(state, problems, title) {
  const count = problems > 0 ? ` (${problems})` : "";
  const wanted = `${state}${count} \u00b7 ${title}`;
  if (document.title !== wanted) document.title = wanted;
  const icon = document.querySelector("link[rel=icon]");
  if (icon.dataset.state === state) return;
  icon.dataset.state = state;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${SHAPES[state]}</svg>`;
  icon.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/* Tones when something gets worse, if the viewer wants them. */
export class Sound {
  #audio = null;
  #known = null; // problems that were heard of

  constructor() {
    byId("sound").addEventListener("change", (event) => {
      this.#audio = event.target.checked ? new AudioContext() : null;
      if (this.#audio) this.#play(2); // so that it is known how it sounds
    });
  }

  /* Take the problems that there are; those that nobody has seen sound once. */
  hear(problems) {
    const open = problems
      .filter(({ state, known, acknowledged }) => rank(state) >= ALARMING && !known && !acknowledged)
      .map(({ check, target, state }) => `${check} ${target} ${state}`);
    const fresh = this.#known !== null && open.some((name) => !this.#known.has(name));
    this.#known = new Set(open);
    if (fresh && this.#audio) this.#play(3);
  }

  #play(tones) {
    const audio = this.#audio;
    for (let i = 0; i < tones; i++) {
      const tone = new OscillatorNode(audio, { frequency: 660 - 110 * i });
      const gain = new GainNode(audio, { gain: 0.15 });
      tone.connect(gain).connect(audio.destination);
      tone.start(audio.currentTime + 1.5 * TONE_S * i);
      tone.stop(audio.currentTime + 1.5 * TONE_S * i + TONE_S);
    }
  }
}
