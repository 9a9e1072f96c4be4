// The box that messages are written in.

import { byID } from "./element.js";

export class Composer {
  /** @type {HTMLTextAreaElement} */ #box = byID("message");
  /** @type {HTMLButtonElement} */ #send = byID("send");
  /** @type {HTMLButtonElement} */ #stop = byID("stop");
  #connected = false;
  #busy = false;

  /**
   * @param {(text: string) => boolean} send takes a message; false: it stays in the box
   * @param {() => void} stop
   */
  constructor(send, stop) {
    /** @type {HTMLFormElement} */ (byID("composer")).addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#box.value.trim();
      if (text === "" || this.#busy || !this.#connected || !send(text)) return;
      this.#box.value = "";
      this.#fit();
    });
    this.#box.addEventListener("keydown", (event) => {
      // While a word is put together, Enter is for that.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#box.form?.requestSubmit();
    });
    this.#box.addEventListener("input", () => this.#fit());
    this.#stop.addEventListener("click", stop);
    this.#show();
  }

  /** @param {boolean} connected */
  set connected(connected) {
    this.#connected = connected;
    this.#show();
  }

  /** Whether answers are under way. @param {boolean} busy */
  set busy(busy) {
    const stopping = document.activeElement === this.#stop;
    this.#busy = busy;
    this.#show();
    if (!busy && stopping) this.focus();
  }

  focus() {
    this.#box.focus();
  }

  #show() {
    this.#send.hidden = this.#busy;
    this.#stop.hidden = !this.#busy;
    this.#send.disabled = !this.#connected || this.#box.value.trim() === "";
  }

  /** Makes the box as high as its text, which the style bounds. */
  #fit() {
    this.#box.rows = 1;
    const line = parseFloat(getComputedStyle(this.#box).lineHeight);
    this.#box.rows = Math.max(1, Math.min(10, Math.floor(this.#box.scrollHeight / line)));
    this.#show();
  }
}
