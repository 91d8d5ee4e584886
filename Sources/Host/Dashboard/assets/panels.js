// The panels beside the runs: schedules, plugins, queues, safety.

import { $ } from "./page.js";
import { breaks, openPlugin } from "./plugin.js";
import { runDialog } from "./run-dialog.js";
import { editor } from "./schedule-editor.js";
import { el, number, reconcile, relativeTime, setText, show, span, stateMark } from "./view.js";

export function scheduleRow() {
  const name = el("button", { type: "button", class: "quiet schedule-name", onclick: () => editor.open(node.schedule) });
  const when = el("span", { class: "muted" });
  const job = el("span", { class: "muted" });
  const next = relativeTime(null);
  const none = el("span", { class: "muted" });
  const node = el("li", {}, el("div", { class: "line" }, name, el("span", { class: "grow" }), next, none),
    el("div", { class: "line" }, job, el("span", { class: "grow" }), when));
  node.update = (s) => {
    node.schedule = s;
    setText(name, s.name ?? s.id);
    name.setAttribute("aria-label", `Change the schedule ${s.name ?? s.id}`);
    setText(job, s.job);
    setText(when, scheduleText(s));
    const on = s.enabled !== false && s.next_at && !s.paused_at;
    show(next, Boolean(on));
    if (on) next.update(s.next_at);
    show(none, !on);
    setText(none, on ? "" : s.enabled === false ? "off" : s.paused_at ? "paused" : "done");
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

export function pluginRow() {
  const name = el("a", { class: "run-name", href: "#" });
  const remark = el("p", { class: "remark" });
  const label = el("span", { class: "muted" });
  const state = el("span", { class: "badge" });
  const file = el("span", { class: "muted mono" });
  const handlers = el("div", { class: "chips" });
  const error = el("pre", { class: "load-error" });
  const node = el("li", {}, el("div", { class: "line" }, name, label, el("span", { class: "grow" }), state), file, remark, handlers, error);
  let shownHandlers = "";
  name.addEventListener("click", (event) => {
    if (node.plugin) openPlugin(node.plugin)(event);
    else event.preventDefault();
  });
  node.update = (p) => {
    node.plugin = p.name;
    setText(name, p.name || p.file);
    if (p.name) name.setAttribute("href", `#plugin/${encodeURIComponent(p.name)}`);
    else name.removeAttribute("href");
    setText(remark, pluginRemarks(p));
    show(remark, remark.textContent !== "");
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

/** What a person should know at a glance: a version that is held or tried, hosts that differ, a plugin that is off. */
function pluginRemarks(p) {
  const short = (version) => (version ?? "").slice(0, 12);
  return [
    p.disabled ? "disabled: its runs wait" : null,
    p.held ? `${short(p.held.version)} is held back: ${breaks(p.held)}` : null,
    p.canary ? `${short(p.canary.version)} is tried on ${p.canary.percent ? `${p.canary.percent} %` : "its first runs"}` : null,
    p.drift ? `${p.drift} ${p.drift === 1 ? "host has" : "hosts have"} another version` : null,
  ].filter(Boolean).join(" · ");
}

export function queueRow() {
  const name = el("strong");
  const counts = el("span", { class: "muted" });
  const node = el("li", {}, el("div", { class: "line" }, name, el("span", { class: "grow" }), counts));
  node.update = (q) => {
    setText(name, q.name ?? q.queue);
    const c = q.counts ?? q;
    setText(counts, [
      `${number(c.running ?? 0)}${q.concurrency ? ` of ${number(q.concurrency)}` : ""} running`, `${number((c.queued ?? 0))} queued`,
      c.scheduled ? `${number(c.scheduled)} scheduled` : null, c.retrying ? `${number(c.retrying)} retrying` : null,
      q.paused ? q.service ?? "paused" : null,
    ].filter(Boolean).join(" · "));
  };
  return node;
}

export function renderSafety(health) {
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
