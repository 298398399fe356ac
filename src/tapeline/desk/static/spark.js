// A session's prices as a line no larger than a word.

import { gaps } from "./bars.js";
import { setAttribute, svg } from "./dom.js";
import { direction, suspicion } from "./words.js";

/** @import { FeedQuote } from "./feed.js" */

const WIDTH = 100;
const HEIGHT = 28;
const MARGIN = 2;

/** An empty sparkline; the numbers beside it say the same, so screen readers pass over it. */
export function sparkline() {
  const view = {
    class: "spark",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  const paths = ["close", "area", "line"].map((name) => svg("path", { class: name }));
  return svg("svg", view, paths);
}

/** Draw a quote's session, broken where quotes are missing; the dashed line is the previous close. */
export function drawSparkline(node, quote) {
  setAttribute(node, "data-direction", direction(quote.change));
  const paths = pathsOf(quote);
  for (const path of node.children) setAttribute(path, "d", paths?.[path.getAttribute("class")] || null);
}

/**
 * The paths of a quote's session; null while it has no two points.
 * @param {FeedQuote} quote
 */
export function pathsOf(quote) {
  const points = quote.spark;
  if (points.length < 2) return null;
  const prices = points.map(([, price]) => price);
  const closes = suspicion(quote, "previous_close") ? [] : [quote.previous_close];
  const low = Math.min(...prices, ...closes);
  const high = Math.max(...prices, ...closes);
  const [start] = points[0];
  const span = points[points.length - 1][0] - start || 1;
  const x = (time) => (((time - start) / span) * WIDTH).toFixed(1);
  const y = (price) => (MARGIN + (1 - (price - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN)).toFixed(1);
  const resumed = new Set(gaps(points.map(([time]) => time)).map(([, end]) => end));
  /** @type {string[][]} */
  const runs = [];
  for (const [time, price] of points) {
    if (!runs.length || resumed.has(time)) runs.push([]);
    runs[runs.length - 1].push(`${x(time)} ${y(price)}`);
  }
  const ends = (run) => [run[0], run.at(-1)].map((point) => point.split(" ")[0]);
  const area = (run) => `M${run.join("L")}L${ends(run)[1]} ${HEIGHT}L${ends(run)[0]} ${HEIGHT}Z`;
  return {
    line: runs.map((run) => `M${run.join("L")}${run.length === 1 ? "h.1" : ""}`).join(""),
    area: runs.map(area).join(""),
    close: closes.map((price) => `M0 ${y(price)}H${WIDTH}`).join(""),
  };
}
