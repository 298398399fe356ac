import * as words from "../../../src/tapeline/desk/static/words.js";
import { equal } from "./assert.js";

Deno.test("prices have two decimals, four below a dollar, and none where they are no prices", () => {
  equal([1234.5, 0.79, 0, -0.5, 10 ** 12, null, Number.NaN].map(words.price), [
    "1,234.50",
    "0.7900",
    "0.00",
    "-0.5000",
    "1T",
    "–",
    "–",
  ]);
});

Deno.test("a change has its sign, a true minus", () => {
  equal(
    [1.234, -1.235, 0].map((value) => words.signed(value, "%")),
    ["+1.23%", "−1.24%", "0.00%"],
  );
  equal([words.signed(undefined), words.signed(2e9)], ["–", "+2B"]);
});

Deno.test("an age is as a person says it", () => {
  const texts = [-3, 59.9, 60, 3599, 5400, 86_400, 200_000, null].map(words.age);
  equal(texts, ["0 s", "59 s", "1 min", "59 min", "1 h 30 min", "1 day", "2 days", "–"]);
});

Deno.test("moments are New York's, with the date where it is not today", () => {
  equal(words.clock("2026-03-12T13:30:00Z"), "09:30:00");
  equal(words.moment("2026-03-12T13:30:00Z"), "2026-03-12 09:30:00 New York");
  equal(words.moment("soon"), "–");
  equal(words.moment(Date.now(), "").length, 8);
  equal(words.dateOf("2026-03-13T02:00:00Z"), "2026-03-12");
  equal(words.day("2026-03-12"), "Thu, 12 Mar 2026");
});

Deno.test("kinds and verdicts are in the server's words, else plainly", () => {
  equal(words.kind("gap_up"), { mark: "gap up", label: "gap up", tone: "warning" });
  equal(words.suspicion({ suspect: ["high:far_off"] }, "high"), "high far off");
  words.learn({
    kinds: { gap_up: { mark: "Gap", label: "opened far above", tone: "up" } },
    figures: { high: "day's high" },
    reasons: { far_off: "out of all proportion" },
  });
  equal(words.kind("gap_up").label, "opened far above");
  equal(words.suspicion({ suspect: ["high:far_off"] }, "high"), "day's high out of all proportion");
  equal(words.suspicion({ suspect: ["high:far_off"] }, "low"), "");
  words.learn({ kinds: {}, figures: {}, reasons: {} });
});

Deno.test("one is not many", () => {
  equal(
    [words.plural(1, "mark"), words.plural(1200, "mark"), words.plural(0, "mark")],
    ["1 mark", "1,200 marks", "0 marks"],
  );
});
