// One symbol: its newest quote, a session as a chart and as a table, and the sessions to choose from.

import { SessionCalendar } from "./calendar.js";
import { PriceChart } from "./chart.js";
import { arrow, el, note, setAttribute, setText } from "./dom.js";
import { ServerError, get } from "./server.js";
import { marks } from "./table.js";
import * as words from "./words.js";

const REFRESH_MILLISECONDS = 60000;
const REST_MILLISECONDS = 1000; // until the server has read further back
const FIELDS = ["Time", "Open", "High", "Low", "Close", "Volume", "Average of 5", "Average of 20", "Marks"];

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

  constructor({ feed }) {
    this.#feed = feed;
    this.#makeHead();
    this.box = el("div", { class: "chart", tabindex: "0", role: "group", "aria-describedby": "chart-help" }, el("div", { "aria-hidden": "true" }));
    this.chart = new PriceChart(this.box, (time) => this.#showLegend(time));
    this.legend = el("p", { class: "legend values", "aria-hidden": "true" });
    this.state = el("div", {});
    this.caption = el("h3", {});
    this.origin = el("span", { class: "soft" });
    this.events = el("ol", { class: "events" });
    this.minutes = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Minutes of the session" });
    this.table = el("details", { class: "card", on: { toggle: () => this.#showMinutes() } }, el("summary", {}, "The same as a table"), this.minutes);
    this.facts = el("dl", { class: "facts" });
    this.calendar = new SessionCalendar((session) => address(this.#symbol, session));
    this.keys = { short: el("span", { class: "key short" }), long: el("span", { class: "key long" }) };
    this.drawing = el("div", {},
      this.legend, this.box,
      el("p", { class: "keys" },
        this.keys.short, this.keys.long,
        el("span", { class: "key close" }, "Previous close"), el("span", { class: "key anomaly" }, "Anomaly"),
        el("span", { class: "key cross" }, arrow("up"), arrow("down"), "Averages cross")),
      el("p", { class: "soft small" }, el("span", { id: "chart-help" }, "Drag or use the arrow keys to move, + and − to zoom, Home for the whole session. "),
        "TradingView Lightweight Charts™, Copyright © 2025 TradingView, Inc. ",
        el("a", { href: "https://www.tradingview.com/", rel: "noreferrer", "data-whole": "" }, "www.tradingview.com")));
    this.body = el("div", { class: "detail" },
      el("div", { class: "column" },
        el("section", { class: "card", "aria-labelledby": "chart-title" },
          el("div", { class: "tools" }, this.caption, el("span", { class: "grow" }), this.origin), this.state, this.drawing),
        el("section", { class: "card", "aria-labelledby": "events-title" }, el("h3", { id: "events-title" }, "What happened"), this.events),
        this.table),
      el("div", { class: "column narrow" },
        this.calendar.element,
        el("section", { class: "card", "aria-labelledby": "facts-title" }, el("h3", { id: "facts-title" }, "Newest quote"), this.facts)));
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
    this.head = el("div", { class: "head" },
      el("a", { class: "back", href: "#/market" }, "‹ Market"), this.name, this.price, this.change, this.marks, this.age);
  }

  enter(symbol, session = null) {
    const other = symbol !== this.#symbol;
    this.#symbol = symbol ?? "";
    this.#wanted = session;
    if (other) {
      this.#days = { today: null, sessions: [] };
      this.calendar.show(this.#days, session);
    }
    setText(this.name, this.#symbol);
    this.#showQuote();
    this.#load(other);
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

  async #load(days) {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const symbol = encodeURIComponent(this.#symbol);
    const same = this.#data?.symbol === this.#symbol && (this.#wanted ?? this.#data.session) === this.#data.session;
    if (!same) this.#say(note("Loading the session", "", "loading"));
    try {
      const session = this.#wanted ? `?session=${encodeURIComponent(this.#wanted)}` : "";
      const [data, known] = await Promise.all([
        get(`api/symbols/${symbol}${session}`),
        days ? get(`api/sessions?symbol=${symbol}`) : this.#days,
      ]);
      if (asked !== this.#asked) return;
      this.#days = known;
      this.#data = { ...data, averages: { long: data.moving_average, short: data.moving_average_5 } };
      this.#volume = null;
      if (days || !same) this.calendar.show(known, data.session);
      await this.#show();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (asked !== this.#asked) return;
      if (!same) this.#fail(error);
    }
    if (asked !== this.#asked || !this.#data) return;
    if (this.#data.complete === false) this.#timer = setTimeout(() => this.#load(false), REST_MILLISECONDS);
    else if (this.#live()) this.#timer = setTimeout(() => this.#load(false), REFRESH_MILLISECONDS);
  }

  #fail(error) {
    this.#data = null;
    const title = error.status === 404 ? `Nothing is known of ${this.#symbol}` : "The session cannot be shown";
    const again = el("button", { type: "button", class: "button", on: { click: () => this.#load(true) } }, "Try again");
    const box = note(title, error.message, "error");
    if (error.status !== 404) box.append(again);
    this.#say(box);
  }

  #say(box) {
    this.state.replaceChildren(...(box ? [box] : []));
    this.drawing.hidden = Boolean(box);
    this.table.hidden = Boolean(box);
    if (box) {
      setText(this.caption, this.#wanted ? words.day(this.#wanted) : "Session");
      setText(this.origin, "");
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
    setText(this.caption, `${words.day(data.session)}${this.#live() ? ", today" : ""}`);
    const from = data.from === "dynamodb" ? "from the live table" : "from the curated minute bars";
    setText(this.origin, data.complete === false ? `${from}, reading further back …` : from);
    const over = data.averages_over === "quotes" ? "quotes" : "minutes";
    setText(this.keys.short, `Average of 5 ${over}`);
    setText(this.keys.long, `Average of 20 ${over}`);
    const all = data.candles;
    const high = Math.max(...all.map((one) => one[2]));
    const low = Math.min(...all.map((one) => one[3]));
    setAttribute(this.box, "aria-label",
      `Chart of ${data.symbol}, ${words.day(data.session)}: ${words.plural(all.length, "minute")}, open ${words.price(all[0][1])}, high ${words.price(high)}, low ${words.price(low)}, last ${words.price(all.at(-1)[4])}, ${words.plural(data.marks.length, "mark")}. The same as a table follows.`);
    this.#showLegend(null);
    this.#showEvents();
    this.#showMinutes();
    await this.chart.show(data);
  }

  /** Whether the session shown is still running. */
  #live() {
    return this.#data !== null && this.#data.session === this.#days.today;
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
    if (time < last[0] || quote.at < opens || quote.at >= closes) return;
    // A quote carries the day's volume so far; what it grew by belongs to this minute.
    const traded = this.#volume === null ? 0 : Math.max(0, quote.volume - this.#volume);
    this.#volume = quote.volume;
    if (time === last[0]) {
      last[2] = Math.max(last[2], quote.price);
      last[3] = Math.min(last[3], quote.price);
      last[4] = quote.price;
      last[5] += traded;
    } else data.candles.push([time, quote.price, quote.price, quote.price, quote.price, traded]);
    this.#average(data.averages.long, time, quote.moving_average);
    this.#average(data.averages.short, time, quote.moving_average_5);
    this.chart.update(data.candles, data.averages);
    this.#showLegend(null);
  }

  #average(line, time, value) {
    if (typeof value !== "number") return;
    if (line.at(-1)?.[0] === time) line.at(-1)[1] = value;
    else if (!line.length || line.at(-1)[0] < time) line.push([time, value]);
  }

  #showQuote() {
    const quote = this.#feed.symbols.get(this.#symbol);
    this.head.classList.toggle("unknown", !quote);
    if (!quote) return;
    const seconds = (this.#feed.now() - quote.at) / 1000;
    setText(this.price, words.price(quote.price));
    setText(this.change, `${words.signed(quote.change)} (${words.signed(quote.change_percent, "%")})`);
    setAttribute(this.change, "data-direction", words.direction(quote.change));
    setText(this.age, `${words.age(seconds)} ago`);
    const key = `${quote.anomaly}|${quote.reasons}|${quote.trend}`;
    if (this.marks.dataset.key !== key) {
      this.marks.dataset.key = key;
      this.marks.replaceChildren(...marks(quote));
    }
    const facts = {
      Open: words.price(quote.open), High: words.price(quote.high), Low: words.price(quote.low),
      "Previous close": words.price(quote.previous_close), Volume: words.whole(quote.volume),
      "Average of 5": words.price(quote.moving_average_5), "Average of 20": words.price(quote.moving_average),
      "Made at": words.moment(quote.timestamp), Source: quote.source,
    };
    const old = this.facts.querySelectorAll("dd");
    if (old.length) Object.values(facts).forEach((value, number) => setText(old[number], value));
    else this.facts.replaceChildren(...Object.entries(facts).map(([label, value]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
  }

  #showLegend(time) {
    if (!this.#data?.candles.length) return;
    const { candles, averages } = this.#data;
    const found = (time !== null && candles.find((one) => one[0] === time)) || candles.at(-1);
    const [at, open, high, low, close, volume] = found;
    const value = (line) => words.price(line.find((one) => one[0] === at)?.[1]);
    const item = (label, text, name = "") => el("span", { class: name }, el("span", { class: "soft" }, label), ` ${text}`);
    this.legend.replaceChildren(
      item("", words.minute(at), "time"), item("O", words.price(open)), item("H", words.price(high)), item("L", words.price(low)),
      item("C", words.price(close), close < open ? "down" : "up"), item("Vol", words.short(volume)),
      item("Avg 5", value(averages.short), "short"), item("Avg 20", value(averages.long), "long"));
  }

  #showEvents() {
    const { marks: found } = this.#data;
    this.events.replaceChildren(...found.map(({ time, kind, text }) =>
      el("li", { "data-kind": kind }, el("time", { datetime: new Date(time * 1000).toISOString() }, words.minute(time)),
        el("span", { class: "mark plain" }, words.kindMark(kind)), el("span", {}, text))));
    if (!found.length) this.events.replaceChildren(el("li", { class: "soft" }, "No anomaly and no cross of the averages."));
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
    const row = ([time, open, high, low, close, volume]) => el("tr", {},
      el("th", { scope: "row" }, words.minute(time)),
      [open, high, low, close].map((one) => el("td", { class: "number" }, words.price(one))),
      el("td", { class: "number" }, words.whole(volume)),
      el("td", { class: "number" }, words.price(short.get(time))), el("td", { class: "number" }, words.price(long.get(time))),
      el("td", {}, (texts.get(time) ?? []).join(", ")));
    this.minutes.replaceChildren(el("table", { class: "plain" },
      el("caption", { class: "unseen" }, `${symbol} by minute, ${words.day(session)}, New York time, prices in USD`),
      el("thead", {}, el("tr", {}, FIELDS.map((one, at) => el("th", { scope: "col", class: at > 0 && at < 8 ? "number" : null }, one)))),
      el("tbody", {}, this.#data.candles.map(row))));
  }
}
