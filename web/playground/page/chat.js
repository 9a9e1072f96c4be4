// What a person does in a chat: ask, stop, ask again, ask otherwise, go on.

import { addExchange, addPart, cutFrom, endAnswer, messagesUntil, newAnswer, newConversation, restore, shownAnswer, shownText } from "./conversation.js";
import { chatParams } from "./request.js";
import { CallError } from "./socket.js";

/** How often an answer is asked for again by itself when the connection breaks. */
const mostResumes = 5;

/** What answers end with that go on when there is a new connection. */
const passing = new Set(["DISCONNECTED", "UNAVAILABLE"]);

/** Milliseconds between writes of an answer that streams. */
const saveEvery = 1000;

/** @typedef {import("./conversation.js").Answer} Answer */
/** @typedef {import("./conversation.js").Exchange} Exchange */
/** @typedef {import("./conversation.js").Conversation} Conversation */

/**
 * The chat that is on the page. Events: `change` when it has other questions, answers or
 * ways to go on; `answer` (detail: an Answer) when there is more of one; `part` (detail:
 * the Answer and how many tokens came); `list` when the list of chats has changed.
 */
export class Chat extends EventTarget {
  /** @type {Conversation} */
  conversation = newConversation();
  #socket;
  #history;
  /** @type {AbortController|null} what stops the answers that are under way */ #stop = null;
  #saved = 0;

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./history.js").History} history
   */
  constructor(socket, history) {
    super();
    this.#socket = socket;
    this.#history = history;
  }

  /** Whether an answer is under way. */
  get busy() {
    return this.#stop !== null;
  }

  /**
   * Asks a question: every adapter, side by side.
   *
   * @param {string} question
   * @param {Readonly<import("./settings.js").Settings>} settings
   * @param {string[]} adapters
   */
  async ask(question, settings, adapters) {
    const exchange = addExchange(this.conversation, question);
    const messages = messagesUntil(this.conversation, exchange);
    for (const adapter of adapters) {
      exchange.columns.push({ versions: [newAnswer(chatParams(settings, adapter, messages))], shown: 0 });
    }
    await this.#run(exchange.columns.map(shownAnswer));
  }

  /**
   * Asks for another answer beside those that a column has, as things are set now. Of two
   * columns each keeps its adapter.
   *
   * @param {Exchange} exchange
   * @param {import("./conversation.js").Column} column
   * @param {Readonly<import("./settings.js").Settings>} settings
   */
  async again(exchange, column, settings) {
    const adapter = exchange.columns.length > 1 ? shownAnswer(column).params.adapter : settings.adapter;
    const answer = newAnswer(chatParams(settings, adapter, messagesUntil(this.conversation, exchange)));
    column.shown = column.versions.push(answer) - 1;
    await this.#run([answer]);
  }

  /**
   * Asks a question otherwise: it and what is behind it give way.
   *
   * @param {Exchange} exchange
   * @param {string} question
   * @param {Readonly<import("./settings.js").Settings>} settings
   * @param {string[]} adapters
   */
  async edit(exchange, question, settings, adapters) {
    this.stop();
    cutFrom(this.conversation, exchange);
    await this.ask(question, settings, adapters);
  }

  /** Stops the answers that are under way. */
  stop() {
    this.#stop?.abort();
    this.#stop = null;
  }

  /**
   * Shows another version of an answer.
   *
   * @param {import("./conversation.js").Column} column
   * @param {number} version
   */
  show(column, version) {
    column.shown = version;
    this.#changed();
  }

  /**
   * Goes on with one of two columns.
   *
   * @param {Exchange} exchange
   * @param {number} column
   */
  keep(exchange, column) {
    exchange.kept = column;
    this.#changed();
  }

  /** Begins a chat. */
  begin() {
    this.open(newConversation());
  }

  /** Goes to a chat. @param {Conversation} conversation */
  open(conversation) {
    this.stop();
    restore(conversation);
    this.conversation = conversation;
    this.dispatchEvent(new Event("change"));
    this.dispatchEvent(new Event("list"));
  }

  /** Forgets a chat. @param {string} id */
  async remove(id) {
    const { conversation } = this;
    if (id === conversation.id) {
      this.begin();
      conversation.exchanges.length = 0; // what is still under way is not kept
    }
    await this.#history.remove(id);
    this.dispatchEvent(new Event("list"));
  }

  /** @param {Answer[]} answers */
  async #run(answers) {
    this.stop();
    const stop = (this.#stop = new AbortController());
    const { conversation } = this;
    conversation.changed = Date.now();
    this.#changed();
    this.dispatchEvent(new Event("list"));
    await Promise.all(answers.map((answer) => this.#answer(answer, stop.signal)));
    if (this.#stop === stop) this.#stop = null;
    this.#save(conversation); // which may not be on the page any more
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Gets an answer. When the connection breaks it is asked for again, with the same seed:
   * the text goes on where it was.
   *
   * @param {Answer} answer
   * @param {AbortSignal} signal
   */
  async #answer(answer, signal) {
    const onPart = (/** @type {any} */ part) => {
      addPart(answer, part);
      this.dispatchEvent(new CustomEvent("part", { detail: { answer, tokens: part.tokens?.length ?? 0 } }));
      this.#grown(answer);
    };
    for (let resumes = 0; ; resumes++) {
      try {
        endAnswer(answer, "done", await this.#socket.call("chat", answer.params, { onPart, signal }));
        break;
      } catch (error) {
        if (!(error instanceof CallError)) throw error;
        if (signal.aborted) {
          endAnswer(answer, "stopped", error.data);
          break;
        }
        if (passing.has(error.code) && resumes < mostResumes) {
          Object.assign(answer, { status: "broken", seen: shownText(answer), text: "", reasoning: "", tokens: [] });
          this.#grown(answer);
          if (await this.#socket.welcomed(signal)) continue;
          endAnswer(answer, "stopped", undefined);
          break;
        }
        const { param, retry_after_ms: retryAfter } = error.details ?? {};
        endAnswer(answer, "failed", error.data, { code: error.code, message: error.message, param, retryAfter });
        break;
      }
    }
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  /** @param {Answer} answer */
  #grown(answer) {
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
    if (Date.now() - this.#saved > saveEvery) this.#save(this.conversation);
  }

  #changed() {
    this.#save(this.conversation);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Conversation} conversation */
  #save(conversation) {
    if (conversation.exchanges.length === 0) return;
    this.#saved = Date.now();
    this.#history.put(conversation).catch((error) => {
      this.dispatchEvent(new CustomEvent("unsaved", { detail: error }));
    });
  }
}
