// A session as candles of some minutes or as a line, by TradingView's Lightweight Charts (static/vendor).

import { barMarks, broken, sampled, startOf, timesBetween, toBars, volumeLimit } from "./bars.js";
import { colour } from "./theme.js";
import { minute, price, TIME_ZONE, ZONE } from "./words.js";

/** @import { Candle } from "./bars.js" */

const DAY = new Intl.DateTimeFormat("en-GB", { timeZone: TIME_ZONE, day: "numeric", month: "short" });
const LIBRARY = "./vendor/lightweight-charts.standalone.production.mjs";
const STEP = 10; // candles moved by an arrow key
const MARGIN = 0.025; // of the session, at either end
/** How a mark is drawn, by the tone of its kind. */
const SHAPES = {
  up: { shape: "arrowUp", position: "belowBar", colour: "--up" },
  down: { shape: "arrowDown", position: "aboveBar", colour: "--down" },
  plain: { shape: "square", position: "aboveBar", colour: "--soft" },
  warning: { shape: "circle", position: "aboveBar", colour: "--warn" },
};
const AVERAGES = { long: "moving_average", short: "moving_average_5" };

/** @param {Candle} bar */
const candle = ([time, open, high, low, close]) => ({ time, open, high, low, close });

export class PriceChart {
  // The library comes without types.
  /** @type {any} */
  #library;
  /** @type {any} */
  #chart;
  /** @type {any} */
  #series;
  /** @type {any} */
  #marks;
  /** @type {any} */
  #close = null;
  /** @type {any} */
  #data;
  /** @type {any} */
  #shape;
  #limit = Infinity;
  #pointed;
  /** @type {Candle[]} */
  bars = []; // as they are drawn

  /** `pointed` gets the time of the candle under the pointer, or null. */
  constructor(box, pointed) {
    this.box = box;
    this.#pointed = pointed;
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Draw a session; `shape` is an interval in minutes, or "line". */
  async show(data, shape) {
    this.#library ??= await import(LIBRARY);
    const old = this.#data;
    const fresh =
      old?.symbol !== data.symbol || old.session !== data.session || old.complete === false || this.#shape !== shape;
    this.#data = data;
    this.#shape = shape;
    if (!this.#chart) this.#make();
    this.#fill();
    if (fresh) this.#fit();
  }

  /** Show the whole session, with room for the labels at both ends. */
  #fit() {
    const last = timesBetween(this.bars, this.#interval).length - 1;
    const margin = Math.max(1, MARGIN * last);
    this.#chart.timeScale().setVisibleLogicalRange({ from: -margin, to: last + margin });
  }

  /** Take over the newest minute and averages while the session runs. */
  update() {
    if (!this.#chart || !this.bars.length) return;
    const [start] = this.bars[this.bars.length - 1];
    const minutes = this.#data.candles;
    const fresh = minutes.slice(minutes.findLastIndex(([time]) => time < start) + 1); // those of the last bar, and later
    if (fresh.at(-1)[0] >= start + 2 * this.#interval * 60) {
      this.#fill(); // quotes were missing in between
      return;
    }
    const bars = toBars(fresh, this.#interval, this.#opens);
    this.bars = [...this.bars.slice(0, -1), ...bars];
    for (const bar of bars) {
      this.#series.candles.update(this.#isLine ? { time: bar[0] } : candle(bar));
      this.#series.line.update(this.#isLine ? { time: bar[0], value: bar[4] } : { time: bar[0] });
      this.#series.volume.update(this.#volume(bar));
    }
    for (const name of ["long", "short"]) {
      const newest = this.#data[AVERAGES[name]].at(-1);
      if (newest)
        this.#series[name].update({ time: startOf(newest[0], this.#interval, this.#opens), value: newest[1] });
    }
  }

  themed() {
    if (!this.#chart) return;
    this.#chart.applyOptions(this.#look());
    this.#colourSeries();
    this.#fill();
  }

  get #isLine() {
    return this.#shape === "line";
  }

  get #interval() {
    return this.#isLine ? 1 : this.#shape;
  }

  get #opens() {
    return this.#data.opens_at ? Date.parse(this.#data.opens_at) / 1000 : 0;
  }

  /** Bars whose volume is cut off, so that the others are seen. */
  get cutOff() {
    return this.bars.filter((bar) => bar[5] > this.#limit);
  }

  #make() {
    const { CandlestickSeries, HistogramSeries, LineSeries, createChart, createSeriesMarkers } = this.#library;
    this.#chart = createChart(this.box.firstElementChild, {
      autoSize: true,
      ...this.#look(),
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.06 } },
      handleScale: { mouseWheel: false }, // the wheel scrolls the page; pinch, keys and the axis zoom
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      localization: { locale: "en-US", timeFormatter: (time) => `${minute(time)} ${ZONE}` },
    });
    const priceFormat = { type: "custom", formatter: price, minMove: 0.01 };
    const quiet = { priceLineVisible: false, lastValueVisible: false };
    const line = { ...quiet, priceFormat, lineWidth: 1, crosshairMarkerVisible: false };
    this.#series = {
      candles: this.#chart.addSeries(CandlestickSeries, { priceFormat, priceLineVisible: false }),
      line: this.#chart.addSeries(LineSeries, { ...line, lineWidth: 2, lastValueVisible: true }),
      long: this.#chart.addSeries(LineSeries, line),
      short: this.#chart.addSeries(LineSeries, line),
      volume: this.#chart.addSeries(HistogramSeries, { ...quiet, priceFormat: { type: "volume" } }, 1),
    };
    this.#marks = {
      candles: createSeriesMarkers(this.#series.candles, []),
      line: createSeriesMarkers(this.#series.line, []),
    };
    const [prices, volumes] = this.#chart.panes();
    prices.setStretchFactor(4);
    volumes.setStretchFactor(1);
    this.#colourSeries();
    this.#chart.subscribeCrosshairMove(({ time }) => this.#pointed(time ?? null));
  }

  #look() {
    const line = { color: colour("--line-soft") };
    const cross = { color: colour("--soft"), labelBackgroundColor: colour("--ink-strong") };
    return {
      layout: {
        attributionLogo: false, // it would add an inline style sheet; the line under the chart names the maker
        background: { type: "solid", color: colour("--card") },
        textColor: colour("--soft"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 12,
        panes: { separatorColor: colour("--line"), separatorHoverColor: colour("--line") },
      },
      grid: { vertLines: line, horzLines: line },
      crosshair: { mode: 0, vertLine: cross, horzLine: cross },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 3,
        maxBarSpacing: 16,
        // The library takes midnight in UTC for the turn of the day; here it is that of New York.
        tickMarkFormatter: (time) => (minute(time) === "00:00" ? DAY.format(new Date(time * 1000)) : minute(time)),
      },
    };
  }

  #colourSeries() {
    const [up, down] = [colour("--up"), colour("--down")];
    this.#series.candles.applyOptions({ upColor: up, borderUpColor: up, wickUpColor: up });
    this.#series.candles.applyOptions({ downColor: down, borderDownColor: down, wickDownColor: down });
    this.#series.line.applyOptions({ color: colour("--accent") });
    this.#series.long.applyOptions({ color: colour("--average-long") });
    this.#series.short.applyOptions({ color: colour("--average-short") });
  }

  /** @param {Candle} bar */
  #volume([time, open, , , close, volume]) {
    const name = volume > this.#limit ? "--volume-cut" : close < open ? "--volume-down" : "--volume-up";
    return { time, value: Math.min(volume, this.#limit * 1.1), color: colour(name) };
  }

  #fill() {
    const { candles, marks, previous_close: close } = this.#data;
    const [interval, opens] = [this.#interval, this.#opens];
    this.bars = toBars(candles, interval, opens);
    this.#limit = volumeLimit(this.bars);
    /** @type {Map<number, Candle>} */
    const byStart = new Map(this.bars.map((bar) => [bar[0], bar]));
    // A bar that is missing keeps its place on the axis.
    const times = timesBetween(this.bars, interval);
    const drawn = (bar, time) => (bar && !this.#isLine ? candle(bar) : { time });
    this.#series.candles.setData(times.map((time) => drawn(byStart.get(time), time)));
    this.#series.line.setData(this.#isLine ? broken(this.bars.map((bar) => [bar[0], bar[4]])) : []);
    this.#series.volume.setData(this.bars.map((bar) => this.#volume(bar)));
    for (const [name, line] of Object.entries(AVERAGES)) {
      this.#series[name].setData(broken(sampled(this.#data[line], interval, opens)));
    }
    const shapes = barMarks(marks, this.bars, interval, opens).map(({ time, tone }) => {
      const { colour: name, ...shape } = SHAPES[tone];
      return { time, ...shape, color: colour(name), size: 1 };
    });
    const [main, other] = this.#isLine ? ["line", "candles"] : ["candles", "line"];
    this.#marks[main].setMarkers(shapes);
    this.#marks[other].setMarkers([]);
    for (const name of [main, other]) if (this.#close) this.#series[name].removePriceLine(this.#close);
    const label = { axisLabelVisible: true, axisLabelColor: colour("--soft"), axisLabelTextColor: colour("--card") };
    const line = { price: close, title: "prev. close", color: colour("--soft"), lineWidth: 1, lineStyle: 2, ...label };
    this.#close = close === null ? null : this.#series[main].createPriceLine(line);
  }

  #key(event) {
    const scale = this.#chart?.timeScale();
    const range = scale?.getVisibleLogicalRange();
    if (!range || event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = (range.from + range.to) / 2;
    const half = (range.to - range.from) / 2;
    const zoom = (factor) => scale.setVisibleLogicalRange({ from: middle - half * factor, to: middle + half * factor });
    const move = (by) => scale.setVisibleLogicalRange({ from: range.from + by, to: range.to + by });
    const acts = {
      ArrowLeft: () => move(-STEP),
      ArrowRight: () => move(STEP),
      "+": () => zoom(0.7),
      "=": () => zoom(0.7),
      "-": () => zoom(1.4),
      Home: () => this.#fit(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }
}
