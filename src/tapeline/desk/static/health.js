// The pipeline's lights, each with what to do, and what was rejected.

import { el, light, note, setAttribute, setText } from "./dom.js";
import { dagPage, get, ServerError, trigger } from "./server.js";
import * as words from "./words.js";

const STATES = {
  ok: "Well",
  warn: "Warning",
  bad: "Problem",
  idle: "Nothing to judge",
  unknown: "Could not be judged",
};
const REJECTS_MILLISECONDS = 15000;
const REJECTS_SHOWN = 50;

export class HealthView {
  #feed;
  #me;
  #cards = new Map();
  #timer = null;
  #reason = null;
  #rejects = null;

  constructor({ feed, me }) {
    this.#feed = feed;
    this.#me = me;
    this.title = el("h2", { id: "health-title" }, "Pipeline health");
    this.summary = el("p", { class: "soft", role: "status" });
    this.lights = el("ul", { class: "lights" });
    this.reasons = el("ul", { class: "reasons" });
    this.list = el("div", { class: "rejects" });
    this.dialog = this.#makeDialog();
    this.element = el(
      "div",
      { class: "health" },
      el(
        "section",
        { "aria-labelledby": "health-title" },
        el("div", { class: "tools" }, this.title, this.summary),
        this.lights,
      ),
      el(
        "section",
        { class: "card", "aria-labelledby": "rejects-title" },
        el("h2", { id: "rejects-title" }, "Rejected records"),
        el(
          "p",
          { class: "soft" },
          "What arrived and is no quote, as it came. It stands under rejected/ and can be redriven once it parses.",
        ),
        this.reasons,
        this.list,
      ),
      this.dialog,
    );
    feed.addEventListener("health", () => this.#show());
    feed.addEventListener("state", () => this.#show());
  }

  enter() {
    this.#show();
    this.#load();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Who is looking is known now. */
  known() {
    this.#show();
  }

  #show() {
    const { health, state } = this.#feed;
    if (!health) {
      const gone = state === "lost" || state === "login";
      setText(this.summary, "");
      this.lights.replaceChildren(
        el(
          "li",
          { class: "wide" },
          gone
            ? note("The state of the pipeline is not known", "The line above says why.", "error")
            : note("Loading", "", "loading"),
        ),
      );
      this.#cards.clear();
      return;
    }
    if (!this.#cards.size) this.lights.replaceChildren();
    const count = (name) => health.lights.filter((one) => one.state === name).length;
    const parts = [
      count("bad") && words.plural(count("bad"), "problem"),
      count("warn") && words.plural(count("warn"), "warning"),
      count("unknown") && `${count("unknown")} could not be judged`,
    ].filter(Boolean);
    setText(
      this.summary,
      `${parts.length ? parts.join(", ") : "Everything is well"}, ${words.clock(health.at)} ${words.ZONE}`,
    );
    for (const [name, card] of this.#cards) {
      if (health.lights.some((one) => one.name === name)) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const one of health.lights) {
      let card = this.#cards.get(one.name);
      if (!card) {
        card = this.#makeCard();
        this.#cards.set(one.name, card);
        this.lights.append(card.element);
      }
      this.#patch(card, one);
    }
  }

  #makeCard() {
    const card = {
      sign: el("span", { class: "sign" }),
      label: el("h3", {}),
      state: el("span", { class: "state" }),
      value: el("p", { class: "value" }),
      detail: el("p", { class: "why" }),
      todo: el("p", { class: "todo" }),
      acts: el("p", { class: "acts" }),
    };
    card.element = el(
      "li",
      { class: "card light" },
      el("div", { class: "top" }, card.sign, card.label, card.state),
      card.value,
      card.detail,
      card.todo,
      card.acts,
    );
    return card;
  }

  #patch(card, { label, state, value, detail, todo, dag_id: dag }) {
    const known = Object.hasOwn(STATES, state) ? state : "unknown";
    if (card.element.dataset.state !== known) card.sign.replaceChildren(light(known));
    setAttribute(card.element, "data-state", known);
    setText(card.label, label);
    setText(card.state, STATES[known]);
    setText(card.value, value ?? words.NOTHING);
    setText(card.detail, detail ?? "");
    setText(card.todo, todo ? `What to do: ${todo}` : "");
    const startable = this.#me.may_trigger && (this.#feed.health.triggers ?? []).includes(dag);
    const key = `${dag}|${startable}`;
    if (card.acts.dataset.key === key) return;
    card.acts.dataset.key = key;
    card.acts.replaceChildren(...(dag ? this.#acts(dag, startable) : []));
  }

  #acts(dag, startable) {
    const link = el("a", { href: dagPage(dag), target: "_top", "data-whole": "" }, `Open ${dag}`);
    if (!startable) return [link];
    return [
      link,
      el(
        "button",
        { type: "button", class: "button", "aria-label": `Run it: ${dag}`, on: { click: () => this.#ask(dag) } },
        "Run it",
      ),
    ];
  }

  #makeDialog() {
    this.question = el("p", {});
    this.answer = el("p", { role: "status" });
    this.go = el("button", { type: "button", class: "button strong", on: { click: () => this.#run() } }, "Run it");
    this.close = el("button", { type: "button", class: "button", on: { click: () => this.dialog.close() } }, "Close");
    return el(
      "dialog",
      { "aria-labelledby": "run-title" },
      el("h2", { id: "run-title" }, "Run a DAG"),
      this.question,
      this.answer,
      el("p", { class: "acts" }, this.go, this.close),
    );
  }

  #ask(dag) {
    this.dag = dag;
    setText(this.question, `Run ${dag} now? Where it has a dry run, it only says what it would do.`);
    setText(this.answer, "");
    this.go.disabled = false;
    this.dialog.showModal();
  }

  async #run() {
    this.go.disabled = true;
    setText(this.answer, "Starting …");
    try {
      const run = await trigger(this.dag);
      this.answer.replaceChildren(
        `Started${run.dry_run ? " as a dry run" : ""}. `,
        el("a", { href: run.href ?? dagPage(this.dag), target: "_top", "data-whole": "" }, "See it in Airflow"),
      );
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      setText(this.answer, `Not started: ${error.message}`);
      this.go.disabled = false;
    }
  }

  async #load() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), REJECTS_MILLISECONDS);
    try {
      const found = await get(`api/rejects?limit=${REJECTS_SHOWN}`);
      const key = JSON.stringify(found);
      if (this.#rejects?.key === key) return;
      this.#rejects = { key, ...found };
      this.#showRejects();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      if (!this.#rejects) this.list.replaceChildren(note("The rejects cannot be shown", error.message, "error"));
    }
  }

  #showRejects() {
    const { reasons, rejects, more } = this.#rejects;
    const names = Object.entries(reasons).sort(([, one], [, other]) => other - one);
    const choose = (reason, text) =>
      el(
        "li",
        {},
        el(
          "button",
          {
            type: "button",
            class: "chip",
            "aria-pressed": String(this.#reason === reason),
            on: { click: (event) => this.#choose(reason, event.currentTarget.textContent) },
          },
          text,
        ),
      );
    this.reasons.replaceChildren(
      ...(names.length ? [choose(null, "All")] : []),
      ...names.map(([reason, count]) => choose(reason, `${reason.replaceAll("_", " ")} ${words.whole(count)}`)),
    );
    const shown = rejects.filter((one) => this.#reason === null || one.reason === this.#reason);
    // What a reader has opened stays open.
    const open = new Set([...this.list.querySelectorAll("details[open]")].map((one) => one.dataset.key));
    this.list.replaceChildren(...shown.map((one) => this.#reject(one, open)));
    if (!rejects.length)
      this.list.replaceChildren(note("Nothing was rejected", "Every record that arrived is a quote.", "empty"));
    else if (more)
      this.list.append(el("p", { class: "soft" }, `These are the newest ${rejects.length}; the bucket has them all.`));
  }

  #choose(reason, text) {
    this.#reason = reason;
    this.#showRejects();
    [...this.reasons.querySelectorAll("button")].find((one) => one.textContent === text)?.focus();
  }

  #reject(
    { reason, detail, payload, binary, truncated, arrived_at: at, sequence_number: number, shard_id: shard, symbol },
    open,
  ) {
    const key = `${shard} ${number}`;
    return el(
      "details",
      { "data-key": key, open: open.has(key) },
      el(
        "summary",
        {},
        el("time", { datetime: at }, words.moment(at)),
        el("span", { class: "mark plain" }, String(reason).replaceAll("_", " ")),
        symbol && el("span", {}, el("span", { class: "soft" }, "Partition key "), el("bdi", {}, symbol)),
        el("bdi", { class: "soft" }, detail ?? ""),
      ),
      el("pre", { tabindex: "0", "aria-label": "Payload" }, payload ?? ""),
      el(
        "p",
        { class: "soft small" },
        [
          `${shard}, sequence number ${number}`,
          binary && "no text: shown in base64",
          truncated && "longer than shown; the bucket has all of it",
        ]
          .filter(Boolean)
          .join("; "),
      ),
    );
  }
}
