// What went wrong, in words, and what to do about it.

/**
 * @typedef {object} Fault what went wrong with an answer, as it is kept
 * @property {string} code of the protocol, or DISCONNECTED
 * @property {string} message of the server
 * @property {string} [param] the parameter that is wrong
 * @property {number} [retryAfter] milliseconds
 */

/** @type {Record<string, [what: string, todo: string]>} */
const words = {
  UNAUTHORIZED: ["The server does not know this page any more.", "Sign in again."],
  FORBIDDEN: ["This key may not do that.", "Choose another model, adapter or guest, or ask whoever runs the server."],
  RATE_LIMIT_EXCEEDED: ["This key has used up its requests or tokens for the minute.", "Wait a little, then ask again."],
  QUOTA_EXCEEDED: ["The answer takes more than this key may use.", "Make it shorter with Most tokens, or ask whoever runs the server for more."],
  QUEUE_FULL: ["The server has as much to do as it can take.", "Wait a little, then ask again."],
  TIMEOUT: ["The answer took longer than the server allows.", "Make it shorter with Most tokens in Settings."],
  MODEL_NOT_FOUND: ["The server does not have this model any more.", "Choose another above."],
  ADAPTER_NOT_FOUND: ["The model does not have this adapter any more.", "Choose another above."],
  GUEST_NOT_FOUND: ["The server does not have this guest any more.", "Choose another in Settings."],
  GUEST_TRAPPED: ["The guest that makes the answers has failed.", "Choose the usual guest in Settings, or tell whoever wrote this one."],
  CONTEXT_OVERFLOW: ["The chat is longer than the model can read.", "Begin a new chat, or ask for fewer tokens."],
  INVALID_REQUEST: ["The server cannot do what was asked.", "Change the setting that it names."],
  DEVICE_LOST: ["The server lost its GPU and is starting it again.", "Wait a little, then ask again."],
  OUT_OF_MEMORY: ["The server has no memory left for this answer.", "Wait until others are done, or ask for a shorter answer."],
  UNAVAILABLE: ["The server is shutting down.", "Ask again when it is back."],
  INTERNAL_ERROR: ["The server has failed.", "Ask again. If it stays so, the server's log says why."],
  DISCONNECTED: ["The connection broke before the answer ended.", "Ask again once the page is connected."],
};

/**
 * Says an error in words.
 *
 * @param {Fault} fault
 * @returns {{what: string, said: string, todo: string}} what happened, what the server
 *   said of it, and what to do
 */
export function explain({ code, message, retryAfter }) {
  const [what, todo] = words[code] ?? words.INTERNAL_ERROR;
  const seconds = Math.ceil((retryAfter ?? 0) / 1000);
  return {
    what,
    said: message,
    todo: seconds > 0 ? todo.replace("Wait a little", `Wait ${seconds} second${seconds === 1 ? "" : "s"}`) : todo,
  };
}

/**
 * Reports whether an error is about the JSON schema of a request.
 *
 * @param {Fault} fault
 * @returns {boolean}
 */
export function aboutSchema({ code, message, param }) {
  return code === "INVALID_REQUEST" && (param?.startsWith("response_format") || /schema|grammar/i.test(message));
}

/**
 * Says what the server thinks of a schema, without the names of what found out.
 *
 * @param {string} message
 * @returns {string}
 */
export function schemaFault(message) {
  const [, pointer, what] = message.match(/schema (#\S*): (.+?)(?:: malformed grammar)?$/) ?? [];
  return what ? `At ${pointer}: ${what}.` : message;
}
