// Zooming and moving a picture: wheel, drag, two fingers, double click, and by steps for the keys.

const MOST = 12;
const STEP = 1.4;

/** Fires "change"; `scale` 1 shows the whole picture. */
export class Zoom extends EventTarget {
  #fingers = new Map();
  #spread = 0;

  /**
   * @param {HTMLElement} stage The window, whose pointer events are taken.
   * @param {HTMLElement} sheet The picture, which is moved.
   * @param {() => boolean} free Whether dragging moves the picture.
   */
  constructor(stage, sheet, free) {
    super();
    Object.assign(this, { stage, sheet, free, scale: 1, x: 0, y: 0 });
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), event);
    }, { passive: false });
    stage.addEventListener("dblclick", (event) => (this.scale > 1 ? this.reset() : this.by(3, event)));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#fingers.delete(event.pointerId));
  }

  in() {
    this.by(STEP);
  }

  out() {
    this.by(1 / STEP);
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.#draw();
  }

  /** Zoom by a factor, around the pointer or the middle. */
  by(factor, pointer = null) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    const x = pointer ? pointer.clientX - left - width / 2 : 0;
    const y = pointer ? pointer.clientY - top - height / 2 : 0;
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const grown = scale / this.scale;
    Object.assign(this, { scale, x: x - (x - this.x) * grown, y: y - (y - this.y) * grown });
    this.#draw();
  }

  /** Move by pixels. */
  move(x, y) {
    this.x += x;
    this.y += y;
    this.#draw();
  }

  #down(event) {
    if (!this.free() || event.target.closest("button")) return;
    this.#fingers.set(event.pointerId, event);
    this.#spread = this.#distance();
    if (this.scale > 1 || this.#fingers.size > 1) this.stage.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#fingers.get(event.pointerId);
    if (!before || !this.free()) return;
    this.#fingers.set(event.pointerId, event);
    if (this.#fingers.size === 2) {
      const spread = this.#distance();
      if (this.#spread) this.by(spread / this.#spread, event);
      this.#spread = spread;
    } else if (this.scale > 1) this.move(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  #distance() {
    const [one, other] = [...this.#fingers.values()];
    return other ? Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) : 0;
  }

  #draw() {
    const limit = (size) => ((this.scale - 1) * size) / 2;
    const { clientWidth, clientHeight } = this.sheet;
    this.x = Math.min(limit(clientWidth), Math.max(-limit(clientWidth), this.x));
    this.y = Math.min(limit(clientHeight), Math.max(-limit(clientHeight), this.y));
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.dispatchEvent(new Event("change"));
  }
}
