// The dialog that shows a request as a program.

import { program } from "./code.js";
import { byID } from "./element.js";

export class ProgramDialog {
  /** @type {HTMLDialogElement} */ #dialog = byID("code");
  #code = /** @type {HTMLElement} */ (this.#dialog.querySelector("code"));
  #said = /** @type {HTMLElement} */ (this.#dialog.querySelector("[role=status]"));
  #base;
  #keyed;
  /** @type {Record<string, any>} */ #params = {};

  /**
   * @param {URL} base of the API
   * @param {() => boolean} keyed whether the server wants a key
   */
  constructor(base, keyed) {
    this.#base = base;
    this.#keyed = keyed;
    this.#dialog.querySelector(".close")?.addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("change", () => this.#show());
    this.#dialog.querySelector(".copy")?.addEventListener("click", async () => {
      this.#said.textContent = await navigator.clipboard.writeText(this.#code.textContent ?? "").then(
        () => "Copied", () => "The browser does not allow it here: select the text and copy it");
    });
  }

  /** Shows the request of an answer. @param {import("./conversation.js").Answer} answer */
  open(answer) {
    this.#params = answer.params;
    this.#show();
    this.#dialog.showModal();
  }

  #show() {
    const chosen = /** @type {HTMLInputElement} */ (this.#dialog.querySelector("[name=language]:checked"));
    this.#said.textContent = this.#keyed() ? "REALM_API_KEY is yours to set" : "";
    this.#code.textContent = program(/** @type {any} */ (chosen.value), this.#params, this.#base, this.#keyed());
  }
}
