/* Building elements. Texts become text nodes, so that nothing a server says is ever HTML. */

export const byId = (id) => document.getElementById(id);

/* Make an element: properties, then children (elements or texts). */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/* Set a text only where it changed: no needless layout, and selections live. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/* One of the symbols in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/* A table of rows; a cell is a text, or [text, class]. */
export function table(caption, head, rows, empty = "none") {
  const cells = (row, tag) =>
    row.map((cell, i) => {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      const first = i === 0 && tag === "td";
      return el(
        first ? "th" : tag,
        { class: kind, scope: first ? "row" : tag === "th" ? "col" : null },
        text,
      );
    });
  const body = rows.length
    ? rows.map((row) => el("tr", {}, ...cells(row, "td")))
    : [el("tr", {}, el("td", { class: "none", colSpan: Math.max(1, head.length) }, empty))];
  return el(
    "table",
    {},
    el("caption", {}, caption),
    head.length ? el("thead", {}, el("tr", {}, ...cells(head, "th"))) : null,
    el("tbody", {}, ...body),
  );
}

/* Give a file to the user. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
