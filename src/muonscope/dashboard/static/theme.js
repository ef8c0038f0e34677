/* Before the first paint: the theme of the address, that chosen last, or that of the system. */
let chosen = /[#&]theme=(light|dark)\b/.exec(location.hash)?.[1];
try {
  chosen ??= localStorage.getItem("muonscope-theme");
} catch {
  // the browser keeps nothing
}
document.documentElement.dataset.theme =
  chosen ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
