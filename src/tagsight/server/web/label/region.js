// A box drawn on a photo, by the pointer or by the arrow keys, in fractions of its sides.

import { element } from "../dom.js";

const LEAST = 0.02;
const STEP = 0.02;

/** Fires "drawn" with [left, top, width, height]. */
export class Region extends EventTarget {
  #start = null;

  /** @param {HTMLElement} sheet The picture on which the box is drawn. */
  constructor(sheet) {
    super();
    this.sheet = sheet;
    this.on = false;
    this.frame = element("div", {
      class: "region",
      tabindex: 0,
      role: "application",
      "aria-label": "Box: arrow keys move it, with shift they change its size, Enter searches, Escape leaves",
      keydown: (event) => this.#key(event),
    });
    sheet.addEventListener("pointerdown", (event) => this.on && this.#down(event));
    sheet.addEventListener("pointermove", (event) => this.#start && this.#drag(event));
    sheet.addEventListener("pointerup", () => this.#finish());
    sheet.addEventListener("pointercancel", () => this.#finish());
  }

  /** Begin or end drawing; a box in the middle is there for the keys. */
  switch(on) {
    this.on = on;
    this.sheet.classList.toggle("drawing", on);
    this.frame.remove();
    if (!on) return;
    this.box = [0.35, 0.35, 0.3, 0.3];
    this.#draw();
    this.sheet.append(this.frame);
    this.frame.focus({ preventScroll: true });
  }

  #down(event) {
    event.preventDefault();
    this.sheet.setPointerCapture(event.pointerId);
    this.#start = this.#point(event);
    this.box = [...this.#start, 0, 0];
    this.#draw();
  }

  #drag(event) {
    const [x, y] = this.#point(event);
    const [left, top] = this.#start;
    this.box = [Math.min(x, left), Math.min(y, top), Math.abs(x - left), Math.abs(y - top)];
    this.#draw();
  }

  #finish() {
    if (!this.#start) return;
    this.#start = null;
    if (this.box[2] >= LEAST && this.box[3] >= LEAST) this.#done();
  }

  #key(event) {
    const [x, y] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [0, 0];
    if (event.key === "Enter") this.#done();
    else if (!x && !y) return;
    else {
      let [left, top, width, height] = this.box;
      if (event.shiftKey) [width, height] = [width + x, height + y];
      else [left, top] = [left + x, top + y];
      width = Math.min(1, Math.max(LEAST, width));
      height = Math.min(1, Math.max(LEAST, height));
      this.box = [Math.min(1 - width, Math.max(0, left)), Math.min(1 - height, Math.max(0, top)), width, height];
      this.#draw();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #done() {
    this.dispatchEvent(new CustomEvent("drawn", { detail: this.box }));
  }

  #draw() {
    ["left", "top", "width", "height"].forEach((side, place) => {
      this.frame.style[side] = `${100 * this.box[place]}%`;
    });
  }

  #point({ clientX, clientY }) {
    const { left, top, width, height } = this.sheet.getBoundingClientRect();
    const inside = (share) => Math.min(1, Math.max(0, share));
    return [inside((clientX - left) / width), inside((clientY - top) / height)];
  }
}
