/* What a browser keeps for a page; where that is not allowed, it is forgotten with the page. */

export const SESSION = () => sessionStorage;

const LOCAL = () => localStorage;

/* What was kept under a name, or null. */
export function kept(name, where = LOCAL) {
  try {
    return where().getItem(name);
  } catch {
    return null;
  }
}

/* Keep a text under a name; null: keep nothing there. */
export function keep(name, text, where = LOCAL) {
  try {
    if (text === null) where().removeItem(name);
    else where().setItem(name, text);
  } catch {
    // not allowed, or too large
  }
}
