// The columns of the table of quotes: what they are called, how they sort, and what counts as marked.

import * as words from "./words.js";

/** @import { FeedQuote } from "./feed.js" */
/** @typedef {"ascending" | "descending"} Order */
/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} label
 * @property {(quote: FeedQuote) => string | number | null} by what it sorts by
 * @property {Order} [first] which way it sorts first; descending if none is given
 * @property {boolean} [number]
 * @property {string} [title]
 */

const believed = (figure) => (quote) => (words.suspicion(quote, figure) ? null : quote[figure]);

function rangePosition(quote) {
  const { price, high, low } = quote;
  if (["price", "high", "low"].some((figure) => words.suspicion(quote, figure))) return null;
  return high > low ? (price - low) / (high - low) : 0.5;
}

export const isSuspect = (quote) => quote.suspect.length > 0;

/** Whether something is unusual about a symbol today; to have a trend is not. */
export function isMarked(quote, now) {
  const alert = quote.last_alert;
  const isTrend = !alert || ["up", "down"].includes(words.kind(alert.kind).tone);
  return quote.anomaly || isSuspect(quote) || (!isTrend && words.dateOf(alert.timestamp) === words.dateOf(now));
}

const markWeight = (quote) => (isSuspect(quote) ? 4 : 0) + (quote.anomaly ? 2 : 0) + (quote.trend ? 1 : 0);

/**
 * @param {Partial<Column>} [more]
 * @returns {Column}
 */
const column = (name, label, by, more = {}) => ({ name, label, by, ...more });

export const COLUMNS = [
  column("symbol", "Symbol", (quote) => quote.symbol, { first: "ascending" }),
  column("session", "Session", rangePosition, {
    title: "Sorts by where the price stands between the session's low and high",
  }),
  column("price", "Price", believed("price"), { number: true }),
  column("change", "Change", (quote) => quote.change, { number: true, title: "Against the previous close, USD" }),
  column("percent", "Change %", (quote) => quote.change_percent, { number: true }),
  column("average", "Average", (quote) => quote.moving_average, { number: true, title: "Mean of the last 20 prices" }),
  column("volume", "Volume", believed("volume"), { number: true, title: "Shares so far in the session" }),
  column("age", "Age", (quote) => -quote.at, {
    number: true,
    first: "ascending",
    title: "Time since the quote was made",
  }),
  column("marks", "Marks", markWeight, { title: "Anomalies, suspect figures and trends" }),
];

/** @returns {Order} */
export const reversed = (order) => (order === "ascending" ? "descending" : "ascending");

/** @returns {Order} */
export const firstOrder = (column) => column.first ?? "descending";

/**
 * Quotes in the order of a column; equals by symbol, and what is missing last, either way.
 * @param {FeedQuote[]} quotes
 * @param {Column} column
 * @param {Order} order
 */
export function sorted(quotes, column, order) {
  const sign = order === "ascending" ? 1 : -1;
  return [...quotes].sort((left, right) => {
    const [a, b] = [column.by(left), column.by(right)];
    if (a === b) return left.symbol < right.symbol ? -1 : 1;
    if (a === null) return 1;
    if (b === null) return -1;
    return sign * (a < b ? -1 : 1);
  });
}
