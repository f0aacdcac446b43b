// The keyboard. Letters and arrows act unless a field takes them; Enter and space only on photos.

const KEPT = "tagsight-keys";

export const KEY_GROUPS = [
  ["Judge", [["a", "present: accept"], ["r", "absent: reject"], ["x", "not judged"], ["1–9", "present, again: not judged; for the label of this key"], ["u", "undo"], ["U", "redo"]]],
  ["Choose", [["← ↑ ↓ →", "move"], ["shift+arrows", "select more, or move a zoomed photo"], ["space", "select or leave out"], ["ctrl+a", "select all, up to 5,000"], ["enter", "open the photo"], ["esc", "back, or select nothing"]]],
  ["Look", [["j k", "next or previous label"], ["n", "new label"], ["q", "choose a queue"], ["o", "new order"], ["+ − 0", "larger, smaller, whole"], ["e", "evidence"], ["b", "find such a region"], ["?", "this list"]]],
];

const ARROWS = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);
const PRESSES = new Set(["Enter", " "]);
const CHOICES = new Set(["radio", "range", "checkbox"]);

export class Keys {
  #coming = null;
  #held = [];

  /** @param {Object<string, (event: KeyboardEvent) => void>} actions By key; "digit" takes all digits. */
  constructor(actions) {
    this.actions = actions;
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  get active() {
    return localStorage.getItem(KEPT) !== "off";
  }

  set active(on) {
    localStorage.setItem(KEPT, on ? "on" : "off");
  }

  /** Hold keys back until what the last one asked for is there; they act then, in their order. */
  async after(coming) {
    this.#coming = coming;
    await coming;
    if (this.#coming !== coming) return;
    this.#coming = null;
    while (!this.#coming && this.#held.length) this.#held.shift()();
  }

  #press(event) {
    const { target, key } = event;
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const field = target.closest("input, textarea, select");
    const chosen = field !== null && CHOICES.has(field.type);
    if (field && !chosen) return key === "Escape" ? this.#leave(target) : undefined;
    if (event.ctrlKey || event.metaKey) return this.#withControl(event);
    if (event.altKey) return undefined;
    const onPhotos = target.closest("[role=listbox], .stage") !== null || target === document.body;
    if (ARROWS.has(key)) return chosen ? undefined : this.#act(key, event);
    if (PRESSES.has(key)) return onPhotos ? this.#act(key, event) : undefined;
    if (key !== "Escape" && !this.active) return undefined;
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(key) ? key : null);
    if (digit && (/^[1-9]$/.test(key) || !this.actions[key])) return this.#act("digit", event, digit);
    return this.#act(key, event);
  }

  /** Leave a field; what was typed to search is forgotten, so that all is shown again. */
  #leave(field) {
    field.value = "";
    field.dispatchEvent(new Event("input"));
    field.blur();
  }

  #withControl(event) {
    const key = event.key.toLowerCase();
    if (key === "z") this.#act(event.shiftKey ? "U" : "u", event);
    else if (key === "y") this.#act("U", event);
    else if (key === "a") this.#act("all", event);
  }

  #act(key, event, detail) {
    const action = this.actions[key];
    if (!action) return;
    event.preventDefault();
    if (!this.#coming) action(event, detail);
    else if (!event.repeat) this.#held.push(() => action(event, detail));
  }
}
