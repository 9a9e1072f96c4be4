// The connection to the server: docs/websocket.md has the messages.

/** The version of the messages that this page speaks. */
const protocol = 1;

/** Milliseconds until a broken connection is tried again: at first, and at most. */
const firstWait = 400;
const longestWait = 15_000;

/** Milliseconds between questions whether the server is there, and until it has to answer. */
const watchEvery = 20_000;
const watchFor = 10_000;

/**
 * How a connection is. `waiting`: it broke, and is tried again; `signed-out`: the server
 * wants a key; `outdated`: the server speaks otherwise than this page.
 * @typedef {"connecting"|"connected"|"waiting"|"signed-out"|"outdated"} State
 */

/**
 * @typedef {object} Welcome what the server says once a page is in
 * @property {string} version
 * @property {number} protocol
 * @property {string} tenant_id
 * @property {import("./models.js").Model[]} models
 */

/** What a call failed with: a code of the protocol, or DISCONNECTED. */
export class CallError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{param?: string, retry_after_ms?: number}} [details]
   * @param {any} [data] of the reply: what there was of an answer
   */
  constructor(code, message, details = {}, data = undefined) {
    super(message);
    this.code = code;
    this.details = details;
    this.data = data;
  }
}

/**
 * A connection that comes back by itself. Events: `state` when `state` has changed, and
 * `welcome` (detail: a Welcome) each time the page was let in.
 */
export class Socket extends EventTarget {
  /** @type {State} */
  state = "connecting";
  /** When it is tried again, by performance.now(); while it is waiting. */
  retryAt = 0;
  /** Why it is not connected. */
  reason = "";
  /** The most bytes of a frame that the server takes. */
  frameLimit = Infinity;

  #url;
  #ticket;
  /** @type {WebSocket|null} */ #socket = null;
  /** @type {Map<string, {resolve: (data: any) => void, reject: (error: CallError) => void, onPart?: (part: any) => void}>} */
  #calls = new Map();
  #next = 1;
  #failures = 0;
  #retry = 0;
  #heard = 0;

  /**
   * @param {URL} url of the WebSocket
   * @param {() => Promise<string|null>} ticket gets a ticket; null: there is no key to
   *   get one for. A SignInError is shown, whatever else is tried again.
   */
  constructor(url, ticket) {
    super();
    this.#url = url;
    this.#ticket = ticket;
    addEventListener("online", () => this.state === "waiting" && this.connect());
    setInterval(() => this.#watch(), watchEvery);
  }

  /** Connects, now. */
  connect() {
    clearTimeout(this.#retry);
    this.#drop("");
    this.#become("connecting", "");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#lost(event.reason);
  }

  /** Ends the connection until connect. */
  signOut() {
    this.#drop("you have signed out");
    this.#become("signed-out", "");
  }

  /**
   * Calls a function of the server.
   *
   * @param {string} name
   * @param {object} params
   * @param {{onPart?: (part: any) => void, signal?: AbortSignal}} [options] what takes
   *   the parts of an answer that streams, and what cancels the call
   * @returns {Promise<any>} the data of the last reply; rejected with a CallError
   */
  call(name, params, { onPart, signal } = {}) {
    return new Promise((resolve, reject) => {
      const id = String(this.#next++);
      const text = JSON.stringify({ id, function: name, params });
      const bytes = new TextEncoder().encode(text).length;
      if (this.state !== "connected") {
        reject(new CallError("DISCONNECTED", "there is no connection to the server"));
      } else if (bytes > this.frameLimit) {
        reject(new CallError("INVALID_REQUEST", `the chat has ${bytes} bytes, and the server takes at most ${this.frameLimit}`));
      } else {
        this.#calls.set(id, { resolve, reject, onPart });
        this.#socket?.send(text);
        signal?.addEventListener("abort", () => {
          if (this.#calls.has(id)) this.#socket?.send(JSON.stringify({ id, function: "cancel" }));
        }, { once: true });
      }
    });
  }

  /**
   * Waits until the page is let in the next time.
   *
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>} false when the signal aborts
   */
  welcomed(signal) {
    return new Promise((resolve) => {
      this.addEventListener("welcome", () => resolve(true), { once: true, signal });
      if (signal.aborted) resolve(false);
      signal.addEventListener("abort", () => resolve(false), { once: true });
    });
  }

  /** @param {any} message */
  #receive(message) {
    this.#heard = performance.now();
    switch (message.type) {
      case undefined:
        return this.#reply(message);
      case "auth_required":
        return void this.#authenticate(message.protocol);
      case "auth_failed":
        this.#drop("");
        return this.#become("signed-out", message.error);
      case "connected":
        if (message.protocol !== protocol) return this.#outdated(message.protocol);
        this.#failures = 0;
        this.#become("connected", "");
        this.dispatchEvent(new CustomEvent("welcome", { detail: message }));
    }
  }

  /** @param {any} message */
  #reply({ id, status, data, error }) {
    const call = this.#calls.get(id);
    if (!call) return; // it has ended
    if (status === "streaming") return call.onPart?.(data);
    this.#calls.delete(id);
    if (status === "complete") call.resolve(data);
    else call.reject(new CallError(error?.code ?? "INTERNAL_ERROR", error?.message ?? status, error?.details, data));
  }

  /** @param {number} spoken by the server */
  async #authenticate(spoken) {
    if (spoken !== protocol) return this.#outdated(spoken);
    const socket = this.#socket;
    try {
      const ticket = await this.#ticket();
      if (socket !== this.#socket) return;
      if (ticket !== null) return socket?.send(JSON.stringify({ type: "auth", ticket }));
      this.#drop("");
      this.#become("signed-out", "");
    } catch (error) {
      if (socket !== this.#socket) return;
      const said = /** @type {Error} */ (error);
      if (said.name !== "SignInError") return this.#lost(said.message);
      this.#drop("");
      this.#become("signed-out", said.message);
    }
  }

  /** @param {number} spoken by the server */
  #outdated(spoken) {
    this.#drop("");
    this.#become("outdated", `the page speaks version ${protocol} and the server ${spoken}`);
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#drop(reason);
    const wait = Math.min(longestWait, firstWait * 1.7 ** this.#failures++) * (0.8 + 0.4 * Math.random());
    this.retryAt = performance.now() + wait;
    this.#retry = setTimeout(() => this.connect(), wait);
    this.#become("waiting", reason);
  }

  /**
   * Lets go of the connection, and ends its calls.
   * @param {string} reason
   */
  #drop(reason) {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#retry);
    socket?.close();
    for (const call of this.#calls.values()) {
      call.reject(new CallError("DISCONNECTED", reason || "the connection to the server broke"));
    }
    this.#calls.clear();
  }

  /** Finds out whether the server is there where it has been silent. */
  #watch() {
    if (this.state !== "connected" || performance.now() - this.#heard < watchEvery) return;
    const asked = performance.now();
    const socket = this.#socket;
    this.call("health", {}).catch(() => {});
    setTimeout(() => {
      if (socket === this.#socket && this.#heard < asked) this.#lost("the server does not answer");
    }, watchFor);
  }

  /** @param {State} state @param {string} reason */
  #become(state, reason) {
    this.state = state;
    this.reason = reason;
    this.dispatchEvent(new Event("state"));
  }
}
