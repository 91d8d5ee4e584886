// Crashes by stack, and versions that are out of service because of them.

import { report, toast } from "./dialogs.js";
import { open } from "./detail.js";
import { $, page } from "./page.js";
import { call } from "./server.js";
import { el, number, reconcile, relativeTime, setText, show } from "./view.js";

export function crashRow() {
  const name = el("a", { class: "run-name", href: "#" });
  const count = el("span", { class: "badge" });
  const job = el("span", { class: "muted" });
  const when = relativeTime(null);
  const node = el("li", {}, el("div", { class: "line" }, name, el("span", { class: "grow" }), count),
    el("div", { class: "line" }, job, el("span", { class: "grow" }), when));
  name.addEventListener("click", (event) => open(node.sample)(event));
  node.update = (c) => {
    node.sample = c.sample_run;
    name.setAttribute("href", `#${c.sample_run}`);
    setText(name, c.title);
    name.title = `Fingerprint ${c.fingerprint}: opens its newest run`;
    setText(count, `${number(c.count)} ×`);
    setText(job, c.job);
    when.update(c.last_seen_at);
  };
  return node;
}

export function renderQuarantines(items) {
  show($("quarantines"), items.length > 0);
  reconcile($("quarantines"), items, (q) => `${q.handler} ${q.version}`, () => {
    const text = el("span");
    const until = relativeTime(null);
    const node = el("li", { class: "line" }, text, until, el("span", { class: "grow" }),
      el("button", { type: "button", onclick: () => lift(node.quarantine) }, "Serve it again"));
    node.update = (q) => {
      node.quarantine = q;
      setText(text, `${q.handler} ${q.version.slice(0, 12)} is out of service: ${q.crashes} of its last ${q.attempts} attempts crashed. `
        + (q.on_trial ? "It is being tried." : "Next try"));
      show(until, !q.on_trial);
      until.update(q.until);
      node.querySelector("button").setAttribute("aria-label", `Serve ${q.handler} ${q.version.slice(0, 12)} again`);
    };
    return node;
  });
}

async function lift(q) {
  try {
    await call(`/quarantines/${encodeURIComponent(q.handler)}/${q.version}/lift`, { method: "POST", body: {} });
    toast(`${q.handler} is served again.`);
    page.refresh();
  } catch (error) {
    report(error);
  }
}
