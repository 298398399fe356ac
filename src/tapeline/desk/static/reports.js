// Reports of past sessions, opened inside the page. They have no script, and their frame lets none run.

import { el, fromTemplate, note } from "./dom.js";
import { get, ServerError } from "./server.js";
import * as words from "./words.js";

/** @import { Report, Reports } from "./answers.d.ts" */

const KINDS = { anomaly: "Session", weekly: "Week" };
const NONE = "The first is written after the first session that is rolled up.";

const NARROW = "(max-width: 860px)"; // there the list stands by itself, as in desk.css
const nameOf = ({ session, name }) => `${session}/${encodeURIComponent(name)}`;

export class ReportsView {
  /** @type {Report[] | null} */
  #reports = null;
  /** @type {string | null} */
  #name = null;
  #parts;

  constructor() {
    const { element, parts } = fromTemplate("reports-view");
    this.element = element;
    this.#parts = parts;
  }

  /** A report is named by its session and its kind, such as 2026-11-20 and anomaly-report. */
  enter(session = null, name = "") {
    this.#name = session && `${session}/${name}`;
    this.#show();
    this.#load();
  }

  leave() {}

  async #load() {
    const { list } = this.#parts;
    const say = (title, text, kind) => list.replaceChildren(el("li", {}, note(title, text, kind)));
    if (!this.#reports) say("Loading", "", "loading");
    try {
      /** @type {Reports} */
      const { reports } = await get("api/reports");
      this.#reports = reports;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (!this.#reports) say("The reports cannot be listed", error.message, "error");
      return;
    }
    this.#show();
  }

  #show() {
    const { list, title, place } = this.#parts;
    const reports = this.#reports;
    this.element.classList.toggle("open", this.#name !== null);
    if (reports === null) return;
    const name = this.#name ?? (reports.length && !matchMedia(NARROW).matches ? nameOf(reports[0]) : null);
    const items = reports.map((report) => this.#link(report, nameOf(report) === name));
    if (!items.length) items.push(note("No report yet", NONE, "empty"));
    list.replaceChildren(...items.map((item) => el("li", {}, item)));
    const chosen = reports.find((report) => nameOf(report) === name);
    if (chosen) {
      this.#open(chosen);
      return;
    }
    title.textContent = "Report";
    place.replaceChildren(
      this.#name === null
        ? note("Choose a report", "It opens here.", "empty")
        : note("There is no such report", `None is called ${this.#name}.`, "error"),
    );
  }

  #link(report, chosen) {
    const kind = el("span", { class: "mark plain" }, KINDS[report.kind] ?? report.kind);
    const properties = { href: `#/reports/${nameOf(report)}`, "aria-current": chosen ? "true" : null };
    return el("a", properties, kind, el("span", { class: "when" }, words.day(report.session)));
  }

  #open({ title, href }) {
    const source = new URL(href, document.baseURI);
    if (source.origin !== location.origin) return;
    const { title: heading, place } = this.#parts;
    heading.textContent = title;
    if (place.firstElementChild?.src === source.href) return;
    place.replaceChildren(el("iframe", { sandbox: "", src: source.href, title, referrerpolicy: "no-referrer" }));
  }
}
