// What the server is asked for: the parameters of a chat call, which are OpenAI's with
// Realm's beside them.

import { numbers } from "./settings.js";

/** How many other tokens are told beside each one that was chosen. */
const topLogprobs = 5;

/**
 * @typedef {{role: "system"|"user"|"assistant", content: string}} Message
 */

/**
 * Makes the parameters of a chat call. They have a seed in any case, so that an answer
 * can be asked for again and is the same.
 *
 * @param {Readonly<import("./settings.js").Settings>} settings
 * @param {string} adapter
 * @param {Message[]} messages without a system prompt
 * @returns {Record<string, any>}
 */
export function chatParams(settings, adapter, messages) {
  /** @type {Record<string, any>} */
  const params = { model: settings.model, adapter };
  const system = settings.system.trim();
  params.messages = system ? [{ role: "system", content: system }, ...messages] : messages;
  for (const name of numbers) {
    if (settings[name] !== undefined) params[name] = settings[name];
  }
  params.seed ??= crypto.getRandomValues(new Uint32Array(1))[0];
  const stop = settings.stop.split("\n").filter((line) => line !== "");
  if (stop.length > 0) params.stop = stop;
  if (settings.schema.trim()) {
    params.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: JSON.parse(settings.schema) } };
  }
  if (settings.tokens) Object.assign(params, { logprobs: true, top_logprobs: topLogprobs });
  if (settings.speculative) params.speculative = settings.speculative;
  if (settings.guest) params.guest = settings.guest;
  return params;
}
