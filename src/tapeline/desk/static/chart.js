// A session as candles by minute, by TradingView's Lightweight Charts (static/vendor).

import { colour } from "./theme.js";
import { TIME_ZONE, kindMark, minute } from "./words.js";

const DAY = new Intl.DateTimeFormat("en-GB", { timeZone: TIME_ZONE, day: "numeric", month: "short" });
const LIBRARY = "./vendor/lightweight-charts.standalone.production.mjs";
const STEP = 10; // candles moved by an arrow key
const SHAPES = {
  trend_up: { shape: "arrowUp", position: "belowBar", colour: "--up" },
  trend_down: { shape: "arrowDown", position: "aboveBar", colour: "--down" },
};
const ANOMALY = { shape: "circle", position: "aboveBar", colour: "--warn" };

const candle = ([time, open, high, low, close]) => ({ time, open, high, low, close });
const point = ([time, value]) => ({ time, value });

export class PriceChart {
  #library = null;
  #chart = null;
  #series = {};
  #close = null;
  #data = null;
  #pointed;

  /** `pointed` is told the time of the candle under the pointer, or null. */
  constructor(box, pointed) {
    this.box = box;
    this.#pointed = pointed;
    box.addEventListener("keydown", (event) => this.#key(event));
  }

  async show(data) {
    this.#library ??= await import(LIBRARY);
    const old = this.#data;
    const fresh = old?.symbol !== data.symbol || old.session !== data.session || old.complete === false;
    this.#data = data;
    if (!this.#chart) this.#make();
    this.#fill();
    if (fresh) this.#chart.timeScale().fitContent();
  }

  /** Take over the newest candle and averages while the session runs. */
  update(candles, averages) {
    if (!this.#chart || !candles.length) return;
    const last = candles.at(-1);
    this.#series.candles.update(candle(last));
    this.#series.volume.update(this.#volume(last));
    for (const name of ["long", "short"]) {
      const newest = averages[name].at(-1);
      if (newest) this.#series[name].update(point(newest));
    }
  }

  themed() {
    if (!this.#chart) return;
    this.#chart.applyOptions(this.#look());
    this.#colourSeries();
    this.#fill();
  }

  #make() {
    const { CandlestickSeries, HistogramSeries, LineSeries, createChart, createSeriesMarkers } = this.#library;
    this.#chart = createChart(this.box.firstElementChild, {
      autoSize: true,
      ...this.#look(),
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.06 } },
      handleScale: { mouseWheel: false }, // the wheel scrolls the page; pinch, keys and the axis zoom
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      localization: { locale: "en-US", timeFormatter: (time) => `${minute(time)} New York` },
    });
    const line = { lineWidth: 1, priceLineVisible: false, lastValueVisible: false, crosshairMarkerVisible: false };
    this.#series = {
      candles: this.#chart.addSeries(CandlestickSeries, { priceLineVisible: false }),
      long: this.#chart.addSeries(LineSeries, line),
      short: this.#chart.addSeries(LineSeries, line),
      volume: this.#chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false }, 1),
    };
    this.markers = createSeriesMarkers(this.#series.candles, []);
    const [prices, volumes] = this.#chart.panes();
    prices.setStretchFactor(4);
    volumes.setStretchFactor(1);
    this.#colourSeries();
    this.#chart.subscribeCrosshairMove(({ time }) => this.#pointed(time ?? null));
  }

  #look() {
    const line = { color: colour("--line-soft") };
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
      crosshair: {
        mode: 0,
        vertLine: { color: colour("--soft"), labelBackgroundColor: colour("--ink-strong") },
        horzLine: { color: colour("--soft"), labelBackgroundColor: colour("--ink-strong") },
      },
      timeScale: {
        borderVisible: false, timeVisible: true, secondsVisible: false, rightOffset: 3, maxBarSpacing: 16,
        // The library takes midnight in UTC for the turn of the day; here it is that of New York.
        tickMarkFormatter: (time) => (minute(time) === "00:00" ? DAY.format(new Date(time * 1000)) : minute(time)),
      },
    };
  }

  #colourSeries() {
    const up = colour("--up");
    const down = colour("--down");
    this.#series.candles.applyOptions({
      upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down,
    });
    this.#series.long.applyOptions({ color: colour("--average-long") });
    this.#series.short.applyOptions({ color: colour("--average-short") });
  }

  #volume([time, open, , , close, volume]) {
    return { time, value: volume, color: colour(close < open ? "--volume-down" : "--volume-up") };
  }

  #fill() {
    const { candles, averages, marks, previous_close: close } = this.#data;
    const colours = { up: colour("--volume-up"), down: colour("--volume-down") };
    this.#series.candles.setData(candles.map(candle));
    this.#series.volume.setData(candles.map(([time, open, , , last, value]) => ({
      time, value, color: last < open ? colours.down : colours.up,
    })));
    this.#series.long.setData(averages.long.map(point));
    this.#series.short.setData(averages.short.map(point));
    this.markers.setMarkers(marks.map(({ time, kind }) => {
      const { shape, position, colour: name } = SHAPES[kind] ?? ANOMALY;
      return { time: time - (time % 60), shape, position, color: colour(name), text: shape === "circle" ? kindMark(kind) : "", size: 1 };
    }));
    if (this.#close) this.#series.candles.removePriceLine(this.#close);
    this.#close = close === null ? null : this.#series.candles.createPriceLine({
      price: close, color: colour("--soft"), lineWidth: 1, lineStyle: 2, axisLabelVisible: true, title: "prev. close",
      axisLabelColor: colour("--soft"), axisLabelTextColor: colour("--card"),
    });
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
      ArrowLeft: () => move(-STEP), ArrowRight: () => move(STEP),
      "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1.4), Home: () => scale.fitContent(),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  }
}
