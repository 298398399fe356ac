// The table of every symbol. Rows are patched in place, and only those in sight: the rest is patched as it comes in sight.

import { arrow, el, setAttribute, setText, unseen } from "./dom.js";
import { drawSparkline, sparkline } from "./spark.js";
import * as words from "./words.js";

const STALE_SECONDS = 60;
const SORT_MILLISECONDS = 2000;
const HOLD_MILLISECONDS = 4000;

const believed = (figure) => (quote) => (words.suspicion(quote, figure) ? null : quote[figure]);
const isRangeBelieved = (quote) => !["price", "high", "low"].some((figure) => words.suspicion(quote, figure));
const rangePosition = (quote) =>
  !isRangeBelieved(quote) ? null : quote.high > quote.low ? (quote.price - quote.low) / (quote.high - quote.low) : 0.5;
const isSuspect = (quote) => Boolean(quote.suspect?.length);
const markWeight = (quote) => (isSuspect(quote) ? 4 : 0) + (quote.anomaly ? 2 : 0) + (quote.trend ? 1 : 0);

/** Whether something is unusual about a symbol today; to have a trend is not. */
export function isMarked(quote, now) {
  const { kind = "trend", timestamp } = quote.last_alert ?? {};
  return (
    quote.anomaly || isSuspect(quote) || (!kind.startsWith("trend") && words.dateOf(timestamp) === words.dateOf(now))
  );
}

/** Show of a figure that it is not believed, and why; an empty reason takes that back. */
export function suspect(node, reason) {
  node.classList.toggle("suspect", Boolean(reason));
  setAttribute(node, "title", reason ? `Looks wrong: ${reason}` : null);
}

/** What each column is called, sorts by, and which way it sorts first. */
export const COLUMNS = [
  { name: "symbol", label: "Symbol", by: (quote) => quote.symbol, first: "ascending" },
  {
    name: "session",
    label: "Session",
    by: rangePosition,
    title: "Sorts by where the price stands between the session's low and high",
  },
  { name: "price", label: "Price", by: believed("price"), number: true },
  {
    name: "change",
    label: "Change",
    by: (quote) => quote.change,
    number: true,
    title: "Against the previous close, USD",
  },
  { name: "percent", label: "Change %", by: (quote) => quote.change_percent, number: true },
  {
    name: "average",
    label: "Average",
    by: (quote) => quote.moving_average,
    number: true,
    title: "Mean of the last 20 prices",
  },
  { name: "volume", label: "Volume", by: believed("volume"), number: true, title: "Shares so far in the session" },
  {
    name: "age",
    label: "Age",
    by: (quote) => -quote.at,
    number: true,
    first: "ascending",
    title: "Time since the quote was made",
  },
  { name: "marks", label: "Marks", by: markWeight, title: "Anomalies, suspect figures and trends" },
];

/** One symbol's row. */
class Row {
  constructor(symbol) {
    this.symbol = symbol;
    this.dirty = true;
    this.link = el(
      "a",
      { href: `#/symbol/${encodeURIComponent(symbol)}`, title: symbol.length > 10 ? symbol : null },
      symbol,
    );
    this.spark = sparkline();
    this.cells = {};
    for (const { name, number } of COLUMNS.slice(1)) {
      this.cells[name] = el("td", { class: `${name}${number ? " number" : ""}`, role: "cell" });
    }
    this.cells.session.append(this.spark);
    this.price = el("span", {});
    this.tick = el("span", { class: "tick", "aria-hidden": "true" });
    this.cells.price.append(this.tick, this.price);
    this.percent = el("span", { class: "pill" });
    this.cells.percent.append(this.percent);
    const name = el("th", { scope: "row", class: "symbol", role: "rowheader" }, this.link);
    this.element = el("tr", { role: "row" }, name, ...Object.values(this.cells));
  }

  patch(quote) {
    this.dirty = false;
    const { cells } = this;
    const direction = words.direction(quote.change);
    drawSparkline(this.spark, quote);
    setText(this.price, words.price(quote.price));
    suspect(this.price, words.suspicion(quote, "price"));
    setAttribute(this.tick, "data-direction", words.direction(quote.tick));
    setText(cells.change, words.signed(quote.change));
    setAttribute(cells.change, "data-direction", direction);
    setText(this.percent, words.signed(quote.change_percent, "%"));
    setAttribute(this.percent, "data-direction", direction);
    setText(cells.average, words.price(quote.moving_average));
    setText(cells.volume, words.short(quote.volume));
    const volume = words.suspicion(quote, "volume");
    suspect(cells.volume, volume);
    if (!volume) setAttribute(cells.volume, "title", words.whole(quote.volume));
    this.#patchMarks(quote);
  }

  patchAge(quote, now) {
    const seconds = (now - quote.at) / 1000;
    setText(this.cells.age, words.age(seconds).replace(/ h .*/, " h"));
    this.element.classList.toggle("stale", seconds > STALE_SECONDS);
  }

  #patchMarks(quote) {
    const key = `${quote.anomaly}|${quote.reasons}|${quote.trend}|${quote.suspect}`;
    if (this.marked === key) return;
    this.marked = key;
    this.element.classList.toggle("anomaly", quote.anomaly);
    this.cells.marks.replaceChildren(...marks(quote));
  }
}

/** A quote's suspect figures, anomaly and trend, as labels. */
export function marks(quote) {
  const found = [];
  if (isSuspect(quote)) {
    const reasons = quote.suspect.map(words.verdictText).join(", ");
    found.push(
      el(
        "span",
        { class: "mark suspects", title: `Looks wrong: ${reasons}` },
        el("span", { "aria-hidden": "true", class: "sign" }, "?"),
        unseen(`Looks wrong: ${reasons}`),
        el("span", { "aria-hidden": "true", class: "word" }, "Suspect"),
      ),
    );
  }
  if (quote.anomaly) {
    const reasons = quote.reasons?.length ? quote.reasons : ["price_move"];
    for (const reason of reasons) {
      found.push(
        el(
          "span",
          { class: "mark anomaly", title: `Anomaly: ${words.kindText(reason)}` },
          el("span", { "aria-hidden": "true", class: "sign" }, "!"),
          unseen("Anomaly: "),
          el("span", { class: "word" }, words.kindMark(reason)),
        ),
      );
    }
  }
  if (quote.trend === "up" || quote.trend === "down") {
    const over = quote.trend === "up" ? "above" : "below";
    found.push(
      el(
        "span",
        { class: `mark trend ${quote.trend}`, title: `The average of 5 prices is ${over} that of 20` },
        arrow(quote.trend),
        unseen("Trend "),
        el("span", { class: "word" }, quote.trend === "up" ? "Up" : "Down"),
      ),
    );
  }
  return found;
}

export class QuoteTable {
  #feed;
  #rows = new Map();
  #inSight = new Set();
  #body = el("tbody", { role: "rowgroup" });
  #heads = new Map();
  #frame = null;
  #sortedAt = -Infinity;
  #touchedAt = -Infinity;
  #wanted = { text: "", marked: false };
  #changed;
  #observer;
  sort = { column: COLUMNS[0], order: "ascending" };

  constructor(feed, changed) {
    this.#feed = feed;
    this.#changed = changed;
    const head = el(
      "tr",
      { role: "row" },
      COLUMNS.map((column) => this.#head(column)),
    );
    // The rows are laid out as grids, so that those out of sight cost nothing (content-visibility does not apply to the
    // parts of a CSS table). That takes their meaning away, which the roles give back.
    this.element = el(
      "table",
      { class: "quotes", role: "table", "aria-label": "Newest quote of each symbol; the buttons in the head sort" },
      el("thead", { role: "rowgroup" }, head),
      this.#body,
    );
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px 0px" });
    this.#body.addEventListener(
      "pointermove",
      () => {
        this.#touchedAt = performance.now();
      },
      { passive: true },
    );
    this.#body.addEventListener("click", (event) => {
      if (!event.target.closest("a") && !String(getSelection())) event.target.closest("tr")?.querySelector("a").click();
    });
    this.#showSort();
  }

  /** Take over what changed; the document is touched once in the next frame. */
  update() {
    if (this.#frame !== null) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = null;
      this.#render();
    });
  }

  filter(text, marked) {
    this.#wanted = { text: text.trim().toUpperCase(), marked };
    this.#render(true);
  }

  sortBy(column, order = null) {
    const first = column.first ?? "descending";
    const other = (one) => (one === "ascending" ? "descending" : "ascending");
    const next = this.sort.column === column ? other(this.sort.order) : first;
    this.sort = { column, order: order ?? next };
    this.#showSort();
    this.#render(true);
  }

  /** Let the ages go on, and put in order what came since the last time. */
  tick() {
    if (this.#feed.loaded) this.#render();
  }

  mark(symbols) {
    for (const symbol of symbols) {
      const row = this.#rows.get(symbol);
      if (row) row.dirty = true;
    }
  }

  #head(column) {
    const button = el(
      "button",
      { type: "button", title: column.title, on: { click: () => this.sortBy(column) } },
      column.label,
      el("span", { class: "order", "aria-hidden": "true" }),
    );
    const head = el(
      "th",
      { scope: "col", role: "columnheader", class: `${column.name}${column.number ? " number" : ""}` },
      button,
    );
    this.#heads.set(column, head);
    return head;
  }

  #showSort() {
    for (const [column, head] of this.#heads) {
      setAttribute(head, "aria-sort", column === this.sort.column ? this.sort.order : null);
    }
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const row = target.row;
      if (isIntersecting) {
        this.#inSight.add(row);
        this.#patch(row);
      } else this.#inSight.delete(row);
    }
  }

  #patch(row) {
    const quote = this.#feed.symbols.get(row.symbol);
    if (row.dirty) row.patch(quote);
    row.patchAge(quote, this.#feed.now());
  }

  #render(now = false) {
    for (const symbol of this.#feed.symbols.keys()) {
      if (this.#rows.has(symbol)) continue;
      const row = new Row(symbol);
      row.element.row = row;
      this.#rows.set(symbol, row);
      this.#observer.observe(row.element);
      now = true;
    }
    for (const row of this.#inSight) this.#patch(row);
    const time = performance.now();
    if (now || (time - this.#sortedAt > SORT_MILLISECONDS && !this.#held(time))) {
      this.#sortedAt = time;
      this.#place();
    }
  }

  /** Rows keep their places while somebody points at them or has the focus in them. */
  #held(time) {
    return time - this.#touchedAt < HOLD_MILLISECONDS || this.#body.contains(document.activeElement);
  }

  #place() {
    const { text, marked } = this.#wanted;
    const found = [];
    for (const quote of this.#feed.symbols.values()) {
      if (text && !quote.symbol.toUpperCase().includes(text)) continue;
      if (marked && !isMarked(quote, this.#feed.now())) continue;
      found.push(quote);
    }
    const { column, order } = this.sort;
    const sign = order === "ascending" ? 1 : -1;
    const key = column.by;
    found.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === b) return one.symbol < other.symbol ? -1 : 1;
      if (a === null || a === undefined) return 1; // what is missing is last, either way
      if (b === null || b === undefined) return -1;
      return sign * (a < b ? -1 : 1);
    });
    let at = this.#body.firstElementChild;
    for (const { symbol } of found) {
      const { element } = this.#rows.get(symbol);
      if (element === at) at = at.nextElementSibling;
      else this.#body.insertBefore(element, at);
    }
    while (at) {
      const next = at.nextElementSibling;
      at.remove();
      at = next;
    }
    this.#changed(found.length, this.#feed.symbols.size);
  }
}
