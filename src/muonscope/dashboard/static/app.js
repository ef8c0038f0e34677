/* The page: joins the choices of the viewer, the stream of the server, and what is drawn. */

import { Choices, THEME } from "./choices.js";
import { Connection } from "./connection.js";
import { DEFAULT_LAST_S, OWN_HEADER } from "./constants.js";
import { Controls, referenceDialog } from "./controls.js";
import { byId, save, setText } from "./dom.js";
import { Events } from "./events.js";
import { clock, count, fileName, timeOfDay } from "./format.js";
import { Health } from "./health.js";
import { kept } from "./kept.js";
import { showBanner, showEmpty } from "./notices.js";
import * as overview from "./overview.js";
import { Pages } from "./pages.js";
import { Pause } from "./pause.js";
import { Problems } from "./problems.js";
import { Reference } from "./reference.js";
import { showTables } from "./system.js";
import { showTiles } from "./tiles.js";
import { showZoom, Zoom } from "./zoom.js";
import { scaleOf, Wall } from "./wall.js";
import { Trend } from "./trend.js";
import { TrendLoader } from "./trend-loader.js";

const AGAIN_MS = 2000; // between two questions that are not answered
const STATS = { updates: 0, seq: null, closedAt: null, lastApplied: null, lastMs: null };

const choices = new Choices();
const trend = new Trend();
const reference = new Reference();
const wall = new Wall(choices);
const zoom = new Zoom(choices, trend);
const paused = new Pause(() => draw());
let live = null; // the newest view document
let detector = null;
let notice = "";

const problems = new Problems(() => drawVerdicts());

const health = new Health((status, state) => {
  if (status) overview.updateStatus(status, state);
  if (status && choices.now.page === "overview") drawTiles();
  if (status && choices.now.page === "system") showTables(byId("system"), status);
  announce();
});

const controls = new Controls(choices, trend, {
  pause: () => {
    if (!live) return;
    paused.hold(live);
    choices.set({ at: placeOf(live) });
  },
  resume: () => choices.set({ at: null }),
  step: (by) => goTo((choices.now.at ? trend.find(choices.now.at) : trend.length - 1) + by),
  go: goTo,
  save: saveShown,
  reset: resetRun,
});

const loader = new TrendLoader(trend, {
  wantedS: () => {
    const { at, page, span, zoom: ends } = choices.now;
    const pastS = at ? Math.min(health.status?.history_s ?? 0, trend.detailS) : 0;
    const zoomS = ends ? (live?.run_s ?? 0) - ends[0] : 0;
    return Math.max(DEFAULT_LAST_S, pastS, zoomS, page === "trends" ? span : 0);
  },
  end: () => live?.run_s ?? 0,
  connected: () => health.line === "connected",
  changed: () => draw(),
});

const pages = new Pages({
  detector: () => detector,
  document: shown,
  describe: (panel) => describe(shown(), panel),
  clicked: (s, byDay) => goTo(trend.at(byDay ? trend.runTimeAt(s) : s)),
  zoomed: (ends, byDay) => zoom.show(byDay ? ends.map((at) => trend.runTimeAt(at)) : ends),
  zoom,
  loaded: (page, sheet) => {
    if (page === "trends") controls.addTrends(sheet.panels);
    controls.recolour(sheet.colours);
    controls.update();
    showZoom(choices.now.zoom);
    draw();
  },
});

/* What the numbers of a panel are of, for those who find them in a file. */
function describe(document, { series }) {
  if (!document) return { run: "", shown: "", place: "" };
  const { run, view, epoch, window, live_s } = document;
  const saved_at = new Date().toISOString();
  if (series.length > 0) {
    const text = `rates in Hz against the time in the run in s, up to ${clock(document.run_s)}`;
    return { run, shown: text, saved_at, place: `history-${epoch}-${window}` };
  }
  const text = `${view}, epoch ${epoch}, window ${window}, ${clock(document.run_s)} in the run, ${count(live_s)} s live`;
  return { run, shown: text, live_s, saved_at, place: `${view}-${epoch}-${window}` };
}

/* What is on the screen: of the past while paused. */
function shown() {
  return choices.now.at ? paused.document : live;
}

const placeOf = ({ epoch, window, run }) => ({ epoch, window, run: run ?? live?.run ?? null });

function goTo(row) {
  if (trend.length === 0) return;
  if (row >= trend.length) choices.set({ at: null });
  else choices.set({ at: placeOf(trend.row(Math.max(0, row))) });
}

function drawTiles() {
  if (detector) showTiles(detector, problems.document, health.status, shown());
}

function drawVerdicts() {
  const { page } = choices.now;
  if (page === "problems") problems.draw(live?.run_s ?? 0);
  if (page !== "overview") return;
  problems.drawBrief();
  drawTiles();
}

/* Draw the page that is seen, and note what it cost. */
function draw() {
  const { page, chambers, show } = choices.now;
  announce();
  controls.updateHistory();
  const document = shown();
  const sheet = pages.ready(page);
  if (!document || !sheet) return;
  measured(document, () => {
    pages.select(page, chambers, show);
    const cursorS = choices.now.at ? document.run_s : null;
    const spanS = page === "trends" ? choices.now.span : DEFAULT_LAST_S;
    const { reset_at: resetAt } = health.status ?? {};
    const marks = trend.marksOf(problems.document?.turns ?? [], resetAt ? Date.parse(resetAt) / 1000 : null);
    pages.draw(page, document, contextOf(document), trend, { spanS, cursorS, zoom: choices.now.zoom, marks });
    sheet.showBands(bandsOf(problems.document, sheet.colours));
  });
  if (page === "overview") overview.updateView(document);
  if (page === "muons") events.tell(document);
}

/* Where the rates of the chambers that are shown are expected. */
function bandsOf(told, colours) {
  const { chambers } = choices.now;
  const wanted = (told?.chambers ?? []).map(({ band }, c) => ({ band, colour: colours[c], c }));
  return wanted
    .filter(({ band, c }) => band && (chambers?.includes(c) ?? true))
    .map(({ band, colour }) => ({ y0: band.low, y1: band.high, colour }));
}

const events = new Events(() => draw());

const contextOf = (document) => ({
  event: events.row(document),
  unit: choices.now.unit,
  live: document.live_s,
  scintillator: document.scintillator,
  reference: choices.now.reference ? reference.document : null,
});

/* Time on the main thread: of applying, and of the frame that follows, painting included. */
function measured({ seq, closed_at: closedAt }, apply) {
  let applied = 0;
  requestAnimationFrame(() => {
    const frame = performance.now();
    afterFrame(() => {
      const now = performance.now();
      Object.assign(STATS, {
        seq,
        closedAt,
        lastApplied: performance.timeOrigin + now,
        lastMs: applied + now - frame,
      });
      STATS.updates++;
    });
  });
  const began = performance.now();
  apply();
  applied = performance.now() - began;
}

/* A message that is sent at the beginning of a frame comes when the frame is done. */
function afterFrame(call) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    call();
  };
  port2.postMessage(null);
}

function lookFor(page) {
  const { log, unit, clock: axis, reference: wanted, wall } = choices.now;
  return {
    theme: document.documentElement.dataset.theme,
    log: log ? "1" : "0",
    unit: page === "trends" ? "counts" : unit,
    clock: page === "chambers" ? "run" : axis,
    reference: wanted && reference.document ? "1" : "0",
    wall: wall && page === "overview" ? "1" : "0",
    scale: String(scaleOf(wall)),
  };
}

/* Say what has to be said besides the plots. */
function announce() {
  const { at, view, page } = choices.now;
  const past = at ? paused : null;
  const { line, status, state } = health;
  const row = at ? trend.find(at) : -1;
  const came = trend.columns.at?.[row] ?? NaN;
  showBanner({ line, past, at: came, view, notice, doubts: status?.doubts ?? [] });
  const drawn = !["problems", "system"].includes(page);
  showEmpty({ empty: shown() === null && drawn, past, status, state });
}

function say(text) {
  notice = text;
  announce();
}

function saveShown() {
  const document = shown();
  if (!document) return;
  const { trend: _rows, ...kept } = document;
  const name = fileName(document.run, document.view, document.epoch, document.window);
  save(new Blob([JSON.stringify(kept)], { type: "application/json" }), `${name}.json`);
}

async function resetRun() {
  try {
    const answer = await fetch("api/v1/reset", { method: "POST", headers: OWN_HEADER });
    say(answer.ok ? "" : `The reset was refused (${answer.status}).`);
    if (answer.ok) pages.forget();
  } catch {
    say("The reset was not done: the server did not answer.");
  }
}

function take(document) {
  if (live && document.run !== live.run) {
    loader.again();
    if (choices.now.zoom) choices.set({ zoom: null });
    if (choices.now.at) {
      choices.set({ at: null });
      say(`Run ${document.run} has begun; run ${live.run}, which was paused, is not kept.`);
    }
  }
  if (live && begunAnew(live, document)) pages.forget();
  live = document;
  if (choices.now.page === "problems") problems.drawTimeline(live.run_s);
  loader.take(document.trend);
  if (choices.now.at) controls.updateHistory();
  else draw();
}

/* Axes are forgotten with what they were of: another run, or the run view before a reset. */
function begunAnew(before, now) {
  const sameView = now.view === before.view;
  return now.run !== before.run || (sameView && now.view === "run" && now.first_s > before.first_s);
}

/* Another server may answer after a while: then nothing of the one before is kept. */
function hear(status) {
  const before = health.status;
  if (detector && status.detector !== detector.name) return location.reload();
  if (before && before.started !== status.started) loader.again();
  byId("logout").hidden = status.config.token === "none";
  health.hear(status);
  if (before && before.started === status.started && status.reset_at !== before.reset_at && status.reset_at) {
    say(`The run view was begun anew at ${timeOfDay(status.reset_at)}, for all viewers.`);
    draw();
  }
  loader.extend();
}

function applyTheme() {
  const { theme: chosen } = choices.now;
  const theme = chosen === "auto" ? (kept(THEME) ?? chosen) : chosen;
  const dark =
    theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

/* Switched on without a reference: that of the server is meant. */
async function fetchReference() {
  if (reference.document) return;
  try {
    await reference.fromServer();
    say("");
  } catch (problem) {
    choices.set({ reference: false });
    say(`No reference: ${problem.message}`);
  }
}

/* Everything that follows from the choices. */
function follow(now, before) {
  applyTheme();
  wall.show(now);
  if (now.view !== before?.view) pages.forget();
  connection?.ask(streamOf(now));
  if (now.at) {
    const same = before?.at && write(before) === write(now);
    if (!same && !paused.holds(now.view, now.at)) paused.show(now.view, now.at);
  } else paused.live();
  if (now.reference && !reference.document) fetchReference().then(() => follow(choices.now, choices.now));
  loader.extend();
  if (now.page === "system" && health.status) showTables(byId("system"), health.status);
  pages.show(now.page, lookFor(now.page));
  drawVerdicts();
  showZoom(now.zoom);
  setText(byId("reference-shown"), now.reference && reference.document ? reference.name : "");
  controls.update();
  draw();
}

const write = ({ at, view }) => JSON.stringify([at, view]);

let connection = null;

/* Only one page each draws single orbits, and tracks. */
const streamOf = ({ view, page }) => ({ view, lists: page === "chambers", tracks: page === "muons" });

/* The detector; asked for until the server answers. */
async function described() {
  for (;;) {
    const answer = await fetch("api/v1/detector").catch(() => null);
    if (answer?.ok) return answer.json();
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

async function start() {
  overview.build();
  applyTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    follow(choices.now, choices.now),
  );
  connection = new Connection(streamOf(choices.now), {
    view: take,
    status: hear,
    problems: (document) => problems.hear(document),
    line: (line) => {
      health.connection = line;
      if (line === "connected" && detector) pages.show(choices.now.page, lookFor(choices.now.page));
    },
  });
  detector = await described();
  setText(byId("detector"), detector.name);
  controls.addChambers(detector);
  choices.bound(detector.chambers.length);
  addEventListener("hashchange", () => choices.bound(detector.chambers.length));
  referenceDialog({
    reference,
    choices,
    screen: shown,
    changed: () => {
      say("");
      follow(choices.now, choices.now);
    },
  });
  if (reference.document && reference.document.detector !== detector.name) reference.forget();
  if (choices.now.reference) await fetchReference();
  choices.onChange(follow);
  follow(choices.now, null);
  await pages.settled();
}

/* For tests and the curious: what is shown, to be read only. */
window.muonscope = Object.freeze({
  ready: start(),
  state: () => ({
    ...STATS,
    choices: { ...choices.now },
    line: health.line,
    freshness: health.freshness,
    status: health.status,
    shown: shown() && {
      ...placeOf(shown()),
      seq: shown().seq,
      view: shown().view,
      live_s: shown().live_s,
    },
    trendRows: trend.length,
    reference: reference.document ? reference.name : null,
  }),
  source: (name) => pages.ready(choices.now.page)?.data(name) ?? null,
});
