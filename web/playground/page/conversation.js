// A chat as data: questions, and the answers to each.

/**
 * How an answer is. `broken`: the connection broke and it is going to be asked for
 * again; `lost`: the page or the chat was left before it ended.
 * @typedef {"waiting"|"streaming"|"broken"|"done"|"stopped"|"failed"|"lost"} Status
 */

/**
 * @typedef {object} Token
 * @property {string} token its text
 * @property {number} logprob natural
 * @property {{token: string, logprob: number}[]} top_logprobs
 */

/**
 * @typedef {object} Answer
 * @property {string} id
 * @property {Record<string, any>} params what the server was asked for
 * @property {Status} status
 * @property {string} text
 * @property {string} seen what was on the page before the connection broke
 * @property {string} reasoning
 * @property {Token[]} tokens with their log-probabilities, if those were asked for
 * @property {string} [finish] why it ended
 * @property {{prompt_tokens: number, completion_tokens: number, cached_tokens: number}} [usage]
 * @property {{queue_ms: number, ttft_ms: number, total_ms: number, decode_tokens_per_second: number, draft_accepted: number, draft_proposed: number}} [timings]
 * @property {import("./errors.js").Fault} [fault]
 */

/**
 * @typedef {object} Column the answers of one adapter to a question
 * @property {Answer[]} versions
 * @property {number} shown the version that is on the page
 */

/**
 * @typedef {object} Exchange
 * @property {string} id
 * @property {string} question
 * @property {Column[]} columns one, or two side by side
 * @property {number} kept the column that the chat goes on with
 */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {string} title
 * @property {number} changed milliseconds since 1970
 * @property {Exchange[]} exchanges
 */

/** @returns {string} an id that nothing else has */
function newID() {
  // randomUUID is for secure pages only, and this one may be served in a plain network.
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** @returns {Conversation} */
export function newConversation() {
  return { id: newID(), title: "", changed: Date.now(), exchanges: [] };
}

/**
 * Adds a question with nothing to answer it yet.
 *
 * @param {Conversation} conversation
 * @param {string} question
 * @returns {Exchange}
 */
export function addExchange(conversation, question) {
  const exchange = { id: newID(), question, columns: [], kept: 0 };
  conversation.exchanges.push(exchange);
  conversation.title ||= question.replace(/\s+/g, " ").trim().slice(0, 80);
  return exchange;
}

/**
 * Takes away a question and all behind it, so that it can be asked otherwise.
 *
 * @param {Conversation} conversation
 * @param {Exchange} exchange
 */
export function cutFrom(conversation, exchange) {
  const index = conversation.exchanges.indexOf(exchange);
  if (index >= 0) conversation.exchanges.length = index;
  if (index === 0) conversation.title = "";
}

/**
 * @param {Record<string, any>} params
 * @returns {Answer}
 */
export function newAnswer(params) {
  return { id: newID(), params, status: "waiting", text: "", seen: "", reasoning: "", tokens: [] };
}

/** @param {Column} column @returns {Answer} the one that is on the page */
export function shownAnswer(column) {
  return column.versions[column.shown];
}

/** @param {Answer} answer @returns {boolean} whether more of it is to come */
export function isOpen(answer) {
  return answer.status === "waiting" || answer.status === "streaming" || answer.status === "broken";
}

/**
 * The text to show: while an answer comes for the second time, what was there before
 * stays until there is more.
 *
 * @param {Answer} answer
 * @returns {string}
 */
export function shownText(answer) {
  return isOpen(answer) && answer.seen.startsWith(answer.text) ? answer.seen : answer.text;
}

/**
 * What was said before an exchange. Questions that got no answer are left out: templates
 * want the two sides to take turns.
 *
 * @param {Conversation} conversation
 * @param {Exchange} until is the question to come
 * @returns {import("./request.js").Message[]}
 */
export function messagesUntil(conversation, until) {
  /** @type {import("./request.js").Message[]} */
  const messages = [];
  for (const exchange of conversation.exchanges) {
    if (exchange === until) break;
    const text = shownAnswer(exchange.columns[exchange.kept]).text;
    if (text) messages.push({ role: "user", content: exchange.question }, { role: "assistant", content: text });
  }
  messages.push({ role: "user", content: until.question });
  return messages;
}

/**
 * Takes a part of an answer that streams.
 *
 * @param {Answer} answer
 * @param {{text: string, index: number, reasoning?: string, finish_reason?: string, logprobs?: {content: Token[]}}} part
 */
export function addPart(answer, part) {
  if (part.index !== 0) return; // the page asks for one text
  answer.status = "streaming";
  answer.text += part.text;
  answer.reasoning += part.reasoning ?? "";
  for (const { token, logprob, top_logprobs } of part.logprobs?.content ?? []) {
    answer.tokens.push({ token, logprob, top_logprobs: top_logprobs.map((t) => ({ token: t.token, logprob: t.logprob })) });
  }
}

/**
 * Takes the end of an answer: of one that went well, or of one that did not.
 *
 * @param {Answer} answer
 * @param {Status} status
 * @param {any} data of the last reply; undefined where there was none
 * @param {import("./errors.js").Fault} [fault]
 */
export function endAnswer(answer, status, data, fault) {
  if (!data) answer.text = shownText(answer);
  Object.assign(answer, { status, fault, seen: "" });
  if (!data) return;
  answer.text = data.text ?? answer.text;
  answer.finish = data.finish_reason;
  answer.usage = data.usage;
  answer.timings = data.timings;
}

/**
 * Makes what was read from storage whole: nothing is under way any more.
 * @param {Conversation} conversation
 */
export function restore(conversation) {
  for (const exchange of conversation.exchanges) {
    for (const answer of exchange.columns.flatMap((c) => c.versions)) {
      if (isOpen(answer)) endAnswer(answer, "lost", undefined);
    }
  }
}
