// The runs that run, and the recent ones. While the pointer or the focus is in the list it keeps its order, and what is new waits behind a button.

import { retry, stop } from "./dialogs.js";
import { open } from "./detail.js";
import { $, page } from "./page.js";
import { isOver, runName, whatHappened } from "./runs.js";
import { el, elapsed, logList, progressBar, reconcile, relativeTime, setText, show, stateMark } from "./view.js";

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

export function runningCard(run) {
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
      value.cancel_requested_at ? "told to end" : null, value.frozen ? "frozen" : null].filter(Boolean).join(" · "));
    bar.update(value.progress, `Progress of ${runName(value)}`);
    log.update((value.log_tail ?? []).slice(-3));
  };
  return node;
}

let filter = "";
let frozen = null;

function isHeld() {
  const list = $("recent");
  return list.matches(":hover") || list.contains(document.activeElement);
}

export function renderRecent(force = false) {
  const all = (page.overview?.recent ?? []).filter((run) => {
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
  const action = el("button", { type: "button", onclick: () => retryOrCancel(node.run) });
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
    setText(action, isOver(value) ? "Retry" : "Cancel");
    action.setAttribute("aria-label", `${action.textContent} ${runName(value)}`);
  };
  return node;
}

function retryOrCancel(run) {
  if (isOver(run)) retry(run);
  else stop(run, "cancel");
}

export function setFilter(text) {
  $("filter").value = text;
  filter = text.toLowerCase();
  renderRecent(true);
}
$("filter").addEventListener("input", () => {
  filter = $("filter").value.trim().toLowerCase();
  if (page.overview) renderRecent(true);
});
$("newer").addEventListener("click", () => renderRecent(true));
