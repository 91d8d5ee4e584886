// What the schedule editor's fields say, as the API takes it, and back.

const week = [["mon", "Mon"], ["tue", "Tue"], ["wed", "Wed"], ["thu", "Thu"], ["fri", "Fri"], ["sat", "Sat"], ["sun", "Sun"]];
export const weekdays = week;

export const kinds = [
  ["cron", "Cron expression"], ["interval", "Again and again"], ["days", "Days of the calendar"], ["once", "Once"],
  ["oncalendar", "systemd calendar event"], ["rrule", "Recurrence rule (RFC 5545)"], ["json", "Anything, as JSON"],
];

/** Presets: a name, and what the fields say then. */
export const presets = [
  ["every 15 minutes", { kind: "cron", expression: "*/15 * * * *" }], ["each hour", { kind: "cron", expression: "0 * * * *" }],
  ["each night at 02:30", { kind: "cron", expression: "30 2 * * *" }], ["workdays at 08:00", { kind: "days", days: "weekdays", weekdays: ["mon", "tue", "wed", "thu", "fri"], time: "08:00" }],
  ["Mondays at 06:00", { kind: "days", days: "weekdays", weekdays: ["mon"], time: "06:00" }],
  ["the first of each month", { kind: "days", days: "day", day: "1", time: "00:00" }], ["the last day of each month", { kind: "days", days: "last", time: "18:00" }],
];

/** `{kind, spec}` of the fields; throws an Error in words where they say nothing yet. */
export function toSpec(f) {
  switch (f.kind) {
    case "cron": return { kind: "cron", spec: { expression: f.expression } };
    case "oncalendar": return { kind: "oncalendar", spec: { expression: f.expression } };
    case "rrule": return { kind: "rrule", spec: { rule: f.expression, ...(f.rest ?? {}) } };
    case "interval": {
      const every = Math.round(Number(f.amount) * Number(f.unit));
      if (!(every > 0)) throw new Error("Say how often.");
      return { kind: "interval", spec: { every_ms: every, ...(f.rest ?? {}) } };
    }
    case "once": {
      if (!f.at) throw new Error("Say which day and time.");
      return { kind: "once", spec: { local: f.at.length === 16 ? `${f.at}:00` : f.at } };
    }
    case "days": return { kind: "calendar", spec: daySpec(f) };
    default: {
      const value = JSON.parse(f.json || "{}");
      if (typeof value?.kind !== "string" || typeof value?.spec !== "object") throw new Error('Write {"kind": …, "spec": {…}}.');
      return { kind: value.kind, spec: value.spec };
    }
  }
}

function daySpec(f) {
  const time = f.time || "00:00";
  switch (f.days) {
    case "weekdays":
      if (f.weekdays.length === 0) throw new Error("Choose a day of the week.");
      return { weekdays: f.weekdays, time };
    case "day": return { day_of_month: Number(f.day), time };
    case "last": return { last_day: true, time };
    default: return { every_days: Number(f.step) || 1, time, ...(f.rest ?? {}) };
  }
}

const fits = (spec, names) => Object.keys(spec).every((name) => names.includes(name));

/** The fields of a schedule; what they have no words for comes as JSON. */
export function fromSpec(kind, spec) {
  const json = { kind: "json", json: JSON.stringify({ kind, spec }, null, 2) };
  switch (kind) {
    case "cron": case "oncalendar": return fits(spec, ["expression"]) ? { kind, expression: spec.expression } : json;
    case "rrule": {
      const { rule, ...rest } = spec;
      return { kind, expression: rule, rest };
    }
    case "interval": {
      const unit = [86_400_000, 3_600_000, 60_000, 1000, 1].find((u) => spec.every_ms % u === 0);
      if (unit === 1) return json;
      return { kind, amount: String(spec.every_ms / unit), unit: String(unit), rest: spec.anchor ? { anchor: spec.anchor } : {} };
    }
    case "once": return fits(spec, ["local"]) ? { kind, at: spec.local } : json;
    case "calendar":
      if (fits(spec, ["weekdays", "time"])) return { kind: "days", days: "weekdays", weekdays: spec.weekdays, time: spec.time };
      if (fits(spec, ["day_of_month", "time"])) return { kind: "days", days: "day", day: String(spec.day_of_month), time: spec.time };
      if (fits(spec, ["last_day", "time"])) return { kind: "days", days: "last", time: spec.time };
      if (fits(spec, ["every_days", "time", "from"])) {
        return { kind: "days", days: "every", step: String(spec.every_days), time: spec.time, rest: spec.from ? { from: spec.from } : {} };
      }
      return json;
    default: return json;
  }
}

const said = ["name", "job", "kind", "spec", "timezone", "args", "queue", "priority", "attempts", "backoff", "timeout_ms", "queue_ms", "title", "description", "labels", "owner",
  "starts_at", "ends_at", "max_runs", "enabled", "dst", "catch_up", "overlap", "jitter_ms", "every_nth", "business_days", "calendars", "blackouts", "count_manual"];

/** What somebody said of a schedule, without what happens to it: the body of a PUT. */
export function definition(schedule) {
  return Object.fromEntries(said.filter((name) => schedule[name] !== null && schedule[name] !== undefined).map((name) => [name, schedule[name]]));
}
