// One symbol: its newest quote, a session as a chart and as a table, and the sessions to choose from.

import { figuresOf, fitting, INTERVALS } from "./bars.js";
import { SessionCalendar } from "./calendar.js";
import { PriceChart } from "./chart.js";
import { arrow, button, el, fromTemplate, note, setAttribute, setChildren, setText } from "./dom.js";
import { get, ServerError } from "./server.js";
import { carryOn, chartLabel, explanation, leftOutText, legendOf, newestFacts, pastFacts } from "./session.js";
import { eventItem, minutesTable } from "./session-lists.js";
import { showMarks, suspect } from "./table.js";
import * as words from "./words.js";

/** @import { SessionDetail, Sessions } from "./answers.d.ts" */
/** @import { Feed, FeedQuote } from "./feed.js" */

const REFRESH_MILLISECONDS = 60000;
const RETRY_MILLISECONDS = 5000;
const REST_MILLISECONDS = 1000; // until the server has read further back
const EVENTS_FIRST = 12;
/** @type {Sessions} */
const NO_DAYS = { today: null, sessions: [] };

const address = (symbol, session) => `#/symbol/${encodeURIComponent(symbol)}${session ? `/${session}` : ""}`;

export class SymbolView {
  #feed;
  #parts;
  #chart;
  #calendar;
  #symbol = "";
  /** @type {string | null} */
  #wanted = null;
  /** @type {SessionDetail | null} */
  #detail = null;
  #days = NO_DAYS;
  #timer = 0;
  #requests = 0;
  /** @type {number | null} */
  #volume = null;
  /** @type {number | "line" | null} */
  #shape = null; // what the reader chose: an interval in minutes, or "line"

  /** @param {{ feed: Feed }} context */
  constructor({ feed }) {
    this.#feed = feed;
    const { element, parts } = fromTemplate("symbol-view");
    this.element = element;
    this.#parts = parts;
    parts.crossKey.prepend(arrow("up"), arrow("down"));
    for (const shape of ["line", ...INTERVALS]) {
      const text = shape === "line" ? "Line" : `${shape} min`;
      parts.shapes.append(button(text, () => this.#choose(shape), { class: "chip", "data-shape": shape }));
    }
    parts.table.addEventListener("toggle", () => this.#showMinutes());
    this.#chart = new PriceChart(parts.chart, (time) => this.#showLegend(time));
    this.#calendar = new SessionCalendar((session) => address(this.#symbol, session));
    parts.side.prepend(this.#calendar.element);
    setInterval(() => this.#symbol && this.#showQuote(), 1000);
  }

  /** @param {string | null} session */
  enter(symbol = "", session = null) {
    const other = symbol !== this.#symbol;
    this.#symbol = symbol;
    this.#wanted = session;
    if (!this.#isSame()) this.#detail = null;
    if (other) {
      this.#days = NO_DAYS;
      this.#calendar.show(NO_DAYS, session);
      this.#loadDays();
    }
    setText(this.#parts.name, symbol);
    this.#showQuote();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#symbol = "";
    this.#detail = null;
  }

  quotes() {
    const quote = this.#feed.symbols.get(this.#symbol);
    if (!quote) return;
    this.#showQuote();
    this.#carryOn(quote);
  }

  themed() {
    this.#chart.themed();
  }

  async #loadDays() {
    const symbol = this.#symbol;
    /** @type {Sessions | null} */
    const days = await get(`api/sessions?symbol=${encodeURIComponent(symbol)}`).catch((error) => {
      if (!(error instanceof ServerError)) throw error;
      return null; // the session itself says what is wrong
    });
    if (symbol !== this.#symbol) return;
    if (days === null) {
      setTimeout(() => symbol === this.#symbol && this.#loadDays(), RETRY_MILLISECONDS);
      return;
    }
    this.#days = days;
    this.#calendar.show(days, this.#wanted ?? this.#detail?.session ?? days.today);
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#requests += 1;
    const request = this.#requests;
    const same = this.#isSame();
    if (!same) this.#say(note("Loading the session", "", "loading"));
    try {
      const session = this.#wanted ? `?session=${encodeURIComponent(this.#wanted)}` : "";
      /** @type {SessionDetail} */
      const detail = await get(`api/symbols/${encodeURIComponent(this.#symbol)}${session}`);
      if (request !== this.#requests) return;
      this.#detail = detail;
      this.#volume = null;
      // The list of all sessions takes longer than the newest session, and is not waited for.
      const days = this.#days.sessions.length ? this.#days : { today: detail.today, sessions: [detail.session] };
      if (!same) this.#calendar.show(days, detail.session);
      this.#showQuote();
      await this.#show(detail);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (request !== this.#requests) return;
      if (!same) this.#fail(error);
      if (!this.#detail && error.status !== 404) this.#again(RETRY_MILLISECONDS);
    }
    if (request !== this.#requests || !this.#detail) return;
    if (!this.#detail.complete) this.#again(REST_MILLISECONDS);
    else if (this.#isNewest()) this.#again(REFRESH_MILLISECONDS);
  }

  #again(milliseconds) {
    this.#timer = setTimeout(() => this.#load(), milliseconds);
  }

  /** Whether what is wanted is what is shown. */
  #isSame() {
    if (this.#detail?.symbol !== this.#symbol) return false;
    return this.#wanted === null ? this.#isNewest() : this.#wanted === this.#detail.session;
  }

  /** Whether the session shown is the symbol's newest. */
  #isNewest() {
    return this.#detail !== null && this.#detail.session === this.#detail.today;
  }

  /** @param {ServerError} error */
  #fail(error) {
    this.#detail = null;
    this.#showQuote();
    const title = error.status === 404 ? `Nothing is known of ${this.#symbol}` : "The session cannot be shown";
    const box = note(title, error.message, "error");
    if (error.status !== 404) box.append(button("Try again", () => this.#load()));
    this.#say(box);
  }

  /** Show a box instead of the session; null takes it away again. */
  #say(box) {
    const { state, drawing, shapes, table, leftOut, caption, origin, eventCount, events } = this.#parts;
    state.replaceChildren(...(box ? [box] : []));
    for (const part of [drawing, shapes, table]) part.hidden = Boolean(box);
    if (!box) return;
    leftOut.hidden = true;
    setText(caption, this.#wanted ? words.day(this.#wanted) : "Session");
    setText(origin, "");
    setText(eventCount, "");
    events.replaceChildren();
  }

  /** @param {SessionDetail} detail */
  async #show(detail) {
    if (!detail.candles.length) {
      this.#say(note("No quote in this session", "Choose another day in the calendar.", "empty"));
      return;
    }
    this.#say(null);
    const parts = this.#parts;
    const newest = detail.session === words.dateOf(this.#feed.now()) ? ", today" : ", the newest";
    setText(parts.caption, words.day(detail.session) + (this.#isNewest() ? newest : ""));
    setText(parts.leftOut, leftOutText(detail));
    parts.leftOut.hidden = !parts.leftOut.textContent;
    const from = detail.from === "dynamodb" ? "from the live table" : "from the curated minute bars";
    setText(parts.origin, detail.complete ? from : `${from}, reading further back …`);
    setText(parts.shortKey, `Average of 5 ${detail.averages_over}`);
    setText(parts.longKey, `Average of 20 ${detail.averages_over}`);
    setAttribute(parts.chart, "aria-label", chartLabel(detail));
    this.#showEvents(detail);
    this.#showMinutes();
    await this.#draw(detail);
  }

  /** @param {SessionDetail} detail */
  async #draw(detail) {
    const shape = this.#shape ?? fitting(detail.candles);
    for (const chip of this.#parts.shapes.children) {
      setAttribute(chip, "aria-pressed", String(chip.dataset.shape === String(shape)));
    }
    await this.#chart.show(detail, shape);
    if (detail !== this.#detail) return;
    this.#showLegend(null);
    setText(this.#parts.explanation, explanation(detail.candles, this.#chart.bars, this.#chart.cutOff));
  }

  #choose(shape) {
    this.#shape = shape;
    if (this.#detail?.candles.length) this.#draw(this.#detail);
  }

  /**
   * Carry today's last candle on with a new quote; every minute the server's own candles replace ours.
   * @param {FeedQuote} quote
   */
  #carryOn(quote) {
    const detail = this.#detail;
    if (!detail || !this.#isNewest() || detail.symbol !== quote.symbol || this.#parts.state.hasChildNodes()) return;
    const volume = carryOn(detail, quote, this.#volume);
    if (volume === undefined) return;
    this.#volume = volume;
    this.#chart.update();
    this.#showLegend(null);
  }

  #showQuote() {
    const detail = this.#detail;
    if (detail?.candles.length && !this.#isNewest()) this.#showPast(detail);
    else if (detail === null && this.#wanted) this.#showHead(false);
    else this.#showNewest();
  }

  #showNewest() {
    const quote = this.#feed.symbols.get(this.#symbol);
    this.#showHead(quote !== undefined);
    if (!quote) return;
    const age = words.age((this.#feed.now() - quote.at) / 1000);
    this.#showPrice(quote.price, quote.change, quote.change_percent, `${age} ago`, words.suspicion(quote, "price"));
    showMarks(this.#parts.marks, quote);
    this.#showFacts("Newest quote", newestFacts(quote));
  }

  /**
   * A past session's own figures.
   * @param {SessionDetail} detail
   */
  #showPast({ session, candles, figures: published, previous_close: close }) {
    this.#showHead(true);
    const figures = published ?? figuresOf(candles, close);
    const end = `at the end of ${words.day(session)}`;
    this.#showPrice(figures.close_usd, figures.change_usd, figures.change_pct, end, "");
    setChildren(this.#parts.marks, "", () => []);
    this.#showFacts(published ? "Session, regular trading" : "Session, as stored", pastFacts(figures));
  }

  #showHead(isKnown) {
    const { head, factsCard, facts } = this.#parts;
    head.classList.toggle("unknown", !isKnown);
    factsCard.hidden = !isKnown;
    if (!isKnown) facts.replaceChildren();
  }

  #showPrice(price, change, percent, when, suspicion) {
    const parts = this.#parts;
    setText(parts.price, words.price(price));
    suspect(parts.price, suspicion);
    const isKnown = typeof change === "number";
    setText(parts.change, isKnown ? `${words.signed(change)} (${words.signed(percent, "%")})` : words.NOTHING);
    setAttribute(parts.change, "data-direction", words.direction(change));
    setText(parts.age, when);
  }

  /** @param {import("./session.js").Fact[]} facts */
  #showFacts(title, facts) {
    const { factsTitle, facts: list } = this.#parts;
    setText(factsTitle, title);
    const labels = facts.map(([label]) => label).join();
    if (list.dataset.labels !== labels || !list.hasChildNodes()) {
      list.dataset.labels = labels;
      list.replaceChildren(...facts.map(([label]) => el("div", {}, el("dt", {}, label), el("dd", {}))));
    }
    const shown = list.querySelectorAll("dd");
    facts.forEach(([, value, suspicion], at) => {
      setText(shown[at], value);
      suspect(shown[at], suspicion);
    });
  }

  #showLegend(time) {
    const { bars } = this.#chart;
    if (!this.#detail?.candles.length || !bars.length) return;
    const items = legendOf(this.#detail, bars, time).map(([label, text, name = ""]) =>
      el("span", { class: name }, el("span", { class: "soft" }, label), ` ${text}`),
    );
    this.#parts.legend.replaceChildren(...items);
  }

  /** @param {SessionDetail} detail */
  #showEvents(detail) {
    const { events, eventCount } = this.#parts;
    const key = `${detail.symbol} ${detail.session}`;
    const count = words.whole(detail.marks.length);
    const newestFirst = detail.marks.toReversed();
    const shown = events.dataset.all === key ? newestFirst : newestFirst.slice(0, EVENTS_FIRST);
    setText(eventCount, newestFirst.length > EVENTS_FIRST ? count : "");
    events.replaceChildren(...shown.map(eventItem));
    if (!shown.length) events.append(el("li", { class: "soft" }, "No anomaly and no cross of the averages."));
    if (shown.length === newestFirst.length) return;
    const more = () => {
      events.dataset.all = key;
      this.#showEvents(detail);
    };
    events.append(el("li", {}, button(`Show all ${count}`, more)));
  }

  #showMinutes() {
    if (!this.#parts.table.open || !this.#detail) return;
    this.#parts.minutes.replaceChildren(minutesTable(this.#detail));
  }
}
