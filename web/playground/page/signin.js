// Who the page is to a server with keys. The key is in memory or, if the person wants
// that, in the storage of the tab, and goes nowhere but into the header of one request.

import { byID } from "./element.js";

/** Where the key is kept in the storage of the tab. */
const stored = "realm.key";

/** The server does not take the key: words for the person. */
export class SignInError extends Error {
  name = "SignInError";
}

/** The dialog that asks for a key, and the key. */
export class SignIn {
  /** @type {string|null} */ #key = sessionStorage.getItem(stored);
  /** @type {HTMLDialogElement} */ #dialog = byID("sign-in");
  /** @type {HTMLInputElement} */ #input = byID("key");
  #error = byID("key-error");
  #url;

  /**
   * @param {URL} url that gives out tickets
   * @param {() => void} onKey is called when the person has given a key
   */
  constructor(url, onKey) {
    this.#url = url;
    byID("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#key = this.#input.value.trim();
      const keep = /** @type {HTMLInputElement} */ (byID("keep-key")).checked;
      if (keep) sessionStorage.setItem(stored, this.#key);
      this.#error.textContent = "";
      onKey();
    });
    // Without a key there is nothing behind the dialog to go back to.
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.#input.addEventListener("input", () => this.#input.removeAttribute("aria-invalid"));
  }

  /**
   * Gets a ticket, which is good once.
   *
   * @returns {Promise<string|null>} null without a key; rejected with a SignInError where
   *   the key is not good, with another error where the server cannot be asked
   */
  async ticket() {
    if (!this.#key) return null;
    const answer = await fetch(this.#url, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#key}` },
      credentials: "omit",
      cache: "no-store",
    });
    const body = await answer.json().catch(() => ({}));
    if (answer.ok) return body.ticket;
    const said = body.error?.message ?? `status ${answer.status}`;
    if (answer.status === 401 || answer.status === 403) {
      this.forget();
      throw new SignInError(`The server does not take this key: ${said}. See that it is whole, or ask for a new one.`);
    }
    throw new Error(said);
  }

  /**
   * Asks for a key.
   * @param {string} reason the last one was not taken for; "" for none
   */
  ask(reason) {
    this.#error.textContent = reason;
    if (reason) this.#input.setAttribute("aria-invalid", "true");
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#input.focus();
    this.#input.select();
  }

  /** Closes the dialog: the page is in. */
  done() {
    this.#input.value = "";
    this.#error.textContent = "";
    if (this.#dialog.open) this.#dialog.close();
  }

  /** Reports whether there is a key. */
  get signedIn() {
    return this.#key !== null;
  }

  /** Forgets the key. */
  forget() {
    this.#key = null;
    sessionStorage.removeItem(stored);
  }
}
