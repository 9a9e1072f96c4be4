// The page of a chat in which nothing has been said.

import { button, byID, element } from "./element.js";

/** What can be asked of the model that is built in, which knows countries. */
const atlas = {
  title: "Ask about any country",
  text: "atlas is a very small model. It knows the capitals, currencies, languages, continents and calling codes of 247 countries, and nothing else.",
  questions: ["What is the capital of France?", "Tell me about Brazil.", "Which country has Oslo as its capital?", "Is Rome the capital of Spain?"],
};

/** What can be asked of any other. */
const others = {
  title: "Ask something",
  text: "Answers come from the model that is chosen above. Models can be wrong.",
  questions: ["Why is the sky blue?", "Explain recursion to a child.", "Write a haiku about the sea.", "Name three uses of a paper clip."],
};

/**
 * Shows it for a model.
 *
 * @param {string} model "" while there is none
 * @param {(question: string) => void} ask
 */
export function showWelcome(model, ask) {
  const welcome = byID("welcome");
  welcome.hidden = model === "";
  const { title, text, questions } = model === "atlas" ? atlas : others;
  const [head, words, list] = welcome.children;
  head.textContent = title;
  words.textContent = text;
  list.replaceChildren(...questions.map((q) => element("li", {}, button(q, () => ask(q), { className: "example" }))));
}

/** Hides it. */
export function hideWelcome() {
  byID("welcome").hidden = true;
}
