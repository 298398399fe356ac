// The market: what stands out, every symbol, and the latest alerts.

import { el, note, setAttribute, setText, unseen } from "./dom.js";
import { COLUMNS, QuoteTable } from "./table.js";
import * as words from "./words.js";

const ALERTS_SHOWN = 12;

export class MarketView {
  #feed;
  #table;
  #shown = false;

  constructor({ feed }) {
    this.#feed = feed;
    this.#table = new QuoteTable(feed, (found, all) => this.#counted(found, all));
    this.search = el("input", {
      type: "search",
      id: "filter",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Filter symbols",
      on: { input: () => this.#filter() },
    });
    this.marked = el("input", { type: "checkbox", id: "marked", on: { change: () => this.#filter() } });
    this.count = el("span", { class: "soft", role: "status" });
    this.choice = el(
      "select",
      { id: "sort", on: { change: () => this.#sortChosen() } },
      COLUMNS.flatMap((column) => [
        el("option", { value: `${column.name} ${column.first ?? "descending"}` }, column.label),
        el(
          "option",
          { value: `${column.name} ${column.first === "ascending" ? "descending" : "ascending"}` },
          `${column.label}, reversed`,
        ),
      ]),
    );
    this.figures = {};
    const figure = (name, label) => {
      this.figures[name] = el("dd", {}, words.NOTHING);
      return el("div", { class: `figure ${name}` }, el("dt", {}, label), this.figures[name]);
    };
    this.alerts = el("ol", { class: "alerts" });
    this.empty = el("div", {});
    this.card = el(
      "section",
      { class: "card table", "aria-labelledby": "quotes-title" },
      el(
        "div",
        { class: "tools" },
        el("h2", { id: "quotes-title" }, "Quotes"),
        this.count,
        el("span", { class: "grow" }),
        el("label", { class: "check" }, this.marked, "Marked only"),
        el("label", { class: "sort" }, unseen("Sort by"), this.choice),
        el("label", { class: "search" }, unseen("Filter symbols"), this.search),
      ),
      this.#table.element,
      this.empty,
    );
    this.element = el(
      "div",
      { class: "market" },
      el(
        "dl",
        { class: "figures", "aria-label": "The market in short" },
        figure("symbols", "Symbols"),
        figure("up", "Up"),
        figure("down", "Down"),
        figure("flagged", "Anomalies"),
        figure("suspects", "Suspect"),
        figure("age", "Newest quote"),
      ),
      this.card,
      el(
        "section",
        { class: "card side", "aria-labelledby": "alerts-title" },
        el(
          "div",
          { class: "tools" },
          el("h2", { id: "alerts-title" }, "Latest alerts"),
          el("span", { class: "grow" }),
          el("span", { class: "soft small" }, `${words.ZONE} time`),
        ),
        this.alerts,
      ),
    );
    setInterval(() => {
      if (this.#shown) this.#tick();
    }, 1000);
    feed.addEventListener("quotes", (event) => this.#table.mark(event.detail));
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
    const count = (test) => words.whole(quotes.filter(test).length);
    setText(this.figures.symbols, words.whole(quotes.length));
    setText(this.figures.age, words.age(this.#feed.quoteAge()));
    setText(
      this.figures.up,
      count((one) => one.change > 0),
    );
    setText(
      this.figures.down,
      count((one) => one.change < 0),
    );
    for (const [name, test] of [
      ["flagged", (one) => one.anomaly],
      ["suspects", (one) => one.suspect?.length > 0],
    ]) {
      setText(this.figures[name], count(test));
      setAttribute(this.figures[name], "data-some", quotes.some(test) ? "yes" : null);
    }
    this.#showAlerts();
    this.#showEmpty(null);
  }

  #tick() {
    this.#table.tick();
    setText(this.figures.age, words.age(this.#feed.quoteAge()));
    this.#showAlertAges();
  }

  #filter() {
    this.#table.filter(this.search.value, this.marked.checked);
  }

  #sortChosen() {
    const [name, order] = this.choice.value.split(" ");
    this.#table.sortBy(
      COLUMNS.find((one) => one.name === name),
      order,
    );
  }

  #counted(found, all) {
    setText(this.count, found === all ? "" : `${words.whole(found)} of ${words.whole(all)}`);
    this.choice.value = `${this.#table.sort.column.name} ${this.#table.sort.order}`;
    this.#showEmpty(found);
  }

  #showEmpty(found) {
    const { loaded, symbols, state } = this.#feed;
    let [kind, title, text] = ["", "", ""];
    if (!loaded && (state === "lost" || state === "login")) {
      [kind, title, text] = [
        "error",
        "No quotes to show",
        "The line above says why. They appear by themselves when the server answers.",
      ];
    } else if (!loaded) {
      [kind, title, text] = ["loading", "Loading quotes", ""];
    } else if (symbols.size === 0) {
      [kind, title, text] = [
        "empty",
        "No quotes yet",
        "None has been stored. They appear here by themselves; the Health view says what to do if they do not.",
      ];
    } else if (found === 0) {
      [kind, title, text] = ["empty", "No symbol matches", "Change the filter to see others."];
    } else if (found === null && this.empty.dataset.title === "No symbol matches") return;
    if (this.empty.dataset.title === title) return;
    this.empty.dataset.title = title;
    this.empty.replaceChildren(...(title ? [note(title, text, kind)] : []));
  }

  #showAlerts() {
    const alerts = this.#feed.alerts.slice(0, ALERTS_SHOWN);
    const key = alerts.map((one) => one.symbol + one.kind + one.timestamp).join();
    if (this.alerts.dataset.key === key) return;
    this.alerts.dataset.key = key;
    this.alerts.replaceChildren(
      ...alerts.map(({ symbol, kind, timestamp }) =>
        el(
          "li",
          { "data-kind": kind, "data-at": timestamp },
          el("a", { href: `#/symbol/${encodeURIComponent(symbol)}` }, symbol),
          ` ${words.kindText(kind)} `,
          el("time", { datetime: timestamp, class: "soft" }, ""),
        ),
      ),
    );
    if (!alerts.length) this.alerts.replaceChildren(el("li", { class: "soft" }, "None so far."));
    this.#showAlertAges();
  }

  #showAlertAges() {
    for (const time of this.alerts.querySelectorAll("time")) {
      setText(
        time,
        `${words.moment(time.dateTime, "")}, ${words.age((this.#feed.now() - Date.parse(time.dateTime)) / 1000)} ago`,
      );
    }
  }
}
