// The grid of thumbnails. Only the rows in sight and a few around them exist as elements, so that
// a hundred thousand photos scroll as well as a hundred.

import { Cell } from "./cell.js";

const GAP = 12;
const FOOT = 26;
const RATIO = 0.8;
const [FLATTEST, STEEPEST] = [0.65, 1.3];
const [ENOUGH, SAMPLE] = [8, 200];
const AROUND = 2;
const FAST = 2.5;

export class Grid {
  #cells = new Map();
  #spare = [];
  #frame = 0;
  #settle = 0;
  #drawn = "";
  #before = { top: 0, time: 0 };

  /**
   * @param {HTMLElement} view The element that scrolls.
   * @param {HTMLElement} sheet Its child, as tall as all rows.
   */
  constructor(view, sheet, project, selection) {
    Object.assign(this, { view, sheet, project, selection, list: null, size: 176, ratio: null, columns: 1, row: 1, width: 1 });
    view.addEventListener("scroll", () => this.#later(), { passive: true });
    new ResizeObserver(() => this.arrange()).observe(view);
    selection.addEventListener("change", () => this.describe());
    project.addEventListener("change", () => this.describe());
    project.addEventListener("hand", () => this.describe());
  }

  /** Show a list from its beginning. */
  use(list) {
    Object.assign(this, { list, ratio: null });
    list.addEventListener("change", () => list === this.list && this.arrange());
    this.#clear();
    this.arrange();
    this.view.scrollTop = 0;
  }

  /** Change the size of the thumbnails; the first photo in sight stays there. */
  resize(size) {
    const first = this.#first();
    this.size = size;
    this.arrange();
    this.view.scrollTop = Math.floor(first / this.columns) * this.row;
  }

  /** Compute columns and rows from the width, and draw. */
  arrange() {
    const inside = this.view.clientWidth - 2 * GAP;
    if (inside <= 0) return;
    const first = this.#first();
    if (this.list && this.list.total !== null) this.ratio ??= shape(this.list);
    const ratio = this.ratio ?? RATIO;
    const size = this.size * Math.sqrt(RATIO / ratio);
    const columns = Math.max(2, Math.floor((inside + GAP) / (size + GAP)));
    this.width = Math.floor((inside - (columns - 1) * GAP) / columns);
    const height = Math.round(this.width * ratio) + FOOT;
    const moved = columns !== this.columns || height + GAP !== this.row;
    Object.assign(this, { columns, row: height + GAP });
    this.sheet.style.setProperty("--cell-width", `${this.width}px`);
    this.sheet.style.setProperty("--cell-height", `${height}px`);
    const rows = Math.ceil((this.list?.total ?? 0) / columns);
    this.sheet.style.height = `${rows * this.row + GAP}px`;
    if (moved && first) this.view.scrollTop = Math.floor(first / columns) * this.row;
    this.#draw(true);
  }

  /** Bring a photo into sight. */
  reveal(index) {
    const top = Math.floor(index / this.columns) * this.row;
    const bottom = top + this.row + GAP;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (bottom > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = bottom - this.view.clientHeight;
    this.#draw(true);
  }

  /** Load again the thumbnails that could not be loaded. */
  retry() {
    for (const cell of this.#cells.values()) cell.retry();
  }

  /** Show again what is known of the photos in sight. */
  describe() {
    for (const cell of this.#cells.values()) cell.describe(this.project, this.selection);
    const current = this.#cells.get(this.selection.current);
    if (current && this.selection.shown) this.view.setAttribute("aria-activedescendant", current.element.id);
    else this.view.removeAttribute("aria-activedescendant");
  }

  /** Number of photos in a screen. */
  get screen() {
    return Math.max(1, Math.floor(this.view.clientHeight / this.row)) * this.columns;
  }

  /** Places of the photos that a box of the sheet touches. */
  indicesIn(left, top, right, bottom) {
    const total = this.list?.total ?? 0;
    const span = (from, to, size, most) => {
      const first = Math.max(0, Math.ceil((from - GAP - (size - GAP)) / size));
      const last = Math.min(most - 1, Math.floor((to - GAP) / size));
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => first + place);
    };
    const columns = span(left, right, this.width + GAP, this.columns);
    const rows = span(top, bottom, this.row, Math.ceil(total / this.columns));
    return rows.flatMap((row) => columns.map((column) => row * this.columns + column)).filter((index) => index < total);
  }

  #first() {
    return Math.floor((this.view.scrollTop + this.row / 2) / this.row) * this.columns;
  }

  #clear() {
    for (const cell of this.#cells.values()) cell.element.remove();
    this.#cells.clear();
    this.#spare = [];
  }

  #later() {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#draw(false));
  }

  #draw(settled) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const total = this.list?.total ?? 0;
    const { scrollTop, clientHeight } = this.view;
    const first = Math.max(0, Math.floor(scrollTop / this.row) - AROUND) * this.columns;
    const last = Math.min(total, (Math.ceil((scrollTop + clientHeight) / this.row) + AROUND) * this.columns);
    const drawn = `${first} ${last}`;
    if (!settled && drawn === this.#drawn) return;
    this.#drawn = drawn;
    for (const [index, cell] of this.#cells) {
      if (index >= first && index < last) continue;
      this.#cells.delete(index);
      this.#spare.push(cell);
    }
    const fast = !settled && this.#speed(scrollTop) > FAST * clientHeight;
    for (let index = first; index < last; index += 1) this.#place(index, total, settled);
    for (const cell of this.#spare) if (cell.element.parentNode) cell.element.classList.add("spare");
    clearTimeout(this.#settle);
    if (fast) this.#settle = setTimeout(() => this.#rest(first, last), 90);
    else this.#rest(first, last);
    if (settled) this.describe();
  }

  #place(index, total, again) {
    let cell = this.#cells.get(index);
    if (cell && !again && cell.photo) return;
    if (!cell) {
      cell = this.#spare.pop() ?? new Cell();
      this.#cells.set(index, cell);
      cell.element.classList.remove("spare");
      const x = GAP + (index % this.columns) * (this.width + GAP);
      cell.element.style.transform = `translate(${x}px, ${GAP + Math.floor(index / this.columns) * this.row}px)`;
      if (!cell.element.parentNode) this.sheet.append(cell.element);
    } else if (again) {
      const x = GAP + (index % this.columns) * (this.width + GAP);
      cell.element.style.transform = `translate(${x}px, ${GAP + Math.floor(index / this.columns) * this.row}px)`;
    }
    const before = cell.photo;
    cell.show(index, this.list.at(index), total);
    if (!again || before !== cell.photo) cell.describe(this.project, this.selection);
  }

  /** Load photos and thumbnails of what is in sight, now that it is not passing by. */
  #rest(first, last) {
    if (!this.list) return;
    this.list.need(first, Math.max(first, last - 1));
    for (const cell of this.#cells.values()) cell.load();
  }

  /** Pixels per second. */
  #speed(top) {
    const now = performance.now();
    const speed = (1000 * Math.abs(top - this.#before.top)) / Math.max(1, now - this.#before.time);
    this.#before = { top, time: now };
    return speed;
  }
}

/** Height by width of the cells: that of the photos in the middle, as far as their sizes are known. */
function shape(list) {
  const photos = Array.from({ length: Math.min(list.total, SAMPLE) }, (_, index) => list.at(index));
  const ratios = photos.flatMap((photo) => (photo?.width ? [photo.height / photo.width] : [])).sort((one, other) => one - other);
  if (ratios.length < ENOUGH) return RATIO;
  return Math.min(STEEPEST, Math.max(FLATTEST, ratios[ratios.length >> 1]));
}
