// Clean up stale: look first, then do exactly what was shown.

import { fail, toast } from "./dialogs.js";
import { $, page } from "./page.js";
import { runName } from "./runs.js";
import { call } from "./server.js";
import { el, relativeTime, span } from "./view.js";

const cleanup = {
  plan: null,
  async look() {
    fail("cleanup-problem", null);
    this.plan = null;
    $("cleanup-apply").disabled = true;
    const age = Number($("cleanup-age").value) * Number($("cleanup-unit").value);
    if (!Number.isFinite(age) || age < 0 || $("cleanup-age").value === "") return;
    try {
      const { data } = await call("/safety/cleanup-stale", { method: "POST", body: { older_than_ms: Math.round(age), dry_run: true } });
      this.plan = { data, age: Math.round(age) };
      const count = data.count ?? 0;
      const sample = data.sample ?? [];
      $("cleanup-plan").replaceChildren(
        el("p", {}, count === 0 ? `No run has been running for more than ${span(age)}.` : `${count} ${count === 1 ? "run" : "runs"} will be ended by force, as failed:`),
        el("ul", { class: "plain" }, ...sample.map((run) => el("li", { class: "line" }, el("span", {}, runName(run)), el("span", { class: "grow" }),
          el("span", { class: "muted" }, run.started_at ? relativeTime(run.started_at) : "")))),
        ...(count > sample.length ? [el("p", { class: "muted" }, `and ${count - sample.length} more`)] : []),
        ...(count ? [el("p", { class: "hint" }, "Waiting runs, schedules and everything that is younger stay as they are.")] : []));
      $("cleanup-apply").disabled = count === 0;
    } catch (error) {
      $("cleanup-plan").replaceChildren();
      fail("cleanup-problem", error);
    }
  },
  async apply() {
    if (!this.plan) return;
    $("cleanup-apply").disabled = true;
    const body = { older_than_ms: this.plan.age };
    if (this.plan.data.plan) body.plan = this.plan.data.plan;
    try {
      const { data } = await call("/safety/cleanup-stale", { method: "POST", body });
      const count = data.count ?? data.cleaned ?? this.plan.data.count;
      $("cleanup-dialog").close();
      toast(`${count} ${count === 1 ? "run" : "runs"} ended.`);
      page.refresh();
    } catch (error) {
      fail("cleanup-problem", error);
      this.plan = null;
    }
  },
};
$("cleanup").addEventListener("click", () => {
  $("cleanup-plan").replaceChildren();
  $("cleanup-dialog").showModal();
  cleanup.look();
});
$("cleanup-look").addEventListener("click", () => cleanup.look());
for (const id of ["cleanup-age", "cleanup-unit"]) $(id).addEventListener("change", () => cleanup.look());
$("cleanup-form").addEventListener("submit", (event) => {
  event.preventDefault();
  cleanup.apply();
});
