// What is said of a symbol's session beside its chart, and how its minutes go on with new quotes. No document needed.

import { gaps } from "./bars.js";
import * as words from "./words.js";

/** @import { Figures, SessionDetail } from "./answers.d.ts" */
/** @import { Candle } from "./bars.js" */
/** @import { FeedQuote } from "./feed.js" */
/** @typedef {[label: string, value: string, suspicion?: string]} Fact */

const MOST_GAPS = 3;
const MOST_NAMES = 8;

/** Texts as sentences in a row, without those that are none. */
const sentences = (...texts) => texts.filter(Boolean).join(" ");

/** The time of a line's point at or after a moment, in a bar that begins at `at` and ends before `next`. */
const within = (at, next) => (time) => time >= at && time < next;

/** When the bar after this one begins, seconds since 1970. */
const nextStart = (bars, bar) => bars[bars.indexOf(bar) + 1]?.[0] ?? Infinity;

/**
 * Carry the last candle and the averages on with a new quote.
 * @param {SessionDetail} detail
 * @param {FeedQuote} quote
 * @param {number | null} before the day's volume as the last quote had it; null if none has
 * @returns {number | null | undefined} the day's volume as this quote has it; undefined if it belongs to no minute here
 */
export function carryOn(detail, quote, before) {
  const seconds = Math.floor(quote.at / 1000);
  const time = seconds - (seconds % 60);
  const last = detail.candles[detail.candles.length - 1];
  const opens = detail.opens_at ? Date.parse(detail.opens_at) : -Infinity;
  const closes = detail.closes_at ? Date.parse(detail.closes_at) : Infinity;
  if (words.suspicion(quote, "price") || time < last[0] || quote.at < opens || quote.at >= closes) return undefined;
  // A quote carries the day's volume so far; what it grew by belongs to this minute.
  const counted = !words.suspicion(quote, "volume");
  const traded = before === null || !counted ? 0 : Math.max(0, quote.volume - before);
  const { price } = quote;
  if (time === last[0]) {
    last[2] = Math.max(last[2], price);
    last[3] = Math.min(last[3], price);
    last[4] = price;
    last[5] += traded;
    last[6] += 1;
  } else detail.candles.push([time, price, price, price, price, traded, 1]);
  carryLine(detail.moving_average, time, quote.moving_average);
  carryLine(detail.moving_average_5, time, quote.moving_average_5);
  return counted ? quote.volume : before;
}

function carryLine(line, time, value) {
  if (typeof value !== "number") return;
  const last = line.at(-1);
  if (last?.[0] === time) last[1] = value;
  else if (!last || last[0] < time) line.push([time, value]);
}

/** @param {SessionDetail} detail */
export function chartLabel({ symbol, session, candles, marks }) {
  const price = (value) => words.price(value);
  const high = Math.max(...candles.map((candle) => candle[2]));
  const low = Math.min(...candles.map((candle) => candle[3]));
  const [first, last] = [candles[0], candles[candles.length - 1]];
  const minutes = words.plural(candles.length, "minute");
  const prices = `open ${price(first[1])}, high ${price(high)}, low ${price(low)}, last ${price(last[4])}`;
  const count = words.plural(marks.length, "mark");
  return `Chart of ${symbol}, ${words.day(session)}: ${minutes}, ${prices}, ${count}. The same as a table follows.`;
}

/**
 * What the picture does not show by itself: volumes that are cut off, and hours without quotes.
 * @param {Candle[]} candles
 * @param {Candle[]} bars as they are drawn
 * @param {Candle[]} cutOff those of which the volume is cut off
 */
export function explanation(candles, bars, cutOff) {
  const missing = gaps(candles.map(([time]) => time));
  const cuts = cutOff.map((bar) => {
    const late = missing.some(([, end]) => within(bar[0], nextStart(bars, bar))(end));
    const before = bar === bars[0] ? "before the first quote" : late ? "while quotes were missing" : "";
    const why = before && `, with what was traded ${before}`;
    return `${words.minute(bar[0])} had ${words.whole(bar[5])} shares${why}`;
  });
  const times = missing.slice(0, MOST_GAPS).map(([from, to]) => `${words.minute(from)} to ${words.minute(to)}`);
  const more = missing.length > MOST_GAPS ? ` and ${missing.length - MOST_GAPS} more times` : "";
  return sentences(
    cuts.length && `Volume cut off: ${cuts.join("; ")}.`,
    times.length && `No quotes from ${times.join(", ")}${more}.`,
  );
}

/**
 * Which symbols of the session are not in the curated tables, this one first.
 * @param {SessionDetail} detail
 */
export function leftOutText({ left_out: reasons, symbol }) {
  const others = Object.keys(reasons).filter((other) => other !== symbol);
  const more = others.length > MOST_NAMES ? ` and ${others.length - MOST_NAMES} more` : "";
  return sentences(
    Object.hasOwn(reasons, symbol) && `${symbol} was left out when this session was published: ${reasons[symbol]}.`,
    others.length && `Left out of this session: ${others.slice(0, MOST_NAMES).join(", ")}${more}.`,
  );
}

/**
 * The figures of the bar that begins at a time, or else of the last one.
 * @param {SessionDetail} detail
 * @param {Candle[]} bars as they are drawn
 * @param {number | null} time
 * @returns {[label: string, text: string, name?: string][]}
 */
export function legendOf(detail, bars, time) {
  const bar = bars.find((each) => each[0] === time) ?? bars[bars.length - 1];
  const [at, open, high, low, close, volume] = bar;
  const inside = within(at, nextStart(bars, bar));
  const value = (line) => words.price(line.findLast((point) => inside(point[0]))?.[1]);
  const labels = new Set(detail.marks.filter((mark) => inside(mark.time)).map((mark) => mark.label));
  return [
    ["", words.minute(at), "time"],
    ["O", words.price(open)],
    ["H", words.price(high)],
    ["L", words.price(low)],
    ["C", words.price(close), close < open ? "down" : "up"],
    ["Vol", words.short(volume)],
    ["Avg 5", value(detail.moving_average_5), "short"],
    ["Avg 20", value(detail.moving_average), "long"],
    ...(labels.size ? [/** @type {[string, string]} */ (["", [...labels].join(", ")])] : []),
  ];
}

/**
 * @param {FeedQuote} quote
 * @returns {Fact[]}
 */
export function newestFacts(quote) {
  /** @returns {Fact} */
  const price = (label, figure) => [label, words.price(quote[figure]), words.suspicion(quote, figure)];
  return [
    price("Open", "open"),
    price("High", "high"),
    price("Low", "low"),
    price("Previous close", "previous_close"),
    ["Volume", words.whole(quote.volume), words.suspicion(quote, "volume")],
    ["Average of 5", words.price(quote.moving_average_5)],
    ["Average of 20", words.price(quote.moving_average)],
    ["Made at", words.moment(quote.timestamp)],
    ["Source", quote.source],
  ];
}

/**
 * @param {Partial<Figures>} figures
 * @returns {Fact[]}
 */
export function pastFacts(figures) {
  return [
    ["Open", words.price(figures.open_usd)],
    ["High", words.price(figures.high_usd)],
    ["Low", words.price(figures.low_usd)],
    ["Close", words.price(figures.close_usd)],
    ["Previous close", words.price(figures.previous_close_usd)],
    ["Change", words.signed(figures.change_usd)],
    ["Change %", words.signed(figures.change_pct, "%")],
    ["VWAP", words.price(figures.vwap_usd)],
    ["Volume", words.whole(figures.volume_shares)],
  ];
}
