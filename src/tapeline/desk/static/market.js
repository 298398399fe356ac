// The market: what stands out, every symbol, and the latest alerts.

import { COLUMNS, firstOrder, isSuspect, reversed } from "./columns.js";
import { el, fromTemplate, note, setAttribute, setChildren, setText } from "./dom.js";
import { QuoteTable } from "./table.js";
import * as words from "./words.js";

/** @import { Feed } from "./feed.js" */

const ALERTS_SHOWN = 12;
const FIGURES = {
  up: (quote) => quote.change > 0,
  down: (quote) => quote.change < 0,
  flagged: (quote) => quote.anomaly,
  suspects: isSuspect,
};
const UNREACHABLE = "The line above says why. They appear by themselves when the server answers.";
const NONE_STORED =
  "None has been stored. They appear here by themselves; the Health view says what to do if they do not.";

const option = (column, order, label) => el("option", { value: `${column.name} ${order}` }, label);

export class MarketView {
  #feed;
  #table;
  #parts;
  #shown = false;

  /** @param {{ feed: Feed }} context */
  constructor({ feed }) {
    this.#feed = feed;
    const { element, parts } = fromTemplate("market-view");
    this.element = element;
    this.#parts = parts;
    this.#table = new QuoteTable(feed, (shown, all) => this.#counted(shown, all));
    parts.card.insertBefore(this.#table.element, parts.empty);
    for (const column of COLUMNS) {
      const order = firstOrder(column);
      parts.choice.append(option(column, order, column.label));
      parts.choice.append(option(column, reversed(order), `${column.label}, reversed`));
    }
    parts.choice.addEventListener("change", () => this.#sortChosen());
    parts.search.addEventListener("input", () => this.#filter());
    parts.marked.addEventListener("change", () => this.#filter());
    setInterval(() => this.#shown && this.#tick(), 1000);
    feed.addEventListener("quotes", (event) => this.#table.mark(/** @type {CustomEvent} */ (event).detail));
    feed.addEventListener("state", () => this.#shown && this.quotes());
  }

  enter() {
    this.#shown = true;
    this.quotes();
    this.#tick();
  }

  leave() {
    this.#shown = false;
  }

  quotes() {
    this.#table.update();
    const quotes = [...this.#feed.symbols.values()];
    setText(this.#parts.symbols, words.whole(quotes.length));
    setText(this.#parts.age, words.age(this.#feed.quoteAge()));
    for (const [name, test] of Object.entries(FIGURES)) {
      const count = quotes.filter(test).length;
      setText(this.#parts[name], words.whole(count));
      setAttribute(this.#parts[name], "data-some", count ? "yes" : null);
    }
    this.#showAlerts();
    this.#showEmpty(null);
  }

  #tick() {
    this.#table.tick();
    setText(this.#parts.age, words.age(this.#feed.quoteAge()));
    this.#showAlertAges();
  }

  #filter() {
    this.#table.filter(this.#parts.search.value, this.#parts.marked.checked);
  }

  #sortChosen() {
    const [name, order] = this.#parts.choice.value.split(" ");
    const column = COLUMNS.find((each) => each.name === name);
    this.#table.sortBy(column, order);
  }

  #counted(shown, all) {
    setText(this.#parts.count, shown === all ? "" : `${words.whole(shown)} of ${words.whole(all)}`);
    this.#parts.choice.value = `${this.#table.sort.column.name} ${this.#table.sort.order}`;
    this.#showEmpty(shown);
  }

  /** Say why there are no rows, if so; `shown` is how many there are, null if that is not known yet. */
  #showEmpty(shown) {
    const { empty } = this.#parts;
    const { loaded, symbols, state } = this.#feed;
    let box = ["", "", ""];
    if (!loaded && (state === "lost" || state === "login")) box = ["No quotes to show", UNREACHABLE, "error"];
    else if (!loaded) box = ["Loading quotes", "", "loading"];
    else if (symbols.size === 0) box = ["No quotes yet", NONE_STORED, "empty"];
    else if (shown === 0) box = ["No symbol matches", "Change the filter to see others.", "empty"];
    else if (shown === null && empty.dataset.key === "No symbol matches") return;
    const [title, text, kind] = box;
    setChildren(empty, title, () => (title ? [note(title, text, kind)] : []));
  }

  #showAlerts() {
    const list = this.#parts.alerts;
    const alerts = this.#feed.alerts.slice(0, ALERTS_SHOWN);
    const key = alerts.map(({ symbol, kind, timestamp }) => symbol + kind + timestamp).join();
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    const items = alerts.map(({ symbol, kind: name, timestamp }) => {
      const kind = words.kind(name);
      const link = el("a", { href: `#/symbol/${encodeURIComponent(symbol)}` }, symbol);
      const time = el("time", { datetime: timestamp, class: "soft" });
      return el("li", { "data-tone": kind.tone }, link, ` ${kind.label} `, time);
    });
    list.replaceChildren(...(items.length ? items : [el("li", { class: "soft" }, "None so far.")]));
    this.#showAlertAges();
  }

  #showAlertAges() {
    for (const time of this.#parts.alerts.querySelectorAll("time")) {
      const seconds = (this.#feed.now() - Date.parse(time.dateTime)) / 1000;
      setText(time, `${words.moment(time.dateTime, "")}, ${words.age(seconds)} ago`);
    }
  }
}
