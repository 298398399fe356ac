// Light or dark as Airflow's page is: its <html> has class "light" or "dark", kept in localStorage as "theme".

import { framed } from "./server.js";

/**
 * @param {Iterable<string>} classes of Airflow's <html>; none where it is not around the page
 * @param {string | null} stored what Airflow stores
 * @param {boolean} dark whether the device prefers it
 */
export function themeOf(classes, stored, dark) {
  const themes = ["dark", "light"];
  const airflows = themes.find((theme) => [...classes].includes(theme));
  return airflows ?? themes.find((theme) => theme === stored) ?? (dark ? "dark" : "light");
}

function storedTheme() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null; // storage may be forbidden
  }
}

/** Follow the theme from now on, and call `changed` whenever it is another. */
export function followTheme(changed) {
  const device = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const apply = () => {
    const classes = framed() ? window.parent.document.documentElement.classList : [];
    const theme = themeOf(classes, storedTheme(), device.matches);
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
