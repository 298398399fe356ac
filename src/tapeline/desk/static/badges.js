// What is said of all quotes at the top: simulated, stale, delayed, or that the market is closed.

import * as words from "./words.js";

/** @import { Health } from "./answers.d.ts" */

const STALE_SECONDS = 60;
const DELAYED_SECONDS = 60;
const SIMULATED = "These are not real prices: Tapeline's simulated market makes them.";
const CLOSED = "The next quotes come when it opens.";
const STALE = "No quote of any symbol is newer; the Health view says what to do.";
const DELAYED = "The source hands out its quotes that long after they were made.";

/**
 * @param {{ simulated: boolean, health: Health | null }} feed
 * @param {number | null} age of the newest quote, seconds
 * @param {number | null} delay with which it was taken in, seconds
 * @returns {[name: string, text: string, title: string][]}
 */
export function badgesOf({ simulated, health }, age, delay) {
  /** @type {[string, string, string][]} */
  const badges = simulated ? [["simulated", "Simulated", SIMULATED]] : [];
  if (age !== null && age > STALE_SECONDS) {
    // The simulated market never closes, and a feed that should be heard at this hour is not silent because of it.
    const quotes = health?.lights.find((light) => light.name === "quotes");
    const missed = quotes && ["bad", "warn"].includes(quotes.state);
    const text = `newest quote ${words.age(age)} old`;
    if (health?.market_open === false && !simulated && !missed)
      badges.push(["closed", `Market closed: ${text}`, CLOSED]);
    else badges.push(["stale", `Stale: ${text}`, STALE]);
  } else if (delay !== null && delay > DELAYED_SECONDS) {
    badges.push(["delayed", `Delayed by ${words.age(delay)}`, DELAYED]);
  }
  return badges;
}
