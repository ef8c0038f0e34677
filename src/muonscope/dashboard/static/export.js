/* What a plot shows, as a picture or as numbers. */

import { byId, el, icon, save, setText, table } from "./dom.js";
import { count, fileName } from "./format.js";

const TITLE_PX = 44;

/* The menu in the corner of a panel; find() gives {view, columns, what}: its figure, its
   numbers, and what they are of. */
export function saveMenu(label, find) {
  const menu = el("details", { class: "menu" });
  const choose = (format) => {
    menu.open = false;
    menu.firstChild.focus();
    FORMATS[format](find(), label);
  };
  const buttons = Object.keys(FORMATS).map((format) => {
    const button = el("button", { type: "button", "aria-label": `${format} of ${label}` }, format);
    button.addEventListener("click", () => choose(format));
    return button;
  });
  menu.append(
    el(
      "summary",
      { "aria-label": `Numbers of ${label}`, title: "See the numbers, save them or a picture" },
      icon("save"),
    ),
    el("div", { class: "choices" }, ...buttons),
  );
  menu.addEventListener("focusout", (event) => {
    if (!menu.contains(event.relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.firstChild.focus();
  });
  return menu;
}

const MOST_ROWS = 2000; // of a table on the screen; a file has all

/* The numbers themselves, to be read without a mouse. */
function showTable({ columns, what }, label) {
  const names = Object.keys(columns);
  const length = columns[names[0]]?.length ?? 0;
  const rows = Array.from({ length: Math.min(length, MOST_ROWS) }, (_, i) =>
    names.map((name) => readable(columns[name][i])),
  );
  const left = length - rows.length;
  const about = left > 0 ? `${what.shown}; the first ${rows.length} rows of ${length}` : what.shown;
  setText(byId("numbers-title"), `${label} \u00b7 ${what.run}`);
  byId("numbers").replaceChildren(table(about, names, rows));
  byId("numbers-dialog").showModal();
}

function readable(value) {
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return "\u2013";
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(6)));
}

const FORMATS = {
  Table: showTable,
  PNG: async ({ view, what }, label) => {
    const blob = await new Promise((done) => picture(view, label, what).toBlob(done, "image/png"));
    save(blob, `${fileName(what.run, label, what.place)}.png`);
  },
  CSV: ({ columns, what }, label) => {
    save(
      new Blob([csv(columns, what)], { type: "text/csv" }),
      `${fileName(what.run, label, what.place)}.csv`,
    );
  },
  JSON: ({ columns, what }, label) => {
    const text = JSON.stringify({ plot: label, ...what, columns: plain(columns) }, null, 1);
    save(
      new Blob([text], { type: "application/json" }),
      `${fileName(what.run, label, what.place)}.json`,
    );
  },
};

/* The figure on the page's ground, with its title: a picture that explains itself. */
function picture(view, label, what) {
  const drawn = view.export("png", true).canvas;
  const scale = drawn.width / view.bbox.width;
  const canvas = el("canvas", { width: drawn.width, height: drawn.height + TITLE_PX * scale });
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  context.fillStyle = style.getPropertyValue("--panel");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawn, 0, TITLE_PX * scale);
  context.scale(scale, scale);
  context.fillStyle = style.getPropertyValue("--ink");
  context.font = "600 13px system-ui, sans-serif";
  context.fillText(`${label} \u00b7 ${what.run}`, 10, 18, view.bbox.width - 20);
  context.font = "11px system-ui, sans-serif";
  context.fillText(what.shown, 10, 35, view.bbox.width - 20);
  return canvas;
}

function csv(data, what) {
  const names = Object.keys(data);
  const lines = [
    `# ${Object.entries(what)
      .map(([k, v]) => `${k}=${v}`)
      .join(" ")
      .replace(/[\r\n]+/g, " ")}`,
    names.join(","),
  ];
  const rows = data[names[0]]?.length ?? 0;
  for (let i = 0; i < rows; i++) lines.push(names.map((name) => cell(data[name][i])).join(","));
  return `${lines.join("\n")}\n`;
}

function cell(value) {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : "";
  return `"${String(value).replaceAll('"', '""')}"`;
}

const plain = (data) =>
  Object.fromEntries(Object.entries(data).map(([name, values]) => [name, Array.from(values)]));
