// One plugin: its versions side by side, the steps of each, what holds one back, what a version changes, and who has which.

import { ask } from "./ask.js";
import { confirmation, toast } from "./dialogs.js";
import { $, page } from "./page.js";
import { Problem, call, upload } from "./server.js";
import { bytes, el, fact, number, relativeTime, setText, show, span } from "./view.js";

const path = (name) => `/plugins/${encodeURIComponent(name)}`;
const short = (version) => (version ?? "").slice(0, 12);

export function openPlugin(name) {
  return (event) => {
    event?.preventDefault();
    plugin.open(name);
  };
}

export const plugin = {
  name: null,
  tag: null,
  shown: null,
  loading: false,

  async open(name) {
    this.name = name;
    this.tag = null;
    this.shown = null;
    setText($("plugin-title"), name);
    $("plugin-body").replaceChildren(el("p", { class: "muted" }, "Loading…"));
    if (!$("plugin").open) $("plugin").showModal();
    await this.refresh();
  },

  async refresh() {
    if (!this.name || this.loading || document.hidden) return;
    this.loading = true;
    const name = this.name;
    try {
      const answer = await call(path(name), { etag: this.tag });
      if (this.name !== name || !answer.data) return;
      this.tag = answer.etag;
      this.render(answer.data);
    } catch (error) {
      if (this.name === name && !this.shown) {
        $("plugin-body").replaceChildren(el("p", { class: "problem" }, error instanceof Problem ? error.words : "The server does not answer."));
      }
    } finally {
      this.loading = false;
      if (this.name && this.name !== name) this.refresh();
    }
  },

  render(p) {
    this.shown = p;
    const opened = [...$("plugin-body").querySelectorAll("details[open]")].map((node) => node.dataset.name);
    const focus = document.activeElement?.dataset?.focus;
    $("plugin-body").replaceChildren(
      el("div", { class: "detail-state" }, badge(p.state), ...states(p), el("span", { class: "grow" }), buttons(p)),
      ...(p.error ? [el("pre", { class: "load-error", tabindex: 0 }, p.error)] : []),
      ...(p.held ? [heldBlock(p)] : []), ...(p.canary ? [canaryBlock(p)] : []),
      el("dl", { class: "facts" }, ...fact("File", p.file), ...fact("Kind", p.kind === "ffi" ? "manifest of C functions" : null),
        ...fact("Changed", p.changed_at && relativeTime(p.changed_at)), ...fact("By", p.changed_by), ...fact("Reason", p.reason)),
      el("h3", {}, "Versions"), el("ul", { class: "versions" }, ...(p.versions ?? []).map((v) => versionBlock(p, v))),
      ...changesBlock(p.changes), ...hostsBlock(p), ...eventsBlock(p.events ?? []));
    for (const node of $("plugin-body").querySelectorAll("details")) node.open ||= opened.includes(node.dataset.name);
    if (focus) $("plugin-body").querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
  },
};

$("plugin").addEventListener("close", () => {
  plugin.name = null;
  plugin.shown = null;
});

// What is shown

function badge(state) {
  return el("span", { class: "badge", "data-state": state }, (state ?? "").replaceAll("_", " "));
}

function states(p) {
  return [
    p.disabled ? el("span", { class: "badge", "data-state": "rejected" }, "disabled") : null,
    p.pinned ? el("span", { class: "badge", "data-state": "pinned", title: "Files do not change what serves" }, "pinned") : null,
    p.drift ? el("span", { class: "badge", "data-state": "drift" }, `drift on ${p.drift} ${p.drift === 1 ? "host" : "hosts"}`) : null,
    p.label ? el("span", { class: "sentence" }, p.label) : null,
  ].filter(Boolean);
}

function heldBlock(p) {
  const problems = p.held.problems ?? [];
  return el("section", { class: "held", "aria-label": "Held back" },
    el("p", { class: "why-summary" }, `Version ${short(p.held.version)} is held back: ${breaks(p.held)}.`),
    el("ul", {}, ...problems.map((x) => el("li", {}, el("b", {}, x.handler ?? ""), x.where ? ` · ${x.where}` : "", `: ${x.words ?? ""}`))),
    el("div", { class: "buttons" }, action(p, "Activate all the same", "activate-held", () => change(p, "activate",
      { version: p.held.version, force: true }, `Activate ${short(p.held.version)} all the same?`,
      problems.length ? "The runs and schedules above will fail on it until they are changed." : "It serves on all hosts then.",
      "Activate all the same"), true)));
}

/** "2 things would break", or another reason. */
export function breaks(held) {
  const count = held.problems?.length ?? 0;
  if (count === 0) return (held.words || "somebody has to activate it").replace(/\.$/, "");
  return `${count} ${count === 1 ? "thing" : "things"} would break`;
}

function canaryBlock(p) {
  const c = p.canary;
  const share = c.percent ? `takes ${c.percent} % of the runs` : `takes the first ${number(c.runs ?? 0)} runs`;
  const seen = c.seen ? `: ${number(c.seen.crashed)} of ${number(c.seen.runs)} crashed here` : "";
  const bound = c.crash_percent_bound === null || c.crash_percent_bound === undefined ? ""
    : ` It is rolled back by itself when more than ${c.crash_percent_bound} % of at least ${number(c.minimum_runs ?? 0)} runs crash.`;
  return el("section", { class: "why", "aria-label": "Canary" },
    el("p", { class: "why-summary" }, `${short(c.version)} is being tried: it ${share}${seen}.`), el("p", { class: "muted" }, bound.trim()));
}

function versionBlock(p, v) {
  const isActive = v.version === p.active;
  const isCanary = v.version === p.canary?.version;
  return el("li", { class: "version", "data-version": v.version },
    el("div", { class: "line" }, el("strong", { class: "mono", title: v.version }, short(v.version)), v.label ? el("span", {}, v.label) : null, badge(v.state),
      v.version === p.previous ? el("span", { class: "muted" }, "previous") : null, el("span", { class: "grow" }),
      el("span", { class: "buttons" },
        isActive ? null : action(p, "Activate", `activate-${v.version}`, () => change(p, "activate", { version: v.version },
          `Activate ${short(v.version)}?`, "New runs start on it, on all hosts; runs in flight finish on the version they began with.", "Activate"), false,
        `Activate ${short(v.version)}`),
        isActive || isCanary ? null : action(p, "Canary…", `canary-${v.version}`, () => canary(p, v), false, `Try ${short(v.version)} as a canary`),
        isActive || isCanary ? null : action(p, "Remove", `remove-${v.version}`, () => remove(p, v), true, `Remove ${short(v.version)}`))),
    el("dl", { class: "figures" },
      ...figure("runs", v.runs), ...figure("failed", v.failed), ...figure("crashed", v.crashed, (v.crashed ?? 0) > 0), ...figure("running", v.running),
      ...figure("size", v.size_bytes ? bytes(v.size_bytes) : null), ...figure("source", v.source), ...figure("signed by", v.signed_by),
      ...figure("loaded", v.loaded_at ? relativeTime(v.loaded_at) : null), ...(isCanary ? canaryFigures(p.canary) : [])),
    handlersBlock(v),
    v.error ? el("pre", { class: "load-error", tabindex: 0 }, v.error) : null,
    steps(v.steps ?? []), lastEvent((p.events ?? []).find((e) => e.version === v.version)),
    (v.notes ?? []).length ? el("p", { class: "muted" }, v.notes.join(" · ")) : null);
}

function canaryFigures(c) {
  const crashed = c.seen?.crashed ?? 0;
  return [
    ...figure("canary", c.percent ? `${c.percent} % of the runs` : `first ${number(c.runs ?? 0)} runs`),
    ...figure("of them crashed", c.seen ? `${number(crashed)} of ${number(c.seen.runs)}` : null, crashed > 0),
  ];
}

/** More are folded. */
const handlersShown = 6;

/** What a version has: names, and what is known of their args. */
function handlersBlock(v) {
  const handlers = v.handlers ?? [];
  if (handlers.length === 0) return null;
  const list = el("ul", { class: "handlers", "aria-label": "Handlers" }, ...handlers.map((h) => el("li", { class: "line" },
    el("span", { class: "mono" }, h.name), el("span", { class: "muted" }, h.args_schema ? "args schema" : "no args schema"),
    v.kind === "ffi" ? el("span", { class: "badge", title: "A C function, called by its types" }, "typed") : null,
    h.unverified ? el("span", { class: "badge", "data-state": "unverified", title: "Its library has no debug information to compare the declaration with" }, "unverified") : null,
    h.quarantine ? el("span", { class: "badge", "data-state": "rejected" }, "quarantine") : null,
    h.description ? el("span", { class: "muted" }, h.description) : null)));
  if (handlers.length <= handlersShown) return list;
  return el("details", { "data-name": `handlers-${v.version}` }, el("summary", {}, `${handlers.length} handlers`), list);
}

function lastEvent(event) {
  if (!event) return null;
  return el("p", { class: "line last-event" }, el("span", { class: "muted" }, "last event"), badge(event.kind), relativeTime(event.at),
    event.host_name ? el("span", { class: "muted" }, event.host_name) : null, el("span", { class: "muted" }, words(event.detail)));
}

function figure(name, value, isBad = false) {
  if (value === null || value === undefined) return [];
  return [el("div", { class: isBad ? "bad" : null }, el("dt", {}, name), el("dd", {}, value instanceof Node ? value : typeof value === "number" ? number(value) : value))];
}

function steps(list) {
  if (list.length === 0) return null;
  return el("ol", { class: "steps", "aria-label": "Steps" }, ...list.map((s) => el("li", { "data-step": s.step, title: s.at },
    el("span", {}, (s.step ?? "").replaceAll("_", " ")), s.after_ms === null || s.after_ms === undefined ? null : el("span", { class: "muted" }, `+${span(s.after_ms)}`),
    s.detail ? el("span", { class: "muted" }, s.detail) : null)));
}

function changesBlock(changes) {
  if (!changes) return [];
  const handlers = changes.handlers ?? [];
  const breaking = handlers.filter((h) => h.breaking).length;
  const title = `Changes from ${short(changes.from)} to ${short(changes.to)}`;
  if (handlers.length === 0) return [el("h3", {}, title), el("p", { class: "muted" }, "No handler and no schema changes.")];
  return [
    el("h3", {}, title, breaking ? ` · ${breaking} breaking` : ""),
    el("ul", { class: "changes" }, ...handlers.map((h) => el("li", { class: h.breaking ? "breaking" : null },
      el("span", { class: "mono" }, h.handler), ` ${h.kind}`, h.breaking ? el("b", {}, " breaking") : null,
      (h.changes ?? []).length ? el("ul", {}, ...h.changes.map((c) => el("li", { class: c.breaking ? "breaking" : null },
        el("span", { class: "mono" }, `${c.of}${c.pointer}`), `: ${c.words}`, c.breaking ? el("b", {}, " breaking") : null))) : null))),
  ];
}

function hostsBlock(p) {
  const hosts = p.hosts ?? [];
  // One host that has what it should is no news.
  if (hosts.length < 2 && !p.drift) return [];
  return [el("h3", {}, "Hosts"), el("ul", { class: "hosts" }, ...hosts.map((h) => el("li", { class: h.drift ? "line drift" : "line" },
    el("strong", {}, h.name ?? h.host), el("span", { class: "mono muted" }, short(h.version) || "nothing"), badge(h.state),
    h.drift ? el("b", {}, "drift") : null, h.error ? el("span", { class: "muted" }, h.error) : null, el("span", { class: "grow" }), relativeTime(h.updated_at))))];
}

function eventsBlock(events) {
  if (events.length === 0) return [];
  return [el("details", { "data-name": "events" }, el("summary", {}, `Events (${events.length})`), el("ul", { class: "events" }, ...events.map((e) =>
    el("li", { class: "line" }, relativeTime(e.at), badge(e.kind), el("span", { class: "mono muted" }, short(e.version)),
      e.host_name ? el("span", { class: "muted" }, e.host_name) : null, el("span", {}, words(e.detail))))))];
}

function words(detail) {
  if (detail === null || detail === undefined) return "";
  if (typeof detail === "string" || detail.words) return detail.words ?? detail;
  if (!detail.policy) return JSON.stringify(detail);
  return detail.policy.percent ? `on ${detail.policy.percent} % of the runs` : `on the first ${number(detail.policy.runs ?? 0)} runs`;
}

// What can be done

function action(p, text, focus, act, risky = false, label = null) {
  return el("button", { type: "button", class: risky ? "risky" : null, "data-focus": focus, "aria-label": label, onclick: act }, text);
}

function buttons(p) {
  const verb = (name, heading, text, button) => () => change(p, name, {}, heading, text, button);
  return el("span", { class: "buttons" },
    p.previous || p.canary ? action(p, p.canary ? "End canary" : "Rollback", "rollback", verb("rollback", p.canary ? `End the canary of ${p.name}?` : `Roll ${p.name} back to ${short(p.previous)}?`,
      p.canary ? "All its runs go to the version that serves." : "New runs start on it, on all hosts; runs in flight finish on the version they began with.",
      p.canary ? "End the canary" : "Roll back")) : null,
    p.state === "crash_loop" ? action(p, "Lift", "lift", verb("unquarantine", `Start ${p.name} again?`, "Its processes died too often; it is loaded once more.", "Start it again")) : null,
    p.pinned
      ? action(p, "Unpin", "pin", verb("unpin", `Unpin ${p.name}?`, "Files in plugin directories change again which version serves.", "Unpin"))
      : p.revision ? action(p, "Pin", "pin", verb("pin", `Pin ${p.name}?`, "No file in a plugin directory changes which version serves; uploads and orders do.", "Pin")) : null,
    p.disabled
      ? action(p, "Enable", "enable", verb("enable", `Enable ${p.name}?`, "Its waiting runs start.", "Enable"))
      : action(p, "Disable", "disable", verb("disable", `Disable ${p.name}?`, "No run of its handlers starts any more, on no host; they wait. What runs goes on.", "Disable"), true));
}

/** The tag is of what the person saw when they were asked: a change by somebody else meanwhile is refused. */
function change(p, verb, body, heading, text, button) {
  const tag = plugin.tag;
  confirmation.open(heading, text, button, async (reason) => {
    const { data } = await call(`${path(p.name)}/${verb}`, { method: "POST", body: reason ? { ...body, reason } : body, match: tag });
    done(p, data?.changed === false ? "was so already" : verb === "activate" ? "has a new version" : `${verb}: done`);
  });
}

function canary(p, v) {
  const tag = plugin.tag;
  ask({
    heading: `Try ${short(v.version)} of ${p.name}`,
    text: "A crash in the canary uses no attempt: the run goes to the old version. When too many of its runs crash it is rolled back by itself.",
    button: "Start the canary",
    fields: [{ name: "percent", label: "Share of the runs in percent", type: "number", min: 1, max: 100, step: 1, value: 5, required: true },
      { name: "bound", label: "Rolled back when more than this share of its runs crashes, in percent", type: "number", min: 0, max: 100, step: "any", value: 1 },
      { name: "reason", label: "Reason" }],
    act: async (values) => {
      const body = { version: v.version, percent: Number(values.percent) };
      if (values.bound !== "") body.crash_percent_bound = Number(values.bound);
      if (values.reason) body.reason = values.reason;
      await call(`${path(p.name)}/canary`, { method: "POST", body, match: tag });
      done(p, `tries ${short(v.version)}`);
    },
  });
}

function remove(p, v) {
  const tag = plugin.tag;
  confirmation.open(`Remove ${short(v.version)} of ${p.name}?`, "Its bytes are gone then, and its runs cannot be replayed any more.", "Remove", async () => {
    await call(`${path(p.name)}/versions/${v.version}`, { method: "DELETE", match: tag });
    done(p, `has lost version ${short(v.version)}`);
  });
}

function done(p, text) {
  toast(`${p.name} ${text}.`);
  plugin.tag = null;
  plugin.refresh();
}

// Uploads

/** Where the host takes plugins from a browser: a file, or one that is dropped onto the panel. */
export function renderUpload() {
  show($("plugin-upload"), page.overview?.host?.uploads === "page");
}

function askUpload(file) {
  ask({
    heading: "Upload a plugin",
    text: "It is checked and loaded on trial; it serves if nothing speaks against it.",
    button: "Upload",
    fields: [
      ...(file ? [] : [{ name: "file", label: "File", type: "file", accept: ".so,.json", required: true }]),
      { name: "name", label: "Plugin", value: file ? file.name.split(".")[0].replace(/^lib/, "") : "", hint: "As it calls itself; from the file's name unless told." },
      { name: "activate", label: "Then", value: "", choices: [["", "let it serve"], ["5", "give it 5 % of the runs"], ["stage", "only keep it ready"]] },
      { name: "reason", label: "Reason" },
    ],
    act: async (values) => {
      const chosen = file ?? values.file;
      const name = values.name || chosen.name.split(".")[0].replace(/^lib/, "");
      const query = new URLSearchParams({ file: chosen.name });
      if (values.activate === "stage") query.set("activate", "false");
      else if (values.activate) query.set("canary_percent", values.activate);
      if (values.reason) query.set("reason", values.reason);
      const { data } = await upload(`${path(name)}/versions?${query}`, chosen);
      toast(`${name} ${short(data.version)}: ${data.state.replaceAll("_", " ")}.`, data.state === "held" ? "bad" : "good");
      plugin.open(name);
    },
  });
}

$("plugin-upload").addEventListener("click", () => askUpload(null));
const panel = $("plugins").closest(".panel");
for (const kind of ["dragover", "drop"]) {
  panel.addEventListener(kind, (event) => {
    if ($("plugin-upload").hidden || ![...event.dataTransfer.items].some((item) => item.kind === "file")) return;
    event.preventDefault();
    if (kind === "drop" && event.dataTransfer.files.length) askUpload(event.dataTransfer.files[0]);
  });
}
