// One attempt: how it went, what it used, how it crashed, what it left behind.

import { sampleChart } from "./chart.js";
import { diagnosisBlock } from "./diagnosis.js";
import { errorText } from "./runs.js";
import { bytes, el, fact, number, signalName, span, stateMark, visible } from "./view.js";

export function attemptBlock(a) {
  const ended = a.ended_at ?? a.finished_at;
  const samples = a.samples ?? [];
  const chart = samples.length > 1 ? sampleChart(samples) : null;
  return el("section", { class: "attempt" },
    el("div", { class: "line" }, el("strong", {}, `Attempt ${a.attempt ?? a.number}`), stateMark(a.outcome ?? "running"),
      a.reason ? el("span", { class: "muted" }, a.reason.replaceAll("_", " ")) : null,
      a.frozen ? el("span", { class: "badge" }, "frozen") : null),
    el("dl", { class: "facts" },
      ...fact("Took", a.started_at && ended ? span(Date.parse(ended) - Date.parse(a.started_at)) : null),
      ...fact("Exit", a.signal ? `signal ${signalName(a.signal)}` : a.exit_code ?? null), ...fact("Pid", a.pid), ...fact("Host", a.host),
      ...fact("Version", a.version?.slice(0, 12)), ...fact("Mode", a.mode), ...resourceFacts(a), ...fact("Kill ladder", ladder(a.ladder ?? [])),
      ...fact("Left-overs killed", a.survivors_killed || null), ...fact("Left behind", leaks(a.leaks)),
      ...fact("Dropped", dropped(a)), ...fact("Error", errorText(a.error))),
    chart, a.crash ? crashBlock(a) : null, lastLines(a.last_lines ?? []),
    a.diagnosis ? folded(`diagnosis-${a.attempt}`, "What it was doing when it was ended", diagnosisBlock(a.diagnosis)) : null);
}

function resourceFacts(a) {
  const resources = a.resources ?? {};
  const ms = (name) => resources[`${name}_ms`] ?? (resources[`${name}_us`] === undefined ? undefined : resources[`${name}_us`] / 1000);
  const user = ms("user_cpu");
  const sample = a.sample;
  return [
    ...fact("CPU", user === undefined ? null : `${span(user)} user, ${span(ms("system_cpu") ?? 0)} system`),
    ...fact("Memory", resources.max_rss_bytes ? `${bytes(resources.max_rss_bytes)} peak` : null),
    ...fact("Page faults", resources.minor_faults === undefined ? null : number(resources.minor_faults + (resources.major_faults ?? 0))),
    ...fact("Now", sample ? `${span(sample.cpu_ms)} CPU, ${bytes(sample.rss_bytes)}, ${number(sample.processes)} processes, ${number(sample.threads)} threads, ${number(sample.descriptors)} files` : null),
  ];
}

function ladder(steps) {
  return steps.map((s) => `${s.name} at ${span(s.at_ms)}`).join(" → ");
}

function leaks(found) {
  if (!found) return null;
  const words = [["processes", "processes"], ["scratch_files", "scratch files"], ["descriptors", "descriptors"], ["threads", "threads"]]
    .filter(([name]) => found[name]).map(([name, text]) => `${number(found[name])} ${text}`);
  if (found.growth_bytes) words.push(`grew by ${bytes(found.growth_bytes)}`);
  words.push(...(found.restored ?? []).map((what) => `${what} put back`));
  if (found.recycled) words.push(`not used again: ${found.recycled}`);
  return words.join(", ");
}

function dropped(a) {
  return [a.dropped_log_lines ? `${number(a.dropped_log_lines)} log lines` : null, a.dropped_output_bytes ? `${bytes(a.dropped_output_bytes)} of output` : null]
    .filter(Boolean).join(", ");
}

function crashBlock(a) {
  const crash = a.crash;
  const head = [crash.signal && signalName(crash.signal), crash.address !== undefined && crash.address !== null ? `at ${crash.address}` : null,
    crash.thread_name ? `on thread ${crash.thread_name}` : null].filter(Boolean).join(" ");
  const frames = crash.stack ? stackList(crash.stack)
    : crash.frames?.length ? el("pre", { tabindex: 0 }, crash.frames.join("\n")) : null;
  const registers = Object.entries(crash.registers ?? {});
  return el("section", { class: "crash", "aria-label": "Crash report" },
    el("div", { class: "line" }, el("strong", {}, "Crash"), el("span", {}, head), el("span", { class: "grow" }),
      a.error_group ? el("span", { class: "muted mono", title: "Fingerprint of its group" }, a.error_group) : null),
    frames, registers.length ? folded(`registers-${a.attempt}`, "Registers",
      el("pre", { tabindex: 0 }, registers.map(([name, value]) => `${name.padEnd(8)} ${value}`).join("\n"))) : null);
}

/** Frames with their places, innermost first. */
export function stackList(frames) {
  return el("ol", { class: "stack" }, ...frames.map((f) => el("li", {},
    el("span", { class: "function" }, visible(f.function ?? (f.module ? `${fileName(f.module)}${f.offset ? `+${f.offset}` : ""}` : f.address ?? "?"))),
    f.inlined ? el("span", { class: "muted" }, " inlined") : null,
    f.file ? el("span", { class: "place", title: f.file }, ` ${visible(fileName(f.file))}${f.line ? `:${f.line}` : ""}`) : null)));
}

function fileName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

function lastLines(lines) {
  if (!lines.length) return null;
  return el("section", {}, el("h3", {}, "Last words"), el("pre", { tabindex: 0 }, visible(lines.map((line) => line.message).join("\n"))));
}

/** A part that is closed at first; its name tells it from the others when the attempt is drawn again. */
export function folded(name, heading, ...children) {
  return el("details", { "data-name": name }, el("summary", {}, heading), ...children);
}
