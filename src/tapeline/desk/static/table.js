// The table of every symbol. Rows are patched in place, and only those in sight: the rest is patched as it comes in sight.

import { COLUMNS, firstOrder, isMarked, isSuspect, reversed, sorted } from "./columns.js";
import { arrow, el, setAttribute, setChildren, setText, unseen } from "./dom.js";
import { drawSparkline, sparkline } from "./spark.js";
import * as words from "./words.js";

/** @import { Feed } from "./feed.js" */

const STALE_SECONDS = 60;
const SORT_MILLISECONDS = 2000;
const HOLD_MILLISECONDS = 4000;

/** Show of a figure that it is not believed, and why; an empty reason takes that back. */
export function suspect(node, reason) {
  node.classList.toggle("suspect", Boolean(reason));
  setAttribute(node, "title", reason ? `Looks wrong: ${reason}` : null);
}

/** One symbol's row. */
class Row {
  constructor(symbol) {
    this.symbol = symbol;
    this.dirty = true;
    const address = `#/symbol/${encodeURIComponent(symbol)}`;
    const link = el("a", { href: address, title: symbol.length > 10 ? symbol : null }, symbol);
    this.spark = sparkline();
    /** @type {Record<string, HTMLElement>} */
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
    const name = el("th", { scope: "row", class: "symbol", role: "rowheader" }, link);
    this.element = el("tr", { role: "row" }, name, ...Object.values(this.cells));
    this.element.dataset.symbol = symbol;
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
    this.element.classList.toggle("anomaly", quote.anomaly);
    showMarks(cells.marks, quote);
  }

  patchAge(quote, now) {
    const seconds = (now - quote.at) / 1000;
    setText(this.cells.age, words.age(seconds).replace(/ h .*/, " h"));
    this.element.classList.toggle("stale", seconds > STALE_SECONDS);
  }
}

const hidden = (name, text) => el("span", { "aria-hidden": "true", class: name }, text);
const word = (text) => el("span", { class: "word" }, text);
const mark = (name, title, ...children) => el("span", { class: `mark ${name}`, title }, ...children);

/** Show a quote's suspect figures, anomaly and trend, as labels. */
export function showMarks(box, quote) {
  setChildren(box, `${quote.anomaly}|${quote.reasons}|${quote.trend}|${quote.suspect}`, () => marks(quote));
}

function marks(quote) {
  const labels = [];
  if (isSuspect(quote)) {
    const why = `Looks wrong: ${quote.suspect.map(words.verdictText).join(", ")}`;
    labels.push(mark("suspects", why, hidden("sign", "?"), unseen(why), hidden("word", "Suspect")));
  }
  for (const reason of quote.anomaly ? quote.reasons : []) {
    const kind = words.kind(reason);
    labels.push(mark("anomaly", `Anomaly: ${kind.label}`, hidden("sign", "!"), unseen("Anomaly: "), word(kind.mark)));
  }
  if (quote.trend === "up" || quote.trend === "down") {
    const [over, name] = quote.trend === "up" ? ["above", "Up"] : ["below", "Down"];
    const title = `The average of 5 prices is ${over} that of 20`;
    labels.push(mark(`trend ${quote.trend}`, title, arrow(quote.trend), unseen("Trend "), word(name)));
  }
  return labels;
}

export class QuoteTable {
  #feed;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Set<Row>} */
  #inSight = new Set();
  #body = el("tbody", { role: "rowgroup" });
  #heads = new Map();
  /** @type {number | null} */
  #frame = null;
  #sortedAt = -Infinity;
  #touchedAt = -Infinity;
  #wanted = { text: "", marked: false };
  #changed;
  #observer;
  sort = { column: COLUMNS[0], order: firstOrder(COLUMNS[0]) };

  /**
   * @param {Feed} feed
   * @param {(shown: number, all: number) => void} changed gets how many symbols are shown
   */
  constructor(feed, changed) {
    this.#feed = feed;
    this.#changed = changed;
    const heads = COLUMNS.map((column) => this.#head(column));
    // The rows are laid out as grids, so that those out of sight cost nothing (content-visibility does not apply to the
    // parts of a CSS table). That takes their meaning away, which the roles give back.
    const label = "Newest quote of each symbol; the buttons in the head sort";
    const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads));
    this.element = el("table", { class: "quotes", role: "table", "aria-label": label }, head, this.#body);
    this.#observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px 0px" });
    const touched = () => {
      this.#touchedAt = performance.now();
    };
    this.#body.addEventListener("pointermove", touched, { passive: true });
    this.#body.addEventListener("click", ({ target }) => {
      const node = /** @type {Element} */ (target);
      if (!node.closest("a") && !String(getSelection())) node.closest("tr")?.querySelector("a")?.click();
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

  /** @param {import("./columns.js").Order | null} order */
  sortBy(column, order = null) {
    const next = this.sort.column === column ? reversed(this.sort.order) : firstOrder(column);
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
    const order = el("span", { class: "order", "aria-hidden": "true" });
    const sort = { click: () => this.sortBy(column) };
    const button = el("button", { type: "button", title: column.title, on: sort }, column.label, order);
    const name = `${column.name}${column.number ? " number" : ""}`;
    const head = el("th", { scope: "col", role: "columnheader", class: name }, button);
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
      const row = this.#rows.get(target.dataset.symbol);
      if (row && isIntersecting) {
        this.#inSight.add(row);
        this.#patch(row);
      } else if (row) this.#inSight.delete(row);
    }
  }

  #patch(row) {
    const quote = this.#feed.symbols.get(row.symbol);
    if (!quote) return;
    if (row.dirty) row.patch(quote);
    row.patchAge(quote, this.#feed.now());
  }

  #render(now = false) {
    for (const symbol of this.#feed.symbols.keys()) {
      if (this.#rows.has(symbol)) continue;
      const row = new Row(symbol);
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
    const now = this.#feed.now();
    const shown = [...this.#feed.symbols.values()].filter(
      (quote) => quote.symbol.toUpperCase().includes(text) && (!marked || isMarked(quote, now)),
    );
    let at = this.#body.firstElementChild;
    for (const { symbol } of sorted(shown, this.sort.column, this.sort.order)) {
      const element = this.#rows.get(symbol)?.element;
      if (at && element === at) at = at.nextElementSibling;
      else if (element) this.#body.insertBefore(element, at);
    }
    while (at) {
      const next = at.nextElementSibling;
      at.remove();
      at = next;
    }
    this.#changed(shown.length, this.#feed.symbols.size);
  }
}
