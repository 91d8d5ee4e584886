// Making and changing schedules: what the fields mean is asked of the server while they are filled in, so that the next ten runs,
// the nights when clocks change and the warnings are those of the scheduler itself.

import { confirmation, fail, report, toast } from "./dialogs.js";
import { $, page } from "./page.js";
import { definition, fromSpec, kinds, presets, toSpec, weekdays } from "./schedule-form.js";
import { Problem, call } from "./server.js";
import { el, setText, show } from "./view.js";

const pause = 250; // Milliseconds after the last key before the server is asked.

const fields = ["name", "job", "kind", "expression", "amount", "unit", "at", "days", "step", "day", "time", "json", "timezone", "gap", "fold",
  "missed", "overlap", "args", "ends", "max-runs", "description"];
const input = (name) => $(`sched-${name}`);

export const editor = {
  /** What is being changed; null: a new one. */
  schedule: null,
  tag: null,
  rest: {},
  timer: null,
  asked: 0,

  async open(schedule) {
    this.schedule = null;
    this.tag = null;
    if (schedule) {
      try {
        const answer = await call(`/schedules/${encodeURIComponent(schedule.id)}`);
        [this.schedule, this.tag] = [answer.data, answer.etag];
      } catch (error) {
        return report(error);
      }
    }
    await this.fillLists();
    this.fill();
    fail("sched-problem", null);
    $("schedule-dialog").showModal();
    (this.schedule ? input("kind") : input("name")).focus();
    this.look();
  },

  async fillLists() {
    try {
      const [jobs, zones] = await Promise.all([call("/jobs"), call("/timezones")]);
      input("job").replaceChildren(...(jobs.data?.items ?? []).map((job) => el("option", { value: job.name }, job.name)));
      if (!$("sched-zones").childElementCount) $("sched-zones").append(...(zones.data?.items ?? []).map((zone) => el("option", { value: zone })));
    } catch (error) {
      report(error);
    }
  },

  fill() {
    const s = this.schedule;
    setText($("schedule-dialog-title"), s ? `Schedule ${s.name ?? s.id}` : "New schedule");
    const when = s ? fromSpec(s.kind, s.spec) : { kind: "cron", expression: "30 2 * * *" };
    this.set({ amount: "10", unit: "60000", at: "", days: "weekdays", weekdays: ["mon"], step: "1", day: "1", time: "08:00", json: "", expression: "", ...when });
    input("name").value = s?.name ?? "";
    if (s) {
      if (![...input("job").options].some((option) => option.value === s.job)) input("job").append(el("option", { value: s.job }, s.job));
      input("job").value = s.job;
    }
    input("timezone").value = s?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
    input("gap").value = s?.dst?.gap ?? "shift";
    input("fold").value = s?.dst?.fold ?? "first";
    input("missed").value = s?.catch_up?.policy ?? "latest";
    input("overlap").value = s?.overlap ?? "allow";
    input("args").value = JSON.stringify(s?.args ?? {}, null, 2);
    input("ends").value = s?.ends_at ?? "";
    input("max-runs").value = s?.max_runs ?? "";
    input("description").value = s?.description ?? "";
    $("sched-enabled").checked = s ? s.enabled !== false : true;
    $("sched-preset").value = "";
    show($("sched-more"), Boolean(s));
    setText($("sched-pause"), s?.paused_at ? "Resume" : "Pause…");
  },

  /** Sets the fields that say when. */
  set(when) {
    this.rest = when.rest ?? {};
    for (const name of ["kind", "expression", "amount", "unit", "at", "days", "step", "day", "time", "json"]) {
      if (when[name] !== undefined) input(name).value = when[name];
    }
    if (when.weekdays) for (const box of $("sched-weekdays").querySelectorAll("input")) box.checked = when.weekdays.includes(box.value);
    this.arrange();
  },

  /** Shows the fields of the kind that is chosen. */
  arrange() {
    const kind = input("kind").value;
    for (const part of $("schedule-form").querySelectorAll("[data-kinds]")) show(part, part.dataset.kinds.split(" ").includes(kind));
    const days = input("days").value;
    for (const part of $("schedule-form").querySelectorAll("[data-days]")) show(part, kind === "days" && part.dataset.days === days);
  },

  values() {
    const values = Object.fromEntries(fields.map((name) => [name, input(name).value.trim()]));
    values.weekdays = [...$("sched-weekdays").querySelectorAll("input:checked")].map((box) => box.value);
    values.rest = this.rest;
    return values;
  },

  /** When it fires, with what bends it: what a preview and a schedule have in common. */
  times(values) {
    return {
      ...toSpec(values), timezone: values.timezone || "UTC", dst: { gap: values.gap, fold: values.fold },
      ...(values.ends ? { ends_at: values.ends } : {}),
    };
  },

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), pause);
  },

  async look() {
    clearTimeout(this.timer);
    const number = ++this.asked;
    this.unmark();
    let body;
    try {
      const own = this.schedule ? definition(this.schedule) : {};
      const bent = Object.fromEntries(["every_nth", "business_days", "blackouts", "calendars", "jitter_ms"].filter((name) => name in own).map((name) => [name, own[name]]));
      body = { ...bent, ...this.times(this.values()), count: 10 };
    } catch (error) {
      return this.show({ sentence: error.message, runs: [], warnings: [] });
    }
    try {
      const { data } = await call("/schedules/preview", { method: "POST", body });
      if (number === this.asked) this.show(data);
    } catch (error) {
      if (number !== this.asked) return;
      this.mark(error);
      this.show({ sentence: error instanceof Problem ? error.message : "The server does not answer.", runs: [], warnings: [], isFault: true });
    }
  },

  show(preview) {
    setText($("sched-sentence"), preview.sentence ?? "");
    $("sched-sentence").classList.toggle("problem", Boolean(preview.isFault));
    $("sched-runs").replaceChildren(...(preview.runs ?? []).map((run) => el("tr", {},
      el("td", { class: "mono" }, (run.local ?? "").replace("T", " ")), el("td", { class: "mono muted" }, (run.utc ?? "").replace("T", " ")),
      el("td", {}, [run.note, run.excluded ? `left out: ${run.excluded}` : null].filter(Boolean).join("; ")))));
    $("sched-warnings").replaceChildren(...(preview.warnings ?? []).map((warning) => el("li", { "data-code": warning.code }, warning.detail)));
  },

  unmark() {
    for (const node of $("schedule-form").querySelectorAll(".wrong")) node.classList.remove("wrong");
  },

  /** Marks the fields that the server's words are about. */
  mark(error) {
    for (const { pointer } of error.fields ?? []) {
      const [, first] = pointer.split("/");
      const name = { spec: kindField(input("kind").value), expression: "expression", ends_at: "ends", max_runs: "max-runs", dst: "gap", catch_up: "missed" }[first] ?? first;
      input(name)?.closest(".field")?.classList.add("wrong");
    }
  },

  async save() {
    fail("sched-problem", null);
    this.unmark();
    const values = this.values();
    let body;
    try {
      body = { ...(this.schedule ? definition(this.schedule) : {}), ...this.times(values) };
      body.args = JSON.parse(values.args || "{}");
    } catch (error) {
      setText($("sched-problem"), error instanceof SyntaxError ? `That is no JSON: ${error.message}` : error.message);
      return show($("sched-problem"), true);
    }
    body.job = values.job;
    body.catch_up = { ...(body.catch_up ?? {}), policy: values.missed };
    body.overlap = values.overlap;
    body.enabled = $("sched-enabled").checked;
    for (const [name, value] of [["name", values.name], ["description", values.description], ["ends_at", values.ends]]) {
      if (value) body[name] = value;
      else delete body[name];
    }
    if (values["max-runs"]) body.max_runs = Number(values["max-runs"]);
    else delete body.max_runs;
    // The answer writes it as null where there is none.
    if (body.catch_up.window_ms === null) delete body.catch_up.window_ms;
    $("sched-save").disabled = true;
    try {
      const { data } = this.schedule
        ? await call(`/schedules/${encodeURIComponent(this.schedule.id)}`, { method: "PUT", body, match: this.tag })
        : await call("/schedules", { method: "POST", body });
      $("schedule-dialog").close();
      toast(`${data.name ?? data.id} is ${this.schedule ? "changed" : "made"}.`);
      page.refresh();
    } catch (error) {
      this.mark(error);
      fail("sched-problem", error);
    } finally {
      $("sched-save").disabled = false;
    }
  },

  remove() {
    const s = this.schedule;
    confirmation.open(`Delete ${s.name ?? s.id}?`, "It fires no more. Runs that it made are kept.", "Delete", async () => {
      await call(`/schedules/${encodeURIComponent(s.id)}`, { method: "DELETE", match: this.tag });
      $("schedule-dialog").close();
      toast(`${s.name ?? s.id} is deleted.`);
    });
  },

  pause() {
    const s = this.schedule;
    const path = `/schedules/${encodeURIComponent(s.id)}`;
    const done = ({ data, etag }) => {
      [this.schedule, this.tag] = [data, etag];
      setText($("sched-pause"), data.paused_at ? "Resume" : "Pause…");
      page.refresh();
    };
    if (s.paused_at) return call(`${path}/resume`, { method: "POST", match: this.tag }).then(done, report);
    confirmation.open(`Pause ${s.name ?? s.id}?`, "Its times make no runs until it is resumed; they are written down as paused.", "Pause", async (reason) => {
      done(await call(`${path}/pause`, { method: "POST", body: reason ? { reason } : {}, match: this.tag }));
    });
  },
};

const kindField = (kind) => ({ interval: "amount", once: "at", days: "days", json: "json" })[kind] ?? "expression";

input("kind").append(...kinds.map(([value, words]) => el("option", { value }, words)));
$("sched-weekdays").append(...weekdays.map(([value, words]) => el("label", { class: "check" }, el("input", { type: "checkbox", value }), words)));
$("sched-preset").append(el("option", { value: "" }, "Choose…"), ...presets.map(([words], index) => el("option", { value: String(index) }, words)));
$("sched-preset").addEventListener("change", () => {
  const preset = presets[Number($("sched-preset").value)];
  if ($("sched-preset").value === "" || !preset) return;
  editor.set(preset[1]);
  editor.look();
});
$("schedule-form").addEventListener("input", () => {
  editor.arrange();
  editor.later();
});
input("kind").addEventListener("change", () => {
  // What a rule or an interval began with belongs to that one.
  editor.rest = {};
});
$("schedule-form").addEventListener("submit", (event) => {
  event.preventDefault();
  editor.save();
});
$("sched-delete").addEventListener("click", () => editor.remove());
$("sched-pause").addEventListener("click", () => editor.pause());
$("new-schedule").addEventListener("click", () => editor.open(null));
