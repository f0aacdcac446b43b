// Selecting with the pointer: click, shift, control, a box; and the buttons on a thumbnail.

import { element } from "../dom.js";

const MOVED = 6;
const EDGE = 40;

/** Fires "open" with an index, "verdict" with {index, value}. */
export class Pointing extends EventTarget {
  #start = null;
  #box = element("div", { class: "band" });
  #scrolling = 0;
  #last = null;

  constructor(grid, selection) {
    super();
    Object.assign(this, { grid, selection });
    const { view } = grid;
    view.addEventListener("pointerdown", (event) => this.#down(event));
    view.addEventListener("pointermove", (event) => this.#move(event));
    view.addEventListener("pointerup", (event) => this.#up(event));
    view.addEventListener("pointercancel", () => this.#end());
    view.addEventListener("dblclick", (event) => {
      const index = this.#index(event);
      if (index !== null && !event.target.closest("[data-quick]")) this.#tell("open", index);
    });
  }

  #down(event) {
    const onScrollbar = event.clientX - this.grid.view.getBoundingClientRect().left > this.grid.view.clientWidth;
    if (event.button !== 0 || onScrollbar) return;
    const adds = event.shiftKey || event.ctrlKey || event.metaKey;
    this.#start = {
      ...this.#point(event),
      touch: event.pointerType === "touch",
      before: adds ? [...this.selection.ids] : [],
      banded: false,
    };
  }

  #move(event) {
    const start = this.#start;
    if (!start || start.touch) return;
    const point = this.#point(event);
    if (!start.banded && Math.hypot(point.x - start.x, point.y - start.y) < MOVED) return;
    if (!start.banded) {
      start.banded = true;
      this.grid.view.setPointerCapture(event.pointerId);
      this.grid.sheet.append(this.#box);
    }
    this.#last = event;
    this.#band(point);
    this.#scroll();
  }

  #band(point) {
    const start = this.#start;
    const [left, right] = [Math.min(start.x, point.x), Math.max(start.x, point.x)];
    const [top, bottom] = [Math.min(start.y, point.y), Math.max(start.y, point.y)];
    Object.assign(this.#box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
    this.selection.box(this.grid.indicesIn(left, top, right, bottom), start.before);
  }

  /** Scroll while the pointer is at the edge. */
  #scroll() {
    cancelAnimationFrame(this.#scrolling);
    const { top, bottom } = this.grid.view.getBoundingClientRect();
    const { clientY } = this.#last;
    const step = clientY < top + EDGE ? clientY - top - EDGE : clientY > bottom - EDGE ? clientY - bottom + EDGE : 0;
    if (!step) return;
    this.#scrolling = requestAnimationFrame(() => {
      if (!this.#start) return;
      this.grid.view.scrollTop += step / 2;
      this.#band(this.#point(this.#last));
      this.#scroll();
    });
  }

  #up(event) {
    const start = this.#start;
    this.#end();
    if (!start || start.banded) return;
    const index = this.#index(event);
    const quick = event.target.closest("[data-quick]")?.dataset.quick;
    if (index === null) this.selection.release();
    else if (quick === "open") this.#tell("open", index);
    else if (quick) this.#tell("verdict", { index, value: quick === "present" ? 1 : 0 });
    else if (event.shiftKey) this.selection.extend(index);
    else if (event.ctrlKey || event.metaKey || start.touch) this.selection.toggle(index);
    else this.selection.choose(index);
  }

  #end() {
    this.#start = null;
    cancelAnimationFrame(this.#scrolling);
    this.#box.remove();
  }

  #index({ target }) {
    const cell = target.closest?.(".cell");
    return cell ? Number(cell.id.slice("cell-".length)) : null;
  }

  #point({ clientX, clientY }) {
    const { left, top } = this.grid.sheet.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
