// The panels at the sides: beside the chat where there is room, over it where not.

import { byID } from "./element.js";

/** Where there is room for a panel beside the chat. */
const room = { chats: matchMedia("(min-width: 64rem)"), settings: matchMedia("(min-width: 80rem)") };

export class Panel {
  #panel;
  #opener;
  #room;
  #shade = byID("shade");

  /** @param {"chats"|"settings"} id @param {boolean} open whether it is, where there is room */
  constructor(id, open) {
    this.#panel = byID(id);
    this.#opener = byID(`open-${id}`);
    this.#room = room[id];
    this.#opener.addEventListener("click", () => (this.#panel.hidden ? this.open() : this.close()));
    this.#panel.querySelector(".close")?.addEventListener("click", () => this.close());
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#over) return;
      event.stopPropagation();
      this.close();
    });
    this.#shade.addEventListener("click", () => this.#over && this.close());
    this.#room.addEventListener("change", () => this.#show(this.#room.matches && open));
    this.#show(this.#room.matches && open);
  }

  /** Opens it, and goes into it. */
  open() {
    this.#show(true);
    /** @type {HTMLElement|null} */ (this.#panel.querySelector("button:not([hidden]), input, textarea"))?.focus();
  }

  /** Closes it, and goes back to what opened it. */
  close() {
    const inside = this.#panel.contains(document.activeElement);
    this.#show(false);
    if (inside) this.#opener.focus();
  }

  /** Closes it where it lies over the chat. */
  leave() {
    if (this.#over) this.close();
  }

  get #over() {
    return !this.#panel.hidden && !this.#room.matches;
  }

  /** @param {boolean} open */
  #show(open) {
    this.#panel.hidden = !open;
    this.#opener.setAttribute("aria-expanded", String(open));
    const over = this.#over;
    this.#panel.classList.toggle("over", over);
    this.#shade.hidden = document.querySelector(".panel.over:not([hidden])") === null;
    // What is under it is out of reach of the keyboard, too.
    for (const rest of document.querySelectorAll("header, main")) rest.toggleAttribute("inert", !this.#shade.hidden);
  }
}
