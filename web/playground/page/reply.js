// One column of answers on the page: the text or tokens of the version that is shown,
// what went wrong, figures, and what can be done.

import { isOpen, shownAnswer, shownText } from "./conversation.js";
import { button, element } from "./element.js";
import { explain } from "./errors.js";
import { settled } from "./figures.js";
import { noAdapter } from "./models.js";
import { TokenView } from "./tokens.js";

/** @typedef {import("./conversation.js").Answer} Answer */

/**
 * @typedef {object} Actions what a column can have done
 * @property {() => void} again
 * @property {(version: number) => void} show
 * @property {() => void} keep
 * @property {(answer: Answer) => void} code
 */

/** Why answers end that did not end by themselves. @type {Record<string, string>} */
const finishes = {
  length: "ended at the most tokens that were asked for",
  context: "ended where the model's context is full",
};

export class Reply {
  node = element("section", { className: "reply" });
  #text = element("p", { className: "text" });
  #reasoning = element("p", { className: "text" });
  #thoughts = element("details", { className: "thoughts", hidden: true }, element("summary", {}, "Reasoning"), this.#reasoning);
  #tokens = new TokenView();
  #fault = element("div", { className: "fault", hidden: true });
  #facts = element("p", { className: "facts note" });
  #actions = element("div", { className: "actions" });
  #column;
  #do;
  /** @type {Answer} */ #answer;

  /**
   * @param {import("./conversation.js").Column} column
   * @param {{beside: boolean, kept: boolean, last: boolean, busy: boolean}} place whether
   *   there is another column, the chat goes on with this one, it is the last exchange,
   *   and answers are under way
   * @param {Actions} actions
   */
  constructor(column, place, actions) {
    this.#column = column;
    this.#do = actions;
    this.#answer = shownAnswer(column);
    const { adapter, model } = this.#answer.params;
    const name = adapter && adapter !== noAdapter ? adapter : place.beside ? "No adapter" : model;
    const head = element("div", { className: "head" }, element("h3", {}, name));
    if (place.beside) {
      head.append(place.kept
        ? element("span", { className: "note" }, "the chat goes on with this")
        : button("Go on with this", actions.keep, { disabled: place.busy }));
    }
    this.node.append(head, this.#thoughts, this.#text, this.#tokens.node, this.#fault, element("div", { className: "foot" }, this.#facts, this.#actions));
    this.#renderActions(place);
    this.update();
  }

  /** The answer that it shows. */
  get answer() {
    return this.#answer;
  }

  /** Shows what there is of the answer now. */
  update() {
    const a = this.#answer;
    const open = isOpen(a);
    const withTokens = a.tokens.length > 0 && a.status !== "broken";
    this.node.setAttribute("aria-busy", String(open));
    this.node.dataset.status = a.status;
    this.#text.hidden = withTokens;
    this.#tokens.node.hidden = !withTokens;
    if (withTokens) this.#tokens.show(a.tokens);
    const text = shownText(a);
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.#thoughts.hidden = a.reasoning === "";
    this.#reasoning.textContent = a.reasoning;
    this.#renderFault();
    this.#facts.textContent = this.#factsText();
    this.#actions.hidden = open;
  }

  #factsText() {
    const { status, usage, timings, finish } = this.#answer;
    if (status === "waiting") return "Waiting for the first token";
    if (status === "broken") return "The connection broke: the answer goes on when it is back";
    const facts = [];
    if (status === "stopped") facts.push("stopped");
    if (status === "lost") facts.push("the chat was left before this ended");
    if (finish && finishes[finish]) facts.push(finishes[finish]);
    if (usage && timings && status !== "failed") {
      const figures = settled(usage, timings);
      facts.push(`${usage.completion_tokens} token${usage.completion_tokens === 1 ? "" : "s"}`, figures.Speed, figures["First token"] && `first after ${figures["First token"]}`);
    }
    return facts.filter(Boolean).join(" · ");
  }

  #renderFault() {
    const { fault } = this.#answer;
    this.#fault.hidden = !fault;
    if (!fault) return;
    const { what, said, todo } = explain(fault);
    this.#fault.replaceChildren(
      element("p", {}, element("strong", {}, what), " ", todo),
      element("p", { className: "note" }, `The server says: ${said}`));
  }

  /** @param {{last: boolean, busy: boolean}} place */
  #renderActions({ last, busy }) {
    const { versions, shown } = this.#column;
    if (versions.length > 1) {
      this.#actions.append(element("span", { className: "versions" },
        button("‹", () => this.#do.show(shown - 1), { disabled: shown === 0, ariaLabel: "Earlier answer" }),
        ` ${shown + 1} of ${versions.length} `,
        button("›", () => this.#do.show(shown + 1), { disabled: shown === versions.length - 1, ariaLabel: "Later answer" })));
    }
    const copy = button("Copy", async () => {
      copy.textContent = await navigator.clipboard.writeText(this.#answer.text).then(() => "Copied", () => "Not allowed by the browser");
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    if (this.#answer.text) this.#actions.append(copy);
    if (last) this.#actions.append(button("Again", this.#do.again, { disabled: busy, ariaLabel: "Ask again" }));
    this.#actions.append(button("Code", () => this.#do.code(this.#answer), { ariaLabel: "Show as a program" }));
  }
}
