/* The frames of the plots: title, how to read it, a menu to save, and room for the figure. */

import { CHAMBER_COLUMNS } from "./constants.js";
import { byId, el, setText } from "./dom.js";
import { saveMenu } from "./export.js";
import { count, hertz } from "./format.js";
import { edgesText } from "./tiles.js";
import { zoomButtons } from "./zoom.js";

const BY_CHAMBER = new RegExp(`^(?:${CHAMBER_COLUMNS.join("|")})(\\d*)$`);

/* Return what places the panels of a page; act: {find(panel): what the save menu needs, zoom: see
   zoom.js}. */
export function placer(page, detector, act) {
  const homes = { overview: "overview-plots", muons: "muon-plots", trends: "trend-plots" };
  return (panel, colours) => {
    const home =
      page === "chambers" ? chamberHome(panel.chamber, detector, colours) : byId(homes[page]);
    const made = frame(panel, detector, act);
    const of = labelOf(panel, detector);
    if (page === "overview" && of) setText(made.querySelector("h3"), of);
    if (page === "muons" && of) setText(made.querySelector("h3"), `${panel.title}, ${of}`);
    home.append(made);
  };
}

/* Take away all panels of a page, so that it can be built again. */
export function clear(page) {
  const section = byId(page);
  for (const node of section.querySelectorAll(".panel[data-plot], .chamber")) node.remove();
}

function frame(panel, detector, { find, zoom }) {
  const of = labelOf(panel, detector);
  const label = of ? `${panel.title}, ${of}` : panel.title;
  const plot = el("div", { class: "plot", id: panel.element, role: "img", "aria-label": label, "data-label": label });
  const article = el("article", { class: `panel plot-${panel.plot}`, "data-plot": panel.plot });
  article.append(
    el(
      "header",
      {},
      el("h3", {}, panel.title),
      el("span", { class: "hint", title: panel.hint }, panel.hint),
      el("span", { class: "chi", title: "Difference to the reference, and how many entries tell it" }),
      ...(panel.series.length > 0 ? [zoomButtons(label, zoom)] : []),
      saveMenu(label, () => find(panel)),
    ),
    plot,
  );
  if (panel.empty) article.append(el("p", { class: "nothing", hidden: true }, panel.empty));
  if (panel.series.length > 1) article.append(legend(panel.series, detector));
  return article;
}

/* What a panel is of: a chamber, a view, or all. */
function labelOf({ chamber, view }, detector) {
  if (view) return `${view} view`;
  return chamber === null ? "" : detector.chambers[chamber].label;
}

function legend(series, detector) {
  const items = series.map(({ name, colour }) => {
    const mark = el("span", { class: "mark", "aria-hidden": "true" });
    mark.style.background = colour;
    return el(
      "li",
      { "data-series": name },
      mark,
      el("span", {}, seriesLabel(name, detector)),
      el("output", {}),
    );
  });
  return el("ul", { class: "legend" }, ...items);
}

/* hits2 -> chamber 2; words_in -> words in. */
export function seriesLabel(name, detector) {
  if (!BY_CHAMBER.test(name)) return name.replaceAll("_", " ");
  const chamber = chamberOf(name);
  return chamber === null ? "total" : detector.chambers[chamber].label;
}

/* hits2 -> 2; null for what is of no chamber. */
export function chamberOf(name) {
  const number = BY_CHAMBER.exec(name)?.[1];
  return number ? Number(number) : null;
}

/* Write the newest rates into the legends of a page. */
export function updateLegends(section, rates) {
  for (const item of section.querySelectorAll(".legend li")) {
    const values = rates[item.dataset.series];
    setText(item.querySelector("output"), values?.length ? hertz(values.at(-1)) : "");
  }
}

function chamberHome(chamber, detector, colours) {
  const id = `chamber-${chamber}`;
  const found = byId(id);
  if (found) return found.querySelector(".chamber-plots");
  const {
    label,
    fpga,
    first_channel: first,
    last_channel: last,
    view,
  } = detector.chambers[chamber];
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  const home = el(
    "section",
    { class: "chamber", id, "aria-labelledby": `${id}-title` },
    el(
      "header",
      {},
      mark,
      el("h2", { id: `${id}-title` }, label),
      el("span", { class: "hint" }, `FPGA ${fpga}, channels ${first}\u2013${last}, ${view} view`),
      el("span", { class: "sums" }),
    ),
    el("div", { class: "chamber-plots" }),
  );
  mark.style.background = colours[chamber];
  byId("chambers").append(home);
  return home.querySelector(".chamber-plots");
}

/* Write the sums of a view document, and edges of its drift boxes, into the heads. */
export function updateChambers(document) {
  document.edges?.forEach((edges, c) => {
    const plot = byId(`panel-drift${c}`);
    if (plot) setText(plot.parentElement.querySelector(".hint"), edgesText(edges));
  });
  const { hits, scint } = document.tables.chambers;
  hits.forEach((n, c) => {
    const sums = byId(`chamber-${c}`)?.querySelector(".sums");
    const rate = document.live_s > 0 ? n / document.live_s : NaN;
    if (sums)
      setText(
        sums,
        `${count(n)} hits \u00b7 ${hertz(rate)} \u00b7 ${count(scint[c])} with scintillator`,
      );
  });
}
