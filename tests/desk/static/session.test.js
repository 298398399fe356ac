import { carryOn, chartLabel, explanation, leftOutText, legendOf } from "../../../src/tapeline/desk/static/session.js";
import { equal } from "./assert.js";

const OPEN = Date.parse("2026-03-12T13:30:00Z") / 1000;
const minute = (at, price, volume = 100) => [OPEN + 60 * at, price, price, price, price, volume, 1];
/** @returns {any} */
const detail = (more = {}) => ({
  symbol: "AAPL",
  session: "2026-03-12",
  candles: [minute(0, 100), minute(1, 101)],
  moving_average: [[OPEN + 60, 100.5]],
  moving_average_5: [],
  marks: [{ time: OPEN + 61, kind: "price_move", label: "Move", tone: "warning", text: "" }],
  left_out: {},
  opens_at: "2026-03-12T13:30:00Z",
  closes_at: "2026-03-12T20:00:00Z",
  ...more,
});
/** @returns {any} */
const quote = (second, price, more = {}) => ({
  at: 1000 * (OPEN + second),
  price,
  volume: 1000,
  moving_average: null,
  moving_average_5: null,
  suspect: [],
  ...more,
});

Deno.test("a quote carries on the last candle, or begins the next", () => {
  const session = detail();
  equal(carryOn(session, quote(70, 103), 900), 1000);
  equal(session.candles.at(-1), [OPEN + 60, 101, 103, 101, 103, 200, 2]);
  equal(carryOn(session, quote(130, 99, { volume: 1050, moving_average: 100.7 }), 1000), 1050);
  equal(session.candles.at(-1), [OPEN + 120, 99, 99, 99, 99, 50, 1]);
  equal(session.moving_average.at(-1), [OPEN + 120, 100.7]);
});

Deno.test("what was traded before the first quote, or is not believed, is in no minute", () => {
  const session = detail();
  equal(carryOn(session, quote(70, 101), null), 1000);
  equal(carryOn(session, quote(71, 101, { volume: 10 ** 9, suspect: ["volume:far"] }), 1000), 1000);
  equal(session.candles.at(-1)[5], 100);
});

Deno.test("a quote that is late, suspect or out of hours belongs to no minute", () => {
  const given = [quote(30, 1), quote(70, 1, { suspect: ["price:far"] }), quote(8 * 3600, 1), quote(-60, 1)];
  for (const one of given) equal(carryOn(detail(), one, 1) === undefined, true);
});

Deno.test("the chart is told in words", () => {
  const text = "Chart of AAPL, Thu, 12 Mar 2026: 2 minutes, open 100.00, high 101.00, low 100.00, last 101.00, 1 mark.";
  equal(chartLabel(detail()), `${text} The same as a table follows.`);
});

Deno.test("volumes that are cut off and hours without quotes are explained", () => {
  /** @type {any} */
  const bars = [minute(0, 1, 9_000), minute(1, 1), minute(60, 1, 8_000), minute(61, 1)];
  equal(explanation(bars, bars, []), "No quotes from 09:31 to 10:30.");
  equal(
    explanation(bars, bars, [bars[0], bars[2]]),
    "Volume cut off: 09:30 had 9,000 shares, with what was traded before the first quote; " +
      "10:30 had 8,000 shares, with what was traded while quotes were missing. No quotes from 09:31 to 10:30.",
  );
});

Deno.test("who was left out is named, this symbol first, and not all of many", () => {
  const others = Object.fromEntries([..."ABCDEFGHIJ"].map((name) => [name, "thin"]));
  equal(leftOutText(detail()), "");
  equal(
    leftOutText(detail({ left_out: { ...others, AAPL: "no quote" } })),
    "AAPL was left out when this session was published: no quote. " +
      "Left out of this session: A, B, C, D, E, F, G, H and 2 more.",
  );
});

Deno.test("the legend has the bar under the pointer, else the last", () => {
  const session = detail();
  const texts = (time) => legendOf(session, session.candles, time).map(([label, text]) => `${label} ${text}`.trim());
  equal(texts(null), [
    "09:31",
    "O 101.00",
    "H 101.00",
    "L 101.00",
    "C 101.00",
    "Vol 100",
    "Avg 5 –",
    "Avg 20 100.50",
    "Move",
  ]);
  equal(texts(OPEN)[0], "09:30");
  equal(texts(OPEN).length, 8);
});
