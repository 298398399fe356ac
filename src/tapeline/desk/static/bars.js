// Minutes of a session as bars of any length: which length fits, where quotes are missing, which volumes can be drawn.

export const INTERVALS = [1, 5, 15, 60]; // minutes

const ENOUGH_QUOTES = 4; // in a bar: with fewer, open, high, low and close are mostly one price
const GAP_SECONDS = 600;
const GAP_STEPS = 3; // and so many times the usual distance of two quotes
const CUT_TIMES = 4; // a volume so much above the next smaller one would flatten all others
const MOST_CUT = 3;

/** @typedef {[number, number, number, number, number, number, number]} Candle time, open, high, low, close, volume, quotes */

const median = (values) => [...values].sort((left, right) => left - right)[values.length >> 1];

/**
 * Minutes as bars; they begin at the session's opening and every interval from there.
 * @param {Candle[]} minutes
 */
export function toBars(minutes, interval, opens = 0) {
  /** @type {Candle[]} */
  const bars = [];
  for (const [time, open, high, low, close, volume, quotes] of minutes) {
    const start = startOf(time, interval, opens);
    const bar = bars.at(-1);
    if (bar?.[0] !== start) {
      bars.push([start, open, high, low, close, volume, quotes]);
      continue;
    }
    bar[2] = Math.max(bar[2], high);
    bar[3] = Math.min(bar[3], low);
    bar[4] = close;
    bar[5] += volume;
    bar[6] += quotes;
  }
  return bars;
}

export function startOf(time, interval, opens = 0) {
  const length = interval * 60;
  return time - ((((time - opens) % length) + length) % length);
}

/** The last value of a line [time, value] in each bar. */
export function sampled(line, interval, opens = 0) {
  const values = new Map();
  for (const [time, value] of line) values.set(startOf(time, interval, opens), value);
  return [...values];
}

/** The shortest interval whose usual bar has quotes enough for a body. */
export function fitting(minutes) {
  const enough = (interval) => median(toBars(minutes, interval).map((bar) => bar[6])) >= ENOUGH_QUOTES;
  return (minutes.length && INTERVALS.find(enough)) || INTERVALS[INTERVALS.length - 1];
}

/** Pairs of times between which quotes are missing for longer than is usual here. */
export function gaps(times) {
  const steps = times.slice(1).map((time, at) => time - times[at]);
  const most = Math.max(GAP_SECONDS, GAP_STEPS * (median(steps) ?? 0));
  return steps.flatMap((step, at) => (step > most ? [[times[at], times[at + 1]]] : []));
}

/** Every time at which a bar stands or is missing, so that the axis runs as evenly as the clock. */
export function timesBetween(bars, interval) {
  const times = [];
  for (let time = bars[0]?.[0]; time <= bars.at(-1)?.[0]; time += interval * 60) times.push(time);
  return times;
}

/** The volume up to which bars are drawn: Infinity, or less where a few would leave nothing of the others. */
export function volumeLimit(bars) {
  const volumes = bars.map((bar) => bar[5]).sort((left, right) => right - left);
  for (let count = Math.min(MOST_CUT, volumes.length - 1); count > 0; count -= 1) {
    if (volumes[count] > 0 && volumes[count - 1] > CUT_TIMES * volumes[count]) return volumes[count];
  }
  return Infinity;
}

/** A line that is not drawn across missing quotes: the library colours what leads away from a point as that point. */
export function broken(line) {
  const before = new Set(gaps(line.map(([time]) => time)).map(([start]) => start));
  return line.map(([time, value]) => (before.has(time) ? { time, value, color: "transparent" } : { time, value }));
}

/** Marks at the bars in which they happened, one of each tone for a bar; none where no bar is. */
export function barMarks(marks, bars, interval, opens = 0) {
  const starts = new Set(bars.map((bar) => bar[0]));
  const placed = marks.map(({ time, tone }) => ({ time: startOf(time, interval, opens), tone }));
  const byPlace = new Map(placed.map((mark) => [`${mark.time} ${mark.tone}`, mark]));
  return [...byPlace.values()].filter((mark) => starts.has(mark.time));
}

/** A session's highest, lowest and other figures as its minutes have them. */
export function figuresOf(minutes, previousClose) {
  const close = minutes.at(-1)[4];
  const change = previousClose ? close - previousClose : null;
  return {
    open_usd: minutes[0][1],
    high_usd: Math.max(...minutes.map((minute) => minute[2])),
    low_usd: Math.min(...minutes.map((minute) => minute[3])),
    close_usd: close,
    previous_close_usd: previousClose,
    change_usd: change,
    change_pct: change === null ? null : (100 * change) / previousClose,
    volume_shares: minutes.reduce((sum, minute) => sum + minute[5], 0),
    vwap_usd: null,
  };
}
