// Safety beyond the strip on the page: what is stuck and why, emergencies, orphans, what hosts do by themselves, what was done.

import { ask } from "./ask.js";
import { fail, report, stop, toast } from "./dialogs.js";
import { $, page } from "./page.js";
import { runName } from "./runs.js";
import { call } from "./server.js";
import { el, number, relativeTime, setText, show, span } from "./view.js";

const modes = [
  ["pause_queues", "Pause all queues: nothing new is started"], ["stop_scheduling", "Stop scheduling: no schedule fires"],
  ["refuse_new", "Refuse new runs from outside"], ["terminate_all", "Terminate all: everything that runs ends by force"],
];
const modeWords = (mode) => (modes.find(([name]) => name === mode)?.[1] ?? mode).split(":")[0];
const onceKey = () => ({ "Idempotency-Key": `"page-${crypto.getRandomValues(new Uint32Array(4)).join("-")}"` });

/** A red frame on the page while an emergency stands, with who, when and why. */
export function renderEmergency(health) {
  const orders = health.emergency ?? [];
  document.body.classList.toggle("emergency", orders.length > 0);
  show($("emergency-bar"), orders.length > 0);
  const text = orders.map((o) => `${modeWords(o.mode)} – ${o.reason} (${o.actor ?? "somebody"}, ${relativeTime(o.since)})`).join(" · ");
  setText($("emergency-text"), text);
}

$("emergency-lift").addEventListener("click", async () => {
  try {
    const { data } = await call("/safety/emergency", { method: "DELETE" });
    toast(data.changed ? "The emergency is lifted." : "There was none.");
    page.refresh();
    if ($("safety-dialog").open) look();
  } catch (error) {
    report(error);
  }
});

const words = {
  runs_long: () => "runs for long",
  slower_than_usual: (e) => `${e.times} times what 95 of 100 runs take (${span(e.p95_ms)})`,
  past_timeout: (e) => `its timeout of ${span(e.timeout_ms)} has passed`,
  no_progress: (e) => `no progress and no line for ${span(e.for_ms)}`,
  no_cpu: (e) => `no processor time for ${span(e.for_ms)}`,
  host_silent: () => "its host is silent",
};

function stuckRow(run) {
  const why = (run.evidence ?? []).map((e) => (words[e.kind] ?? (() => e.kind))(e)).join(" · ");
  return el("li", { class: "stuck" },
    el("div", { class: "line" }, el("span", { class: "severity", "data-severity": run.severity }, run.severity), el("strong", {}, runName(run)),
      el("span", { class: "muted" }, span(run.running_for_ms)), el("span", { class: "grow" }),
      el("button", { type: "button", onclick: () => stop({ ...run, state: "running" }, "terminate") }, "Terminate…")),
    el("p", { class: "hint" }, why));
}

const total = (counts) => Object.values(counts ?? {}).reduce((sum, n) => sum + n, 0);

function sweepRow(sweep) {
  const did = [
    sweep.failed ? `${sweep.failed} failed` : null, sweep.requeued ? `${sweep.requeued} requeued` : null,
    total(sweep.cleaned) ? `${total(sweep.cleaned)} orphans put right` : null,
  ].filter(Boolean).join(", ");
  const found = [sweep.stale ? `${sweep.stale} stale` : null, total(sweep.orphans) ? `${total(sweep.orphans)} orphans` : null].filter(Boolean).join(", ");
  return el("li", { class: "line" }, el("span", {}, relativeTime(sweep.at)), el("span", { class: "muted" }, sweep.actor ?? sweep.kind),
    el("span", { class: "grow" }), el("span", {}, found ? `${found}${did ? `: ${did}` : ""}` : "nothing found"));
}

const list = (items, make, none) => items.length ? el("ul", { class: "plain" }, ...items.map(make)) : el("p", { class: "empty" }, none);

let orphanPlan = null;

async function look() {
  fail("safety-problem", null);
  try {
    const [stuck, orphans, policy, sweeps] = await Promise.all([
      call("/safety/stuck"), call("/safety/orphans/cleanup", { method: "POST", body: { dry_run: true } }), call("/safety/policy"),
      call("/safety/sweeps?found=true&limit=10"),
    ]);
    orphanPlan = orphans.data;
    $("safety-stuck").replaceChildren(list(stuck.data.items ?? [], stuckRow, "Nothing is stuck."));
    $("safety-orphans").replaceChildren(list(orphans.data.sample ?? [], (o) => el("li", {},
      el("div", { class: "line" }, el("strong", {}, o.kind.replaceAll("_", " ")), el("span", { class: "path" }, o.name)),
      el("p", { class: "hint" }, [o.detail, o.remedy].filter(Boolean).join(" – "))), "Everything belongs to something."),
      ...(orphans.data.count > (orphans.data.sample ?? []).length ? [el("p", { class: "muted" }, `${number(orphans.data.count)} in all`)] : []));
    $("orphans-clean").disabled = !orphans.data.count;
    setText($("safety-policy"), policyWords(policy.data));
    $("safety-sweeps").replaceChildren(list(sweeps.data.items ?? [], sweepRow, "No sweep has found anything."));
    $("policy-change").onclick = () => changePolicy(policy.data, policy.etag);
  } catch (error) {
    fail("safety-problem", error);
  }
}

function policyWords(policy) {
  if (policy.mode === "off") return "Nobody sweeps.";
  const deed = policy.mode === "report" ? "reported" : policy.outcome === "retry" ? "sent back to their queues" : "ended as failed";
  return `Every ${span(policy.sweep_every_ms)} runs that are running for more than ${span(policy.stale_after_ms)} and their own timeout are ${deed}.`;
}

function changePolicy(policy, etag) {
  ask({
    heading: "What hosts do by themselves", button: "Change",
    fields: [
      { name: "mode", label: "Sweeps", value: policy.mode, choices: [["act", "act"], ["report", "only report"], ["off", "off"]] },
      { name: "outcome", label: "Stale runs", value: policy.outcome, choices: [["fail", "end as failed"], ["retry", "go back to their queues"]] },
      { name: "hours", label: "Stale after hours", type: "number", min: "0.1", step: "any", value: String(policy.stale_after_ms / 3600000) },
      { name: "reason", label: "Reason (kept on record)", value: "" },
    ],
    act: async (values) => {
      const { mode, outcome } = values;
      const body = { ...Object.fromEntries(["stuck_after_ms", "slow_factor", "idle_after_ms", "sweep_every_ms"].map((name) => [name, policy[name]])),
        mode, outcome, stale_after_ms: Math.round(Number(values.hours) * 3600000), ...(values.reason ? { reason: values.reason } : {}) };
      await call("/safety/policy", { method: "PUT", body, match: etag });
      toast("The policy is changed.");
      look();
    },
  });
}

$("safety-more").addEventListener("click", () => {
  $("safety-dialog").showModal();
  look();
});

$("orphans-clean").addEventListener("click", () => {
  const plan = orphanPlan;
  if (!plan?.count) return;
  ask({
    heading: `Put ${plan.count} right?`, text: "Each is looked at once more; what has an owner again is left alone.", button: "Clean up", danger: true,
    fields: [{ name: "reason", label: "Reason (kept on record)", value: "" }],
    act: async (values) => {
      const body = { plan: plan.plan, ...(values.reason ? { reason: values.reason } : {}) };
      const { data } = await call("/safety/orphans/cleanup", { method: "POST", body, headers: onceKey() });
      toast(`${data.count} put right${data.untouched ? `, ${data.untouched} left alone` : ""}.`);
      look();
    },
  });
});

$("emergency-declare").addEventListener("click", () => {
  ask({
    heading: "Declare an emergency", text: "Every host obeys within a second or two, until it is lifted; a restart keeps it.", button: "Declare", danger: true,
    fields: [
      { name: "mode", label: "What must stop", value: "pause_queues", choices: modes },
      { name: "reason", label: "Why (everybody who is refused reads it)", value: "", required: true },
    ],
    act: async ({ mode, reason }) => {
      // What would end is looked at first, and the deed is bound to it.
      const { data: plan } = await call("/safety/emergency", { method: "POST", body: { mode, dry_run: true } });
      const { data } = await call("/safety/emergency", { method: "POST", body: { mode, reason, plan: plan.plan }, headers: onceKey() });
      toast(data.count ? `${number(data.count)} runs are ended.` : `${modeWords(mode)}: it stands.`);
      if ($("safety-dialog").open) look();
    },
  });
});
