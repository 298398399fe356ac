// The market desk: which view is shown, the line at the top, and what is read out.

import { el, plain, setAttribute, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { HealthView } from "./health.js";
import { MarketView } from "./market.js";
import { ReportsView } from "./reports.js";
import { framed, get, loginPage, openWhole } from "./server.js";
import { SymbolView } from "./symbol.js";
import { followTheme } from "./theme.js";
import * as words from "./words.js";

const STALE_SECONDS = 60;
const DELAYED_SECONDS = 60;
const NAMES = { market: "Market", symbol: "Symbol", health: "Health", reports: "Reports" };
const VIEWS = { market: MarketView, symbol: SymbolView, health: HealthView, reports: ReportsView };

const byId = (id) => document.getElementById(id);
const main = byId("main");
const feed = new Feed();
const me = { user: null, may_trigger: false };
const views = {}; // made when first shown, and kept: a reader comes back to the same filter, order and place
const places = {};
let view = null;
let shown = null;

/** The view and its arguments that an address names: `#/symbol/AAPL/2026-11-20`. */
function route() {
  const [name, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const known = Object.hasOwn(VIEWS, name) ? name : "market";
  try {
    return [known, rest.filter(Boolean).map(decodeURIComponent)];
  } catch {
    return ["market", []]; // an address with a broken %-escape
  }
}

function navigate() {
  const [name, rest] = route();
  const moved = shown !== null && shown !== name;
  if (shown !== name) {
    if (view) {
      places[shown] = scrollY;
      view.leave();
    }
    view = views[name] ??= new VIEWS[name]({ feed, me });
    shown = name;
    main.replaceChildren(view.element);
  }
  view.enter(...rest);
  if (moved) scrollTo(0, name === "market" ? (places[name] ?? 0) : 0);
  const tab = name === "symbol" ? "market" : name;
  for (const link of document.querySelectorAll("nav.tabs a")) {
    setAttribute(link, "aria-current", link.dataset.view === tab ? "page" : null);
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
  const names = {
    connecting: "Connecting",
    live: "Live",
    polling: "Live, by polling",
    lost: "No connection",
    login: "Logged out",
  };
  const connection = byId("connection");
  setText(connection, names[state]);
  setAttribute(connection, "data-state", state);
  const gone = state === "lost" || state === "login";
  document.documentElement.classList.toggle("gone", gone && feed.loaded);
  const banner = byId("banner");
  banner.hidden = !gone;
  if (!gone) return;
  const since = `since ${words.clock(feed.since)} ${words.ZONE}`;
  const kept = feed.loaded ? " What you see are the last values, greyed." : "";
  if (state === "login") {
    const address = loginPage();
    banner.replaceChildren(
      `Your log-in has expired (${since}).${kept} `,
      el("a", { href: address, "data-whole": "" }, "Log in again"),
    );
  } else {
    const why = feed.error?.status
      ? `The server reports a fault ${since}: ${plain(feed.error.message)}`
      : `The server does not answer ${since}.`;
    banner.replaceChildren(`${why}${kept} Trying again every few seconds.`);
  }
}

/** Learn who is looking. Until it is known nothing may be run; the feed says what is wrong meanwhile. */
async function learnWho() {
  if (me.user !== null || (feed.state !== "live" && feed.state !== "polling")) return;
  const found = await get("api/me").catch(() => null);
  if (found) Object.assign(me, found);
  view?.known?.();
}

function badge(name, text, title) {
  return el("span", { class: `badge ${name}`, title }, text);
}

function showBadges() {
  const found = [];
  if (feed.simulated)
    found.push(badge("simulated", "Simulated", "These are not real prices: Tapeline's simulated market makes them."));
  const old = feed.quoteAge();
  const late = feed.delay();
  if (old !== null && old > STALE_SECONDS) {
    // The simulated market never closes, and a feed that should be heard at this hour is not silent because of it.
    const missed = feed.health?.lights?.some(
      (one) => one.name === "quotes" && (one.state === "bad" || one.state === "warn"),
    );
    const closed = feed.health?.market_open === false && !feed.simulated && !missed;
    found.push(
      closed
        ? badge("closed", `Market closed: newest quote ${words.age(old)} old`, "The next quotes come when it opens.")
        : badge(
            "stale",
            `Stale: newest quote ${words.age(old)} old`,
            "No quote of any symbol is newer; the Health view says what to do.",
          ),
    );
  } else if (late !== null && late > DELAYED_SECONDS) {
    found.push(
      badge(
        "delayed",
        `Delayed by ${words.age(late)}`,
        "The source hands out its quotes that long after they were made.",
      ),
    );
  }
  const box = byId("badges");
  const text = found.map((one) => one.textContent).join("|");
  if (box.dataset.text === text) return;
  box.dataset.text = text;
  box.replaceChildren(...found);
}

function showHealth() {
  const count = byId("health-count");
  const lights = feed.health?.lights ?? [];
  const of = (state) => lights.filter((one) => one.state === state).length;
  const worst = ["bad", "warn", "unknown"].find(of);
  count.hidden = worst === undefined;
  if (!worst) return;
  const names = {
    bad: words.plural(of("bad"), "problem"),
    warn: words.plural(of("warn"), "warning"),
    unknown: `${of("unknown")} could not be judged`,
  };
  setAttribute(count, "data-state", worst);
  count.replaceChildren(
    el("span", { "aria-hidden": "true" }, String(of(worst))),
    el("span", { class: "unseen" }, `, ${names[worst]}`),
  );
}

function announce({ symbol, kind, quote }) {
  const line = el("span", {}, `${symbol} ${words.kindText(kind)}, at ${words.price(quote.price)}. `);
  const box = byId("announcer");
  box.append(line);
  while (box.childElementCount > 5) box.firstElementChild.remove();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-whole]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !framed()) return;
  event.preventDefault();
  openWhole(link.href);
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # names the view
  main.focus();
});

followTheme((theme) => view?.themed?.(theme));
feed.addEventListener("state", showConnection);
feed.addEventListener("state", learnWho);
feed.addEventListener("health", showHealth);
feed.addEventListener("alert", (event) => announce(event.detail));
feed.addEventListener("quotes", () => view?.quotes?.());
setInterval(showBadges, 1000);
feed.addEventListener("quotes", showBadges);
addEventListener("hashchange", navigate);
navigate();
feed.start();
