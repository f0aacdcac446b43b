// Judgements on their way to the server. Each is kept in the browser until the server has it: a
// closed tab, a reload or a server that is away loses none, and any tab of the project sends them.

import { person, send } from "./server.js";

const LONGEST_PAUSE = 5000;

/**
 * Fires "added", "sent" with {entry, answer}, "refused" with {entry, error}, and "state" when
 * `trouble` changes.
 */
export class Outbox extends EventTarget {
  #prefix;
  #storage = kept();
  #sending = false;
  #wake = () => {};

  /** @param {string} project Name of the project, whose judgements these are. */
  constructor(project) {
    super();
    this.#prefix = `tagsight-outbox:${project}:`;
    this.trouble = null;
  }

  /** Entries that the server does not have yet, in their order. */
  get waiting() {
    return this.#keys().map((key) => JSON.parse(this.#storage.getItem(key)));
  }

  /**
   * Keep a request and send it when those before it are sent.
   * @param {string} path Path below /label.
   * @param {Object} body What is sent; a key of its own lets the server know a repetition.
   */
  add(path, body) {
    const time = String(Date.now()).padStart(14, "0");
    const key = `${time}-${String(performance.now().toFixed(3)).padStart(14, "0")}-${crypto.randomUUID().slice(0, 8)}`;
    const entry = { key, path, body, person };
    this.#storage.setItem(this.#prefix + key, JSON.stringify(entry));
    this.dispatchEvent(new Event("added"));
    this.send();
    return entry;
  }

  /** Try now what waits, without a further pause. */
  retry() {
    this.#wake();
    this.send();
  }

  async send() {
    if (this.#sending || !this.#keys().length) return;
    this.#sending = true;
    try {
      await alone(this.#prefix, () => this.#sendAll());
    } finally {
      this.#sending = false;
    }
    this.#say(null);
    if (this.#keys().length) this.send();
  }

  async #sendAll() {
    for (let pause = 500; this.#keys().length; ) {
      const [name] = this.#keys();
      const entry = JSON.parse(this.#storage.getItem(name));
      try {
        const answer = await send("POST", entry.path, entry.body, entry.key, entry.person);
        this.#storage.removeItem(name);
        this.#say(null);
        pause = 500;
        this.dispatchEvent(new CustomEvent("sent", { detail: { entry, answer } }));
      } catch (error) {
        if (lasting(error)) {
          this.#storage.removeItem(name);
          this.dispatchEvent(new CustomEvent("refused", { detail: { entry, error } }));
          continue;
        }
        this.#say(error);
        await new Promise((resume) => {
          this.#wake = resume;
          setTimeout(resume, pause);
        });
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
  }

  #say(trouble) {
    this.trouble = trouble;
    this.dispatchEvent(new Event("state"));
  }

  #keys() {
    return Object.keys(this.#storage).filter((key) => key.startsWith(this.#prefix)).sort();
  }
}

/** Whether the same request would be refused again: not when the server is away, full or locked. */
const lasting = (error) => error.status !== null && error.status !== undefined && error.status < 500 && error.status !== 401;

/** Run in one tab at a time, where the browser can tell; a repeated key does no harm elsewhere. */
const alone = (name, run) => (navigator.locks ? navigator.locks.request(name, run) : run());

/** The browser's storage, or memory where it has none. */
function kept() {
  try {
    localStorage.setItem("tagsight-probe", "1");
    localStorage.removeItem("tagsight-probe");
    return localStorage;
  } catch {
    const memory = {};
    const hidden = {
      getItem: (key) => memory[key] ?? null,
      setItem: (key, value) => { memory[key] = value; },
      removeItem: (key) => { delete memory[key]; },
    };
    return new Proxy(memory, { get: (_, name) => hidden[name] });
  }
}
