// A month of sessions: those with data are links.

import { el, fromTemplate } from "./dom.js";
import * as words from "./words.js";

const MONTH = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "long", year: "numeric" });
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const utc = (text) => new Date(`${text}T00:00:00Z`);
const iso = (date) => date.toISOString().slice(0, 10);

/**
 * The days of a month (YYYY-MM) as weeks of seven or, where no session is on a weekend, of five; null is no day of it.
 * A market that never closes, like the simulated one, has sessions on any day.
 * @param {string} month
 * @param {string[]} sessions
 * @returns {(string | null)[][]}
 */
export function weeksOf(month, sessions) {
  const length = sessions.some((session) => [0, 6].includes(utc(session).getUTCDay())) ? 7 : 5;
  const weeks = [];
  for (const date = utc(`${month}-01`); iso(date).startsWith(month); date.setUTCDate(date.getUTCDate() + 1)) {
    const column = (date.getUTCDay() + 6) % 7;
    if (!weeks.length || column === 0) weeks.push(Array(length).fill(null));
    if (column < length) weeks[weeks.length - 1][column] = iso(date);
  }
  return weeks.filter((week) => week.some(Boolean));
}

export class SessionCalendar {
  /** @type {string[]} */
  #sessions = [];
  /** @type {string[]} */
  #months = [];
  /** @type {string | null} */
  #today = null;
  /** @type {string | null} */
  #chosen = null;
  /** @type {string | null} */
  #month = null;
  #address;
  #parts;

  /** `address` turns a session (YYYY-MM-DD) into the address of its view. */
  constructor(address) {
    this.#address = address;
    const { element, parts } = fromTemplate("calendar");
    this.element = element;
    this.#parts = parts;
    parts.earlier.addEventListener("click", () => this.#step(-1));
    parts.later.addEventListener("click", () => this.#step(1));
  }

  show({ today, sessions }, chosen) {
    this.#today = today;
    this.#chosen = chosen;
    this.#sessions = [...new Set([...(today ? [today] : []), ...sessions])].sort();
    this.#months = [...new Set(this.#sessions.map((session) => session.slice(0, 7)))];
    this.#month = chosen?.slice(0, 7) ?? this.#months.at(-1) ?? null;
    this.#draw();
  }

  #step(by) {
    const at = this.#months.indexOf(this.#month ?? "");
    this.#month = this.#months[at + by] ?? this.#month;
    this.#draw();
  }

  #draw() {
    const { earlier, later, title, grid } = this.#parts;
    const month = this.#month;
    const at = month === null ? -1 : this.#months.indexOf(month);
    earlier.disabled = at <= 0;
    later.disabled = at < 0 || at === this.#months.length - 1;
    if (month === null) {
      title.textContent = "";
      grid.replaceChildren(el("p", { class: "soft" }, "No session has data yet."));
      return;
    }
    title.textContent = MONTH.format(utc(`${month}-01`));
    const dates = new Set(this.#sessions);
    const weeks = weeksOf(month, this.#sessions);
    const days = DAYS.slice(0, weeks[0].length);
    const heads = days.map((day) => el("th", { scope: "col" }, el("abbr", { title: day }, day.slice(0, 3))));
    const cell = (day) => el("td", {}, day && this.#day(day, dates));
    const rows = weeks.map((week) => el("tr", {}, week.map(cell)));
    const caption = el("caption", { class: "unseen" }, `Sessions of ${title.textContent}`);
    grid.replaceChildren(el("table", {}, caption, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
  }

  #day(session, dates) {
    const number = String(Number(session.slice(8)));
    if (!dates.has(session)) return el("span", { class: "day none" }, number);
    const today = session === this.#today;
    const properties = {
      class: `day${today ? " today" : ""}`,
      href: this.#address(session),
      "aria-current": session === this.#chosen ? "date" : null,
      "aria-label": `${words.day(session)}${today ? ", today" : ""}`,
    };
    return el("a", properties, number);
  }
}
