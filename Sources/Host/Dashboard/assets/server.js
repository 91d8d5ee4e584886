// Requests to the server, and its problems in words.

/** A problem that the server reported, in its words. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `HTTP ${status}`);
    this.status = status;
    this.fields = (body?.errors ?? []).map((e) => ({ pointer: e.pointer ?? "", text: e.detail ?? e.code ?? "" }));
    this.requestID = body?.request_id;
  }
  get words() {
    const fields = this.fields.filter((f) => f.text && f.text !== this.message)
      .map((f) => `${f.pointer.replace(/^\//, "").replaceAll("/", ".")}: ${f.text}`);
    return [this.message, ...fields].join("\n");
  }
}

let token = null; // Given by hand; the usual way in is the cookie of a one-time link.

export function signInWith(text) {
  token = text;
}

export async function call(path, { method = "GET", body, etag, accept = "application/json" } = {}) {
  const headers = { Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (etag) headers["If-None-Match"] = etag;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(`api/v1${path}`, {
    method, headers, body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
    cache: "no-store", credentials: "same-origin",
  });
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
