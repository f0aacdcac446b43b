// Which photos are selected, and which one is current: where the arrow keys are.

const MOST = 5000;

/** Fires "change"; the list of photos changes with `use`. */
export class Selection extends EventTarget {
  constructor() {
    super();
    this.list = null;
    this.clear();
  }

  use(list) {
    this.list = list;
    this.clear();
  }

  /** The photos to judge: the selected ones, or else the current one. */
  get targets() {
    if (this.ids.size) return [...this.ids];
    const photo = this.list?.at(this.current);
    return photo && this.shown ? [photo.id] : [];
  }

  has(id) {
    return this.ids.has(id);
  }

  clear() {
    this.ids = new Set();
    this.current = 0;
    this.anchor = 0;
    this.shown = false;
    this.#changed();
  }

  /** Select nothing, but keep the place. */
  release() {
    this.ids = new Set();
    this.#changed();
  }

  /** Select one photo; it may have to be loaded first. */
  async choose(index) {
    const { list } = this;
    if (!list.at(index)) await list.need(index, index);
    if (list !== this.list) return;
    this.#move(index, index);
    this.ids = new Set(this.#idsOf([index]));
    this.#changed();
  }

  /** Select several photos that are loaded. */
  chooseAll(indices) {
    this.#move(indices[0], indices[0]);
    this.ids = new Set(this.#idsOf(indices));
    this.#changed();
  }

  toggle(index) {
    this.#move(index, index);
    for (const id of this.#idsOf([index])) if (!this.ids.delete(id)) this.ids.add(id);
    this.#changed();
  }

  /** Select all from the anchor to a place; photos in between may have to be loaded first. */
  async extend(index) {
    this.#move(index, this.anchor);
    this.#changed();
    await this.range(this.anchor, index);
  }

  /** Select the photos between two places, at most `MOST`. */
  async range(from, to) {
    const first = Math.min(from, to);
    const last = Math.min(Math.max(from, to), first + MOST - 1);
    const { list } = this;
    const indices = Array.from({ length: last - first + 1 }, (_, place) => first + place);
    if (!indices.every((index) => list.at(index))) await list.need(first, last);
    if (list !== this.list) return;
    this.ids = new Set(this.#idsOf(indices));
    this.#changed();
  }

  /** Select what lies in a box, besides what was selected before. */
  box(indices, before) {
    if (indices.length) this.#move(indices.at(-1), indices[0]);
    this.ids = new Set([...before, ...this.#idsOf(indices)]);
    this.#changed();
  }

  #idsOf(indices) {
    return indices.map((index) => this.list.at(index)?.id).filter((id) => id !== undefined);
  }

  #move(current, anchor) {
    this.current = current;
    this.anchor = anchor;
    this.shown = true;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
