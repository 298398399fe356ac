// Asking the desk's server. Addresses are relative to the page, so that Airflow may live under any path.

const WAIT_MILLISECONDS = 15000;

/** What went wrong, as a sentence; `status` is the HTTP status, 0 where no answer came. */
export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }

  /** Whether logging in again would help. */
  get needsLogin() {
    return this.status === 401;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, {
      credentials: "same-origin",
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(WAIT_MILLISECONDS),
      ...options,
    });
  } catch {
    throw new ServerError("The server does not answer.", 0);
  }
  if (response.type === "opaqueredirect") throw new ServerError("Your log-in has expired.", 401);
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  const detail = typeof body?.detail === "string" ? body.detail : `The server answered ${response.status}.`;
  throw new ServerError(response.status === 401 ? "Your log-in has expired." : detail, response.status);
}

/** Get a JSON document. */
export const get = (path) => answer(path, {});

/** Start a DAG. The header keeps other sites' forms from doing it in your name. */
export const trigger = (dag) =>
  answer(`api/dags/${encodeURIComponent(dag)}/trigger`, {
    method: "POST",
    body: "{}",
    headers: { "Content-Type": "application/json", "X-Requested-With": "market-desk" },
  });

const airflow = (path) => new URL(`../${path}`, document.baseURI).href;

/** The address of a DAG's page in Airflow. */
export const dagPage = (dag) => airflow(`dags/${encodeURIComponent(dag)}`);

/** The address of Airflow's log-in, which leads back to where the reader is. */
export function loginPage() {
  const here = framed() ? window.parent.location.href : location.href;
  return `${airflow("api/v2/auth/login")}?${new URLSearchParams({ next: here })}`;
}

/** Whether the page stands inside Airflow's, of the same origin. */
export function framed() {
  try {
    return window.parent !== window && Boolean(window.parent.document);
  } catch {
    return false;
  }
}

/** Follow a link in the whole window. Airflow's frame forbids its pages to, so Airflow's own document follows it. */
export function openWhole(address) {
  const home = framed() ? window.parent.document : document;
  const link = home.createElement("a");
  link.href = address;
  home.body.append(link);
  link.click();
  link.remove();
}
