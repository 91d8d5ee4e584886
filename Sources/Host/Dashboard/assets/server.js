// Requests to the server, and its problems in words.

/** A problem that the server reported, in its words. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `HTTP ${status}`);
    this.status = status;
    this.problems = (body?.problems ?? []).map((p) => [p.handler, p.where].filter(Boolean).join(", ") + `: ${p.words ?? ""}`);
    this.fields = (body?.errors ?? []).map((e) => ({ pointer: e.pointer ?? "", text: e.detail ?? e.code ?? "" }));
    this.requestID = body?.request_id;
  }
  get words() {
    const fields = this.fields.filter((f) => f.text && f.text !== this.message)
      .map((f) => `${f.pointer.replace(/^\//, "").replaceAll("/", ".")}: ${f.text}`);
    return [this.message, ...fields, ...this.problems].join("\n");
  }
}

let token = null; // Given by hand; the usual way in is the cookie of a one-time link.

export function signInWith(text) {
  token = text;
}

/** `match`: the tag of what was seen, for changes that must not overwrite somebody else's. */
export async function call(path, { method = "GET", body, etag, match, accept = "application/json", headers: more = {} } = {}) {
  const headers = { Accept: accept, ...more };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (etag) headers["If-None-Match"] = etag;
  if (match) headers["If-Match"] = match;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  return send(path, { method, headers, body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body) }, etag);
}

/** Sends a file as it is; the browser streams it. */
export async function upload(path, file) {
  const headers = { Accept: "application/json", "Content-Type": "application/octet-stream" };
  if (token) headers.Authorization = `Bearer ${token}`;
  return send(path, { method: "POST", headers, body: file });
}

async function send(path, request, etag) {
  const answer = await fetch(`api/v1${path}`, { ...request, cache: "no-store", credentials: "same-origin" });
  if (answer.status === 304) return { status: 304, data: null, etag };
  const text = await answer.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    // Not ours: a proxy's page, a half answer.
  }
  if (!answer.ok) throw new Problem(answer.status, data);
  return { status: answer.status, data, etag: answer.headers.get("ETag") };
}

export const runPath = (id) => `/runs/${encodeURIComponent(id)}`;
