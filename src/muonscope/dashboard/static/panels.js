/* The frames of the plots: title, how to read it, a menu to save, and room for the figure. */

import { CHAMBER_COLUMNS } from "./constants.js";
import { byId, el, setText } from "./dom.js";
import { saveMenu } from "./export.js";
import { count, hertz } from "./format.js";

const BY_CHAMBER = new RegExp(`^(?:${CHAMBER_COLUMNS.join("|")})(\\d*)$`);

/* Return what places the panels of a page; find(panel) gives what the save menu needs. */
export function placer(page, detector, find) {
  const homes = { overview: "overview-plots", trends: "trend-plots" };
  return (panel, colours) => {
    const home =
      page === "chambers" ? chamberHome(panel.chamber, detector, colours) : byId(homes[page]);
    home.append(frame(panel, detector, find));
  };
}

/* Take away all panels of a page, so that it can be built again. */
export function clear(page) {
  const section = byId(page);
  for (const node of section.querySelectorAll(".panel[data-plot], .chamber")) node.remove();
}

function frame(panel, detector, find) {
  const chamber = panel.chamber === null ? null : detector.chambers[panel.chamber].label;
  const label = chamber ? `${panel.title}, ${chamber}` : panel.title;
  const plot = el("div", { class: "plot", id: panel.element, role: "img", "aria-label": label });
  const article = el("article", { class: `panel plot-${panel.plot}`, "data-plot": panel.plot });
  article.append(
    el(
      "header",
      {},
      el("h3", {}, panel.title),
      el("span", { class: "hint", title: panel.hint }, panel.hint),
      saveMenu(label, () => find(panel)),
    ),
    plot,
  );
  if (panel.empty) article.append(el("p", { class: "nothing", hidden: true }, panel.empty));
  if (panel.series.length > 1) article.append(legend(panel.series, detector));
  return article;
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

/* Write the sums of a view document into the heads of the chambers. */
export function updateChambers(document) {
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
