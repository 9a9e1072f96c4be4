// Realm in a page: load a model, have it answer. docs/browser.md documents this module.
//
//   import { load } from "./realm.js";
//   const model = await load();
//   for await (const text of model.generate({ prompt: "Once upon a time" })) show(text);
//
// All work is done in a worker, so that the page stays smooth.
export { stored, remove } from "./store.js";

// What went wrong, with a code that programs can go by: aborted, adapter, context,
// device, format, limit, lost, memory, network, quota, stopped or failed.
export class RealmError extends Error {
  constructor({ code, message }) {
    super(message);
    this.name = "RealmError";
    this.code = code;
  }
}

// Loads a model and returns a Model. Options, all of which may be left out:
//   model     URL of a GGUF file, or a File or Blob, which is read where it lies;
//             else the small model that comes with Realm
//   name      what to call it
//   store     false: a model of a URL is not kept for the next time
//   device    "auto", "webgpu" or "cpu"
//   context   tokens of a conversation
//   adapters  {name: URL or Blob} of LoRA adapters in GGUF
//   progress  ({phase, done, total}) is called as it goes on: phase is "download" or
//             "load", done and total are bytes
//   notice    ({code, title, text}) is told what is missing or was lost, then and later
//   signal    an AbortSignal
export async function load({ signal, progress, notice, ...options } = {}) {
  if (options.model && options.store !== false && !(options.model instanceof Blob)) {
    // Else the browser may clear it away when space is short. It may say no.
    await navigator.storage?.persist?.();
  }
  const engine = new Engine();
  const notices = [];
  const heard = (message) => {
    if (message.kind === "progress") progress?.(message.progress);
    if (message.kind === "notice") {
      notices.push(message.notice);
      notice?.(message.notice);
    }
  };
  const resolve = (at) => at instanceof Blob ? at : new URL(at, document.baseURI).href;
  try {
    const about = await engine.call("load", {
      ...options,
      model: options.model && resolve(options.model),
      adapters: Object.fromEntries(Object.entries(options.adapters ?? {}).map(([name, at]) => [name, resolve(at)])),
    }, heard, signal);
    return new Model(engine, about, notices, notice);
  } catch (error) {
    engine.end();
    throw error;
  }
}

// A model that is loaded.
class Model {
  #engine;
  #notice;

  constructor(engine, about, notices, notice) {
    this.#engine = engine;
    this.#notice = notice;
    this.about = about; // name, architecture, parameters, bytes, context, device, ...
    this.notices = notices;
  }

  // Begins an answer: an Answer, whose text comes piece by piece. The request is that
  // of docs/guest-request.md: messages or prompt, max_tokens, temperature, adapter, ...
  generate({ signal, ...request }) {
    return new Answer(this.#engine, request, signal, (notice) => {
      this.notices.push(notice);
      this.#notice?.(notice);
    });
  }

  // Makes a LoRA adapter known, which requests may name then.
  async addAdapter(name, at) {
    await this.#engine.call("adapter", { name, at: at instanceof Blob ? at : new URL(at, document.baseURI).href });
  }

  // Gives back all that the model takes. Answers that are being made end.
  close() {
    this.#engine.end();
  }
}

// An answer that is being made: for await gives its text. done is a promise of
// {finish_reason, usage, timings}.
class Answer {
  #pieces = [];
  #wake = () => {};
  #ended = false;
  #failure;
  #controller = new AbortController();

  constructor(engine, request, signal, notice) {
    const end = (failure) => {
      this.#ended = true;
      this.#failure = failure;
      this.#wake();
    };
    const signals = signal ? AbortSignal.any([signal, this.#controller.signal]) : this.#controller.signal;
    this.done = engine.call("generate", { request }, (message) => {
      if (message.kind === "notice") notice(message.notice);
      if (message.kind !== "text") return;
      this.#pieces.push(message.text);
      this.#wake();
    }, signals);
    this.done.then(() => end(), end); // who waits for neither is not told
  }

  // Stops it. The loop over its text ends, with what there is by then.
  abort() {
    this.#controller.abort();
  }

  async *[Symbol.asyncIterator]() {
    try {
      for (;;) {
        while (this.#pieces.length > 0) yield this.#pieces.shift();
        if (this.#ended) break;
        await new Promise((wake) => { this.#wake = wake; });
      }
    } finally {
      if (!this.#ended) this.abort(); // the loop was left
    }
    if (this.#failure && this.#failure.code !== "aborted") throw this.#failure;
  }
}

// The worker, and the calls that it has not answered.
class Engine {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "realm" });
  #calls = new Map();
  #next = 1;
  #over;

  constructor() {
    this.#worker.onmessage = ({ data }) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end({ code: "stopped", message: `The engine could not be started: ${event.message || "worker.js did not load"}` });
    };
  }

  // Calls a function of the worker. heard is told of its messages on the way.
  call(name, args, heard, signal) {
    return new Promise((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      const id = this.#next++;
      const abort = () => this.#worker.postMessage({ id, call: "abort" });
      const settle = (done) => (value) => {
        signal?.removeEventListener("abort", abort);
        this.#calls.delete(id);
        done(value);
      };
      this.#calls.set(id, { heard, resolve: settle(resolve), reject: settle(reject) });
      this.#worker.postMessage({ id, call: name, ...args });
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
    });
  }

  #take(message) {
    if (message.kind === "stopped") return this.end(message.error);
    const call = this.#calls.get(message.id);
    if (!call) return;
    if (message.kind === "result") call.resolve(message.result);
    else if (message.kind === "error") call.reject(new RealmError(message.error));
    else call.heard?.(message);
  }

  end(error = { code: "stopped", message: "The model was closed." }) {
    this.#over ??= new RealmError(error);
    this.#worker.terminate();
    for (const call of [...this.#calls.values()]) call.reject(this.#over);
  }
}
