// The way to the server: where it is, and how a command is sent.

/** The path of the dashboard as this browser sees it, whatever a proxy in between made of it. */
export const base = location.pathname.replace(/\/+$/, '');

/** The sentence of the server when it refused, `undefined` when it did it. */
export const post = async (path, body) => (await send(path, body)).failure;

/** What the server answered as JSON, or its sentence as `failure`. */
export async function send(path, body) {
  try {
    const headers = { 'content-type': 'application/json', 'x-foundation-dashboard': '1' };
    const response = await fetch(`${base}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    const answer = await response.json().catch(() => undefined);
    if (response.ok) return { body: answer };
    const said = typeof answer?.message === 'string' ? answer.message : `The server answered ${response.status}.`;
    return { failure: said };
  } catch {
    return { failure: 'The server cannot be reached. Whether it did it is unknown.' };
  }
}

/** What the server has there: the status, 0 where it cannot be reached, and what it sent as JSON. */
export async function get(path) {
  try {
    const response = await fetch(`${base}/${path}`, { signal: AbortSignal.timeout(10_000) });
    return { status: response.status, body: await response.json().catch(() => undefined) };
  } catch {
    return { status: 0 };
  }
}
