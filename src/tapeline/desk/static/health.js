// The pipeline's lights, each with what to do, and what was rejected.

import { button, el, fromTemplate, lightIcon, note, setAttribute, setChildren, setText } from "./dom.js";
import { dagPage, get, ServerError, trigger } from "./server.js";
import * as words from "./words.js";

/** @import { Health, Me, PipelineLight, Reject, Rejects, Started } from "./answers.d.ts" */
/** @import { Feed } from "./feed.js" */

const STATES = {
  ok: "Well",
  warn: "Warning",
  bad: "Problem",
  idle: "Nothing to judge",
  unknown: "Could not be judged",
};
const REJECTS_MILLISECONDS = 15000;
const REJECTS_SHOWN = 50;

const plainly = (reason) => reason.replaceAll("_", " ");

/**
 * How many lights are in a state that matters, in words, the worst first.
 * @param {PipelineLight[]} lights
 * @returns {{ state: string, count: number, text: string }[]}
 */
export function troubles(lights) {
  const count = (state) => lights.filter((light) => light.state === state).length;
  return [
    { state: "bad", count: count("bad"), text: words.plural(count("bad"), "problem") },
    { state: "warn", count: count("warn"), text: words.plural(count("warn"), "warning") },
    { state: "unknown", count: count("unknown"), text: `${count("unknown")} could not be judged` },
  ].filter((trouble) => trouble.count > 0);
}

export class HealthView {
  #feed;
  #me;
  #parts;
  #cards = new Map();
  #timer = 0;
  #dag = "";
  /** @type {string | null} */
  #reason = null;
  /** @type {Rejects | null} */
  #rejects = null;

  /** @param {{ feed: Feed, me: Me }} context */
  constructor({ feed, me }) {
    this.#feed = feed;
    this.#me = me;
    const { element, parts } = fromTemplate("health-view");
    this.element = element;
    this.#parts = parts;
    parts.run.addEventListener("click", () => this.#run());
    parts.close.addEventListener("click", () => parts.dialog.close());
    feed.addEventListener("health", () => this.#show());
    feed.addEventListener("state", () => this.#show());
  }

  enter() {
    this.#show();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
  }

  /** What the reader may do is known now. */
  permissions() {
    this.#show();
  }

  #show() {
    const { health, state } = this.#feed;
    if (health) this.#showLights(health);
    else {
      const gone = state === "lost" || state === "login";
      const box = gone
        ? note("The state of the pipeline is not known", "The line above says why.", "error")
        : note("Loading", "", "loading");
      setText(this.#parts.summary, "");
      this.#parts.lights.replaceChildren(el("li", { class: "wide" }, box));
      this.#cards.clear();
    }
  }

  /** @param {Health} health */
  #showLights(health) {
    const { lights, summary } = this.#parts;
    if (!this.#cards.size) lights.replaceChildren();
    const texts = troubles(health.lights).map((trouble) => trouble.text);
    setText(summary, `${texts.join(", ") || "Everything is well"}, ${words.clock(health.at)} ${words.ZONE}`);
    for (const [name, card] of this.#cards) {
      if (health.lights.some((light) => light.name === name)) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const light of health.lights) {
      let card = this.#cards.get(light.name);
      if (!card) {
        card = fromTemplate("light");
        this.#cards.set(light.name, card);
        lights.append(card.element);
      }
      this.#patch(card, light, health.triggers);
    }
  }

  /**
   * @param {ReturnType<typeof fromTemplate>} card
   * @param {PipelineLight} light
   * @param {string[]} triggers
   */
  #patch({ element, parts }, { label, state, value, detail, todo, dag_id: dag }, triggers) {
    if (element.dataset.state !== state) parts.sign.replaceChildren(lightIcon(state));
    setAttribute(element, "data-state", state);
    setText(parts.label, label);
    setText(parts.state, STATES[state]);
    setText(parts.value, value);
    setText(parts.detail, detail);
    setText(parts.todo, todo ? `What to do: ${todo}` : "");
    const startable = this.#me.may_trigger && triggers.includes(dag ?? "");
    setChildren(parts.acts, `${dag}|${startable}`, () => (dag ? this.#acts(dag, startable) : []));
  }

  #acts(dag, startable) {
    const link = el("a", { href: dagPage(dag), target: "_top", "data-whole": "" }, `Open ${dag}`);
    if (!startable) return [link];
    return [link, button("Run it", () => this.#ask(dag), { "aria-label": `Run it: ${dag}` })];
  }

  #ask(dag) {
    const { question, answer, run, dialog } = this.#parts;
    this.#dag = dag;
    setText(question, `Run ${dag} now? Where it has a dry run, it only says what it would do.`);
    setText(answer, "");
    run.disabled = false;
    dialog.showModal();
  }

  async #run() {
    const { answer, run } = this.#parts;
    run.disabled = true;
    setText(answer, "Starting …");
    try {
      /** @type {Started} */
      const started = await trigger(this.#dag);
      const link = el("a", { href: started.href, target: "_top", "data-whole": "" }, "See it in Airflow");
      answer.replaceChildren(`Started${started.dry_run ? " as a dry run" : ""}. `, link);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      setText(answer, `Not started: ${error.message}`);
      run.disabled = false;
    }
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), REJECTS_MILLISECONDS);
    try {
      const rejects = await get(`api/rejects?limit=${REJECTS_SHOWN}`);
      if (JSON.stringify(this.#rejects) === JSON.stringify(rejects)) return;
      this.#rejects = rejects;
      this.#showRejects(rejects);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (this.#rejects) return;
      this.#parts.rejects.replaceChildren(note("The rejects cannot be shown", error.message, "error"));
    }
  }

  /** @param {Rejects} document */
  #showRejects({ reasons, rejects, more }) {
    const { reasons: chips, rejects: list } = this.#parts;
    const names = Object.entries(reasons).sort(([, left], [, right]) => right - left);
    const choices = names.map(([reason, count]) => this.#chip(reason, `${plainly(reason)} ${words.whole(count)}`));
    chips.replaceChildren(...(names.length ? [this.#chip(null, "All")] : []), ...choices);
    const shown = rejects.filter((reject) => this.#reason === null || reject.reason === this.#reason);
    // What a reader has opened stays open.
    const open = new Set([...list.querySelectorAll("details[open]")].map((details) => details.dataset.key));
    list.replaceChildren(...shown.map((reject) => rejectOf(reject, open)));
    if (!rejects.length) list.append(note("Nothing was rejected", "Every record that arrived is a quote.", "empty"));
    else if (more)
      list.append(el("p", { class: "soft" }, `These are the newest ${rejects.length}; the bucket has them all.`));
  }

  #chip(reason, text) {
    const properties = { class: "chip", "aria-pressed": String(this.#reason === reason) };
    const chip = button(text, () => this.#choose(reason, text), properties);
    return el("li", {}, chip);
  }

  #choose(reason, text) {
    this.#reason = reason;
    if (this.#rejects) this.#showRejects(this.#rejects);
    [...this.#parts.reasons.querySelectorAll("button")].find((chip) => chip.textContent === text)?.focus();
  }
}

/**
 * @param {Reject} reject
 * @param {Set<string>} open the keys of those that a reader has opened
 */
function rejectOf(reject, open) {
  const { reason, detail, payload, binary, truncated, arrived_at: at, symbol } = reject;
  const place = `${reject.shard_id}, sequence number ${reject.sequence_number}`;
  const base64 = binary && "no text: shown in base64";
  const cut = truncated && "longer than shown; the bucket has all of it";
  const time = el("time", { datetime: at }, words.moment(at));
  const mark = el("span", { class: "mark plain" }, plainly(reason));
  const key = symbol && el("span", {}, el("span", { class: "soft" }, "Partition key "), el("bdi", {}, symbol));
  return el(
    "details",
    { "data-key": place, open: open.has(place) },
    el("summary", {}, time, mark, key, el("bdi", { class: "soft" }, detail)),
    el("pre", { tabindex: "0", "aria-label": "Payload" }, payload),
    el("p", { class: "soft small" }, [place, base64, cut].filter(Boolean).join("; ")),
  );
}
