// The one connection to the server: quotes and health as they come, by server-sent events or, failing those, by polling.

import { get, ServerError } from "./server.js";
import { learn } from "./words.js";

/** @import { Health, Quote, Quotes } from "./answers.d.ts" */

/**
 * A quote, when it was made and taken in (milliseconds since 1970), and which way its price went last.
 * @typedef {Quote & { at: number, takenAt: number, tick: number, spark: [number, number][] }} FeedQuote
 */

const POLL_MILLISECONDS = 2000;
const SLOW_POLL_MILLISECONDS = 10000;
const SILENCE_MILLISECONDS = 30000; // the server says something at least every 10 s
const STREAM_RETRY_MILLISECONDS = 15000;
const HEALTH_MILLISECONDS = 10000;
const ALERTS_KEPT = 30;

/** @typedef {{ symbol: string, kind: string, timestamp: string, quote: FeedQuote }} FeedAlert */

/**
 * Everything the page knows, and how it knows it.
 *
 * Events: `quotes` (detail: the set of changed symbols), `alert` (detail: a FeedAlert), `health`, `state`.
 * `state` is "connecting", "live" (events), "polling", "lost" (with `since`) or "login".
 */
export class Feed extends EventTarget {
  /** @type {Map<string, FeedQuote>} */
  symbols = new Map();
  /** @type {FeedAlert[]} */
  alerts = [];
  /** @type {Health | null} */
  health = null;
  simulated = false;
  loaded = false;
  state = "connecting";
  since = 0;
  /** @type {ServerError | null} */
  error = null;
  /** @type {number | null} */
  #heardAt = null;
  /** @type {number | null} */
  #version = null;
  /** @type {EventSource | null} */
  #stream = null;
  #timer = 0;
  #skew = 0; // server's clock minus ours, milliseconds
  #streamFailedAt = -Infinity;
  #healthAt = -Infinity;
  #failures = 0;

  start() {
    this.#listen();
    setInterval(() => this.#watch(), 1000);
  }

  /** The server's time, milliseconds since 1970, by its clock and not by this device's. */
  now() {
    return Date.now() + this.#skew;
  }

  /** Seconds since the newest quote's own time; null without one. */
  quoteAge() {
    const newest = this.#newest();
    return newest && (this.now() - newest.at) / 1000;
  }

  /** Seconds by which the newest quote was already old when it was taken in; null without one. */
  delay() {
    const newest = this.#newest();
    return newest && (newest.takenAt - newest.at) / 1000;
  }

  #newest() {
    const quotes = [...this.symbols.values()];
    return quotes.length ? quotes.reduce((newest, quote) => (quote.at > newest.at ? quote : newest)) : null;
  }

  #listen() {
    if (typeof EventSource === "undefined") {
      this.#poll();
      return;
    }
    const stream = new EventSource("api/stream");
    this.#stream = stream;
    this.#heardAt ??= Date.now();
    stream.addEventListener("quotes", (event) => this.#heard(() => this.#take(JSON.parse(event.data))));
    stream.addEventListener("health", (event) => this.#heard(() => this.#takeHealth(JSON.parse(event.data))));
    stream.addEventListener("error", () => this.#streamFailed());
  }

  #heard(act) {
    this.#heardAt = Date.now();
    act();
    this.#become("live");
  }

  #streamFailed() {
    this.#stream?.close();
    this.#stream = null;
    this.#streamFailedAt = Date.now();
    this.#poll();
  }

  #watch() {
    if (this.#stream && this.#heardAt !== null && Date.now() - this.#heardAt > SILENCE_MILLISECONDS)
      this.#streamFailed();
  }

  async #poll() {
    clearTimeout(this.#timer);
    let pause = POLL_MILLISECONDS;
    try {
      const since = this.#version === null ? "" : `?since=${encodeURIComponent(this.#version)}`;
      this.#take(await get(`api/quotes${since}`));
      if (Date.now() - this.#healthAt > HEALTH_MILLISECONDS) this.#takeHealth(await get("api/health"));
      this.#heardAt = Date.now();
      this.#failures = 0;
      this.#become("polling");
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.#failures += 1;
      pause = Math.min(POLL_MILLISECONDS * this.#failures, SLOW_POLL_MILLISECONDS);
      this.#become(error.needsLogin ? "login" : "lost", error);
    }
    const again = this.state === "polling" && Date.now() - this.#streamFailedAt > STREAM_RETRY_MILLISECONDS;
    if (again && typeof EventSource !== "undefined") this.#listen();
    else this.#timer = setTimeout(() => this.#poll(), pause);
  }

  /** @param {ServerError | null} error */
  #become(state, error = null) {
    if (this.state === state) return;
    const gone = (name) => name === "lost" || name === "login";
    if (!gone(this.state) || !gone(state)) this.since = Date.now();
    this.state = state;
    this.error = error;
    this.dispatchEvent(new Event("state"));
  }

  /** @param {Quotes} document */
  #take(document) {
    if (document.words) learn(document.words);
    this.#version = document.version;
    this.simulated = document.simulated;
    const skew = Date.parse(document.at) - Date.now();
    if (Number.isFinite(skew)) this.#skew = skew;
    const first = !this.loaded;
    this.loaded = true;
    const changed = new Set();
    const raised = [];
    for (const fields of document.symbols) {
      const before = this.symbols.get(fields.symbol);
      const moved = before ? Math.sign(fields.price - before.price) : 0;
      const quote = {
        ...fields,
        spark: fields.spark ?? before?.spark ?? [],
        at: Date.parse(fields.timestamp),
        takenAt: Date.parse(fields.ingested_at),
        tick: moved || (before?.tick ?? 0),
      };
      this.symbols.set(quote.symbol, quote);
      changed.add(quote.symbol);
      const alert = quote.last_alert;
      const old = before?.last_alert;
      if (alert && (alert.timestamp !== old?.timestamp || alert.kind !== old?.kind)) {
        raised.push({ symbol: quote.symbol, kind: alert.kind, timestamp: alert.timestamp, quote });
      }
    }
    if (raised.length) {
      raised.sort((left, right) => (left.timestamp < right.timestamp ? 1 : -1));
      this.alerts = [...raised, ...this.alerts].slice(0, ALERTS_KEPT);
    }
    if (first || changed.size) this.dispatchEvent(new CustomEvent("quotes", { detail: changed }));
    // What was raised before the page was opened is shown, not read out.
    if (!first) for (const alert of raised) this.dispatchEvent(new CustomEvent("alert", { detail: alert }));
  }

  #takeHealth(document) {
    this.health = document;
    this.#healthAt = Date.now();
    this.dispatchEvent(new Event("health"));
  }
}
