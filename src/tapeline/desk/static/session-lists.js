// What happened in a session as a list, and its minutes as a table.

import { el } from "./dom.js";
import * as words from "./words.js";

/** @import { Mark, SessionDetail } from "./answers.d.ts" */

const FIGURES = ["Open", "High", "Low", "Close", "Volume", "Average of 5", "Average of 20"];

const number = (text) => el("td", { class: "number" }, text);

/** @param {Mark} mark */
export function eventItem({ time, kind, label, tone, text }) {
  return el(
    "li",
    { "data-kind": kind, "data-tone": tone },
    el("time", { datetime: new Date(time * 1000).toISOString() }, words.minute(time)),
    el("span", { class: "mark plain" }, label),
    el("span", {}, text),
  );
}

/** @param {SessionDetail} detail */
export function minutesTable(detail) {
  const [long, short] = [new Map(detail.moving_average), new Map(detail.moving_average_5)];
  const labels = Map.groupBy(detail.marks, (mark) => mark.time - (mark.time % 60));
  const rows = detail.candles.map(([time, open, high, low, close, volume]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, words.minute(time)),
      [open, high, low, close].map((price) => number(words.price(price))),
      [words.whole(volume), words.price(short.get(time)), words.price(long.get(time))].map(number),
      el("td", {}, (labels.get(time) ?? []).map((mark) => mark.label).join(", ")),
    ),
  );
  const text = `${detail.symbol} by minute, ${words.day(detail.session)}, ${words.ZONE} time, prices in USD`;
  const head = (name, properties = {}) => el("th", { scope: "col", ...properties }, name);
  const figures = FIGURES.map((name) => head(name, { class: "number" }));
  const heads = [head(`Time (${words.ZONE})`), ...figures, head("Marks")];
  const caption = el("caption", { class: "unseen" }, text);
  return el("table", { class: "plain" }, caption, el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows));
}
