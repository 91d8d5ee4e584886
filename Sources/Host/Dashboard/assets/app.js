// The page: one request every two seconds (answered "304 Not Modified" while nothing happens), panels that are brought
// in line with the answer, and dialogs for what a person can do.

import {
  bytes, countersText, el, elapsed, fact, json, logList, number, progressBar, reconcile, relativeTime, setServerTime,
  setText, show, signalName, span, stateMark, tickAll,
} from "./view.js";

const $ = (id) => document.getElementById(id);
const period = 2000;

// Requests

/** A problem that the server reported, in its words. */
class Problem extends Error {
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

async function call(path, { method = "GET", body, etag, accept = "application/json" } = {}) {
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

const runPath = (id) => `/runs/${encodeURIComponent(id)}`;

// Refreshing

let overview = null;
let tag = null;
let timer = null;
let busy = false;
let offlineSince = null;

async function refresh() {
  clearTimeout(timer);
  if (busy || document.hidden) return;
  busy = true;
  try {
    const answer = await call("/overview", { etag: tag });
    show($("signin"), false);
    show($("main"), true);
    if (answer.data) {
      tag = answer.etag;
      overview = answer.data;
      if (overview.now) setServerTime(overview.now);
      render();
    }
    offlineSince = null;
    setLive("live", "Live");
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
      tag = null;
      show($("signin"), true);
      show($("main"), overview !== null);
      setLive("away", "Signed out");
    } else {
      offlineSince ??= new Date();
      setLive("away", `Offline since ${offlineSince.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`);
    }
  } finally {
    busy = false;
  }
  document.body.classList.toggle("stale", $("live").dataset.state === "away" && overview !== null);
  if (detail.id) detail.refresh();
  timer = setTimeout(refresh, period);
}

function setLive(state, text) {
  const pill = $("live");
  pill.dataset.state = state;
  setText(pill, text);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(timer);
    setLive("paused", "Paused");
  } else refresh();
});
setInterval(() => {
  if (!document.hidden) tickAll();
}, 1000);

// Panels

function render() {
  $("main").setAttribute("aria-busy", "false");
  const o = overview;
  const host = o.host ?? {};
  setText($("host"), [host.name, host.version ? `v${host.version.replace(/^v/, "")}` : null].filter(Boolean).join(" · "));
  if (host.draining) setText($("host"), `${$("host").textContent} · draining`);
  renderCounts(o);
  const running = o.running ?? [];
  setText($("running-count"), running.length ? String(running.length) : "");
  reconcile($("running"), running, (run) => run.id, runningCard);
  show($("running-empty"), running.length === 0);
  renderRecent();
  panel("schedules", o.schedules ?? [], (s) => String(s.id), scheduleRow);
  panel("plugins", o.plugins ?? [], (p) => `${p.file ?? p.name}@${p.version ?? ""}`, pluginRow);
  panel("queues", o.queues ?? [], (q) => q.name ?? q.queue, queueRow);
  renderSafety(o.health ?? {});
  const active = running.length;
  document.title = active ? `${active} running – Pawl` : "Pawl";
}

function panel(name, items, key, make) {
  reconcile($(name), items, key, make);
  show($(`${name}-empty`), items.length === 0);
  const count = $(`${name}-count`);
  if (count) setText(count, items.length ? String(items.length) : "");
}

const countOrder = ["running", "queued", "scheduled", "retrying", "succeeded", "failed", "cancelled"];

function renderCounts(o) {
  const counts = o.counts ?? {};
  const states = countOrder.filter((state) => counts[state] !== undefined);
  reconcile($("counts"), states, (state) => state, (state) => {
    const value = el("strong", {}, "0");
    const node = el("button", { type: "button", class: "tile", onclick: () => setFilter(state) }, value, stateMark(state));
    node.update = () => {
      setText(value, number(overview.counts[state]));
      node.setAttribute("aria-label", `${value.textContent} ${state}: filter the recent runs`);
    };
    return node;
  });
}

function title(run) {
  return run.title || run.job;
}

function runName(run) {
  return `${run.job}#${run.number ?? ""}`;
}

function open(id) {
  return (event) => {
    event?.preventDefault();
    detail.open(id);
  };
}

function runLink(run) {
  const name = el("a", { class: "run-name", href: `#${run.id}`, onclick: open(run.id) });
  const extra = el("span", { class: "run-title" });
  const node = el("span", { class: "run-cell" }, name, extra);
  node.update = (value) => {
    setText(name, runName(value));
    setText(extra, value.title && value.title !== value.job ? value.title : "");
  };
  return node;
}

function runningCard(run) {
  const mark = stateMark(run.state);
  const link = runLink(run);
  const time = elapsed();
  const facts = el("span", { class: "muted" });
  const bar = progressBar();
  const log = logList(`Last lines of ${runName(run)}`);
  const node = el("li", { class: "card" },
    el("div", { class: "card-head" }, mark, link, el("span", { class: "grow" }), facts, time,
      el("span", { class: "buttons" },
        el("button", { type: "button", onclick: () => stop(node.run, "cancel") }, "Cancel"),
        el("button", { type: "button", class: "risky", onclick: () => stop(node.run, "terminate") }, "Terminate"))),
    bar, log);
  log.classList.add("tail");
  node.update = (value) => {
    node.run = value;
    mark.update(value.state);
    link.update(value);
    time.update(value.started_at, value.finished_at);
    setText(facts, [value.attempt > 1 ? `attempt ${value.attempt}` : null, value.queue !== "default" ? value.queue : null,
      value.cancel_requested_at ? "told to end" : null].filter(Boolean).join(" · "));
    bar.update(value.progress, `Progress of ${runName(value)}`);
    log.update((value.log_tail ?? []).slice(-3));
  };
  return node;
}

// Recent runs: while the pointer or the focus is in the list it keeps its order, and what is new waits behind a button.

let filter = "";
let frozen = null;

function isHeld() {
  const list = $("recent");
  return list.matches(":hover") || list.contains(document.activeElement);
}

function renderRecent(force = false) {
  const all = (overview?.recent ?? []).filter((run) => {
    if (!filter) return true;
    return [run.job, run.title, run.state, run.outcome, run.queue, run.id, runName(run)]
      .some((text) => (text ?? "").toLowerCase().includes(filter));
  });
  let shown = all;
  let waiting = 0;
  if (!force && frozen && isHeld()) {
    const known = new Map(all.map((run) => [run.id, run]));
    shown = frozen.map((run) => known.get(run.id) ?? run);
    waiting = all.filter((run) => !frozen.some((old) => old.id === run.id)).length;
  }
  frozen = shown;
  reconcile($("recent"), shown, (run) => run.id, recentRow);
  show($("recent-empty"), shown.length === 0);
  setText($("recent-empty"), filter ? "No recent run matches the filter." : "No run has been made yet. Start one with Run… or pawl run JOB.");
  show($("newer"), waiting > 0);
  setText($("newer"), `${waiting} new – show`);
}

function recentRow(run) {
  const mark = stateMark(run.state);
  const link = runLink(run);
  const what = el("span", { class: "what" });
  const took = elapsed();
  const when = relativeTime(run.created_at);
  const action = el("button", { type: "button", onclick: () => act(node.run) });
  const cell = (className, ...children) => el("span", { role: "cell", class: className }, ...children);
  const node = el("div", { class: "tr", role: "row" },
    cell("", mark), cell("", link), cell("what-cell", what), cell("num", took), cell("num", when), cell("buttons", action));
  node.update = (value) => {
    node.run = value;
    mark.update(value.state);
    link.update(value);
    const text = whatHappened(value);
    setText(what, text);
    what.title = text;
    what.classList.toggle("bad", value.state === "failed" || value.state === "retrying");
    // Between attempts nothing runs that could take time.
    took.update(value.finished_at ? value.started_at : null, value.finished_at);
    when.update(value.finished_at ?? value.run_at ?? value.created_at);
    const isOver = ["succeeded", "failed", "cancelled"].includes(value.state);
    setText(action, isOver ? "Retry" : "Cancel");
    action.setAttribute("aria-label", `${action.textContent} ${runName(value)}`);
  };
  return node;
}

function act(run) {
  if (["succeeded", "failed", "cancelled"].includes(run.state)) retry(run);
  else stop(run, "cancel");
}

/** One line that says how a run ended, or where it is. */
function whatHappened(run) {
  if (run.state === "succeeded") {
    return countersText(run.progress?.counters) || run.progress?.line || "";
  }
  const error = errorText(run.error);
  const how = [run.outcome, run.reason && run.reason !== run.outcome ? `(${run.reason})` : null].filter(Boolean).join(" ").replaceAll("_", " ");
  if (run.state === "retrying") return `attempt ${run.attempt} of ${run.max_attempts ?? "?"}: ${error || how}`;
  if (run.state === "cancelled") {
    // That it was cancelled stands in the column before; by force and why is the news.
    return [run.outcome === "cancelled" ? "" : how, run.cancel_reason].filter(Boolean).join(": ");
  }
  if (run.state === "failed") return [how, error].filter(Boolean).join(": ");
  return run.progress?.line || "";
}

function errorText(error) {
  if (!error) return "";
  if (typeof error === "string") return error;
  return error.message || error.sentence || error.code || "";
}

function setFilter(text) {
  $("filter").value = text;
  filter = text.toLowerCase();
  renderRecent(true);
}
$("filter").addEventListener("input", () => {
  filter = $("filter").value.trim().toLowerCase();
  if (overview) renderRecent(true);
});
$("newer").addEventListener("click", () => renderRecent(true));

function scheduleRow() {
  const name = el("strong");
  const when = el("span", { class: "muted" });
  const job = el("span", { class: "muted" });
  const next = relativeTime(null);
  const none = el("span", { class: "muted" });
  const node = el("li", {}, el("div", { class: "line" }, name, el("span", { class: "grow" }), next, none),
    el("div", { class: "line" }, job, el("span", { class: "grow" }), when));
  node.update = (s) => {
    setText(name, s.name);
    setText(job, s.job);
    setText(when, scheduleText(s));
    const on = s.enabled !== false && s.next_at;
    show(next, Boolean(on));
    if (on) next.update(s.next_at);
    show(none, !on);
    setText(none, on ? "" : s.enabled === false ? "off" : "done");
  };
  return node;
}

function scheduleText(s) {
  const spec = s.spec ?? s;
  const zone = s.timezone && s.timezone !== "UTC" ? ` ${s.timezone}` : "";
  if (spec.every_ms) return `every ${span(spec.every_ms)}`;
  if (s.kind === "once") return "once";
  if (spec.time) {
    const days = spec.every_days === 1 ? "daily" : spec.every_days ? `every ${spec.every_days} days`
      : spec.day_of_month ? `monthly on day ${spec.day_of_month}` : (spec.weekdays ?? []).join(", ");
    return `${days} at ${spec.time}${zone}`;
  }
  return `${spec.expression ?? s.expression ?? s.kind ?? ""}${zone}`;
}

const handlerLimit = 8;

function pluginRow() {
  const name = el("strong");
  const label = el("span", { class: "muted" });
  const state = el("span", { class: "badge" });
  const file = el("span", { class: "muted mono" });
  const handlers = el("div", { class: "chips" });
  const error = el("pre", { class: "load-error" });
  const node = el("li", {}, el("div", { class: "line" }, name, label, el("span", { class: "grow" }), state), file, handlers, error);
  let shownHandlers = "";
  node.update = (p) => {
    setText(name, p.name || p.file);
    setText(label, p.label ?? "");
    setText(state, (p.state ?? "").replaceAll("_", " "));
    state.dataset.state = p.state;
    setText(file, [p.name ? p.file : null, p.version ? p.version.slice(0, 12) : null].filter(Boolean).join(" · "));
    file.title = p.version ?? "";
    const names = (p.handlers ?? []).map((h) => h.name).join(" ");
    if (names !== shownHandlers) {
      shownHandlers = names;
      const chips = (p.handlers ?? []).map((h) =>
        el("button", { type: "button", class: "chip", title: h.description || null, "aria-label": `Run ${h.name}`, onclick: () => runDialog.open(h.name) }, h.name));
      const first = chips.length > handlerLimit + 1 ? chips.slice(0, handlerLimit) : chips;
      handlers.replaceChildren(...first);
      if (first.length < chips.length) {
        handlers.append(el("button", {
          type: "button", class: "chip more", onclick: () => {
            handlers.replaceChildren(...chips);
            chips[handlerLimit].focus();
          },
        }, `${chips.length - first.length} more`));
      }
    }
    setText(error, p.error ?? "");
    show(error, Boolean(p.error));
  };
  return node;
}

function queueRow() {
  const name = el("strong");
  const counts = el("span", { class: "muted" });
  const node = el("li", {}, el("div", { class: "line" }, name, el("span", { class: "grow" }), counts));
  node.update = (q) => {
    setText(name, q.name ?? q.queue);
    const c = q.counts ?? q;
    setText(counts, [
      `${number(c.running ?? 0)} running`, `${number((c.queued ?? 0))} queued`,
      c.scheduled ? `${number(c.scheduled)} scheduled` : null, c.retrying ? `${number(c.retrying)} retrying` : null,
      q.paused ? "paused" : null,
    ].filter(Boolean).join(" · "));
  };
  return node;
}

function renderSafety(health) {
  const checks = (health.checks ?? []).map((c) => ({ ...c, good: c.ok ?? ["ok", "pass", "healthy"].includes(c.status) }));
  const bad = checks.filter((c) => !c.good);
  // When all is well one line says so; only what needs a person takes more room.
  const items = bad.length ? bad : [{ name: "", good: true, detail: health.verdict ? "Everything is well." : "Not known yet." }];
  reconcile($("safety"), items, (c) => c.name, () => {
    const mark = stateMark("succeeded");
    const text = el("span");
    const node = el("li", { class: "line" }, mark, text);
    node.update = (c) => {
      mark.update(c.good ? "succeeded" : "failed");
      setText(mark.querySelector("span"), c.good ? "ok" : c.name);
      setText(text, c.detail ?? "");
    };
    return node;
  });
}

// Toasts

function toast(text, kind = "good") {
  const node = el("div", { class: "toast", "data-kind": kind }, text,
    el("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => node.remove() }, "✕"));
  $("toasts").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 15000 : 5000);
}

function report(error) {
  toast(error instanceof Problem ? error.words : "The server does not answer.", "bad");
}

// Dialogs

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

function fail(id, error) {
  setText($(id), error === null ? "" : error instanceof Problem ? error.words : "The server does not answer.");
  show($(id), error !== null);
}

/** Asks, with a reason to give; `action(reason)` runs while the dialog stays, so that a refusal is read where it arose. */
const confirmation = {
  action: null,
  open(heading, text, button, action) {
    setText($("confirm-title"), heading);
    setText($("confirm-text"), text);
    setText($("confirm-yes"), button);
    $("confirm-reason").value = "";
    fail("confirm-problem", null);
    this.action = action;
    $("confirm").showModal();
  },
};
$("confirm-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("confirm-yes").disabled = true;
  try {
    await confirmation.action($("confirm-reason").value.trim());
    $("confirm").close();
    refresh();
  } catch (error) {
    fail("confirm-problem", error);
  } finally {
    $("confirm-yes").disabled = false;
  }
});

function stop(run, verb) {
  const isWaiting = run.state !== "running";
  const text = verb === "terminate"
    ? "The handler gets SIGTERM now; after its grace period all its processes are killed. The run ends cancelled and is not tried again."
    : isWaiting ? "The run will not start." : "The handler is told to end and may clean up; after its grace period it is ended by force.";
  confirmation.open(`${verb === "terminate" ? "Terminate" : "Cancel"} ${runName(run)}?`, text,
    verb === "terminate" ? "Terminate" : "Cancel the run", async (reason) => {
      await call(`${runPath(run.id)}/${verb}`, { method: "POST", body: reason ? { reason } : {} });
      toast(`${runName(run)}: ${isWaiting ? "cancelled" : "told to end"}.`);
    });
}

async function retry(run) {
  try {
    const { data } = await call(`${runPath(run.id)}/retry`, { method: "POST", body: {} });
    toast(`${runName(run)} runs again.`);
    const id = data?.new_run_id ?? data?.id;
    if (detail.id && id) detail.open(id);
    refresh();
  } catch (error) {
    report(error);
  }
}

// Run…

const runDialog = {
  handlers: [],
  fields: [],

  open(job) {
    const seen = new Map();
    for (const plugin of overview?.plugins ?? []) {
      if (plugin.error && plugin.state === "rejected") continue;
      for (const handler of plugin.handlers ?? []) seen.set(handler.name, handler);
    }
    this.handlers = [...seen.values()].sort((a, b) => a.name.localeCompare(b.name));
    if (this.handlers.length === 0) return toast("No plugin with a handler is loaded.", "bad");
    const select = $("run-job");
    const before = job ?? select.value;
    select.replaceChildren(...this.handlers.map((h) => el("option", { value: h.name }, h.name)));
    if (seen.has(before)) select.value = before;
    fail("run-problem", null);
    this.choose();
    $("run-dialog").showModal();
    select.focus();
  },

  choose() {
    const handler = this.handlers.find((h) => h.name === $("run-job").value);
    setText($("run-description"), handler?.description ?? "");
    const schema = parsed(handler?.args_schema);
    this.fields = simpleFields(schema) ?? [];
    $("run-json").value = "{}";
    const asForm = simpleFields(schema) !== null;
    $("run-as-json").checked = !asForm;
    $("run-as-json").disabled = !asForm;
    $("run-fields-body").replaceChildren(...(this.fields.length ? this.fields.map((f) => f.node) : [el("p", { class: "hint" }, "This job takes no arguments.")]));
    this.toggle();
  },

  toggle() {
    const asJSON = $("run-as-json").checked;
    if (asJSON && !$("run-as-json").disabled) {
      try {
        $("run-json").value = JSON.stringify(this.values(), null, 2);
      } catch {
        // A field that is half filled in stays behind; JSON starts from what there is.
      }
    }
    show($("run-fields"), !asJSON);
    show($("run-json-part"), asJSON);
  },

  values() {
    const args = {};
    for (const field of this.fields) {
      const value = field.read();
      if (value !== undefined) args[field.name] = value;
    }
    return args;
  },

  async submit() {
    fail("run-problem", null);
    for (const field of this.fields) field.mark("");
    let args;
    if ($("run-as-json").checked) {
      // Sent as typed: numbers beyond what JavaScript can hold must arrive whole.
      args = $("run-json").value.trim() || "{}";
      try {
        JSON.parse(args);
      } catch (error) {
        return this.refuse(`The arguments are no JSON: ${error.message}`);
      }
    } else {
      const missing = this.fields.find((f) => f.required && f.read() === undefined);
      if (missing) {
        missing.mark("This is needed.");
        return missing.focus();
      }
      args = JSON.stringify(this.values());
    }
    const rest = { job: $("run-job").value };
    if ($("run-queue").value.trim()) rest.queue = $("run-queue").value.trim();
    if ($("run-priority").value.trim()) rest.priority = Number($("run-priority").value);
    if ($("run-title").value.trim()) rest.title = $("run-title").value.trim();
    const body = `${JSON.stringify(rest).slice(0, -1)},"args":${args}}`;
    try {
      const { data } = await call("/runs", { method: "POST", body });
      $("run-dialog").close();
      toast(`${runName(data)} is ${data.state}.`);
      refresh();
    } catch (error) {
      for (const { pointer, text } of error.fields ?? []) {
        this.fields.find((f) => pointer === `/args/${f.name}`)?.mark(text);
      }
      fail("run-problem", error);
    }
  },

  refuse(text) {
    setText($("run-problem"), text);
    show($("run-problem"), true);
  },
};

function parsed(schema) {
  if (typeof schema !== "string") return schema ?? null;
  try {
    return JSON.parse(schema);
  } catch {
    return null;
  }
}

/** Form fields for a schema of plain members; null when it is more than that, and JSON is the honest form. */
function simpleFields(schema) {
  if (!schema || schema.type !== "object" || schema.oneOf || schema.anyOf || schema.allOf || schema.$ref) return null;
  const required = new Set(schema.required ?? []);
  const fields = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const type = Array.isArray(property.type) ? property.type.find((t) => t !== "null") : property.type;
    const isList = type === "array" && property.items?.type === "string";
    if (!property.enum && !isList && !["string", "integer", "number", "boolean"].includes(type)) return null;
    fields.push(field(name, isList ? "list" : type, property, required.has(name)));
  }
  return fields;
}

function field(name, type, property, required) {
  const id = `arg-${name}`;
  let input;
  if (property.enum) {
    input = el("select", { id }, required ? null : el("option", { value: "" }, ""), ...property.enum.map((v) => el("option", { value: JSON.stringify(v) }, String(v))));
  } else if (type === "boolean") {
    input = el("select", { id }, el("option", { value: "" }, ""), el("option", { value: "true" }, "true"), el("option", { value: "false" }, "false"));
  } else if (type === "list") {
    input = el("textarea", { id, rows: 3, placeholder: "One per line", spellcheck: "false" });
  } else {
    const isNumber = type === "integer" || type === "number";
    input = el("input", {
      id, type: "text", inputmode: isNumber ? "decimal" : null, autocomplete: "off", spellcheck: "false",
      placeholder: property.default === undefined ? property.examples?.[0] ?? null : String(property.default),
    });
  }
  input.setAttribute("aria-describedby", `${id}-hint`);
  if (required) input.setAttribute("aria-required", "true");
  const hint = el("p", { class: "hint", id: `${id}-hint` }, property.description ?? "");
  const node = el("div", { class: "field" }, el("label", { for: id }, name, required ? el("span", { class: "needed" }, " needed") : null), input, hint);
  return {
    name, node, required,
    focus: () => input.focus(),
    mark(text) {
      node.classList.toggle("wrong", text !== "");
      setText(hint, text || (property.description ?? ""));
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
    read() {
      const text = input.value;
      if (text === "") return undefined;
      if (property.enum) return JSON.parse(text);
      if (type === "boolean") return text === "true";
      if (type === "list") return text.split("\n").filter((line) => line !== "");
      if (type === "integer" || type === "number") {
        const value = Number(text);
        // What is no number goes as typed: the server says what is wrong with it.
        return Number.isNaN(value) ? text : value;
      }
      return text;
    },
  };
}

$("new-run").addEventListener("click", () => runDialog.open());
$("run-job").addEventListener("change", () => runDialog.choose());
$("run-as-json").addEventListener("change", () => runDialog.toggle());
$("run-form").addEventListener("submit", (event) => {
  event.preventDefault();
  runDialog.submit();
});

// Details of one run

const detail = {
  id: null,
  mark: null,
  parts: null,
  loading: false,

  async open(id) {
    this.id = id;
    this.parts = null;
    history.replaceState(null, "", `#${id}`);
    setText($("detail-title"), "…");
    $("detail-body").replaceChildren(el("p", { class: "muted" }, "Loading…"));
    if (!$("detail").open) $("detail").showModal();
    await this.refresh();
  },

  async refresh() {
    if (!this.id || this.loading || document.hidden) return;
    // What has ended does not change any more.
    if (this.parts?.done) return;
    this.loading = true;
    const id = this.id;
    try {
      const [run, attempts, logs] = await Promise.all([
        call(`${runPath(id)}?include=args,result`), call(`${runPath(id)}/attempts`), call(`${runPath(id)}/logs?tail=500`),
      ]);
      if (this.id === id) this.render(run.data, attempts.data.items ?? [], logs.data.items ?? []);
    } catch (error) {
      if (this.id === id && !this.parts) {
        $("detail-body").replaceChildren(el("p", { class: "problem" }, error instanceof Problem ? error.words : "The server does not answer."));
      }
    } finally {
      this.loading = false;
      if (this.id && this.id !== id) this.refresh();
    }
  },

  render(run, attempts, lines) {
    this.parts ??= this.build(run);
    const p = this.parts;
    const isOver = ["succeeded", "failed", "cancelled"].includes(run.state);
    p.done = isOver;
    p.run = run;
    setText($("detail-title"), runName(run));
    p.mark.update(run.state);
    setText(p.sentence, sentence(run, attempts));
    show(p.cancel, !isOver);
    show(p.terminate, run.state === "running");
    show(p.retry, isOver);
    show(p.bar, run.state === "running" || Boolean(run.progress?.line));
    p.bar.update(run.progress, `Progress of ${runName(run)}`);
    p.facts.replaceChildren(
      ...fact("Title", run.title), ...fact("Id", run.id), ...fact("Queue", run.queue),
      ...fact("Priority", run.priority ? String(run.priority) : null), ...fact("Description", run.description),
      ...fact("Labels", Object.entries(run.labels ?? {}).map(([k, v]) => `${k}=${v}`).join(", ")),
      ...fact("Created", run.created_at && relativeTime(run.created_at)),
      ...fact("Due", !isOver && run.state !== "running" && run.run_at ? relativeTime(run.run_at) : null),
      ...fact("Started", run.started_at && relativeTime(run.started_at)),
      ...fact("Finished", run.finished_at && relativeTime(run.finished_at)),
      ...fact("Host", run.host), ...fact("Retry of", run.retry_of && el("a", { href: `#${run.retry_of}`, onclick: open(run.retry_of) }, run.retry_of)));
    block(p.error, "Error", !["failed", "retrying"].includes(run.state) ? null : errorText(run.error) && json(run.error?.details ? run.error : errorText(run.error)));
    block(p.args, "Arguments", run.args === undefined || run.args === null ? null : json(run.args));
    block(p.result, "Result", run.result === undefined || run.result === null ? null : json(run.result));
    p.attempts.replaceChildren(...attempts.map(attemptBlock));
    show(p.attemptsTitle, attempts.length > 0);
    p.log.update(lines);
    show(p.logEmpty, lines.length === 0);
    show(p.log, lines.length > 0);
  },

  build(run) {
    const p = {
      mark: stateMark(run.state), sentence: el("span", { class: "sentence" }), bar: progressBar(), facts: el("dl", { class: "facts" }),
      error: el("section"), args: el("section"), result: el("section"), attempts: el("div", { class: "attempts" }),
      attemptsTitle: el("h3", {}, "Attempts"), log: logList("Log"), logEmpty: el("p", { class: "empty" }, "The log is empty."),
      cancel: el("button", { type: "button", onclick: () => stop(p.run, "cancel") }, "Cancel"),
      terminate: el("button", { type: "button", class: "risky", onclick: () => stop(p.run, "terminate") }, "Terminate"),
      retry: el("button", { type: "button", onclick: () => retry(p.run) }, "Retry"),
    };
    $("detail-body").replaceChildren(
      el("div", { class: "detail-state" }, p.mark, p.sentence, el("span", { class: "grow" }), el("span", { class: "buttons" }, p.cancel, p.terminate, p.retry)),
      p.bar, p.error, p.facts, el("div", { class: "detail-blocks" }, p.args, p.result), p.attemptsTitle, p.attempts,
      el("h3", {}, "Log"), p.logEmpty, p.log);
    return p;
  },
};

function block(node, heading, text) {
  show(node, Boolean(text));
  if (!text) return;
  if (!node.firstChild) node.append(el("h3", {}, heading), el("pre", { tabindex: 0 }));
  setText(node.lastChild, text);
}

/** The truth about a run in one sentence. */
function sentence(run, attempts) {
  const last = attempts.at(-1);
  if (last?.sentence && run.state !== "running") return last.sentence;
  const took = run.started_at && run.finished_at ? ` after ${span(Date.parse(run.finished_at) - Date.parse(run.started_at))}` : "";
  if (run.state === "failed" && run.attempt) return `Failed on attempt ${run.attempt}${took}`;
  return whatHappened(run);
}

function attemptBlock(a) {
  const resources = a.resources ?? {};
  const ms = (name) => resources[`${name}_ms`] ?? (resources[`${name}_us`] === undefined ? undefined : resources[`${name}_us`] / 1000);
  const user = ms("user_cpu") ?? ms("cpu_user");
  const system = ms("system_cpu") ?? ms("cpu_system");
  const ended = a.ended_at ?? a.finished_at;
  const crash = a.crash ?? null;
  return el("section", { class: "attempt" },
    el("div", { class: "line" }, el("strong", {}, `Attempt ${a.attempt ?? a.number}`), stateMark(a.outcome ?? "running"),
      a.reason ? el("span", { class: "muted" }, a.reason.replaceAll("_", " ")) : null),
    el("dl", { class: "facts" },
      ...fact("Took", a.started_at && ended ? span(Date.parse(ended) - Date.parse(a.started_at)) : null),
      ...fact("Exit", a.signal ? `signal ${signalName(a.signal)}` : a.exit_code ?? null), ...fact("Pid", a.pid), ...fact("Host", a.host),
      ...fact("Version", a.version?.slice(0, 12)),
      ...fact("CPU", user === undefined ? null : `${span(user)} user, ${span(system ?? 0)} system`),
      ...fact("Memory", resources.max_rss_bytes ? `${bytes(resources.max_rss_bytes)} peak` : null),
      ...fact("Page faults", resources.minor_faults === undefined ? null : number(resources.minor_faults + (resources.major_faults ?? 0))),
      ...fact("Kill ladder", (a.ladder ?? []).map((s) => `${s.name} at ${span(s.at_ms)}`).join(" → ")),
      ...fact("Left-overs killed", a.survivors_killed || null), ...fact("Error", errorText(a.error)),
      ...fact("Crash", crash && [crash.signal && signalName(crash.signal), crash.address !== undefined && crash.address !== null ? `at ${crash.address}` : null].filter(Boolean).join(" "))),
    crash?.frames?.length ? el("pre", { tabindex: 0 }, crash.frames.join("\n")) : null);
}

$("detail").addEventListener("close", () => {
  detail.id = null;
  detail.parts = null;
  history.replaceState(null, "", location.pathname + location.search);
});

function openFromAddress() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (/^run_[0-9a-z]{13}$/i.test(id)) detail.open(id);
}
addEventListener("hashchange", openFromAddress);

// Clean up stale: look first, then do exactly what was shown.

const cleanup = {
  plan: null,
  async look() {
    fail("cleanup-problem", null);
    this.plan = null;
    $("cleanup-apply").disabled = true;
    const age = Number($("cleanup-age").value) * Number($("cleanup-unit").value);
    if (!Number.isFinite(age) || age < 0 || $("cleanup-age").value === "") return;
    try {
      const { data } = await call("/safety/cleanup-stale", { method: "POST", body: { older_than_ms: Math.round(age), dry_run: true } });
      this.plan = { data, age: Math.round(age) };
      const count = data.count ?? 0;
      const sample = data.sample ?? [];
      $("cleanup-plan").replaceChildren(
        el("p", {}, count === 0 ? `No run has been running for more than ${span(age)}.` : `${count} ${count === 1 ? "run" : "runs"} will be ended by force, as failed:`),
        el("ul", { class: "plain" }, ...sample.map((run) => el("li", { class: "line" }, el("span", {}, runName(run)), el("span", { class: "grow" }),
          el("span", { class: "muted" }, run.started_at ? relativeTime(run.started_at) : "")))),
        ...(count > sample.length ? [el("p", { class: "muted" }, `and ${count - sample.length} more`)] : []),
        ...(count ? [el("p", { class: "hint" }, "Waiting runs, schedules and everything that is younger stay as they are.")] : []));
      $("cleanup-apply").disabled = count === 0;
    } catch (error) {
      $("cleanup-plan").replaceChildren();
      fail("cleanup-problem", error);
    }
  },
  async apply() {
    if (!this.plan) return;
    $("cleanup-apply").disabled = true;
    const body = { older_than_ms: this.plan.age };
    if (this.plan.data.plan) body.plan = this.plan.data.plan;
    try {
      const { data } = await call("/safety/cleanup-stale", { method: "POST", body });
      const count = data.count ?? data.cleaned ?? this.plan.data.count;
      $("cleanup-dialog").close();
      toast(`${count} ${count === 1 ? "run" : "runs"} ended.`);
      refresh();
    } catch (error) {
      fail("cleanup-problem", error);
      this.plan = null;
    }
  },
};
$("cleanup").addEventListener("click", () => {
  $("cleanup-plan").replaceChildren();
  $("cleanup-dialog").showModal();
  cleanup.look();
});
$("cleanup-look").addEventListener("click", () => cleanup.look());
for (const id of ["cleanup-age", "cleanup-unit"]) $(id).addEventListener("change", () => cleanup.look());
$("cleanup-form").addEventListener("submit", (event) => {
  event.preventDefault();
  cleanup.apply();
});

// Sign in, theme, keys

$("signin-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("signin-token").value.trim();
  $("signin-token").value = "";
  refresh();
});

const themes = { auto: ["◐", "automatic"], light: ["☀", "light"], dark: ["☾", "dark"] };
function setTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const [sign, word] = themes[name];
  setText($("theme"), sign);
  $("theme").setAttribute("aria-label", `Theme: ${word}`);
  $("theme").title = `Theme: ${word}`;
  $("theme").dataset.name = name;
  try {
    localStorage.setItem("pawl.theme", name);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}
$("theme").addEventListener("click", () => {
  const names = Object.keys(themes);
  setTheme(names[(names.indexOf($("theme").dataset.name) + 1) % names.length]);
});
let stored = null;
try {
  stored = localStorage.getItem("pawl.theme");
} catch {
  // As above.
}
const asked = new URLSearchParams(location.search).get("theme");
setTheme(Object.hasOwn(themes, asked ?? "") ? asked : Object.hasOwn(themes, stored ?? "") ? stored : "auto");

refresh();
openFromAddress();
