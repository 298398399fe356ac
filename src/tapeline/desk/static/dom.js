// Building and patching elements. Whatever comes from the server only ever becomes text or a checked attribute.

const SVG = "http://www.w3.org/2000/svg";

// Characters without a look of their own: they could hide text, or turn the order of what stands beside them.
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;
const written = (character) =>
  "\n\t".includes(character) ? character : `\\u{${character.codePointAt(0).toString(16)}}`;

/** A text as it can be shown: control characters, and those that turn its direction, written out. */
export const plain = (text) => String(text).replace(UNSEEN, written);

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(name, value === true ? "" : plain(value));
  }
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  node.append(...shown.map((child) => (child instanceof Node ? child : plain(child))));
  return node;
}

/** An element: `el("p", {class: "note", on: {click: act}}, "text", child)`. */
export const el = (tag, properties = {}, ...children) => filled(document.createElement(tag), properties, children);
export const svg = (tag, properties = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), properties, children);

/**
 * A copy of a template of index.html, and its elements that have a name there (data-part).
 * @param {string} name
 * @returns {{ element: HTMLElement, parts: Record<string, any> }}
 */
export function fromTemplate(name) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(name));
  const element = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  /** @type {NodeListOf<HTMLElement>} */
  const named = element.querySelectorAll("[data-part]");
  return { element, parts: Object.fromEntries([...named].map((node) => [node.dataset.part, node])) };
}

/** Set an element's text, touching the document only where it differs. */
export function setText(node, value) {
  const text = plain(value);
  const only = node.firstChild;
  if (only?.nodeType === Node.TEXT_NODE && !only.nextSibling) {
    if (only.data !== text) only.data = text;
  } else if (node.textContent !== text || only) node.textContent = text;
}

/** Set an attribute, touching the document only where it differs; null removes it. */
export function setAttribute(node, name, value) {
  if (value === null) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = plain(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Replace what is in an element, but only if `key` is another than the last time. */
export function setChildren(node, key, children) {
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.replaceChildren(...children());
}

export const button = (text, act, properties = {}) =>
  el("button", { type: "button", class: "button", on: { click: act }, ...properties }, text);
export const unseen = (text) => el("span", { class: "unseen" }, text);

/** A box for what is empty, loading or wrong. */
export const note = (title, text, kind = "empty") =>
  el(
    "div",
    { class: `note ${kind}`, role: kind === "error" ? "alert" : null },
    el("h2", {}, title),
    text && el("p", {}, text),
  );

const ARROWS = { up: "M6 2 11 10H1z", down: "M6 10 1 2h10z", flat: "M1 5h10v2H1z" };
const LIGHTS = {
  ok: "M6 0a6 6 0 1 1 0 12A6 6 0 0 1 6 0M5.1 8.8 9.4 4.5 8.4 3.5 5.1 6.8 3.6 5.3 2.6 6.3z",
  warn: "M6 .5 12 11.5H0zM5.3 4.2v3.9h1.4V4.2zm0 4.9v1.4h1.4V9.1z",
  bad: "M3.5 0h5L12 3.5v5L8.5 12h-5L0 8.5v-5zM5.3 2.5v4.8h1.4V2.5zm0 5.8v1.6h1.4V8.3z",
  unknown: "M6 0 12 6 6 12 0 6zM5.3 2.8v3.6h1.4V2.8zm0 4.6v1.6h1.4V7.4z",
  idle: "M6 0a6 6 0 1 1 0 12A6 6 0 0 1 6 0M2.8 5.2v1.6h6.4V5.2z",
};

const icon = (path, name) =>
  svg(
    "svg",
    { class: `icon ${name}`, viewBox: "0 0 12 12", "aria-hidden": "true" },
    svg("path", { d: path, "fill-rule": "evenodd" }),
  );
export const arrow = (direction) => icon(ARROWS[direction], direction);
export const lightIcon = (state) => icon(LIGHTS[state] ?? LIGHTS.unknown, state);
