// Details of one run: what it is, why, its attempts, its log, and what can be done with it.

import { ask, milliseconds, units } from "./ask.js";
import { attemptBlock } from "./attempt.js";
import { act, retry, stop, toast } from "./dialogs.js";
import { diagnosisBlock } from "./diagnosis.js";
import { $ } from "./page.js";
import { errorText, isOver, runName, sentence } from "./runs.js";
import { Problem, call, runPath } from "./server.js";
import { el, fact, json, logList, now, progressBar, relativeTime, setText, show, stateMark } from "./view.js";

/** A listener that opens a run. */
export function open(id) {
  return (event) => {
    event?.preventDefault();
    detail.open(id);
  };
}

export const detail = {
  id: null,
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
      const [run, attempts, logs, why] = await Promise.all([
        call(`${runPath(id)}?include=args,result`), call(`${runPath(id)}/attempts`), call(`${runPath(id)}/logs?tail=500`),
        call(`${runPath(id)}/explain`),
      ]);
      if (this.id === id) this.render(run.data, attempts.data.items ?? [], logs.data.items ?? [], why.data.explanation ?? null);
    } catch (error) {
      if (this.id === id && !this.parts) {
        $("detail-body").replaceChildren(el("p", { class: "problem" }, error instanceof Problem ? error.words : "The server does not answer."));
      }
    } finally {
      this.loading = false;
      if (this.id && this.id !== id) this.refresh();
    }
  },

  /** After something was done with it. */
  async again() {
    if (this.parts) this.parts.done = false;
    await this.refresh();
  },

  render(run, attempts, lines, why) {
    this.parts ??= this.build(run);
    const p = this.parts;
    p.run = run;
    const last = attempts.at(-1);
    // The names of a crash's stack come a moment after its end; of other ends with a crash record they never come.
    p.done = isOver(run) && !(last?.outcome === "crashed" && last.crash && !last.crash.stack && isFresh(run.finished_at));
    setText($("detail-title"), runName(run));
    p.mark.update(run.state);
    setText(p.sentence, sentence(run, attempts));
    this.renderButtons(run);
    show(p.bar, run.state === "running" || Boolean(run.progress?.line));
    p.bar.update(run.progress, `Progress of ${runName(run)}`);
    renderExplanation(p.why, why);
    p.facts.replaceChildren(...this.facts(run));
    block(p.error, "Error", !["failed", "retrying"].includes(run.state) ? null : errorText(run.error) && json(run.error?.details ? run.error : errorText(run.error)));
    block(p.args, "Arguments", run.args === undefined || run.args === null ? null : json(run.args));
    block(p.result, "Result", run.result === undefined || run.result === null ? null : json(run.result));
    const mark = JSON.stringify(attempts);
    if (mark !== p.attemptsShown) {
      // Only what changed is drawn anew: a folded part that somebody opened stays open.
      p.attemptsShown = mark;
      const opened = [...p.attempts.querySelectorAll("details[open]")].map((node) => node.dataset.name);
      p.attempts.replaceChildren(...attempts.map(attemptBlock));
      for (const node of p.attempts.querySelectorAll("details")) node.open ||= opened.includes(node.dataset.name);
    }
    show(p.attemptsTitle, attempts.length > 0);
    p.log.update(lines);
    show(p.logEmpty, lines.length === 0);
    show(p.log, lines.length > 0);
  },

  renderButtons(run) {
    const p = this.parts;
    const runs = run.state === "running";
    show(p.cancel, !isOver(run));
    show(p.terminate, runs);
    show(p.retry, isOver(run));
    for (const button of [p.extend, p.renice, p.diagnose]) show(button, runs);
    show(p.freeze, runs && !run.frozen);
    show(p.thaw, runs && Boolean(run.frozen));
    show(p.frozen, runs && Boolean(run.frozen));
  },

  facts(run) {
    const due = !isOver(run) && run.state !== "running" && run.run_at;
    return [
      ...fact("Title", run.title), ...fact("Id", run.id), ...fact("Queue", run.queue),
      ...fact("Priority", run.priority ? String(run.priority) : null), ...fact("Description", run.description),
      ...fact("Labels", Object.entries(run.labels ?? {}).map(([k, v]) => `${k}=${v}`).join(", ")),
      ...fact("Created", run.created_at && relativeTime(run.created_at)), ...fact("Due", due ? relativeTime(run.run_at) : null),
      ...fact("Started", run.started_at && relativeTime(run.started_at)),
      ...fact("Deadline", run.state === "running" && run.deadline_at && !run.frozen ? relativeTime(run.deadline_at) : null),
      ...fact("Finished", run.finished_at && relativeTime(run.finished_at)),
      ...fact("Host", run.host), ...fact("Mode", run.mode), ...fact("Niceness", run.niceness ? String(run.niceness) : null),
      ...fact("Retry of", run.retry_of && runLink(run.retry_of)), ...fact("Follows", run.parent && runLink(run.parent)),
      ...fact("Follow-ups", followUps(run.follow_ups ?? [])),
    ];
  },

  build(run) {
    const button = (text, action, risky) => el("button", { type: "button", class: risky ? "risky" : null, onclick: action }, text);
    const live = (verb, body, words) => async () => {
      if (await act(p.run, verb, body, words)) await this.again();
    };
    const p = {
      mark: stateMark(run.state), sentence: el("span", { class: "sentence" }), bar: progressBar(), facts: el("dl", { class: "facts" }),
      frozen: el("span", { class: "badge" }, "frozen"), why: el("section", { class: "why", "aria-label": "Explanation" }),
      error: el("section"), args: el("section"), result: el("section"), attempts: el("div", { class: "attempts" }),
      attemptsTitle: el("h3", {}, "Attempts"), log: logList("Log"), logEmpty: el("p", { class: "empty" }, "The log is empty."),
      looked: el("section", { class: "looked", "aria-live": "polite" }),
      freeze: button("Freeze", live("freeze", {}, "frozen")), thaw: button("Thaw", live("thaw", {}, "goes on")),
      extend: button("Extend…", () => this.extend()), renice: button("Renice…", () => this.renice()),
      diagnose: button("Diagnose", () => this.diagnose()),
      cancel: button("Cancel", () => stop(p.run, "cancel")), terminate: button("Terminate", () => stop(p.run, "terminate"), true),
      retry: button("Retry", async () => {
        const id = await retry(p.run);
        if (id && this.id) this.open(id);
      }),
    };
    $("detail-body").replaceChildren(
      el("div", { class: "detail-state" }, p.mark, p.frozen, p.sentence, el("span", { class: "grow" }),
        el("span", { class: "buttons" }, p.diagnose, p.extend, p.renice, p.freeze, p.thaw, p.cancel, p.terminate, p.retry)),
      p.bar, p.looked, p.why, p.error, p.facts, el("div", { class: "detail-blocks" }, p.args, p.result), p.attemptsTitle, p.attempts,
      el("h3", {}, "Log"), p.logEmpty, p.log);
    return p;
  },

  extend() {
    const run = this.parts.run;
    ask({
      heading: `Give ${runName(run)} more time`, text: "The deadline of the attempt that runs moves by this much.", button: "Extend",
      fields: [{ name: "amount", label: "How much", type: "number", min: 0, step: "any", value: 30, required: true }, { name: "unit", label: "Unit", value: "60000", choices: units }],
      act: async (values) => {
        const { data } = await call(`${runPath(run.id)}/extend`, { method: "POST", body: { by_ms: milliseconds(values.amount, values.unit) } });
        toast(`${runName(run)} may run until ${new Date(data.deadline_at).toLocaleString()}.`);
        await this.again();
      },
    });
  },

  renice() {
    const run = this.parts.run;
    ask({
      heading: `Renice ${runName(run)}`, text: "Of all its processes: higher gives way to others, lower takes a privilege.", button: "Renice",
      fields: [{ name: "niceness", label: "Niceness", type: "number", min: -20, max: 19, step: 1, value: run.niceness ?? 0, required: true }],
      act: async (values) => {
        await call(`${runPath(run.id)}/niceness`, { method: "POST", body: { niceness: Number(values.niceness) } });
        toast(`${runName(run)} has niceness ${values.niceness}.`);
        await this.again();
      },
    });
  },

  async diagnose() {
    const p = this.parts;
    p.diagnose.disabled = true;
    try {
      const answer = await act(p.run, "diagnostics", {}, null);
      if (!answer || this.parts !== p) return;
      p.looked.replaceChildren(el("h3", {}, "Doing just now ", relativeTime(answer.taken_at)), diagnosisBlock(answer.diagnosis));
    } finally {
      p.diagnose.disabled = false;
    }
  },
};

function runLink(id) {
  return el("a", { href: `#${id}`, onclick: open(id) }, id);
}

/** Runs that this one asked for. */
function followUps(list) {
  return list.length === 0 ? null : el("ul", { class: "follow-ups" }, ...list.map((run) => el("li", {}, runLink(run.id), " ", run.job ?? "")));
}

function block(node, heading, text) {
  show(node, Boolean(text));
  if (!text) return;
  if (!node.firstChild) node.append(el("h3", {}, heading), el("pre", { tabindex: 0 }));
  setText(node.lastChild, text);
}

/** Whether a time is less than a minute ago: what has not come by then does not come by waiting. */
function isFresh(time) {
  return now() - Date.parse(time) < 60000;
}

/** The cause in words, what proves it, and what to type next. */
function renderExplanation(node, why) {
  show(node, Boolean(why));
  const mark = JSON.stringify(why);
  if (!why || node.dataset.mark === mark) return;
  node.dataset.mark = mark;
  const opened = node.querySelector("details")?.open ?? false;
  const evidence = el("details", {}, el("summary", {}, "Evidence"), el("ul", {}, ...(why.evidence ?? []).map((e) => el("li", {}, e.text))));
  evidence.open = opened;
  node.replaceChildren(
    el("p", { class: "why-summary" }, why.summary ?? ""), el("p", { class: "muted" }, why.because ?? ""),
    (why.evidence ?? []).length ? evidence : el("span"),
    el("dl", { class: "next" }, ...(why.next ?? []).flatMap((step) => [el("dt", {}, el("code", {}, step.command)), el("dd", {}, step.why)])));
}

$("detail").addEventListener("close", () => {
  detail.id = null;
  detail.parts = null;
  history.replaceState(null, "", location.pathname + location.search);
});

export function openFromAddress() {
  // As it stands: a run's name needs no escapes, and what is no escape must not stop the page.
  const id = location.hash.slice(1);
  if (/^run_[0-9a-z]{13}$/i.test(id)) detail.open(id);
}
addEventListener("hashchange", openFromAddress);
