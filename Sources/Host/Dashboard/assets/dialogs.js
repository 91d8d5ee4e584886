// Toasts, questions, and what is done with a run.

import { $, page } from "./page.js";
import { runName } from "./runs.js";
import { Problem, call, runPath } from "./server.js";
import { el, setText, show } from "./view.js";

// Toasts

export function toast(text, kind = "good") {
  const node = el("div", { class: "toast", "data-kind": kind }, text,
    el("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => node.remove() }, "✕"));
  $("toasts").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 15000 : 5000);
}

export function report(error) {
  toast(error instanceof Problem ? error.words : "The server does not answer.", "bad");
}

// Dialogs

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
  });
}

export function fail(id, error) {
  setText($(id), error === null ? "" : error instanceof Problem ? error.words : "The server does not answer.");
  show($(id), error !== null);
}

/** Asks, with a reason to give; `action(reason)` runs while the dialog stays, so that a refusal is read where it arose. */
export const confirmation = {
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
    page.refresh();
  } catch (error) {
    fail("confirm-problem", error);
  } finally {
    $("confirm-yes").disabled = false;
  }
});

export function stop(run, verb) {
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

/** Gives the new run's id; nothing where it was refused. */
export async function retry(run) {
  try {
    const { data } = await call(`${runPath(run.id)}/retry`, { method: "POST", body: {} });
    toast(`${runName(run)} runs again.`);
    page.refresh();
    return data?.new_run_id ?? data?.id;
  } catch (error) {
    report(error);
  }
}

/** Something that needs no question. Gives the answer, or null where it was refused, which is said. */
export async function act(run, verb, body, words) {
  try {
    const { data } = await call(`${runPath(run.id)}/${verb}`, { method: "POST", body });
    if (words) toast(`${runName(run)} ${words}.`);
    page.refresh();
    return data ?? {};
  } catch (error) {
    report(error);
    return null;
  }
}
