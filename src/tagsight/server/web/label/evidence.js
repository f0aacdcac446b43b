// Where the evidence for the label in hand is: a layer over the photo, its peak and its scale.

import { element, sentence } from "../dom.js";
import { request } from "./server.js";

const MOST = 40;

export class EvidenceLayer {
  #kept = new Map();
  #wanted = null;
  #drawn = null;

  constructor() {
    this.on = true;
    this.image = element("img", { class: "veil", alt: "", hidden: true });
    this.peak = element("span", { class: "peak", "aria-hidden": "true", hidden: true });
    this.caption = element("p", { class: "evidence-caption" });
    this.top = element("span", {});
    this.bar = element("img", { alt: "colours from no evidence to the strongest" });
    this.scale = element(
      "p",
      { class: "evidence-scale", hidden: true, title: "What a place adds to the label's score, in logits" },
      element("span", {}, "0"),
      this.bar,
      this.top,
    );
  }

  /** Show the evidence for a label on a photo; nothing if there is no label or no model yet. */
  async show(photo, label, modelRevision) {
    const key = `${photo?.id} ${label?.id} ${modelRevision}`;
    this.#wanted = key;
    if (!this.on || !photo || !label) {
      this.#drawn = null;
      this.#draw(null, this.on ? "" : "Evidence is hidden.");
      return;
    }
    let found = this.#kept.get(key);
    const pair = `${photo.id} ${label.id}`;
    if (found === undefined) {
      // New scores replace what is shown of the same label when they are there.
      if (this.#drawn !== pair) this.#draw(null, "Looking for evidence …");
      found = await this.#load(photo.id, label.id);
      this.#keep(key, found);
    }
    if (this.#wanted !== key) return;
    this.#drawn = pair;
    if (found.problem) this.#draw(null, found.problem);
    else this.#draw(found, found.peak ? `Evidence for ${label.name}, strongest at the ring.` : `There is no evidence for ${label.name}.`);
  }

  async #load(photo, label) {
    try {
      const response = await request(`photos/${photo}/evidence/${label}`);
      const peak = response.headers.get("X-Peak")?.split(",").map(Number) ?? null;
      const top = Number(response.headers.get("X-Top")) || null;
      return { url: URL.createObjectURL(await response.blob()), peak, top };
    } catch (error) {
      return { problem: sentence(error.message) };
    }
  }

  #keep(key, found) {
    if (found.problem) return;
    this.#kept.set(key, found);
    if (this.#kept.size <= MOST) return;
    const [oldest, { url }] = this.#kept.entries().next().value;
    URL.revokeObjectURL(url);
    this.#kept.delete(oldest);
  }

  #draw(found, caption) {
    this.image.hidden = !found;
    if (found) this.image.src = found.url;
    this.peak.hidden = !found?.peak;
    if (found?.peak) {
      this.peak.style.left = `${100 * found.peak[0]}%`;
      this.peak.style.top = `${100 * found.peak[1]}%`;
    }
    this.scale.hidden = !found?.top;
    if (found?.top) {
      if (!this.bar.hasAttribute("src")) this.bar.src = "/label/evidence-bar";
      this.top.textContent = `${Number(found.top.toPrecision(2)).toLocaleString("en")} logits`;
    }
    this.caption.textContent = caption;
  }
}
