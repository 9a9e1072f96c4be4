// The chats that this browser keeps, in IndexedDB: nothing of them is on the server.

const database = "realm";
const chats = "chats";

/** @typedef {import("./conversation.js").Conversation} Conversation */

/** The chats. Where the browser keeps nothing they are in memory, and `lasting` is false. */
export class History {
  /** @type {IDBDatabase|null} */ #db = null;
  /** @type {Map<string, Conversation>} */ #memory = new Map();

  /**
   * Opens the history. It always succeeds: see `lasting`.
   * @returns {Promise<History>}
   */
  static async open() {
    const history = new History();
    try {
      const asked = indexedDB.open(database, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore(chats, { keyPath: "id" });
      history.#db = await done(asked);
    } catch {
      // Some browsers keep nothing in private windows.
    }
    return history;
  }

  /** Whether chats are there when the page is opened again. */
  get lasting() {
    return this.#db !== null;
  }

  /** @returns {Promise<Conversation[]>} all of them, the last one first */
  async list() {
    const all = this.#db ? await done(this.#store("readonly").getAll()) : [...this.#memory.values()];
    return all.sort((a, b) => b.changed - a.changed);
  }

  /** @param {string} id @returns {Promise<Conversation|undefined>} as it was put last */
  async get(id) {
    return this.#db ? done(this.#store("readonly").get(id)) : this.#memory.get(id);
  }

  /** @param {Conversation} conversation */
  async put(conversation) {
    if (!this.#db) return void this.#memory.set(conversation.id, conversation);
    await done(this.#store("readwrite").put(conversation));
  }

  /** @param {string} id */
  async remove(id) {
    if (!this.#db) return void this.#memory.delete(id);
    await done(this.#store("readwrite").delete(id));
  }

  /** @param {IDBTransactionMode} mode */
  #store(mode) {
    if (!this.#db) throw new Error("history: there is no database");
    return this.#db.transaction(chats, mode).objectStore(chats);
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>} its result
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
