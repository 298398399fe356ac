import {
  barMarks,
  broken,
  figuresOf,
  fitting,
  gaps,
  sampled,
  timesBetween,
  toBars,
  volumeLimit,
} from "../../../src/tapeline/desk/static/bars.js";
import { equal } from "./assert.js";

/** @returns {[number, number, number, number, number, number, number]} */
const minute = (at, price, volume = 100, quotes = 1) => [60 * at, price, price + 1, price - 1, price, volume, quotes];
const minutes = (...quotes) => quotes.map((count, at) => minute(at, 100, 100, count));
const volumes = (...traded) => traded.map((volume, at) => minute(at, 100, volume));
const times = (count, value) => Array(count).fill(value);
const OPEN = 1_773_322_200; // 2026-03-12 09:30 in New York

Deno.test("minutes become bars of any length", () => {
  equal(toBars([], 5), []);
  equal(toBars([minute(0, 100), minute(1, 104), minute(4, 99), minute(5, 98)], 5), [
    [0, 100, 105, 98, 99, 300, 3],
    [300, 98, 99, 97, 98, 100, 1],
  ]);
});

Deno.test("an hour of New York's session begins at half past; what came before stands in the hour before", () => {
  const [before, open] = [
    [OPEN - 60, 1, 1, 1, 1, 1, 1],
    [OPEN, 2, 2, 2, 2, 2, 2],
  ];
  equal(toBars(/** @type {any} */ ([before, open]), 60, OPEN), [[OPEN - 3600, 1, 1, 1, 1, 1, 1], open]);
});

Deno.test("a line has its last value in each bar", () => {
  const line = [0, 60, 300].map((time, at) => [time, at + 1]);
  equal(Object.fromEntries(sampled(line, 5)), { 0: 2, 300: 3 });
});

Deno.test("the shortest interval is chosen whose usual bar has a body", () => {
  const cases = [
    ["nothing", [], 60],
    ["a quote a minute, as a replay of minute bars", minutes(...times(60, 1)), 5],
    ["Yahoo, asked every 30 s", minutes(...times(60, 2)), 5],
    ["the simulated market", minutes(...times(60, 12)), 1],
    ["seeded, then live", minutes(...times(200, 1), ...times(60, 12)), 5],
    ["a thin symbol", [...Array(30).keys()].map((at) => minute(10 * at, 100)), 60],
  ];
  for (const [name, given, interval] of cases) equal(fitting(/** @type {any} */ (given)), interval, String(name));
});

Deno.test("quotes are missing where a step is longer than is usual", () => {
  equal(gaps([]), []);
  equal(gaps([0, 60, 120, 3_180, 3_240]), [[120, 3_180]]);
  equal(gaps([0, 60, 600]), [], "nine minutes");
  equal(gaps([0, 1_800, 3_600, 5_400]), [], "a thin symbol always has them");
});

Deno.test("a bar that is missing keeps its place on the axis", () => {
  equal(timesBetween([], 5), []);
  equal(timesBetween([[0], [900]], 5), [0, 300, 600, 900]);
});

Deno.test("a line is not drawn across missing quotes", () => {
  const colours = broken([0, 60, 120, 6000].map((time) => [time, 1])).map((point) => point.color);
  equal(colours, [null, null, "transparent", null]);
});

Deno.test("a bar has one mark of each tone, and none stands where no bar is", () => {
  const marks = [30, 70, 70, 130, 400].map((time) => ({ time, tone: "up" }));
  const found = barMarks([...marks, { time: 30, tone: "warning" }], [[0], [60]], 1);
  equal(
    found.map(({ time, tone }) => `${time} ${tone}`),
    ["0 up", "60 up", "0 warning"],
  );
});

Deno.test("a volume is cut off where it would leave nothing of the others", () => {
  equal(volumeLimit(volumes(21_878_299, 44_528, 40_000, 50_000)), 50_000);
  equal(volumeLimit(volumes(9_000_000, 40, 8_000_000, 50, 60)), 60, "before the open, and at it");
  equal(volumeLimit(volumes(300, 100, 100)) === Infinity, true, "an opening auction is seen as it is");
  equal(volumeLimit(volumes(500, 0, 0)) === Infinity, true);
  equal(volumeLimit([]) === Infinity, true);
});

Deno.test("a session that is not rolled up has the figures of its minutes", () => {
  const { high_usd, low_usd, change_usd, change_pct, volume_shares } = figuresOf([minute(0, 100), minute(1, 110)], 88);
  equal([high_usd, low_usd, change_usd, change_pct, volume_shares], [111, 99, 22, 25, 200]);
  equal(figuresOf([minute(0, 100)], null).change_pct, null);
});
