// A session's prices as a line no larger than a word.

import { setAttribute, svg } from "./dom.js";

const WIDTH = 100;
const HEIGHT = 28;
const MARGIN = 2;

/** An empty sparkline; the numbers beside it say the same, so screen readers pass over it. */
export function sparkline() {
  return svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "close" }), svg("path", { class: "area" }), svg("path", { class: "line" }));
}

/** Draw a quote's session; the dashed line is the previous close. */
export function drawSparkline(node, quote) {
  const points = quote.spark;
  const [close, area, line] = node.children;
  setAttribute(node, "data-direction", quote.change > 0 ? "up" : quote.change < 0 ? "down" : "flat");
  if (points.length < 2) {
    for (const path of node.children) setAttribute(path, "d", null);
    return;
  }
  const prices = points.map(([, price]) => price);
  const low = Math.min(...prices, quote.previous_close);
  const high = Math.max(...prices, quote.previous_close);
  const [start] = points[0];
  const span = points.at(-1)[0] - start || 1;
  const x = (time) => (((time - start) / span) * WIDTH).toFixed(1);
  const y = (price) => (MARGIN + (1 - (price - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const drawn = points.map(([time, price]) => `${x(time)} ${y(price)}`).join("L");
  setAttribute(line, "d", `M${drawn}`);
  setAttribute(area, "d", `M${drawn}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
  setAttribute(close, "d", `M0 ${y(quote.previous_close)}H${WIDTH}`);
}
