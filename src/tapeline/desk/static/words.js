// Figures and kinds as words: written once, so that table, detail and announcements cannot say different things.

export const TIME_ZONE = "America/New_York";
export const ZONE = "New York";
export const NOTHING = "–";

const LARGEST = 1e9;

const PRICE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const SMALL_PRICE = new Intl.NumberFormat("en-US", { minimumFractionDigits: 4, maximumFractionDigits: 4 });
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: TIME_ZONE, timeStyle: "medium" });
const MINUTE = new Intl.DateTimeFormat("en-GB", { timeZone: TIME_ZONE, timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-CA", { timeZone: TIME_ZONE });
const LONG_DAY = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
});

const LARGE = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });

/** @type {import("./answers.d.ts").Words} */
let names = { kinds: {}, figures: {}, reasons: {} };

/** Take over the words for kinds of alert, figures and reasons, which the server knows. */
export function learn(words) {
  names = words;
}

const plainly = (name) => String(name).replaceAll("_", " ");
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** An amount in USD, below a dollar with four decimals. */
export function price(value) {
  if (!isNumber(value)) return NOTHING;
  if (Math.abs(value) >= LARGEST) return LARGE.format(value); // a figure so large is no price, and would break its cell
  return (Math.abs(value) < 1 && value !== 0 ? SMALL_PRICE : PRICE).format(value);
}

/** A number with its sign, a true minus and two decimals. */
export function signed(value, unit = "") {
  if (!isNumber(value)) return NOTHING;
  const sign = value > 0 ? "+" : value < 0 ? "−" : "";
  const size = Math.abs(value);
  return sign + (size >= LARGEST ? LARGE : PRICE).format(size) + unit;
}

export const whole = (value) => (isNumber(value) ? WHOLE.format(value) : NOTHING);
export const short = (value) => (isNumber(value) ? SHORT.format(value) : NOTHING);

/** A length of time as a person says it, from seconds. */
export function age(seconds) {
  if (!isNumber(seconds)) return NOTHING;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return plural(Math.floor(whole / 86400), "day");
}

/** The time of day in New York, from anything `Date` takes. */
export const clock = (moment) => CLOCK.format(new Date(moment));
export const minute = (epochSeconds) => MINUTE.format(new Date(epochSeconds * 1000));

/** The time of day and its zone (empty where a heading says it), and the date where it is not today. */
export function moment(value, zone = ` ${ZONE}`) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return NOTHING;
  const time = CLOCK.format(date) + zone;
  const on = DAY.format(date);
  return on === DAY.format(new Date()) ? time : `${on} ${time}`;
}

/** The date in New York, YYYY-MM-DD. */
export const dateOf = (value) => DAY.format(new Date(value));

/** A session's date (YYYY-MM-DD) as a person writes it. */
export const day = (session) => LONG_DAY.format(new Date(`${session}T00:00:00Z`));

/** A kind of alert in a word or two, as what is said of a symbol, and how it is coloured. */
export const kind = (name) => names.kinds[name] ?? { mark: plainly(name), label: plainly(name), tone: "warning" };

/** What the stream found wrong with a figure of a quote, in words; empty if nothing. */
export function suspicion(quote, figure) {
  const verdict = quote.suspect.find((text) => text.startsWith(`${figure}:`));
  return verdict ? verdictText(verdict) : "";
}

/** A verdict such as `price:far` in words. */
export function verdictText(verdict) {
  const [figure, reason = ""] = String(verdict).split(":");
  return `${names.figures[figure] ?? figure} ${names.reasons[reason] ?? plainly(reason)}`;
}

export const direction = (value) => (value > 0 ? "up" : value < 0 ? "down" : "flat");
export const plural = (count, noun) => `${WHOLE.format(count)} ${count === 1 ? noun : `${noun}s`}`;
