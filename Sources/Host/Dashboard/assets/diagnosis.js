// What a look into a run's processes found.

import { folded, stackList } from "./attempt.js";
import { bytes, el, span, visible } from "./view.js";

export function diagnosisBlock(found) {
  if (typeof found !== "object" || found === null) return el("pre", { tabindex: 0 }, visible(found));
  const known = [found.position ? `last call at ${found.position.file}:${found.position.line}` : null,
    found.last_progress ? `progress: ${found.last_progress}` : null, found.last_line ? `last line: ${lineText(found.last_line)}` : null].filter(Boolean);
  const processes = found.processes ?? [];
  return el("div", { class: "diagnosis" },
    known.length ? el("p", { class: "muted" }, visible(known.join(" · "))) : null, ...processes.map(processBlock),
    processes.length ? null : el("p", { class: "muted" }, "No process was found."));
}

function lineText(line) {
  return typeof line === "string" ? line : line.message ?? "";
}

function processBlock(p) {
  const head = [p.name ?? p.comm, p.state, p.cpu_ms === undefined ? null : `CPU ${span(p.cpu_ms)}`, p.rss_bytes ? bytes(p.rss_bytes) : null, p.error].filter(Boolean).join(", ");
  const files = p.files ?? [];
  return el("section", {},
    el("p", {}, el("strong", {}, `Process ${p.pid}`), ` ${visible(head)}`), ...(p.threads ?? []).map(threadBlock),
    files.length ? folded(`files-${p.pid}`, `${files.length} open files`,
      el("pre", { tabindex: 0 }, visible(files.map((f) => `${f.fd} ${f.target ?? f.path ?? ""}`).join("\n")))) : null);
}

function threadBlock(t) {
  const call = t.syscall && typeof t.syscall === "object" ? t.syscall.name : t.syscall;
  const facts = [t.state, call ? `in ${call}` : null, t.wchan && t.wchan !== "0" ? `waits in ${t.wchan}` : null, t.error].filter(Boolean).join(", ");
  return el("div", {}, el("p", {}, `Thread ${t.tid} ${visible(t.name ?? "")} `, el("span", { class: "muted" }, visible(facts))),
    stackList(t.frames ?? t.stack ?? []));
}
