// The list of chats.

import { button, byID, element } from "./element.js";

export class ChatList {
  #list = byID("chat-list");
  #chat;
  #history;
  #leave;

  /**
   * @param {import("./chat.js").Chat} chat
   * @param {import("./history.js").History} history
   * @param {() => void} leave is called when a chat was chosen
   */
  constructor(chat, history, leave) {
    this.#chat = chat;
    this.#history = history;
    this.#leave = leave;
    byID("new-chat").addEventListener("click", () => {
      chat.begin();
      leave();
    });
    if (!history.lasting) {
      byID("chats-note").textContent = "This browser keeps nothing for this page: chats are gone when it is closed.";
    }
    chat.addEventListener("list", () => this.render());
    chat.addEventListener("unsaved", (event) => {
      byID("chats-note").textContent = `This chat is not kept: the browser says ${/** @type {CustomEvent} */ (event).detail.message}. Remove some chats.`;
    });
  }

  /** Shows what there is. */
  async render() {
    const all = await this.#history.list();
    this.#list.replaceChildren(...all.map((conversation) => {
      const here = conversation.id === this.#chat.conversation.id;
      const open = element("button", {
        type: "button", className: "chat", "aria-current": here ? "true" : undefined, title: conversation.title,
        onclick: () => {
          if (!here) this.#chat.open(conversation);
          this.#leave();
        },
      }, conversation.title);
      return element("li", {}, open, button("Remove", () => this.#remove(conversation), { ariaLabel: `Remove the chat ${conversation.title}` }));
    }));
  }

  /** @param {import("./conversation.js").Conversation} conversation */
  async #remove(conversation) {
    await this.#chat.remove(conversation.id);
    byID("new-chat").focus();
  }
}
