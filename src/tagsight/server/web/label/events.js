// What happens elsewhere: judgements of other tabs, new scores, progress. After a break the server
// tells what was missed.

const LONGEST_PAUSE = 5000;

/** Fires "judgements", "labels", "model", "features" with their facts, "away", "back". */
export class Events extends EventTarget {
  #source = null;
  #pause = 500;
  #timer = null;
  #opening = true;

  /** @param {number} revision Of the last judgement that the page knows. */
  constructor(revision) {
    super();
    this.revision = revision;
    this.away = false;
    // A hidden tab gives its connection back: a browser opens only six to a server.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.open()));
  }

  open() {
    if (this.#source) return;
    clearTimeout(this.#timer);
    const source = new EventSource(`/label/events?since=${this.revision}`);
    this.#source = source;
    source.onopen = () => this.#opened();
    source.onerror = () => this.#failed();
    for (const name of ["judgements", "labels", "model", "features"]) {
      source.addEventListener(name, ({ data }) => {
        const facts = data ? JSON.parse(data) : {};
        if (facts.revision !== undefined) this.revision = Math.max(this.revision, facts.revision);
        this.dispatchEvent(new CustomEvent(name, { detail: facts }));
      });
    }
  }

  #opened() {
    this.#pause = 500;
    this.#opening = true;
    if (!this.away) return;
    this.away = false;
    this.dispatchEvent(new Event("back"));
  }

  /** The server ends a stream now and then; it is away if the next one does not open. */
  #failed() {
    this.#close();
    if (this.#opening) {
      this.#opening = false;
      this.open();
      return;
    }
    if (!this.away) {
      this.away = true;
      this.dispatchEvent(new Event("away"));
    }
    this.#timer = setTimeout(() => this.open(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }
}
