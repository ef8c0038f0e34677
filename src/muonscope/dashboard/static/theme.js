/* Before the first paint: the theme of the address, or else that of the system. */
const chosen = /[#&]theme=(light|dark)\b/.exec(location.hash)?.[1];
document.documentElement.dataset.theme =
  chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
