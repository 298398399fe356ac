import { COLUMNS, isMarked, sorted } from "../../../src/tapeline/desk/static/columns.js";
import { learn } from "../../../src/tapeline/desk/static/words.js";
import { equal } from "./assert.js";

const NOW = Date.parse("2026-03-12T15:00:00Z");
const usual = {
  price: 10,
  high: 12,
  low: 8,
  change: 0,
  volume: 5,
  suspect: [],
  anomaly: false,
  trend: null,
  last_alert: null,
};
/** @returns {any} */
const quote = (symbol, more = {}) => ({ symbol, ...usual, at: NOW, ...more });

function order(name, direction, quotes) {
  const column = COLUMNS.find((one) => one.name === name);
  if (!column) throw new Error(name);
  return sorted(quotes, column, direction)
    .map((one) => one.symbol)
    .join("");
}

Deno.test("a column sorts either way, equals by symbol, and what is missing last", () => {
  const quotes = [
    quote("C", { change: 1 }),
    quote("A", { change: null }),
    quote("B", { change: 1 }),
    quote("D", { change: -1 }),
  ];
  equal(order("change", "descending", quotes), "BCDA");
  equal(order("change", "ascending", quotes), "DBCA");
});

Deno.test("a price that is not believed is neither high nor low", () => {
  const quotes = [quote("A", { price: 99, suspect: ["price:far"] }), quote("B"), quote("C", { price: 11 })];
  for (const name of ["price", "session"]) equal(order(name, "descending", quotes), "CBA", name);
});

Deno.test("a session that did not move stands in its middle", () => {
  const quotes = [quote("A", { high: 10, low: 10 }), quote("B", { price: 12 }), quote("C", { price: 8 })];
  equal(order("session", "descending", quotes), "BAC");
});

Deno.test("suspect figures weigh more than an anomaly, and that more than a trend", () => {
  const quotes = [
    quote("A", { trend: "up" }),
    quote("B", { anomaly: true }),
    quote("C", { suspect: ["low:far"] }),
    quote("D"),
  ];
  equal(order("marks", "descending", quotes), "CBAD");
});

Deno.test("an alert of today marks a symbol, one of yesterday or a trend does not", () => {
  learn({ kinds: { turn: { mark: "", label: "", tone: "up" } }, figures: {}, reasons: {} });
  const marked = (kind, timestamp) => isMarked(quote("A", { last_alert: { kind, timestamp } }), NOW);
  equal(marked("band_break", "2026-03-12T14:00:00Z"), true);
  equal(marked("band_break", "2026-03-11T14:00:00Z"), false);
  equal(marked("turn", "2026-03-12T14:00:00Z"), false);
  equal([isMarked(quote("A"), NOW), isMarked(quote("A", { anomaly: true }), NOW)], [false, true]);
});
