// What the person has set: how answers are sampled, shaped and made.

import { byID, element } from "./element.js";
import { fill } from "./models.js";

/** Where settings are kept. */
const stored = "realm.settings";

/**
 * @typedef {object} Settings numbers that are not set are absent: the server's apply
 * @property {string} model
 * @property {string} adapter
 * @property {string} beside the adapter of a second answer, "" for none
 * @property {string} system
 * @property {number} temperature
 * @property {number} [max_tokens]
 * @property {number} [top_p]
 * @property {number} [top_k]
 * @property {number} [min_p]
 * @property {number} [repetition_penalty]
 * @property {number} [frequency_penalty]
 * @property {number} [presence_penalty]
 * @property {number} [seed]
 * @property {string} stop texts, one a line
 * @property {string} schema JSON, "" for none
 * @property {boolean} tokens whether tokens are shown
 * @property {string} speculative
 * @property {string} guest "" for the server's
 */

/** @type {Settings} */
export const usual = {
  model: "", adapter: "", beside: "", system: "", temperature: 0, stop: "", schema: "", tokens: false, speculative: "", guest: "",
};

/** The settings of requests that are numbers. */
export const numbers = /** @type {const} */ ([
  "temperature", "max_tokens", "top_p", "top_k", "min_p", "repetition_penalty", "frequency_penalty", "presence_penalty", "seed",
]);

const exampleSchema = `{
  "type": "object",
  "properties": {
    "country": { "type": "string", "maxLength": 24 },
    "capital": { "type": "string", "maxLength": 24 }
  },
  "required": ["country", "capital"],
  "additionalProperties": false
}`;

/** The form of settings, which keeps what is in it. Events: `change`. */
export class SettingsForm extends EventTarget {
  /** @type {HTMLFormElement} */ #form = byID("settings-form");
  #schemaError = byID("schema-error");
  /** @type {Settings} */ #values;

  constructor() {
    super();
    this.#values = { ...usual, ...read() };
    this.#show();
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("input", () => this.#take());
    byID("schema-example").addEventListener("click", () => {
      this.#field("schema").value = exampleSchema;
      this.#take();
    });
    byID("reset").addEventListener("click", () => {
      const { model, adapter, beside } = this.#values;
      this.#values = { ...usual, model, adapter, beside };
      this.#show();
      this.#take();
    });
  }

  /** What is set. @returns {Readonly<Settings>} */
  get values() {
    return this.#values;
  }

  /** Takes over settings that have their controls elsewhere. @param {Partial<Settings>} some */
  set(some) {
    Object.assign(this.#values, some);
    this.#keep();
  }

  /**
   * Finds the first control whose value cannot be used, and says there what is wrong.
   * @returns {HTMLElement|null} null if there is none
   */
  wrong() {
    this.#check();
    return this.#form.querySelector("[aria-invalid=true]");
  }

  /** Says at the schema what the server thinks of it. @param {string} message */
  refuseSchema(message) {
    this.#schemaError.textContent = message;
    this.#field("schema").setAttribute("aria-invalid", "true");
  }

  /** Shows the guests of a server. @param {string[]} names */
  showGuests(names) {
    const select = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (this.#field("guest")));
    fill(select, [["", "The usual one"], ...names.map((n) => /** @type {[string, string]} */ ([n, n]))], this.#values.guest, "");
    select.disabled = names.length === 0;
    this.set({ guest: select.value });
  }

  /** Says whether the model has one that drafts for it. @param {boolean} drafts */
  showDrafts(drafts) {
    const select = /** @type {HTMLSelectElement} */ (/** @type {unknown} */ (this.#field("speculative")));
    const option = /** @type {HTMLOptionElement} */ (select.querySelector("[value=model]"));
    option.disabled = !drafts;
    if (!drafts && select.value === "model") {
      select.value = "";
      this.set({ speculative: "" });
    }
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #field(name) {
    return /** @type {HTMLInputElement} */ (this.#form.elements.namedItem(name));
  }

  #show() {
    for (const name of numbers) this.#field(name).value = String(this.#values[name] ?? "");
    for (const name of /** @type {const} */ (["system", "stop", "schema", "speculative", "guest"])) this.#field(name).value = this.#values[name];
    this.#field("tokens").checked = this.#values.tokens;
    this.#check();
  }

  /** Reads the form. What cannot be used stays as it was. */
  #take() {
    this.#check();
    for (const name of numbers) {
      const field = this.#field(name);
      if (field.value === "" && !field.validity.badInput) delete this.#values[name];
      else if (field.validity.valid) /** @type {any} */ (this.#values)[name] = field.valueAsNumber;
    }
    for (const name of /** @type {const} */ (["system", "stop", "schema", "speculative", "guest"])) this.#values[name] = this.#field(name).value;
    this.#values.tokens = this.#field("tokens").checked;
    this.#keep();
    this.dispatchEvent(new Event("change"));
  }

  /** Says at each control whether its value can be used. */
  #check() {
    byID("temperature-value").textContent = Number(this.#field("temperature").value).toFixed(2);
    for (const name of numbers) {
      const field = this.#field(name);
      const id = `${name}-error`;
      document.getElementById(id)?.remove();
      field.removeAttribute("aria-invalid");
      if (field.validity.valid) continue;
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", id);
      field.parentElement?.after(element("p", { id, className: "wrong" }, field.validationMessage));
    }
    const problem = schemaProblem(this.#field("schema").value);
    this.#schemaError.textContent = problem;
    if (problem) this.#field("schema").setAttribute("aria-invalid", "true");
    else this.#field("schema").removeAttribute("aria-invalid");
  }

  #keep() {
    try {
      localStorage.setItem(stored, JSON.stringify(this.#values));
    } catch {
      // Without storage they are kept until the page is closed; the list of chats says so.
    }
  }
}

/**
 * Says what is wrong with a schema as far as the page can see: "" for nothing.
 * @param {string} text
 */
export function schemaProblem(text) {
  if (text.trim() === "") return "";
  try {
    const value = JSON.parse(text);
    if (typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value))) return "";
    return "A JSON schema is an object in braces.";
  } catch (error) {
    return `This is not JSON yet: ${/** @type {Error} */ (error).message}.`;
  }
}

/** @returns {Partial<Settings>} */
function read() {
  try {
    return JSON.parse(localStorage.getItem(stored) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
