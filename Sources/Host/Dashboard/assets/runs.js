// What is said of a run: its name, and in one line what happened to it.

import { countersText, span } from "./view.js";

export function runName(run) {
  return `${run.job}#${run.number ?? ""}`;
}

/** One line that says how a run ended, or where it is. */
export function whatHappened(run) {
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

export function errorText(error) {
  if (!error) return "";
  if (typeof error === "string") return error;
  return error.message || error.sentence || error.code || "";
}

/** The truth about a run in one sentence. */
export function sentence(run, attempts) {
  const last = attempts.at(-1);
  if (last?.sentence && run.state !== "running") return last.sentence;
  const took = run.started_at && run.finished_at ? ` after ${span(Date.parse(run.finished_at) - Date.parse(run.started_at))}` : "";
  if (run.state === "failed" && run.attempt) return `Failed on attempt ${run.attempt}${took}`;
  return whatHappened(run);
}

export function isOver(run) {
  return ["succeeded", "failed", "cancelled"].includes(run.state);
}
