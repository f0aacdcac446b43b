// Photos of the index as a grid of thumbnails, each of which opens.

import { picture } from "./api.js";
import { element, percent } from "./dom.js";

const AHEAD = "400px";

export class FoundPhotos {
  #photos = [];

  /**
   * @param {Element} list The list that gets the photos.
   * @param {HitDialog} dialog Shows a photo that is opened.
   */
  constructor(list, dialog) {
    this.list = list;
    this.dialog = dialog;
    this.near = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => this.load(one.target)), {
      rootMargin: AHEAD,
    });
  }

  get count() {
    return this.#photos.length;
  }

  /** Replace the photos. */
  show(photos) {
    this.near.disconnect();
    for (const shown of this.list.querySelectorAll("img[src]")) URL.revokeObjectURL(shown.src);
    this.#photos = [];
    this.list.replaceChildren();
    this.add(photos);
  }

  /** Append photos; their thumbnails load when they come near to the screen. */
  add(photos) {
    for (const photo of photos) {
      const place = this.#photos.push(photo) - 1;
      const image = element("img", { alt: "", "data-id": photo.id });
      this.list.append(element("li", {}, this.entry(photo, place, image)));
      this.near.observe(image);
    }
  }

  entry(photo, place, image) {
    const name = photo.path.split(/[\\/]/).pop();
    const labels = photo.labels.join(", ") || "no label";
    const like = photo.likeness === null ? "" : ` · ${percent(Math.max(0, photo.likeness))} similar`;
    return element(
      "button",
      { type: "button", "aria-label": `${name}: ${labels}${like}`, click: () => this.dialog.open(this.#photos, place) },
      image,
      element("span", { class: "found-labels" }, labels + like),
      element("span", { class: "path", title: photo.path }, name),
    );
  }

  async load(image) {
    this.near.unobserve(image);
    try {
      image.src = await picture(`/v1/photos/${image.dataset.id}`);
    } catch {
      image.alt = "This photo is no longer where it was indexed.";
    }
  }
}
