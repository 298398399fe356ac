// Reports of past sessions, opened inside the page. They have no script, and their frame lets none run.

import { el, note } from "./dom.js";
import { get, ServerError } from "./server.js";
import * as words from "./words.js";

const KINDS = { anomaly: "Session", weekly: "Week" };

const NARROW = matchMedia("(max-width: 860px)"); // there the list stands by itself, as in desk.css
const nameOf = ({ session, name }) => `${session}/${encodeURIComponent(name)}`;

export class ReportsView {
  #reports = null;
  #name = null;

  constructor() {
    this.list = el("ul", { class: "reports" });
    this.title = el("h2", { id: "report-title" }, "Report");
    this.back = el("a", { class: "back", href: "#/reports" }, "‹ All reports");
    this.place = el("div", { class: "place" });
    this.element = el(
      "div",
      { class: "library" },
      el(
        "section",
        { class: "card list", "aria-labelledby": "reports-title" },
        el("h2", { id: "reports-title" }, "Reports"),
        this.list,
      ),
      el("section", { class: "card report", "aria-labelledby": "report-title" }, this.back, this.title, this.place),
    );
  }

  /** A report is named by its session and its kind, such as 2026-11-20 and anomaly-report. */
  enter(session = null, name = "") {
    this.#name = session && `${session}/${name}`;
    this.#show();
    this.#load();
  }

  leave() {}

  async #load() {
    if (!this.#reports) this.list.replaceChildren(el("li", {}, note("Loading", "", "loading")));
    try {
      const { reports } = await get("api/reports");
      this.#reports = reports;
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (!this.#reports)
        this.list.replaceChildren(el("li", {}, note("The reports cannot be listed", error.message, "error")));
      return;
    }
    this.#show();
  }

  #show() {
    const reports = this.#reports;
    this.element.classList.toggle("open", this.#name !== null);
    if (reports === null) return;
    const name = this.#name ?? (reports.length && !NARROW.matches ? nameOf(reports[0]) : null);
    this.list.replaceChildren(
      ...reports.map((one) =>
        el(
          "li",
          {},
          el(
            "a",
            { href: `#/reports/${nameOf(one)}`, "aria-current": nameOf(one) === name ? "true" : null },
            el("span", { class: "mark plain" }, KINDS[one.kind] ?? one.kind),
            el("span", { class: "when" }, words.day(one.session)),
          ),
        ),
      ),
    );
    if (!reports.length) {
      this.list.replaceChildren(
        el("li", {}, note("No report yet", "The first is written after the first session that is rolled up.", "empty")),
      );
    }
    const chosen = reports.find((one) => nameOf(one) === name);
    if (chosen) this.#open(chosen);
    else {
      this.title.textContent = "Report";
      this.place.replaceChildren(
        this.#name === null
          ? note("Choose a report", "It opens here.", "empty")
          : note("There is no such report", `None is called ${this.#name}.`, "error"),
      );
    }
  }

  #open({ title, href }) {
    const source = new URL(href, document.baseURI);
    if (source.origin !== location.origin) return;
    this.title.textContent = title;
    if (this.place.firstElementChild?.src === source.href) return;
    this.place.replaceChildren(el("iframe", { sandbox: "", src: source.href, title, referrerpolicy: "no-referrer" }));
  }
}
