/* What has to be said besides the plots: that the line is down, that the page is paused, and
   what is missing where there is nothing to draw. */

import { RECENT_S } from "./constants.js";
import { byId, setText } from "./dom.js";
import { clock, count, sentence, timeOfDay } from "./format.js";

const EMPTY = {
  waiting: "Waiting for the first window",
  finished: "Finished without a window",
  stopped: "Stopped without a window",
  disconnected: "No connection to the server",
};

/* line: of the connection; past: the Pause while paused, else null; at: when that was, s since
   1970 or NaN; notice: anything else;
   doubts: what makes the results doubtful. */
export function showBanner({ line, past, at, view, notice, doubts }) {
  const down = line === "disconnected";
  const lines = [
    down ? "Disconnected from the server: what is shown is the last that came. Trying again." : "",
    past?.document ? pausedText(past.document, view, at) : "",
    past?.problem ?? "",
    notice,
    ...doubts.map((doubt) => `Warning: ${sentence(doubt)}`),
  ].filter(Boolean);
  const banner = byId("banner");
  banner.hidden = lines.length === 0;
  banner.dataset.kind = down || doubts.length > 0 ? "problem" : "";
  setText(banner, lines.join(" "));
}

function pausedText(document, view, at) {
  const where = `epoch ${document.epoch}, window ${document.window}`;
  const other = document.view === view ? "" : `: the ${RECENT_S} s up to then`;
  const day = Number.isFinite(at) ? `${timeOfDay(at)}, ` : "";
  return `Paused at ${day}${clock(document.run_s)} in the run (${where})${other}.`;
}

/* Nothing to draw: say what is missing. */
export function showEmpty({ empty, past, status, state }) {
  byId("empty").hidden = !empty;
  byId("main").classList.toggle("is-empty", empty);
  if (!empty) return;
  const looking = past?.problem ? "That window is gone" : "Looking for the window";
  setText(byId("empty-title"), past ? looking : (EMPTY[state.kind] ?? "One moment"));
  const words = status ? `Source: ${status.source}; words so far: ${count(status.words)}.` : "";
  setText(byId("empty-text"), `${sentence(past?.problem || state.reason)} ${words}`);
}
