// The chat: what was said, and what is being said.
import { byID, button, element } from "./element.js";
import { explain, reasons, seconds } from "./words.js";
import { sampling, systemPrompt } from "./settings.js";

const transcript = byID("transcript");
const scroll = byID("scroll");
const box = byID("message");
const send = byID("send");
const stop = byID("stop");

export class Chat {
  #model = null;
  #said = []; // {question, text}
  #answer = null; // that is being made

  constructor() {
    byID("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(box.value);
    });
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.ask(box.value);
    });
    box.addEventListener("input", () => this.#fit());
    stop.addEventListener("click", () => this.stop());
    byID("new-chat").addEventListener("click", () => this.clear());
  }

  // The model that answers; null: there is none now.
  set model(model) {
    this.stop();
    this.#model = model;
    this.#fit();
  }

  // Writes examples of questions.
  suggest(questions) {
    byID("welcome").querySelector(".examples").replaceChildren(...questions.map((question) => element("li", {}, button(question, () => this.ask(question), { className: "example" }))));
  }

  clear() {
    this.stop();
    this.#said = [];
    transcript.replaceChildren();
    byID("welcome").hidden = false;
    box.focus();
  }

  stop() {
    this.#answer?.abort();
  }

  // Asks a question, if there is someone to ask.
  async ask(question) {
    question = question.trim();
    if (!question || !this.#model || this.#answer) return;
    byID("welcome").hidden = true;
    if (box.value.trim() === question) box.value = "";
    const exchange = { question, text: "" };
    this.#said.push(exchange);
    const section = element("section", { className: "exchange" }, element("div", { className: "question" }, element("p", { className: "text" }, question)));
    transcript.append(section);
    await this.#reply(exchange, section);
  }

  async #reply(exchange, section) {
    const adapter = byID("adapter").value;
    const name = adapter ? `${this.#model.about.name}, ${adapter}` : this.#model.about.name;
    const text = element("p", { className: "text" });
    const facts = element("span", { className: "facts" }, "Reading");
    const foot = element("div", { className: "foot" }, facts);
    const reply = element("div", { className: "reply" }, element("h3", {}, name), text, foot);
    reply.setAttribute("aria-busy", "true");
    section.append(reply);
    this.#follow(true);

    const started = performance.now();
    let first = 0, pieces = 0;
    exchange.text = "";
    const answer = this.#answer = this.#model.generate({ messages: this.#messages(), ...sampling(), ...(adapter && { adapter }) });
    this.#fit();
    try {
      for await (const piece of answer) {
        first ||= performance.now();
        exchange.text += piece;
        text.append(piece);
        const rate = pieces++ > 2 ? `, ${(1000 * pieces / (performance.now() - first)).toFixed(1)} a second` : "";
        facts.textContent = `First token after ${seconds((first - started) / 1000)}${rate}`;
        this.#follow();
      }
      const { finish_reason, usage, timings } = await answer.done;
      facts.textContent = [
        `First token after ${seconds(timings.first_token_seconds)}`,
        timings.tokens_per_second > 0 && `${timings.tokens_per_second.toFixed(1)} tokens/s`,
        `${usage.completion_tokens} tokens`, reasons[finish_reason],
      ].filter(Boolean).join(" · ");
      byID("spoken").textContent = exchange.text;
    } catch (error) {
      if (error.code === "aborted") {
        facts.textContent = "Stopped";
      } else {
        facts.textContent = "";
        reply.append(element("p", { className: "fault text", role: "alert" }, explain(error)));
      }
    }
    reply.removeAttribute("aria-busy");
    this.#answer = null;
    foot.append(element("div", { className: "actions" }, button("Copy", (event) => copy(exchange.text, event.target)), button("Again", () => this.#again(exchange, section, reply))));
    this.#fit();
    this.#follow();
    box.focus();
  }

  // Makes an answer anew, and forgets what came after it.
  #again(exchange, section, reply) {
    if (this.#answer || !this.#model) return;
    this.#said.length = this.#said.indexOf(exchange) + 1;
    while (section.nextSibling) section.nextSibling.remove();
    reply.remove();
    this.#reply(exchange, section);
  }

  #messages() {
    const messages = [];
    const system = systemPrompt();
    if (system) messages.push({ role: "system", content: system });
    for (const { question, text } of this.#said) {
      messages.push({ role: "user", content: question });
      if (text) messages.push({ role: "assistant", content: text });
    }
    return messages;
  }

  // Keeps the end in view, unless the reader has gone up.
  #follow(always = false) {
    const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
    if (near || always) scroll.scrollTop = scroll.scrollHeight;
  }

  // Makes box and buttons as they have to be now.
  #fit() {
    const busy = this.#answer !== null;
    stop.hidden = !busy;
    send.hidden = busy;
    send.disabled = !this.#model || !box.value.trim();
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, innerHeight / 3)}px`;
  }
}

async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    from.textContent = "Not allowed";
  }
  setTimeout(() => { from.textContent = "Copy"; }, 2000);
}
