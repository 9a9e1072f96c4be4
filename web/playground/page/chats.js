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
        onclick: async () => {
          const shown = conversation.id === this.#chat.conversation.id;
          const last = shown ? undefined : await this.#history.get(conversation.id);
          if (last) this.#chat.open(last);
          this.#leave();
        },
      }, conversation.title);
      return element("li", {}, open, this.#remover(conversation));
    }));
  }

  /**
   * The button that removes a chat, when it is pressed twice.
   *
   * @param {import("./conversation.js").Conversation} conversation
   */
  #remover({ id, title }) {
    const say = (/** @type {string} */ text) => {
      made.textContent = text;
      made.ariaLabel = `${text} the chat ${title}`;
    };
    const made = button("", async () => {
      if (made.textContent === "Remove") return say("Really remove");
      await this.#chat.remove(id);
      byID("new-chat").focus();
    }, { onblur: () => say("Remove") });
    say("Remove");
    return made;
  }
}
