// The settings, which this browser keeps.
import { byID } from "./element.js";

const key = "realm-demo-settings";
const usual = { system: "", temperature: "0", max_tokens: "", top_p: "", top_k: "", min_p: "", repetition_penalty: "", seed: "", device: "auto" };
const form = byID("settings-form");
const panel = byID("settings");
const opener = byID("open-settings");

// Shows the settings, and calls changed with the name of each that is changed.
export function openSettings(changed) {
  fillIn({ ...usual, ...read() });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    byID("temperature-value").value = form.temperature.value;
    keep();
  });
  form.addEventListener("change", (event) => changed(event.target.name));
  byID("reset").addEventListener("click", () => {
    const device = form.device.value;
    fillIn(usual);
    keep();
    if (device !== usual.device) changed("device");
  });
  opener.addEventListener("click", () => show(panel.hidden));
  panel.querySelector(".close").addEventListener("click", () => show(false));
  byID("shade").addEventListener("click", () => show(false));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !panel.hidden) show(false);
  });
}

// The members of a request that the settings stand for.
export function sampling() {
  const request = {};
  for (const field of form.querySelectorAll("fieldset input")) {
    if (field.value !== "" && field.validity.valid) request[field.name] = Number(field.value);
  }
  // Without one, an answer drawn again would be the same.
  request.seed ??= crypto.getRandomValues(new Uint32Array(1))[0];
  return request;
}

export const systemPrompt = () => form.system.value.trim();
export const device = () => form.device.value;

function fillIn(values) {
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  byID("temperature-value").value = form.temperature.value;
}

function keep() {
  const values = Object.fromEntries(Object.keys(usual).map((name) => [name, form.elements[name].value]));
  try {
    localStorage.setItem(key, JSON.stringify(values));
  } catch {
    // Where a page may keep nothing they last as long as it does.
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function show(shown) {
  panel.hidden = byID("shade").hidden = !shown;
  opener.setAttribute("aria-expanded", String(shown));
  if (shown) form.system.focus();
  else if (panel.contains(document.activeElement) || document.activeElement === document.body) opener.focus();
}
