// A question with fields to fill in: how much longer, how nice, how large a share.

import { fail } from "./dialogs.js";
import { $, page } from "./page.js";
import { el, setText, show } from "./view.js";

let action = null;

/**
 * `fields`: [{ name, label, value, type, min, max, step, choices, hint, required }]. `act(values)` runs while the dialog stays, so
 * that a refusal is read where it arose; its text is shown.
 */
export function ask({ heading, text = "", button, danger = false, fields, act }) {
  setText($("ask-title"), heading);
  setText($("ask-text"), text);
  show($("ask-text"), text !== "");
  setText($("ask-yes"), button);
  $("ask-yes").className = danger ? "danger" : "primary";
  $("ask-fields").replaceChildren(...fields.map(fieldNode));
  fail("ask-problem", null);
  action = act;
  $("ask").showModal();
}

function fieldNode(field) {
  const id = `ask-${field.name}`;
  const input = field.choices
    ? el("select", { id, name: field.name }, ...field.choices.map(([value, words]) => el("option", { value, selected: value === field.value }, words)))
    : el("input", {
      id, name: field.name, type: field.type ?? "text", value: field.value ?? null, min: field.min, max: field.max, step: field.step,
      accept: field.accept, required: field.required ?? false, autocomplete: "off", inputmode: field.type === "number" ? "decimal" : null,
    });
  return el("div", { class: "field" }, el("label", { for: id }, field.label), input, el("p", { class: "hint" }, field.hint ?? ""));
}

$("ask-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const values = {};
  for (const input of $("ask-fields").querySelectorAll("input, select")) values[input.name] = input.type === "file" ? input.files[0] : input.value.trim();
  $("ask-yes").disabled = true;
  fail("ask-problem", null);
  try {
    await action(values);
    $("ask").close();
    page.refresh();
  } catch (error) {
    fail("ask-problem", error);
  } finally {
    $("ask-yes").disabled = false;
  }
});

/** Milliseconds of an amount and a unit's milliseconds, as two fields give them. */
export const milliseconds = (amount, unit) => Math.round(Number(amount) * Number(unit));

export const units = [["60000", "minutes"], ["3600000", "hours"], ["1000", "seconds"]];
