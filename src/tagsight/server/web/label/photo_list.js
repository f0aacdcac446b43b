// The photos of a queue in their order, loaded in pages when they come into sight.

import { get } from "./server.js";

const PAGE = 200;

/** The photos that the page has seen, by id. A photo is the same object in all lists. */
const known = new Map();

export const knownPhoto = (id) => known.get(id);

/** Counts judgements, so that an answer shows whether it is older than one of them. */
let judgements = 0;

/** Set the state of a label on a photo that the page knows: 1, 0, or null for not judged. */
export function setState(id, label, value) {
  const photo = known.get(id);
  if (!photo) return;
  if (value === null) delete photo.judged[label];
  else photo.judged[label] = value;
  photo.judgement = judgements += 1;
}

/** Keep a photo of an answer; what was judged since it was asked for stays as it is. */
function remember(photo, asked = judgements) {
  const before = known.get(photo.id);
  if (!before) known.set(photo.id, photo);
  else Object.assign(before, photo, before.judgement > asked ? { judged: before.judged } : {});
  return known.get(photo.id);
}

/** Fires "change" when photos or their number have arrived, "trouble" with an error as detail. */
export class PhotoList extends EventTarget {
  #ids = [];
  #pages = new Map();
  #closed = new AbortController();
  #order = null;
  #fresh;

  /**
   * @param {Object} query Parameters of the request: queue, label, state.
   * @param {boolean} fresh Whether the server orders the queue again.
   */
  constructor(query, fresh = false) {
    super();
    this.query = query;
    this.total = null;
    this.#fresh = fresh;
  }

  /** Make a list of photos that are there already. */
  static of(photos, query) {
    const list = new PhotoList(query);
    list.total = photos.length;
    list.#ids = photos.map((photo) => remember(photo).id);
    list.#pages = null;
    return list;
  }

  at(index) {
    return known.get(this.#ids[index]);
  }

  indexOf(id) {
    return this.#ids.indexOf(id);
  }

  /** Load what is missing between two places. */
  need(first, last) {
    if (!this.#pages || this.#closed.signal.aborted) return Promise.resolve();
    const end = this.total ? Math.min(last, this.total - 1) : 0;
    const waits = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(end / PAGE); page += 1) {
      if (!this.#pages.has(page)) this.#pages.set(page, this.#load(page));
      waits.push(this.#pages.get(page));
    }
    return Promise.all(waits);
  }

  /** Forget which pages were loaded, so that scores are asked for again; the order stays. */
  expire() {
    if (this.#pages) this.#pages.clear();
  }

  /** Have the server order the photos again, as when more have been found; keep showing these. */
  renew() {
    this.#fresh = true;
    this.expire();
  }

  /** Ask for the scores of another label, in the same order. */
  score(label) {
    if (!this.#pages) return;
    for (const photo of known.values()) photo.score = null;
    if (label === null) delete this.query.label;
    else this.query.label = label;
    this.expire();
  }

  close() {
    this.#closed.abort();
  }

  async #load(page) {
    const query = new URLSearchParams({ ...this.query, offset: page * PAGE, limit: PAGE });
    if (this.#fresh) query.set("fresh", 1);
    this.#fresh = false;
    const asked = judgements;
    try {
      const found = await get(`photos?${query}`, { signal: this.#closed.signal });
      if (this.#order !== null && found.order_revision !== this.#order) {
        this.#ids = [];
        this.#pages = new Map([[page, Promise.resolve()]]);
      }
      this.#order = found.order_revision;
      this.total = found.total;
      found.photos.forEach((photo, place) => {
        this.#ids[page * PAGE + place] = remember(photo, asked).id;
      });
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.#pages.delete(page);
      this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    }
  }
}
