import { badgesOf } from "../../../src/tapeline/desk/static/badges.js";
import { weeksOf } from "../../../src/tapeline/desk/static/calendar.js";
import { plain } from "../../../src/tapeline/desk/static/dom.js";
import { troubles } from "../../../src/tapeline/desk/static/health.js";
import { pathsOf } from "../../../src/tapeline/desk/static/spark.js";
import { themeOf } from "../../../src/tapeline/desk/static/theme.js";
import { equal } from "./assert.js";

Deno.test("a month is weeks of five days, of seven where a session is on a weekend", () => {
  const weeks = weeksOf("2026-03", ["2026-03-12"]);
  equal(weeks.length, 5);
  equal(weeks[0], ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05", "2026-03-06"]); // the 1st is a Sunday
  equal(weeks.at(-1), ["2026-03-30", "2026-03-31", null, null, null]);
  equal(weeksOf("2026-03", ["2026-03-14"])[0], [null, null, null, null, null, null, "2026-03-01"]);
});

Deno.test("a sparkline fills its box and is broken where quotes are missing", () => {
  /** @returns {any} */
  const quote = (spark, suspect = []) => ({ spark, previous_close: 10, suspect });
  const rise = [0, 60].map((time, at) => [time, 10 + 10 * at]);
  const area = "M0.0 26.0L100.0 2.0L100.0 28L0.0 28Z";
  equal(pathsOf(quote([[0, 10]])), null);
  equal(pathsOf(quote(rise)), { line: "M0.0 26.0L100.0 2.0", area, close: "M0 26.0H100" });
  equal(pathsOf(quote(rise, ["previous_close:far"]))?.close, "");
  equal(pathsOf(quote([...rise, [120, 15], [6000, 15]]))?.line, "M0.0 26.0L1.0 2.0L2.0 14.0M100.0 14.0h.1");
});

Deno.test("badges say what is true of all quotes", () => {
  const health = (market_open, state = "ok") =>
    /** @type {any} */ ({ market_open, lights: [{ name: "quotes", state }] });
  const texts = (simulated, given, age, delay) =>
    badgesOf({ simulated, health: given }, age, delay).map(([, text]) => text);
  equal(texts(true, null, null, null), ["Simulated"]);
  equal(texts(false, health(true), 60, 61), ["Delayed by 1 min"]);
  equal(texts(false, health(true), 900, 0), ["Stale: newest quote 15 min old"]);
  equal(texts(false, health(false), 900, 0), ["Market closed: newest quote 15 min old"]);
  equal(texts(false, health(false, "bad"), 900, 0), ["Stale: newest quote 15 min old"]); // one is missed
  equal(texts(true, health(false), 900, 0), ["Simulated", "Stale: newest quote 15 min old"]); // it never closes
});

Deno.test("lights that matter are counted, the worst first", () => {
  const lights = /** @type {any} */ (["ok", "warn", "unknown", "bad", "warn", "idle"].map((state) => ({ state })));
  const texts = troubles(lights).map((trouble) => trouble.text);
  equal(texts, ["1 problem", "2 warnings", "1 could not be judged"]);
});

Deno.test("the theme is Airflow's, else what it keeps, else the device's", () => {
  equal(themeOf(["chakra", "dark"], "light", false), "dark");
  equal(themeOf(["light"], "dark", true), "light");
  equal(themeOf([], "dark", false), "dark");
  equal([themeOf([], null, true), themeOf([], "odd", false)], ["dark", "light"]);
});

Deno.test("characters that are not seen, or turn the text, are written out", () => {
  equal(plain("a\u202eb\x07c\nd\ud800"), "a\\u{202e}b\\u{7}c\nd\\u{d800}");
});
