// Light or dark as Airflow's page is: its <html> has class "light" or "dark", kept in localStorage as "theme".

import { framed } from "./server.js";

const device = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  if (framed()) {
    const { classList } = window.parent.document.documentElement;
    if (classList.contains("dark")) return "dark";
    if (classList.contains("light")) return "light";
  }
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    /* storage may be forbidden; then the device decides */
  }
  if (kept === "dark" || kept === "light") return kept;
  return device.matches ? "dark" : "light";
}

/** Follow the theme from now on, and tell `changed` whenever it is another. */
export function followTheme(changed) {
  const root = document.documentElement;
  const apply = () => {
    const theme = chosen();
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    changed(theme);
  };
  device.addEventListener("change", apply);
  addEventListener("storage", apply);
  if (framed()) {
    new MutationObserver(apply).observe(window.parent.document.documentElement, { attributeFilter: ["class"] });
  }
  apply();
}

/** A colour of the style sheet, by the name of its variable. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
