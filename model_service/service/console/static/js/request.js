// Requests of our own, besides htmx's: with the header that shows they come from a page of ours,
// and with an end to patience. Problems are thrown as {status, title, detail, errors}.

export const HEADER = { "X-Crisiscall-Console": "1" };
// An answer takes milliseconds. One that takes this long does not come.
export const PATIENCE_MS = 4000;
export const UNREACHABLE = "The service can’t be reached.";

export async function request(method, path, body, headers = {}) {
  const init = { method, headers: { ...HEADER, Accept: "application/json", ...headers } };
  if (body instanceof URLSearchParams) init.body = body;
  else if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers["Content-Type"] = "application/json";
  }
  let response, document;
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    document = response.status === 204 ? null : await response.json();
  } catch {
    throw { status: 0, detail: UNREACHABLE };
  }
  if (response.ok) return document;
  throw { ...document, status: response.status };
}

// Whether nobody there can help now, so that the centre's own protocol holds.
export const down = (problem) => problem.status === 0 || problem.status >= 500;

export function inWords(problem) {
  const places = (problem.errors ?? []).map(({ path, message }) => `${path}: ${message}`);
  const title = down(problem) ? "Follow protocol" : problem.title;
  return [title, problem.detail, ...places].filter(Boolean).join(" – ");
}
