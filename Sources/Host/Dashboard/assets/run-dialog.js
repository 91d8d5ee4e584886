// Run…: a form from the schema of a handler's arguments, or JSON.

import { fail, toast } from "./dialogs.js";
import { $, page } from "./page.js";
import { runName } from "./runs.js";
import { call } from "./server.js";
import { el, setText, show } from "./view.js";

export const runDialog = {
  handlers: [],
  fields: [],

  open(job) {
    const seen = new Map();
    for (const plugin of page.overview?.plugins ?? []) {
      if (plugin.error && plugin.state === "rejected") continue;
      for (const handler of plugin.handlers ?? []) seen.set(handler.name, handler);
    }
    this.handlers = [...seen.values()].sort((a, b) => a.name.localeCompare(b.name));
    if (this.handlers.length === 0) return toast("No plugin with a handler is loaded.", "bad");
    const select = $("run-job");
    const before = job ?? select.value;
    select.replaceChildren(...this.handlers.map((h) => el("option", { value: h.name }, h.name)));
    if (seen.has(before)) select.value = before;
    fail("run-problem", null);
    this.choose();
    $("run-dialog").showModal();
    select.focus();
  },

  choose() {
    const handler = this.handlers.find((h) => h.name === $("run-job").value);
    setText($("run-description"), handler?.description ?? "");
    const schema = parsed(handler?.args_schema);
    this.fields = simpleFields(schema) ?? [];
    $("run-json").value = "{}";
    const asForm = simpleFields(schema) !== null;
    $("run-as-json").checked = !asForm;
    $("run-as-json").disabled = !asForm;
    $("run-fields-body").replaceChildren(...(this.fields.length ? this.fields.map((f) => f.node) : [el("p", { class: "hint" }, "This job takes no arguments.")]));
    this.toggle();
  },

  toggle() {
    const asJSON = $("run-as-json").checked;
    if (asJSON && !$("run-as-json").disabled) {
      try {
        $("run-json").value = JSON.stringify(this.values(), null, 2);
      } catch {
        // A field that is half filled in stays behind; JSON starts from what there is.
      }
    }
    show($("run-fields"), !asJSON);
    show($("run-json-part"), asJSON);
  },

  values() {
    const args = {};
    for (const field of this.fields) {
      const value = field.read();
      if (value !== undefined) args[field.name] = value;
    }
    return args;
  },

  async submit() {
    fail("run-problem", null);
    for (const field of this.fields) field.mark("");
    let args;
    if ($("run-as-json").checked) {
      // Sent as typed: numbers beyond what JavaScript can hold must arrive whole.
      args = $("run-json").value.trim() || "{}";
      try {
        JSON.parse(args);
      } catch (error) {
        return this.refuse(`The arguments are no JSON: ${error.message}`);
      }
    } else {
      const missing = this.fields.find((f) => f.required && f.read() === undefined);
      if (missing) {
        missing.mark("This is needed.");
        return missing.focus();
      }
      args = JSON.stringify(this.values());
    }
    const rest = { job: $("run-job").value };
    if ($("run-queue").value.trim()) rest.queue = $("run-queue").value.trim();
    if ($("run-priority").value.trim()) rest.priority = Number($("run-priority").value);
    if ($("run-title").value.trim()) rest.title = $("run-title").value.trim();
    const body = `${JSON.stringify(rest).slice(0, -1)},"args":${args}}`;
    try {
      const { data } = await call("/runs", { method: "POST", body });
      $("run-dialog").close();
      toast(`${runName(data)} is ${data.state}.`);
      page.refresh();
    } catch (error) {
      for (const { pointer, text } of error.fields ?? []) {
        this.fields.find((f) => pointer === `/args/${f.name}`)?.mark(text);
      }
      fail("run-problem", error);
    }
  },

  refuse(text) {
    setText($("run-problem"), text);
    show($("run-problem"), true);
  },
};

function parsed(schema) {
  if (typeof schema !== "string") return schema ?? null;
  try {
    return JSON.parse(schema);
  } catch {
    return null;
  }
}

/** Form fields for a schema of plain members; null when it is more than that, and JSON is the honest form. */
function simpleFields(schema) {
  if (!schema || schema.type !== "object" || schema.oneOf || schema.anyOf || schema.allOf || schema.$ref) return null;
  const required = new Set(schema.required ?? []);
  const fields = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const type = Array.isArray(property.type) ? property.type.find((t) => t !== "null") : property.type;
    const isList = type === "array" && property.items?.type === "string";
    if (!property.enum && !isList && !["string", "integer", "number", "boolean"].includes(type)) return null;
    fields.push(field(name, isList ? "list" : type, property, required.has(name)));
  }
  return fields;
}

function field(name, type, property, required) {
  const id = `arg-${name}`;
  let input;
  if (property.enum) {
    input = el("select", { id }, required ? null : el("option", { value: "" }, ""), ...property.enum.map((v) => el("option", { value: JSON.stringify(v) }, String(v))));
  } else if (type === "boolean") {
    input = el("select", { id }, el("option", { value: "" }, ""), el("option", { value: "true" }, "true"), el("option", { value: "false" }, "false"));
  } else if (type === "list") {
    input = el("textarea", { id, rows: 3, placeholder: "One per line", spellcheck: "false" });
  } else {
    const isNumber = type === "integer" || type === "number";
    input = el("input", {
      id, type: "text", inputmode: isNumber ? "decimal" : null, autocomplete: "off", spellcheck: "false",
      placeholder: property.default === undefined ? property.examples?.[0] ?? null : String(property.default),
    });
  }
  input.setAttribute("aria-describedby", `${id}-hint`);
  if (required) input.setAttribute("aria-required", "true");
  const hint = el("p", { class: "hint", id: `${id}-hint` }, property.description ?? "");
  const node = el("div", { class: "field" }, el("label", { for: id }, name, required ? el("span", { class: "needed" }, " needed") : null), input, hint);
  return {
    name, node, required,
    focus: () => input.focus(),
    mark(text) {
      node.classList.toggle("wrong", text !== "");
      setText(hint, text || (property.description ?? ""));
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    },
    read() {
      const text = input.value;
      if (text === "") return undefined;
      if (property.enum) return JSON.parse(text);
      if (type === "boolean") return text === "true";
      if (type === "list") return text.split("\n").filter((line) => line !== "");
      if (type === "integer" || type === "number") {
        const value = Number(text);
        // What is no number goes as typed: the server says what is wrong with it.
        return Number.isNaN(value) ? text : value;
      }
      return text;
    },
  };
}

$("new-run").addEventListener("click", () => runDialog.open());
$("run-job").addEventListener("change", () => runDialog.choose());
$("run-as-json").addEventListener("change", () => runDialog.toggle());
$("run-form").addEventListener("submit", (event) => {
  event.preventDefault();
  runDialog.submit();
});
