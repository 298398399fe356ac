// A month of sessions: those with data are links.

import { el } from "./dom.js";
import * as words from "./words.js";

const MONTH = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "long", year: "numeric" });
const DAYS = [
  ["Mon", "Monday"],
  ["Tue", "Tuesday"],
  ["Wed", "Wednesday"],
  ["Thu", "Thursday"],
  ["Fri", "Friday"],
  ["Sat", "Saturday"],
  ["Sun", "Sunday"],
];

const utc = (text) => new Date(`${text}T00:00:00Z`);
const iso = (date) => date.toISOString().slice(0, 10);

export class SessionCalendar {
  #sessions = [];
  #months = [];
  #today = null;
  #chosen = null;
  #month = null;
  #address;

  /** `address` turns a session (YYYY-MM-DD) into the address of its view. */
  constructor(address) {
    this.#address = address;
    const step = (by, label, text) =>
      el("button", { type: "button", class: "step", "aria-label": label, on: { click: () => this.#step(by) } }, text);
    this.earlier = step(-1, "Earlier month", "‹");
    this.later = step(1, "Later month", "›");
    this.title = el("span", { class: "month", "aria-live": "polite" });
    this.grid = el("div");
    this.element = el(
      "section",
      { class: "card calendar", "aria-labelledby": "sessions-title" },
      el("h2", { id: "sessions-title" }, "Sessions"),
      el("div", { class: "months" }, this.earlier, this.title, this.later),
      this.grid,
      el("p", { class: "soft legend" }, "Days with data can be chosen."),
    );
  }

  show({ today, sessions }, chosen) {
    this.#today = today;
    this.#chosen = chosen;
    this.#sessions = [...new Set([...(today ? [today] : []), ...sessions])].sort();
    this.#months = [...new Set(this.#sessions.map((one) => one.slice(0, 7)))];
    this.#month = chosen?.slice(0, 7) ?? this.#months.at(-1) ?? null;
    this.#draw();
  }

  #step(by) {
    const at = this.#months.indexOf(this.#month);
    this.#month = this.#months[at + by] ?? this.#month;
    this.#draw();
  }

  #draw() {
    const at = this.#months.indexOf(this.#month);
    this.earlier.disabled = at <= 0;
    this.later.disabled = at < 0 || at === this.#months.length - 1;
    if (this.#month === null) {
      this.title.textContent = "";
      this.grid.replaceChildren(el("p", { class: "soft" }, "No session has data yet."));
      return;
    }
    const first = utc(`${this.#month}-01`);
    const name = MONTH.format(first);
    this.title.textContent = name;
    const known = new Set(this.#sessions);
    // A market that never closes, like the simulated one, has sessions on any day; then the weekend is shown too.
    const days = this.#sessions.some((one) => [0, 6].includes(utc(one).getUTCDay())) ? DAYS : DAYS.slice(0, 5);
    const weeks = [];
    for (const date = new Date(first); iso(date).startsWith(this.#month); date.setUTCDate(date.getUTCDate() + 1)) {
      const column = (date.getUTCDay() + 6) % 7;
      if (!weeks.length || column === 0) weeks.push(days.map(() => el("td")));
      if (column < days.length) weeks.at(-1)[column].append(this.#day(iso(date), known));
    }
    this.grid.replaceChildren(
      el(
        "table",
        {},
        el("caption", { class: "unseen" }, `Sessions of ${name}`),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            days.map(([short, long]) => el("th", { scope: "col" }, el("abbr", { title: long }, short))),
          ),
        ),
        el(
          "tbody",
          {},
          weeks.filter((week) => week.some((cell) => cell.hasChildNodes())).map((week) => el("tr", {}, week)),
        ),
      ),
    );
  }

  #day(session, known) {
    const number = String(Number(session.slice(8)));
    if (!known.has(session)) return el("span", { class: "day none" }, number);
    const today = session === this.#today;
    return el(
      "a",
      {
        class: `day${today ? " today" : ""}`,
        href: this.#address(session),
        "aria-current": session === this.#chosen ? "date" : null,
        "aria-label": `${words.day(session)}${today ? ", today" : ""}`,
      },
      number,
    );
  }
}
