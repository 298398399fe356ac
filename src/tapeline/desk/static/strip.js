// The pipeline's lights on Airflow's home page and on the pages of DAGs: a component of Airflow's own React, without a build.

const NAME = "Market desk lights"; // as plugins/market_desk.py registers it
const EVERY_MILLISECONDS = 15000;
const STATES = {
  ok: "well",
  warn: "warning",
  bad: "problem",
  idle: "nothing to judge",
  unknown: "could not be judged",
};
const COLOURS = { ok: "green", warn: "orange", bad: "red", idle: "gray", unknown: "purple" };
const SHAPES = { ok: "50%", warn: "50% 50% 0 0", bad: "1px", idle: "50%", unknown: "50% 0" };

const address = (path) => new URL(path, document.baseURI).href;
const token = (name) => `var(--chakra-colors-${name})`;

async function health() {
  const response = await fetch(address("market-desk/api/health"), { credentials: "same-origin", cache: "no-store" });
  if (!response.ok) throw new Error(`The market desk answered ${response.status}.`);
  return response.json();
}

function Light({ label, state, value, detail, todo }) {
  const { createElement: h } = globalThis.React;
  const known = Object.hasOwn(STATES, state) ? state : "unknown";
  return h(
    "li",
    {
      title: [detail, todo].filter(Boolean).join(" "),
      style: { display: "flex", alignItems: "center", gap: 6, whiteSpace: "nowrap" },
    },
    h("span", {
      "aria-hidden": true,
      style: {
        width: 9,
        height: 9,
        borderRadius: SHAPES[known],
        background: token(`${COLOURS[known]}-solid`),
        flex: "none",
      },
    }),
    h("span", {}, label),
    h(
      "span",
      { style: { color: token("fg-muted") } },
      known === "ok" ? value : [STATES[known], value].filter((one) => one && one !== "–").join(": "),
    ),
  );
}

/** The strip; Airflow gives the DAG's id on a DAG's page, and shows the strip on those of all DAGs, not only ours. */
function Strip({ dagId }) {
  const { createElement: h, useEffect, useState } = globalThis.React;
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
  if (dagId && lights && !dags.includes(dagId))
    return h(
      "p",
      { style: { color: token("fg-muted"), padding: 14 } },
      "This DAG is no part of the market's pipeline.",
    );
  const style = {
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
  return h(
    "section",
    { "aria-label": "Pipeline lights", style },
    problem
      ? h(
          "p",
          { role: "status", style: { color: token("fg-error") } },
          lights ? `These lights are old: ${problem}` : problem,
        )
      : null,
    !lights && !problem ? h("p", { style: { color: token("fg-muted") } }, "Loading the lights …") : null,
    lights
      ? h(
          "ul",
          {
            style: {
              display: "flex",
              flexWrap: "wrap",
              gap: "4px 18px",
              listStyle: "none",
              margin: 0,
              padding: 0,
              opacity: problem ? 0.6 : 1,
            },
          },
          lights.map((one) => h(Light, { key: one.name, ...one })),
        )
      : null,
    h(
      "a",
      {
        href: address("plugin/market-desk/market-desk/#/health"),
        style: { color: token("fg-info"), marginInlineStart: "auto", whiteSpace: "nowrap" },
      },
      "Market desk",
    ),
  );
}

globalThis[NAME] = Strip;
