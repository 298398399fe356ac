// The market desk: which view is shown, the line at the top, and what is read out.

import { badgesOf } from "./badges.js";
import { el, plain, setAttribute, setChildren, setText, unseen } from "./dom.js";
import { Feed } from "./feed.js";
import { HealthView, troubles } from "./health.js";
import { MarketView } from "./market.js";
import { ReportsView } from "./reports.js";
import { framed, get, loginPage, openWhole } from "./server.js";
import { SymbolView } from "./symbol.js";
import { followTheme } from "./theme.js";
import * as words from "./words.js";

/** @import { FeedAlert } from "./feed.js" */
/** @typedef {{ element: Element, enter: Function, leave: Function, quotes?: Function, permissions?: Function, themed?: Function }} View */

const NAMES = { market: "Market", symbol: "Symbol", health: "Health", reports: "Reports" };
const VIEWS = { market: MarketView, symbol: SymbolView, health: HealthView, reports: ReportsView };

const STATES = {
  connecting: "Connecting",
  live: "Live",
  polling: "Live, by polling",
  lost: "No connection",
  login: "Logged out",
};

const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const main = byId("main");
const feed = new Feed();
const me = { user: "", may_trigger: false };
/** @type {Record<string, View>} */
const views = {}; // made when first shown, and kept: a reader comes back to the same filter, order and place
const places = {};
/** @type {View | null} */
let view = null;
let shown = "";

/**
 * The view and its arguments that an address names: `#/symbol/AAPL/2026-11-20`.
 * @returns {[name: string, rest: string[]]}
 */
function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  try {
    return [Object.hasOwn(VIEWS, name) ? name : "market", rest.filter(Boolean).map(decodeURIComponent)];
  } catch {
    return ["market", []]; // an address with a broken %-escape
  }
}

function navigate() {
  const [name, rest] = route();
  const moved = shown !== "" && shown !== name;
  if (shown !== name) {
    if (view) {
      places[shown] = scrollY;
      view.leave();
    }
    views[name] ??= new VIEWS[name]({ feed, me });
    view = views[name];
    shown = name;
    main.replaceChildren(view.element);
  }
  views[name].enter(...rest);
  if (moved) scrollTo(0, name === "market" ? (places[name] ?? 0) : 0);
  const tab = name === "symbol" ? "market" : name;
  for (const link of document.querySelectorAll("nav.tabs a")) {
    setAttribute(link, "aria-current", link.getAttribute("data-view") === tab ? "page" : null);
  }
  document.title = `${name === "symbol" ? rest[0] : NAMES[name]} · Market desk`;
  if (moved) main.focus({ preventScroll: true });
  shareAddress();
}

/** Airflow's address bar names the view too, so that it can be copied, and opened again. */
function shareAddress() {
  if (!framed()) return;
  const { history, location: outer } = window.parent;
  const inside = location.pathname + location.search + location.hash;
  const at = outer.pathname.indexOf("/plugin/market-desk");
  if (at >= 0) history.replaceState(history.state, "", `${outer.pathname.slice(0, at)}/plugin/market-desk${inside}`);
}

function showConnection() {
  const { state } = feed;
  const connection = byId("connection");
  setText(connection, STATES[state]);
  setAttribute(connection, "data-state", state);
  const gone = state === "lost" || state === "login";
  document.documentElement.classList.toggle("gone", gone && feed.loaded);
  const banner = byId("banner");
  banner.hidden = !gone;
  if (!gone) return;
  const since = `since ${words.clock(feed.since)} ${words.ZONE}`;
  const kept = feed.loaded ? " What you see are the last values, greyed." : "";
  if (state === "login") {
    const link = el("a", { href: loginPage(), "data-whole": "" }, "Log in again");
    banner.replaceChildren(`Your log-in has expired (${since}).${kept} `, link);
  } else {
    const why = feed.error?.status
      ? `The server reports a fault ${since}: ${plain(feed.error.message)}`
      : `The server does not answer ${since}.`;
    banner.replaceChildren(`${why}${kept} Trying again every few seconds.`);
  }
}

/** Learn who is looking. Until it is known nothing may be run; the feed says what is wrong meanwhile. */
async function learnWho() {
  if (me.user || (feed.state !== "live" && feed.state !== "polling")) return;
  const answer = await get("api/me").catch(() => null);
  if (answer) Object.assign(me, answer);
  view?.permissions?.();
}

function showBadges() {
  const badges = badgesOf(feed, feed.quoteAge(), feed.delay());
  const key = badges.map(([, text]) => text).join("|");
  const shown = () => badges.map(([name, text, title]) => el("span", { class: `badge ${name}`, title }, text));
  setChildren(byId("badges"), key, shown);
}

function showHealth() {
  const box = byId("health-count");
  const [worst] = troubles(feed.health?.lights ?? []);
  box.hidden = worst === undefined;
  if (!worst) return;
  setAttribute(box, "data-state", worst.state);
  box.replaceChildren(el("span", { "aria-hidden": "true" }, worst.count), unseen(`, ${worst.text}`));
}

/** @param {FeedAlert} alert */
function announce({ symbol, kind, quote }) {
  const line = el("span", {}, `${symbol} ${words.kind(kind).label}, at ${words.price(quote.price)}. `);
  const box = byId("announcer");
  box.append(line);
  while (box.childElementCount > 5) box.firstElementChild?.remove();
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest("a[data-whole]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !framed()) return;
  event.preventDefault();
  openWhole(/** @type {HTMLAnchorElement} */ (link).href);
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # names the view
  main.focus();
});

followTheme((theme) => view?.themed?.(theme));
feed.addEventListener("state", showConnection);
feed.addEventListener("state", learnWho);
feed.addEventListener("health", showHealth);
feed.addEventListener("alert", (event) => announce(/** @type {CustomEvent} */ (event).detail));
feed.addEventListener("quotes", () => view?.quotes?.());
setInterval(showBadges, 1000);
feed.addEventListener("quotes", showBadges);
addEventListener("hashchange", navigate);
navigate();
feed.start();
