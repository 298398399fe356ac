// A session's prices as a line no larger than a word.

import { gaps } from "./bars.js";
import { setAttribute, svg } from "./dom.js";
import { suspicion } from "./words.js";

const WIDTH = 100;
const HEIGHT = 28;
const MARGIN = 2;

/** An empty sparkline; the numbers beside it say the same, so screen readers pass over it. */
export function sparkline() {
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "close" }),
    svg("path", { class: "area" }),
    svg("path", { class: "line" }),
  );
}

/** Draw a quote's session, broken where quotes are missing; the dashed line is the previous close. */
export function drawSparkline(node, quote) {
  const points = quote.spark;
  const [close, area, line] = node.children;
  setAttribute(node, "data-direction", quote.change > 0 ? "up" : quote.change < 0 ? "down" : "flat");
  if (points.length < 2) {
    for (const path of node.children) setAttribute(path, "d", null);
    return;
  }
  const prices = points.map(([, price]) => price);
  const closes = suspicion(quote, "previous_close") ? [] : [quote.previous_close];
  const low = Math.min(...prices, ...closes);
  const high = Math.max(...prices, ...closes);
  const [start] = points[0];
  const span = points.at(-1)[0] - start || 1;
  const x = (time) => (((time - start) / span) * WIDTH).toFixed(1);
  const y = (price) => (MARGIN + (1 - (price - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const missing = gaps(points.map(([time]) => time));
  const runs = [];
  for (const [time, price] of points) {
    if (!runs.length || missing.some(([, end]) => end === time)) runs.push([]);
    runs.at(-1).push([x(time), y(price)]);
  }
  const drawn = (run) => run.map((point) => point.join(" ")).join("L");
  setAttribute(line, "d", runs.map((run) => `M${drawn(run)}${run.length === 1 ? "h.1" : ""}`).join(""));
  setAttribute(
    area,
    "d",
    runs.map((run) => `M${drawn(run)}L${run.at(-1)[0]} ${HEIGHT}L${run[0][0]} ${HEIGHT}Z`).join(""),
  );
  setAttribute(close, "d", closes.length ? `M0 ${y(closes[0])}H${WIDTH}` : null);
}
