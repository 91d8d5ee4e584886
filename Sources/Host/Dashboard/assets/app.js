// The page: one request every two seconds (answered "304 Not Modified" while nothing happens), panels that are brought
// in line with the answer, and dialogs for what a person can do.

import "./cleanup.js";
import { crashRow, renderQuarantines } from "./crashes.js";
import { detail, openFromAddress } from "./detail.js";
import { $, page } from "./page.js";
import { pluginRow, queueRow, renderSafety, scheduleRow } from "./panels.js";
import { plugin, renderUpload } from "./plugin.js";
import { renderRecent, runningCard, setFilter } from "./recent.js";
import { renderEmergency } from "./safety.js";
import { Problem, call, signInWith } from "./server.js";
import { el, number, reconcile, setServerTime, setText, show, stateMark, tickAll } from "./view.js";

const period = 2000;

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
      page.overview = answer.data;
      if (page.overview.now) setServerTime(page.overview.now);
      render();
    }
    offlineSince = null;
    setLive("live", "Live");
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
      tag = null;
      show($("signin"), true);
      show($("main"), page.overview !== null);
      setLive("away", "Signed out");
    } else {
      offlineSince ??= new Date();
      setLive("away", `Offline since ${offlineSince.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}`);
    }
  } finally {
    busy = false;
  }
  document.body.classList.toggle("stale", $("live").dataset.state === "away" && page.overview !== null);
  if (detail.id) detail.refresh();
  if (plugin.name) plugin.refresh();
  timer = setTimeout(refresh, period);
}

page.refresh = refresh;

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
  const o = page.overview;
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
  panel("crashes", o.crashes ?? [], (c) => c.fingerprint, crashRow);
  renderUpload();
  renderQuarantines(o.quarantines ?? []);
  renderSafety(o.health ?? {});
  renderEmergency(o.health ?? {});
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
      setText(value, number(page.overview.counts[state]));
      node.setAttribute("aria-label", `${value.textContent} ${state}: filter the recent runs`);
    };
    return node;
  });
}

// Sign in, theme, keys

$("signin-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signInWith($("signin-token").value.trim());
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
