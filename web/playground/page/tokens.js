// An answer token by token, with how likely each was and what might have been instead.

import { element } from "./element.js";

/** @typedef {import("./conversation.js").Token} Token */

/**
 * Tokens that can be looked at: each says its probability, and the one that is chosen
 * shows the others. Arrow keys go from one to the next.
 */
export class TokenView {
  #line = element("div", { className: "tokens", role: "listbox", ariaLabel: "Tokens", "aria-orientation": "horizontal" });
  #details = element("div", { className: "candidates", hidden: true, "aria-live": "polite" });
  node = element("div", { className: "token-view" }, this.#line, this.#details);
  /** @type {Token[]} */ #tokens = [];
  #chosen = -1;

  constructor() {
    this.#line.addEventListener("click", (/** @type {MouseEvent} */ event) => {
      const index = [...this.#line.children].indexOf(/** @type {Element} */ (event.target));
      if (index >= 0) this.#choose(index);
    });
    this.#line.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const last = this.#tokens.length - 1;
      const at = this.#chosen < 0 ? 0 : this.#chosen;
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: last, Enter: at, " ": at }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#choose(Math.min(last, Math.max(0, to)));
    });
  }

  /** Shows tokens: those that there are already stay as they are. @param {Token[]} tokens */
  show(tokens) {
    if (tokens.length < this.#line.children.length || tokens !== this.#tokens) this.#line.replaceChildren();
    this.#tokens = tokens;
    for (let i = this.#line.children.length; i < tokens.length; i++) this.#line.append(this.#token(tokens[i], i));
  }

  /** @param {Token} token @param {number} index */
  #token({ token, logprob }, index) {
    const p = Math.exp(logprob);
    const made = element("span", {
      className: `token p${Math.min(4, Math.floor(p * 5))}`, role: "option", tabIndex: index === 0 ? 0 : -1,
      ariaLabel: `${readable(token)}, ${percent(p)}`, "aria-selected": "false", title: percent(p),
    }, visible(token));
    if (token.includes("\n")) made.classList.add("breaks");
    return made;
  }

  /** @param {number} index */
  #choose(index) {
    const before = /** @type {HTMLElement|undefined} */ (this.#line.children[this.#chosen < 0 ? 0 : this.#chosen]);
    if (before) {
      before.tabIndex = -1;
      before.setAttribute("aria-selected", "false");
    }
    this.#chosen = index;
    const chosen = /** @type {HTMLElement} */ (this.#line.children[index]);
    chosen.tabIndex = 0;
    chosen.setAttribute("aria-selected", "true");
    chosen.focus({ preventScroll: true });
    this.#details.hidden = false;
    this.#details.replaceChildren(candidates(this.#tokens[index]));
  }
}

/** The table of what a token might have been. @param {Token} token */
function candidates({ token, logprob, top_logprobs }) {
  const all = [...top_logprobs];
  if (!all.some((c) => c.token === token)) all.push({ token, logprob });
  const rows = all.map((c) => {
    const p = Math.exp(c.logprob);
    return element("tr", { className: c.token === token ? "taken" : "" },
      element("th", { scope: "row" }, visible(c.token)),
      element("td", {}, element("meter", { min: 0, max: 1, value: p, ariaLabel: percent(p) })),
      element("td", { className: "number" }, percent(p)),
      element("td", { className: "number" }, c.logprob.toFixed(3)));
  });
  const heads = ["Token", "Probability", "", "Log"].map((text) => element("th", { scope: "col" }, text));
  return element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

/** @param {number} p */
function percent(p) {
  if (p < 0.0001) return "< 0.01 %";
  return `${(p * 100).toFixed(p < 0.0995 ? 2 : 0)} %`;
}

/** A token with what cannot be seen made visible. @param {string} text */
function visible(text) {
  return text === "" ? "∅" : text.replaceAll("\n", "↵\n").replaceAll("\t", "⇥");
}

/** A token as it is spoken. @param {string} text */
function readable(text) {
  return text.trim() === "" ? "white space" : text;
}
