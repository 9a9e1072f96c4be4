// The models of a server and what the page can choose for them.

import { byID, element } from "./element.js";

/**
 * @typedef {object} Model a model, or an adapter of one, as the server lists it
 * @property {string} id of an adapter MODEL:ADAPTER
 * @property {string|null} parent the model of an adapter
 * @property {number|null} max_model_len tokens; null until the model was loaded
 * @property {boolean} default what is used where none is named
 * @property {boolean} draft there is a model that drafts for it
 */

/** The adapter that stands for none. */
export const noAdapter = "none";

/**
 * The selects for a model, its adapter and one beside it. Events: `change`.
 */
export class Pickers extends EventTarget {
  /** @type {HTMLSelectElement} */ #model = byID("model");
  /** @type {HTMLSelectElement} */ #adapter = byID("adapter");
  /** @type {HTMLSelectElement} */ #beside = byID("beside");
  /** @type {Model[]} */ #all = [];

  constructor() {
    super();
    this.#model.addEventListener("change", () => {
      this.#showAdapters("", "");
      this.dispatchEvent(new Event("change"));
    });
    for (const select of [this.#adapter, this.#beside]) {
      select.addEventListener("change", () => this.dispatchEvent(new Event("change")));
    }
  }

  /** The name of the model, "" while there is none. */
  get model() {
    return this.#model.value;
  }

  /** What the server said of the model. */
  get info() {
    return this.#all.find((m) => m.id === this.model);
  }

  /** The adapters that answer: one, or two side by side. */
  get adapters() {
    return this.#beside.value ? [this.#adapter.value, this.#beside.value] : [this.#adapter.value];
  }

  /**
   * Shows what there is, with what was chosen where it is there.
   *
   * @param {Model[]} all
   * @param {{model: string, adapter: string, beside: string}} chosen
   * @returns {string[]} what was chosen and is not there any more, in words
   */
  show(all, chosen) {
    this.#all = all;
    const models = all.filter((m) => !m.parent);
    const usual = models.find((m) => m.default) ?? models[0];
    fill(this.#model, models.map((m) => [m.id, m.id]), chosen.model, usual?.id ?? "");
    this.#model.disabled = models.length === 0;
    const there = this.model === chosen.model || chosen.model === "";
    this.#showAdapters(there ? chosen.adapter : "", there ? chosen.beside : "");
    if (!there) return [`the model ${chosen.model}`];
    return [chosen.adapter, chosen.beside]
      .filter((name) => name && name !== noAdapter && !this.#names().includes(name))
      .map((name) => `the adapter ${name}`);
  }

  #names() {
    return this.#all.filter((m) => m.parent === this.model).map((m) => m.id.slice(this.model.length + 1));
  }

  /** @param {string} adapter @param {string} beside */
  #showAdapters(adapter, beside) {
    const names = this.#names();
    const usual = this.#all.find((m) => m.parent === this.model && m.default);
    const options = /** @type {[string, string][]} */ ([[noAdapter, "None"], ...names.map((n) => [n, n])]);
    fill(this.#adapter, options, adapter, usual?.id.slice(this.model.length + 1) ?? noAdapter);
    fill(this.#beside, [["", "Nothing"], [noAdapter, "No adapter"], ...options.slice(1)], beside, "");
    this.#adapter.disabled = this.#beside.disabled = names.length === 0;
  }
}

/**
 * Fills a select with options.
 *
 * @param {HTMLSelectElement} select
 * @param {[value: string, text: string][]} options
 * @param {string} wanted the value, if there is an option of it
 * @param {string} usual the value if not
 */
export function fill(select, options, wanted, usual) {
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = options.some(([value]) => value === wanted) ? wanted : usual;
}
