// The chat on the page.

import { button, element, byID } from "./element.js";
import { Reply } from "./reply.js";

/** Pixels from the end within which the page follows what comes. */
const near = 80;

/** @typedef {import("./conversation.js").Exchange} Exchange */

/**
 * @typedef {object} Hooks what the transcript has done by others
 * @property {(exchange: Exchange, question: string) => void} edit
 * @property {(exchange: Exchange, column: import("./conversation.js").Column) => void} again
 * @property {(answer: import("./conversation.js").Answer) => void} code
 */

export class Transcript {
  #node = byID("transcript");
  #scroll = byID("scroll");
  #toEnd = byID("to-end");
  /** @type {Map<string, Reply>} by the id of the answer */ #replies = new Map();
  /** @type {Set<string>} */ #stale = new Set();
  #follows = true;
  #chat;
  #hooks;

  /**
   * @param {import("./chat.js").Chat} chat
   * @param {Hooks} hooks
   */
  constructor(chat, hooks) {
    this.#chat = chat;
    this.#hooks = hooks;
    chat.addEventListener("change", () => this.render());
    chat.addEventListener("answer", (event) => this.#refresh(/** @type {CustomEvent} */ (event).detail.id));
    this.#scroll.addEventListener("scroll", () => this.#look(), { passive: true });
    new ResizeObserver(() => this.#settle()).observe(this.#node);
    this.#toEnd.addEventListener("click", () => this.toEnd());
  }

  /** Shows the whole chat. The focus stays on what it was on, or goes to the message box. */
  render() {
    const focused = this.#node.contains(document.activeElement) ? place(/** @type {HTMLElement} */ (document.activeElement)) : "";
    this.#replies.clear();
    const { exchanges } = this.#chat.conversation;
    this.#node.replaceChildren(...exchanges.map((exchange) => this.#exchange(exchange, exchange === exchanges.at(-1))));
    if (focused) {
      const same = [...this.#node.querySelectorAll("button")].find((b) => place(b) === focused && b.checkVisibility() && !b.disabled);
      (same ?? byID("message")).focus();
    }
    this.#settle();
  }

  /** Goes to the end, and stays there. */
  toEnd() {
    this.#follows = true;
    this.#settle();
  }

  /** Shows more of an answer, once a frame. @param {string} id */
  #refresh(id) {
    if (this.#stale.size === 0) {
      requestAnimationFrame(() => {
        for (const stale of this.#stale) this.#replies.get(stale)?.update();
        this.#stale.clear();
      });
    }
    this.#stale.add(id);
  }

  /** Notes whether the person looks at the end. */
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#follows = scrollHeight - scrollTop - clientHeight < near;
    this.#toEnd.hidden = this.#follows;
  }

  #settle() {
    if (this.#follows) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#look();
  }

  /** @param {Exchange} exchange @param {boolean} last */
  #exchange(exchange, last) {
    const beside = exchange.columns.length > 1;
    const { busy } = this.#chat;
    const replies = exchange.columns.map((column, i) => {
      const reply = new Reply(column, { beside, kept: i === exchange.kept, last, busy }, {
        again: () => this.#hooks.again(exchange, column),
        show: (version) => this.#chat.show(column, version),
        keep: () => this.#chat.keep(exchange, i),
        code: this.#hooks.code,
      });
      this.#replies.set(reply.answer.id, reply);
      return reply.node;
    });
    return element("article", { className: "exchange" },
      this.#question(exchange),
      element("div", { className: beside ? "columns two" : "columns" }, ...replies));
  }

  /** @param {Exchange} exchange */
  #question(exchange) {
    const said = element("div", { className: "question" },
      element("h3", { className: "hidden" }, "You"),
      element("p", { className: "text" }, exchange.question),
      element("div", { className: "actions" }, button("Edit", () => said.replaceWith(this.#editor(exchange, said)), { ariaLabel: "Edit this message" })));
    return said;
  }

  /** @param {Exchange} exchange @param {HTMLElement} said what comes back when nothing is changed */
  #editor(exchange, said) {
    const leave = () => {
      form.replaceWith(said);
      said.querySelector("button")?.focus();
    };
    const box = element("textarea", { value: exchange.question, ariaLabel: "Edit the message", rows: 2 });
    const form = element("form", {
      className: "editor",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        if (box.value.trim()) this.#hooks.edit(exchange, box.value.trim());
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key === "Escape") {
          event.stopPropagation();
          leave();
        } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          form.requestSubmit();
        }
      },
    },
    box,
    element("div", { className: "row" },
      element("p", { className: "note" }, "What follows is asked anew"),
      button("Cancel", leave, { className: "quiet" }),
      element("button", { type: "submit", className: "main" }, "Send")));
    queueMicrotask(() => {
      box.focus();
      box.setSelectionRange(box.value.length, box.value.length);
    });
    return form;
  }
}

/**
 * Where something of the chat is: the exchange, the column and its name.
 *
 * @param {HTMLElement} node
 * @returns {string}
 */
function place(node) {
  const index = (/** @type {Element|null} */ e) => (e?.parentElement ? [...e.parentElement.children].indexOf(e) : -1);
  return [index(node.closest(".exchange")), index(node.closest(".reply")), node.ariaLabel ?? node.textContent].join();
}
