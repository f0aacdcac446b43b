// A photo with the evidence for its labels over it, and the scale of that evidence.

import { element } from "./dom.js";

const MOST_NAMES = 8;

export class EvidenceStage {
  #photo = null;
  #url = null;

  /** @param {Element} figure An empty figure, which gets the photo. */
  constructor(figure) {
    this.image = element("img", { class: "photo", alt: "" });
    this.veil = element("img", { class: "veil", alt: "", hidden: true });
    this.marks = element("div", { class: "marks", "aria-hidden": "true" });
    this.caption = element("figcaption", {});
    this.bar = element("img", { alt: "Colours from no evidence to the strongest" });
    this.top = element("span", {});
    this.scale = element("p", { class: "scale", hidden: true, title: "What a place adds to the label's score, in logits" }, element("span", {}, "0"), this.bar, this.top);
    this.frame = element("div", { class: "frame" }, this.image, element("p", { class: "missing" }, "This browser cannot show this file."), this.veil, this.marks);
    figure.replaceChildren(this.frame, this.caption, this.scale);
    this.image.addEventListener("error", () => {
      this.image.removeAttribute("src");
      this.frame.classList.add("blank");
    });
    this.image.addEventListener("load", () => this.#shape(this.image));
    // A format that only the server can read, such as HEIC.
    this.veil.addEventListener("load", () => this.frame.classList.contains("blank") && this.#shape(this.veil));
    new ResizeObserver(() => this.#separate()).observe(this.frame);
  }

  /** Show the names that cover none before them; the others are read where their label is pointed at. */
  #separate() {
    const shown = [];
    for (const name of this.marks.querySelectorAll(".mark span")) {
      const box = name.getBoundingClientRect();
      const covers = shown.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom);
      name.classList.toggle("covering", covers);
      if (!covers) shown.push(box);
    }
  }

  #shape({ naturalWidth, naturalHeight }) {
    this.frame.style.setProperty("--aspect", naturalWidth / naturalHeight);
  }

  /**
   * Show a photo with the evidence for the first of its labels.
   * @param {{url: ?string, name: string, evidence: ?Object, labels: string[]}} photo `evidence` is
   *   what the server sent, null until then; `labels` are those found, the surest first.
   */
  show(photo) {
    this.#photo = photo;
    if (photo.url === null) this.image.removeAttribute("src");
    else if (this.#url !== photo.url) this.image.src = photo.url;
    if (this.#url !== photo.url) this.frame.classList.remove("blank");
    this.#url = photo.url;
    this.image.alt = photo.name;
    if (photo.evidence) this.bar.src = photo.evidence.bar;
    this.point(null);
  }

  /** Show the evidence for a label; null shows that for the surest one. */
  point(asked) {
    const { name: photo, evidence, labels } = this.#photo;
    const overlays = evidence?.overlays ?? {};
    const name = asked ?? labels[0] ?? null;
    const overlay = name === null ? undefined : overlays[name];
    this.veil.hidden = overlay === undefined;
    this.scale.hidden = !overlay?.top;
    if (overlay !== undefined) {
      this.veil.src = overlay.picture;
      this.top.textContent = `${overlay.top.toPrecision(3)} logits`;
    }
    this.marks.replaceChildren(...marks(asked === null ? labels : [name], overlays));
    this.#separate();
    const about = overlay?.peak === null ? `no evidence for ${name}` : `evidence for ${name}`;
    if (overlay === undefined) this.caption.textContent = photo;
    else this.caption.textContent = asked === null ? `${photo}: ${about}` : about[0].toUpperCase() + about.slice(1);
  }
}

/** Make a mark for each place where evidence is strongest, with the labels that share it. */
function marks(names, overlays) {
  const places = new Map();
  for (const name of names.slice(0, MOST_NAMES)) {
    const peak = overlays[name]?.peak;
    if (peak) places.set(String(peak), { peak, names: [...(places.get(String(peak))?.names ?? []), name] });
  }
  return [...places.values()].map(({ peak: [x, y], names }) => {
    const mark = element("span", { class: x < 0.5 ? "mark" : "mark mirrored" }, element("span", {}, names.join(", ")));
    mark.style.setProperty("--x", x);
    mark.style.setProperty("--y", y);
    return mark;
  });
}
