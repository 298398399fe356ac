// One symbol: its newest quote, a session as a chart and as a table, and the sessions to choose from.

import { figuresOf, fitting, gaps, INTERVALS } from "./bars.js";
import { SessionCalendar } from "./calendar.js";
import { PriceChart } from "./chart.js";
import { arrow, el, note, setAttribute, setText } from "./dom.js";
import { get, ServerError } from "./server.js";
import { marks, suspect } from "./table.js";
import * as words from "./words.js";

const REFRESH_MILLISECONDS = 60000;
const RETRY_MILLISECONDS = 5000;
const REST_MILLISECONDS = 1000; // until the server has read further back
const GAPS_TOLD = 3;
const EVENTS_FIRST = 12;
const NAMES_TOLD = 8;
const FIELDS = [
  `Time (${words.ZONE})`,
  "Open",
  "High",
  "Low",
  "Close",
  "Volume",
  "Average of 5",
  "Average of 20",
  "Marks",
];

const address = (symbol, session) => `#/symbol/${encodeURIComponent(symbol)}${session ? `/${session}` : ""}`;

export class SymbolView {
  #feed;
  #symbol = null;
  #wanted = null;
  #data = null;
  #days = { today: null, sessions: [] };
  #timer = null;
  #asked = 0;
  #volume = null;
  #shape = null; // what the reader chose: an interval in minutes, or "line"

  constructor({ feed }) {
    this.#feed = feed;
    this.#makeHead();
    this.box = el(
      "div",
      { class: "chart", tabindex: "0", role: "group", "aria-describedby": "chart-help" },
      el("div", { "aria-hidden": "true" }),
      el("span", { class: "zone", "aria-hidden": "true" }, words.ZONE),
    );
    this.chart = new PriceChart(this.box, (time) => this.#showLegend(time));
    this.legend = el("p", { class: "legend values", "aria-hidden": "true" });
    this.state = el("div", {});
    this.caption = el("h3", {});
    this.origin = el("span", { class: "soft" });
    this.events = el("ol", { class: "events" });
    this.eventCount = el("span", { class: "soft" });
    this.shapes = el(
      "div",
      { class: "shapes", role: "group", "aria-label": "Drawn as" },
      ["line", ...INTERVALS].map((shape) =>
        el(
          "button",
          { type: "button", class: "chip", "data-shape": shape, on: { click: () => this.#choose(shape) } },
          shape === "line" ? "Line" : `${shape} min`,
        ),
      ),
    );
    this.leftOut = el("p", { class: "warning" });
    this.said = el("p", { class: "soft small", role: "status" });
    this.minutes = el("div", {
      class: "scroll",
      tabindex: "0",
      role: "region",
      "aria-label": "Minutes of the session",
    });
    this.table = el(
      "details",
      { class: "card", on: { toggle: () => this.#showMinutes() } },
      el("summary", {}, "The same as a table"),
      this.minutes,
    );
    this.facts = el("dl", { class: "facts" });
    this.factsTitle = el("h3", { id: "facts-title" });
    this.factsCard = el("section", { class: "card", "aria-labelledby": "facts-title" }, this.factsTitle, this.facts);
    this.calendar = new SessionCalendar((session) => address(this.#symbol, session));
    this.keys = { short: el("span", { class: "key short" }), long: el("span", { class: "key long" }) };
    this.drawing = el(
      "div",
      {},
      this.legend,
      this.box,
      this.said,
      el(
        "p",
        { class: "keys" },
        this.keys.short,
        this.keys.long,
        el("span", { class: "key close" }, "Previous close"),
        el("span", { class: "key anomaly" }, "Anomaly"),
        el("span", { class: "key cross" }, arrow("up"), arrow("down"), "Averages cross"),
        el("span", { class: "key suspect" }, "Suspect or corrected"),
      ),
      el(
        "p",
        { class: "soft small" },
        el(
          "span",
          { id: "chart-help" },
          "Drag or use the arrow keys to move, + and − to zoom, Home for the whole session. ",
        ),
        "TradingView Lightweight Charts™, Copyright © 2025 TradingView, Inc. ",
        el("a", { href: "https://www.tradingview.com/", rel: "noreferrer", "data-whole": "" }, "www.tradingview.com"),
      ),
    );
    this.body = el(
      "div",
      { class: "detail" },
      el(
        "div",
        { class: "column" },
        el(
          "section",
          { class: "card", "aria-labelledby": "chart-title" },

          el("div", { class: "tools" }, this.caption, this.origin, el("span", { class: "grow" }), this.shapes),
          this.leftOut,
          this.state,
          this.drawing,
        ),
        el(
          "section",
          { class: "card", "aria-labelledby": "events-title" },
          el(
            "div",
            { class: "tools" },
            el("h3", { id: "events-title" }, "What happened"),
            this.eventCount,
            el("span", { class: "grow" }),
            el("span", { class: "soft" }, `${words.ZONE} time`),
          ),
          this.events,
        ),
        this.table,
      ),
      el("div", { class: "column narrow" }, this.calendar.element, this.factsCard),
    );
    this.caption.id = "chart-title";
    this.element = el("div", {}, this.head, this.body);
    setInterval(() => this.#symbol && this.#showQuote(), 1000);
  }

  #makeHead() {
    this.name = el("h2", { class: "name" });
    this.price = el("span", { class: "big" });
    this.change = el("span", { class: "pill" });
    this.marks = el("span", { class: "marks" });
    this.age = el("span", { class: "soft" });
    this.head = el(
      "div",
      { class: "head" },
      el("a", { class: "back", href: "#/market" }, "‹ Market"),
      this.name,
      this.price,
      this.change,
      this.marks,
      this.age,
    );
  }

  enter(symbol, session = null) {
    const other = symbol !== this.#symbol;
    this.#symbol = symbol ?? "";
    this.#wanted = session;
    if (!this.#isSame()) this.#data = null;
    if (other) {
      this.#days = { today: null, sessions: [] };
      this.calendar.show(this.#days, session);
      this.#loadDays();
    }
    setText(this.name, this.#symbol);
    this.#showQuote();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#symbol = null;
    this.#data = null;
  }

  quotes() {
    const quote = this.#feed.symbols.get(this.#symbol);
    if (!quote) return;
    this.#showQuote();
    this.#extend(quote);
  }

  themed() {
    this.chart.themed();
  }

  async #loadDays() {
    const symbol = this.#symbol;
    const known = await get(`api/sessions?symbol=${encodeURIComponent(symbol)}`).catch((error) => {
      if (!(error instanceof ServerError)) throw error;
      return null; // the session itself says what is wrong
    });
    if (symbol !== this.#symbol) return;
    if (known === null) {
      setTimeout(() => symbol === this.#symbol && this.#loadDays(), RETRY_MILLISECONDS);
      return;
    }
    this.#days = known;
    this.calendar.show(known, this.#wanted ?? this.#data?.session ?? known.today);
  }

  async #load() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const symbol = encodeURIComponent(this.#symbol);
    const same = this.#isSame();
    if (!same) this.#say(note("Loading the session", "", "loading"));
    try {
      const session = this.#wanted ? `?session=${encodeURIComponent(this.#wanted)}` : "";
      const data = await get(`api/symbols/${symbol}${session}`);
      if (asked !== this.#asked) return;
      this.#data = { ...data, averages: { long: data.moving_average, short: data.moving_average_5 } };
      this.#volume = null;
      // The list of all sessions takes longer than the newest session, and is not waited for.
      const days = this.#days.sessions.length ? this.#days : { today: data.today, sessions: [data.session] };
      if (!same) this.calendar.show(days, data.session);
      this.#showQuote();
      await this.#show();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (asked !== this.#asked) return;
      if (!same) this.#fail(error);
      if (!this.#data && error.status !== 404) this.#timer = setTimeout(() => this.#load(), RETRY_MILLISECONDS);
    }
    if (asked !== this.#asked || !this.#data) return;
    if (this.#data.complete === false) this.#timer = setTimeout(() => this.#load(), REST_MILLISECONDS);
    else if (this.#live()) this.#timer = setTimeout(() => this.#load(), REFRESH_MILLISECONDS);
  }

  /** Whether what is wanted is what is shown. */
  #isSame() {
    if (this.#data?.symbol !== this.#symbol) return false;
    return this.#wanted === null ? this.#live() : this.#wanted === this.#data.session;
  }

  #fail(error) {
    this.#data = null;
    this.#showQuote();
    const title = error.status === 404 ? `Nothing is known of ${this.#symbol}` : "The session cannot be shown";
    const again = el("button", { type: "button", class: "button", on: { click: () => this.#load() } }, "Try again");
    const box = note(title, error.message, "error");
    if (error.status !== 404) box.append(again);
    this.#say(box);
  }

  #say(box) {
    this.state.replaceChildren(...(box ? [box] : []));
    this.drawing.hidden = Boolean(box);
    this.shapes.hidden = Boolean(box);
    this.table.hidden = Boolean(box);
    if (box) {
      this.leftOut.hidden = true;
      setText(this.caption, this.#wanted ? words.day(this.#wanted) : "Session");
      setText(this.origin, "");
      setText(this.eventCount, "");
      this.events.replaceChildren();
    }
  }

  async #show() {
    const data = this.#data;
    if (!data.candles.length) {
      this.#say(note("No quote in this session", "Choose another day in the calendar.", "empty"));
      return;
    }
    this.#say(null);
    const newest = data.session === words.dateOf(this.#feed.now()) ? ", today" : ", the newest";
    setText(this.caption, words.day(data.session) + (this.#live() ? newest : ""));
    this.#showLeftOut();
    const from = data.from === "dynamodb" ? "from the live table" : "from the curated minute bars";
    setText(this.origin, data.complete === false ? `${from}, reading further back …` : from);
    const over = data.averages_over === "quotes" ? "quotes" : "minutes";
    setText(this.keys.short, `Average of 5 ${over}`);
    setText(this.keys.long, `Average of 20 ${over}`);
    const all = data.candles;
    const high = Math.max(...all.map((one) => one[2]));
    const low = Math.min(...all.map((one) => one[3]));
    setAttribute(
      this.box,
      "aria-label",
      `Chart of ${data.symbol}, ${words.day(data.session)}: ${words.plural(all.length, "minute")}, open ${words.price(all[0][1])}, high ${words.price(high)}, low ${words.price(low)}, last ${words.price(all.at(-1)[4])}, ${words.plural(data.marks.length, "mark")}. The same as a table follows.`,
    );
    this.#showEvents();
    this.#showMinutes();
    await this.#draw();
  }

  async #draw() {
    const data = this.#data;
    const shape = this.#shape ?? fitting(data.candles);
    for (const button of this.shapes.children)
      setAttribute(button, "aria-pressed", String(button.dataset.shape === String(shape)));
    await this.chart.show(data, shape);
    if (data !== this.#data) return;
    this.#showLegend(null);
    this.#explain();
  }

  #choose(shape) {
    this.#shape = shape;
    if (this.#data?.candles.length) this.#draw();
  }

  /** What the picture does not show by itself: volumes that are cut off, and hours without quotes. */
  #explain() {
    const found = gaps(this.#data.candles.map((one) => one[0]));
    const missing = found.map(([from, to]) => `${words.minute(from)} to ${words.minute(to)}`);
    const { bars } = this.chart;
    const cut = this.chart.cutOff.map((bar) => {
      const next = bars[bars.indexOf(bar) + 1]?.[0] ?? Infinity;
      const late = found.some(([, to]) => to >= bar[0] && to < next);
      const why =
        bar === bars[0]
          ? ", with what was traded before the first quote"
          : late
            ? ", with what was traded while quotes were missing"
            : "";
      return `${words.minute(bar[0])} had ${words.whole(bar[5])} shares${why}`;
    });
    const more = missing.length > GAPS_TOLD ? ` and ${missing.length - GAPS_TOLD} more times` : "";
    setText(
      this.said,
      [
        cut.length && `Volume cut off: ${cut.join("; ")}.`,
        missing.length && `No quotes from ${missing.slice(0, GAPS_TOLD).join(", ")}${more}.`,
      ]
        .filter(Boolean)
        .join(" "),
    );
  }

  /** Whether the session shown is the symbol's newest. */
  #live() {
    return this.#data !== null && this.#data.session === this.#data.today;
  }

  /** Carry today's last candle on with a new quote; every minute the server's own candles replace ours. */
  #extend(quote) {
    const data = this.#data;
    if (!this.#live() || data.symbol !== quote.symbol || this.state.hasChildNodes()) return;
    const seconds = Math.floor(quote.at / 1000);
    const time = seconds - (seconds % 60);
    const last = data.candles.at(-1);
    const opens = data.opens_at ? Date.parse(data.opens_at) : -Infinity;
    const closes = data.closes_at ? Date.parse(data.closes_at) : Infinity;
    if (words.suspicion(quote, "price") || time < last[0] || quote.at < opens || quote.at >= closes) return;
    // A quote carries the day's volume so far; what it grew by belongs to this minute.
    const counted = !words.suspicion(quote, "volume");
    const traded = this.#volume === null || !counted ? 0 : Math.max(0, quote.volume - this.#volume);
    if (counted) this.#volume = quote.volume;
    if (time === last[0]) {
      last[2] = Math.max(last[2], quote.price);
      last[3] = Math.min(last[3], quote.price);
      last[4] = quote.price;
      last[5] += traded;
      last[6] += 1;
    } else data.candles.push([time, quote.price, quote.price, quote.price, quote.price, traded, 1]);
    this.#average(data.averages.long, time, quote.moving_average);
    this.#average(data.averages.short, time, quote.moving_average_5);
    this.chart.update();
    this.#showLegend(null);
  }

  #average(line, time, value) {
    if (typeof value !== "number") return;
    if (line.at(-1)?.[0] === time) line.at(-1)[1] = value;
    else if (!line.length || line.at(-1)[0] < time) line.push([time, value]);
  }

  #showQuote() {
    const past = this.#data !== null && !this.#live() && this.#data.candles.length > 0;
    if (past || (this.#wanted && this.#data === null)) this.#showPast(past);
    else this.#showNewest();
  }

  #showNewest() {
    const quote = this.#feed.symbols.get(this.#symbol);
    this.#showHead(quote !== undefined);
    if (!quote) return;
    const seconds = (this.#feed.now() - quote.at) / 1000;
    this.#showPrice(
      quote.price,
      quote.change,
      quote.change_percent,
      `${words.age(seconds)} ago`,
      words.suspicion(quote, "price"),
    );
    const key = `${quote.anomaly}|${quote.reasons}|${quote.trend}|${quote.suspect}`;
    if (this.marks.dataset.key !== key) {
      this.marks.dataset.key = key;
      this.marks.replaceChildren(...marks(quote));
    }
    this.#showFacts(
      "Newest quote",
      [
        ["Open", words.price(quote.open), "open"],
        ["High", words.price(quote.high), "high"],
        ["Low", words.price(quote.low), "low"],
        ["Previous close", words.price(quote.previous_close), "previous_close"],
        ["Volume", words.whole(quote.volume), "volume"],
        ["Average of 5", words.price(quote.moving_average_5)],
        ["Average of 20", words.price(quote.moving_average)],
        ["Made at", words.moment(quote.timestamp)],
        ["Source", quote.source],
      ].map(([label, value, figure]) => [label, value, figure && words.suspicion(quote, figure)]),
    );
  }

  /** A past session's own figures; none while they are not known. */
  #showPast(known) {
    this.#showHead(known);
    if (!known) return;
    const { session, candles, figures: published, previous_close: close } = this.#data;
    const figures = published ?? figuresOf(candles, close);
    this.#showPrice(
      figures.close_usd,
      figures.change_usd,
      figures.change_pct,
      `at the end of ${words.day(session)}`,
      "",
    );
    this.marks.dataset.key = "";
    this.marks.replaceChildren();
    this.#showFacts(published ? "Session, regular trading" : "Session, as stored", [
      ["Open", words.price(figures.open_usd)],
      ["High", words.price(figures.high_usd)],
      ["Low", words.price(figures.low_usd)],
      ["Close", words.price(figures.close_usd)],
      ["Previous close", words.price(figures.previous_close_usd)],
      ["Change", words.signed(figures.change_usd)],
      ["Change %", words.signed(figures.change_pct, "%")],
      ["VWAP", words.price(figures.vwap_usd)],
      ["Volume", words.whole(figures.volume_shares)],
    ]);
  }

  #showHead(known) {
    this.head.classList.toggle("unknown", !known);
    this.factsCard.hidden = !known;
    if (!known) this.facts.replaceChildren();
  }

  #showPrice(price, change, percent, when, suspicion) {
    setText(this.price, words.price(price));
    suspect(this.price, suspicion);
    setText(
      this.change,
      typeof change === "number" ? `${words.signed(change)} (${words.signed(percent, "%")})` : words.NOTHING,
    );
    setAttribute(this.change, "data-direction", words.direction(change));
    setText(this.age, when);
  }

  /** Each fact is a label, a value, and what is wrong with it. */
  #showFacts(title, facts) {
    setText(this.factsTitle, title);
    const labels = facts.map(([label]) => label).join();
    if (this.facts.dataset.labels !== labels || !this.facts.hasChildNodes()) {
      this.facts.dataset.labels = labels;
      this.facts.replaceChildren(...facts.map(([label]) => el("div", {}, el("dt", {}, label), el("dd", {}))));
    }
    const shown = this.facts.querySelectorAll("dd");
    facts.forEach(([, value, suspicion], number) => {
      setText(shown[number], value);
      suspect(shown[number], suspicion);
    });
  }

  /** Which symbols of the session are not in the curated tables, this one first. */
  #showLeftOut() {
    const { left_out: found = {}, symbol } = this.#data;
    const others = Object.keys(found).filter((one) => one !== symbol);
    const more = others.length > NAMES_TOLD ? ` and ${others.length - NAMES_TOLD} more` : "";
    setText(
      this.leftOut,
      [
        Object.hasOwn(found, symbol) && `${symbol} was left out when this session was published: ${found[symbol]}.`,
        others.length && `Left out of this session: ${others.slice(0, NAMES_TOLD).join(", ")}${more}.`,
      ]
        .filter(Boolean)
        .join(" "),
    );
    this.leftOut.hidden = !this.leftOut.textContent;
  }

  #showLegend(time) {
    const { bars } = this.chart;
    if (!this.#data?.candles.length || !bars.length) return;
    const found = (time !== null && bars.find((one) => one[0] === time)) || bars.at(-1);
    const next = bars[bars.indexOf(found) + 1]?.[0] ?? Infinity;
    const [at, open, high, low, close, volume] = found;
    const within = (one) => one >= at && one < next;
    const value = (line) => words.price(line.findLast((one) => within(one[0]))?.[1]);
    const kinds = new Set(this.#data.marks.filter((one) => within(one.time)).map((one) => words.kindMark(one.kind)));
    const item = (label, text, name = "") =>
      el("span", { class: name }, el("span", { class: "soft" }, label), ` ${text}`);
    const { long, short } = this.#data.averages;
    this.legend.replaceChildren(
      item("", words.minute(at), "time"),
      item("O", words.price(open)),
      item("H", words.price(high)),
      item("L", words.price(low)),
      item("C", words.price(close), close < open ? "down" : "up"),
      item("Vol", words.short(volume)),
      item("Avg 5", value(short), "short"),
      item("Avg 20", value(long), "long"),
      ...(kinds.size ? [item("", [...kinds].join(", "))] : []),
    );
  }

  #showEvents() {
    const found = this.#data.marks.toReversed();
    setText(this.eventCount, found.length > EVENTS_FIRST ? words.whole(found.length) : "");
    const all = this.events.dataset.all === this.#key();
    const shown = all ? found : found.slice(0, EVENTS_FIRST);
    this.events.replaceChildren(
      ...shown.map(({ time, kind, text }) =>
        el(
          "li",
          { "data-kind": kind },
          el("time", { datetime: new Date(time * 1000).toISOString() }, words.minute(time)),
          el("span", { class: "mark plain" }, words.kindMark(kind)),
          el("span", {}, text),
        ),
      ),
    );
    if (!found.length)
      this.events.replaceChildren(el("li", { class: "soft" }, "No anomaly and no cross of the averages."));
    if (shown.length === found.length) return;
    const more = () => {
      this.events.dataset.all = this.#key();
      this.#showEvents();
    };
    this.events.append(
      el(
        "li",
        {},
        el("button", { type: "button", class: "button", on: { click: more } }, `Show all ${words.whole(found.length)}`),
      ),
    );
  }

  #key() {
    return `${this.#data.symbol} ${this.#data.session}`;
  }

  #showMinutes() {
    if (!this.table.open || !this.#data) return;
    const { averages, marks: found, symbol, session } = this.#data;
    const [long, short] = [new Map(averages.long), new Map(averages.short)];
    const texts = new Map();
    for (const { time, kind } of found) {
      const at = time - (time % 60);
      texts.set(at, [...(texts.get(at) ?? []), words.kindMark(kind)]);
    }
    const row = ([time, open, high, low, close, volume]) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, words.minute(time)),
        [open, high, low, close].map((one) => el("td", { class: "number" }, words.price(one))),
        el("td", { class: "number" }, words.whole(volume)),
        el("td", { class: "number" }, words.price(short.get(time))),
        el("td", { class: "number" }, words.price(long.get(time))),
        el("td", {}, (texts.get(time) ?? []).join(", ")),
      );
    this.minutes.replaceChildren(
      el(
        "table",
        { class: "plain" },
        el(
          "caption",
          { class: "unseen" },
          `${symbol} by minute, ${words.day(session)}, ${words.ZONE} time, prices in USD`,
        ),
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            FIELDS.map((one, at) => el("th", { scope: "col", class: at > 0 && at < 8 ? "number" : null }, one)),
          ),
        ),
        el("tbody", {}, this.#data.candles.map(row)),
      ),
    );
  }
}
