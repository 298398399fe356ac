// The pipeline's lights on Airflow's home page and on the pages of DAGs: a component of Airflow's own React, without a build.

const NAME = "Market desk lights"; // as plugins/market_desk.py registers it
const EVERY_MILLISECONDS = 15000;

const token = (name) => `var(--chakra-colors-${name})`;
const SIGN = { width: 9, height: 9, flex: "none" };
const sign = (colour, borderRadius) => ({ ...SIGN, borderRadius, background: token(`${colour}-solid`) });

/** What each state is called, and how its sign looks. */
const STATES = {
  ok: ["", sign("green", "50%")],
  warn: ["warning", sign("orange", "50% 50% 0 0")],
  bad: ["problem", sign("red", "1px")],
  idle: ["nothing to judge", sign("gray", "50%")],
  unknown: ["could not be judged", sign("purple", "50% 0")],
};
const STRIP = {
  display: "flex",
  alignItems: "baseline",
  gap: 18,
  padding: "8px 14px",
  margin: "8px 0",
  fontSize: 13,
  border: `1px solid ${token("border")}`,
  borderRadius: 6,
  color: token("fg"),
  fontVariantNumeric: "tabular-nums",
};
const LIST = { display: "flex", flexWrap: "wrap", gap: "4px 18px", listStyle: "none", margin: 0, padding: 0 };
const LIGHT = { display: "flex", alignItems: "center", gap: 6, whiteSpace: "nowrap" };
const SOFT = { color: token("fg-muted") };
const LINK = { color: token("fg-info"), marginInlineStart: "auto", whiteSpace: "nowrap" };

const { createElement: h, useEffect, useState } = globalThis.React;
const address = (path) => new URL(path, document.baseURI).href;

async function health() {
  const response = await fetch(address("market-desk/api/health"), { credentials: "same-origin", cache: "no-store" });
  if (!response.ok) throw new Error(`The market desk answered ${response.status}.`);
  return response.json();
}

function Light({ label, state, value, detail, todo }) {
  const [name, style] = STATES[state] ?? STATES.unknown;
  const text = [name, value].filter((part) => part && (part !== "–" || !name)).join(": ");
  return h(
    "li",
    { title: [detail, todo].filter(Boolean).join(" "), style: LIGHT },
    h("span", { "aria-hidden": true, style }),
    h("span", {}, label),
    h("span", { style: SOFT }, text),
  );
}

/** The strip; Airflow gives the DAG's id on a DAG's page, and shows the strip on those of all DAGs, not only ours. */
function Strip({ dagId }) {
  const [shown, show] = useState({ lights: null, dags: [], problem: null });
  useEffect(() => {
    let gone = false;
    const ask = () =>
      health().then(
        ({ lights, dags }) => gone || show({ lights, dags, problem: null }),
        (error) => gone || show((old) => ({ ...old, problem: error.message })),
      );
    ask();
    const timer = setInterval(() => document.hidden || ask(), EVERY_MILLISECONDS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, []);
  const { lights, dags, problem } = shown;
  if (dagId && lights && !dags.includes(dagId)) {
    return h("p", { style: { ...SOFT, padding: 14 } }, "This DAG is no part of the market's pipeline.");
  }
  const items = lights?.map((light) => h(Light, { key: light.name, ...light }));
  const old = lights ? "These lights are old: " : "";
  const list = { ...LIST, opacity: problem ? 0.6 : 1 };
  return h(
    "section",
    { "aria-label": "Pipeline lights", style: STRIP },
    problem && h("p", { role: "status", style: { color: token("fg-error") } }, old + problem),
    !lights && !problem && h("p", { style: SOFT }, "Loading the lights …"),
    lights && h("ul", { style: list }, items),
    h("a", { href: address("plugin/market-desk/market-desk/#/health"), style: LINK }, "Market desk"),
  );
}

globalThis[NAME] = Strip;
