// Small tools for building the page: elements, state marks, numbers and times. Everything that comes from the server
// reaches the document as text, never as markup.

/** An element with properties, listeners (`onclick`) and children (nodes or text; null is skipped). */
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Control characters and marks that turn the text around, made visible: a title must read as what it is. */
export function visible(text) {
  return String(text ?? "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** Sets text only when it differs, so that a selection and the screen reader's place survive a refresh. */
export function setText(node, text) {
  const value = visible(text);
  if (node.textContent !== value) node.textContent = value;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/**
 * Brings the children of `parent` in line with `items`: one node per key, made once, updated in place, in this order.
 * `make(item)` returns a node with a method `update(item)`.
 */
export function reconcile(parent, items, key, make) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    let node = old.get(id);
    if (node) old.delete(id);
    else {
      node = make(item);
      node.dataset.key = id;
    }
    node.update(item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

// States: colour group, shape and word; any two of the three tell them apart.
const groups = {
  scheduled: "waiting", blocked: "waiting", queued: "waiting",
  running: "active", retrying: "attention",
  succeeded: "success", failed: "failure", cancelled: "neutral",
  error: "failure", crashed: "failure", timed_out: "failure", out_of_memory: "failure", lost: "failure",
  terminated: "neutral", snoozed: "waiting",
};
const shapes = {
  waiting: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3Z",
  active: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  attention: "M8 2.8 14 13.2H2Z",
  success: "m3 8.5 3.5 3.5L13 4.5",
  failure: "m4 4 8 8m0-8-8 8",
  neutral: "M3 8h10",
};
const meanings = {
  scheduled: "Not due yet", blocked: "Waits for another run", queued: "Waits for a free worker",
  running: "A child process works on it", retrying: "Failed; waits for the next attempt",
  succeeded: "Done", failed: "Out of attempts", cancelled: "Ended on request",
};

export function groupOf(state) {
  return groups[state] ?? "neutral";
}

const svg = "http://www.w3.org/2000/svg";

/** A state as mark and word. `update(state)` changes it in place. */
export function stateMark(state) {
  const path = document.createElementNS(svg, "path");
  const mark = document.createElementNS(svg, "svg");
  mark.setAttribute("viewBox", "0 0 16 16");
  mark.setAttribute("aria-hidden", "true");
  mark.append(path);
  const word = el("span");
  const node = el("span", { class: "state" }, mark, word);
  node.update = (value) => {
    if (node.dataset.state === value) return;
    const group = groupOf(value);
    node.dataset.state = value;
    node.dataset.group = group;
    node.title = meanings[value] ?? "";
    path.setAttribute("d", shapes[group]);
    word.textContent = value.replaceAll("_", " ");
  };
  node.update(state);
  return node;
}

/** A progress bar with its words. Without a known total the bar only says that the run is alive. */
export function progressBar() {
  const fill = el("div", { class: "fill" });
  const bar = el("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const words = el("span", { class: "words" });
  const counters = el("span", { class: "counters" });
  const node = el("div", { class: "progress" }, bar, el("div", { class: "progress-text" }, words, counters));
  node.update = (progress, label) => {
    const percent = typeof progress?.percent === "number" ? Math.min(100, Math.max(0, progress.percent)) : null;
    bar.classList.toggle("unknown", percent === null);
    bar.setAttribute("aria-label", label);
    if (percent === null) {
      bar.removeAttribute("aria-valuenow");
      fill.style.removeProperty("transform");
    } else {
      bar.setAttribute("aria-valuenow", String(Math.round(percent)));
      fill.style.transform = `scaleX(${percent / 100})`;
    }
    const line = progress?.line || "No progress reported yet";
    setText(words, (percent === null ? "" : `${Math.floor(percent)} %  `) + line + (progress?.message ? `: ${progress.message}` : ""));
    setText(counters, countersText(progress?.counters));
  };
  return node;
}

/** "updates 12 · errors 1" of an object or a list of {kind, count}. */
export function countersText(counters) {
  const pairs = Array.isArray(counters) ? counters.map((c) => [c.kind, c.count ?? c.n]) : Object.entries(counters ?? {});
  return pairs.filter(([, n]) => n !== 0).map(([kind, n]) => `${kind} ${number(n)}`).join(" · ");
}

// Numbers and times

const numbers = new Intl.NumberFormat("en");
export function number(value) {
  return typeof value === "number" ? numbers.format(value) : String(value ?? "");
}

export function bytes(value) {
  if (typeof value !== "number") return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let index = 0;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${index === 0 ? value : value.toFixed(1)} ${units[index]}`;
}

/** Milliseconds in units that fit: "85 ms", "4.2 s", "3 m 20 s". */
export function span(ms) {
  if (!Number.isFinite(ms)) return "";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const s = Math.round(ms / 1000);
  const two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** Without tenths, for a clock that ticks: "4 s". */
function coarse(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  if (s < 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

// The server's clock minus ours, so that "3 s ago" is right on a machine whose clock is not.
let skew = 0;
export function setServerTime(text) {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) skew = time - Date.now();
}
export function now() {
  return Date.now() + skew;
}

const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** A <time> that reads "3 m ago" or "in 5 s", ticks by itself, and tells the whole time in its tooltip. */
export function relativeTime(text) {
  const node = el("time", { "data-tick": "relative" });
  node.update = (value) => {
    node.dateTime = value ?? "";
    const time = Date.parse(value);
    node.title = Number.isNaN(time) ? "" : `${absolute.format(time)} (${value})`;
    tick(node);
  };
  node.update(text);
  return node;
}

/** A span that shows how long something takes: from `start` to `end`, or ticking while there is no end. */
export function elapsed() {
  const node = el("span", { "data-tick": "elapsed" });
  node.update = (start, end) => {
    node.start = Date.parse(start);
    node.end = end ? Date.parse(end) : null;
    tick(node);
  };
  return node;
}

function tick(node) {
  if (node.dataset.tick === "elapsed") {
    if (Number.isNaN(node.start)) return setText(node, "");
    return setText(node, node.end === null ? coarse(Math.max(0, now() - node.start)) : span(node.end - node.start));
  }
  const time = Date.parse(node.dateTime);
  if (Number.isNaN(time)) return setText(node, "");
  const ms = now() - time;
  if (ms >= 0) setText(node, ms < 1000 ? "now" : `${coarse(ms)} ago`);
  else setText(node, `in ${coarse(-ms + 999)}`);
}

export function tickAll() {
  for (const node of document.querySelectorAll("[data-tick]")) tick(node);
}

export function clock(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString(undefined, { hour12: false });
}

/** A list of log lines; `update(lines)` keeps to the end if the end was in view. */
export function logList(label) {
  const node = el("ol", { class: "log", tabindex: 0, "aria-label": label });
  let last = "";
  node.update = (lines) => {
    const mark = JSON.stringify(lines);
    if (mark === last) return;
    last = mark;
    const follows = node.scrollHeight - node.scrollTop - node.clientHeight < 24;
    node.replaceChildren(...lines.map((line) => el("li", { "data-level": line.level ?? "info" },
      el("time", { datetime: line.time }, clock(line.time)), el("b", {}, line.level ?? ""),
      el("span", {}, visible((line.stage ? `${line.stage}: ` : "") + (line.message ?? "") + fieldsText(line.fields))))));
    if (follows) node.scrollTop = node.scrollHeight;
  };
  return node;
}

function fieldsText(fields) {
  if (!fields) return "";
  let object = fields;
  if (typeof fields === "string") {
    try {
      object = JSON.parse(fields);
    } catch {
      return ` ${fields}`;
    }
  }
  return Object.entries(object).filter(([, value]) => value !== null).map(([name, value]) => `  ${name}=${typeof value === "string" ? value : JSON.stringify(value)}`).join("");
}

/** A labelled fact for a description list; nothing when there is no value. */
export function fact(label, value) {
  if (value === null || value === undefined || value === "") return [];
  return [el("dt", {}, label), el("dd", {}, value instanceof Node ? value : visible(value))];
}

// Names of the signals that end a process in practice, signal(7).
const signals = {
  1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV",
  13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
};
export function signalName(value) {
  return signals[value] ?? String(value);
}

export function json(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
