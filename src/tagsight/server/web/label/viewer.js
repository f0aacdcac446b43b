// One photo as large as the window, with zoom, evidence, filmstrip, and a box to search with.

import { element, percent } from "../dom.js";
import { EvidenceLayer } from "./evidence.js";
import { icon, mark, remark } from "./marks.js";
import { stateOf } from "./project.js";
import { Region } from "./region.js";
import { picture, thumbnail } from "./server.js";
import { Zoom } from "./zoom.js";

const AROUND = 12;

/** Fires "shown" with a photo, "close", "go" with an index, "region" with {photo, box}. */
export class Viewer extends EventTarget {
  /** @param {HTMLElement} place The element that becomes the view. */
  constructor(place, project, selection) {
    super();
    Object.assign(this, { place, project, selection, list: null, index: 0, modelRevision: 0 });
    this.evidence = new EvidenceLayer();
    this.#build();
    this.zoom = new Zoom(this.stage, this.sheet, () => !this.region.on);
    this.zoom.addEventListener("change", () => this.#showScale());
    this.region = new Region(this.sheet);
    this.region.addEventListener("drawn", ({ detail }) => this.#tell("region", { photo: this.photo, box: detail }));
    project.addEventListener("hand", () => this.describe());
    new ResizeObserver(() => this.#fit()).observe(this.stage);
  }

  get open() {
    return !this.place.hidden;
  }

  get photo() {
    return this.list?.at(this.index);
  }

  async show(list, index) {
    const moved = !this.open || list !== this.list || index !== this.index;
    Object.assign(this, { list, index });
    if (!this.open) {
      this.place.hidden = false;
      this.stage.focus({ preventScroll: true });
    }
    if (moved) {
      this.drawBox(false);
      this.zoom.reset();
    }
    await list.need(Math.max(0, index - AROUND), index + AROUND);
    if (list !== this.list || index !== this.index || !this.open) return;
    this.#showPhoto();
    this.describe();
    this.#tell("shown", this.photo);
  }

  close() {
    this.drawBox(false);
    this.place.hidden = true;
    this.image.removeAttribute("src");
  }

  /** Show again what is known of the photo: states, evidence, filmstrip. */
  describe() {
    if (!this.open || !this.photo) return;
    const { label } = this.project;
    const score = this.photo.score ?? null;
    this.name.textContent = this.photo.name;
    this.where.textContent = `${(this.index + 1).toLocaleString("en")} of ${this.list.total.toLocaleString("en")}${score === null || !label ? "" : ` · ${label.name} ${percent(score)}`}`;
    const broken = this.sheet.classList.contains("broken");
    this.boxButton.disabled = broken;
    if (broken) this.drawBox(false);
    this.evidence.show(broken ? null : this.photo, label, this.modelRevision);
    this.#showStrip();
  }

  /** Load the photo again if it could not be loaded. */
  retry() {
    if (!this.open || !this.photo) return;
    if (this.sheet.classList.contains("broken")) this.image.removeAttribute("src");
    this.#showPhoto();
    this.describe();
  }

  /** Move a photo that is zoomed by an eighth of the stage; return whether it is. */
  pan(x, y) {
    if (!this.open || this.zoom.scale === 1) return false;
    this.zoom.move((x * this.stage.clientWidth) / 8, (y * this.stage.clientHeight) / 8);
    return true;
  }

  showEvidence(on = !this.evidence.on) {
    this.evidence.on = on;
    this.evidenceButton.setAttribute("aria-pressed", String(on));
    this.describe();
  }

  drawBox(on = !this.region.on) {
    if (on === this.region.on || (on && this.boxButton.disabled)) return;
    this.region.switch(on);
    this.boxButton.setAttribute("aria-pressed", String(on));
    this.hint.replaceChildren(...(on ? ["Draw a box around what to look for.", element("span", { class: "by-keys" }, " With the keys: arrows move the box, shift with arrows sizes it, Enter searches.")] : []));
    if (!on) this.stage.focus({ preventScroll: true });
  }

  #build() {
    const tool = (name, title, click, extra = {}) => element("button", { class: "tool", title, "aria-label": title, click, ...extra }, icon(name));
    this.name = element("h2", {});
    this.where = element("p", { class: "where" });
    this.scale = element("span", { class: "zoom-scale" }, "100 %");
    this.evidenceButton = tool("evidence", "Evidence (e)", () => this.showEvidence(), { "aria-pressed": "true" });
    this.boxButton = tool("region", "Find such a region (b)", () => this.drawBox(), { "aria-pressed": "false" });
    this.image = element("img", { class: "whole", alt: "", draggable: "false" });
    this.image.addEventListener("load", () => {
      this.sheet.classList.add("loaded");
      this.#fit();
    });
    this.image.addEventListener("error", () => this.image.hasAttribute("src") && this.#broken());
    this.sheet = element("div", { class: "sheet-of-photo" }, this.image, this.evidence.image, this.evidence.peak);
    this.stage = element("div", { class: "stage", tabindex: 0, role: "group", "aria-label": "Photo" }, this.sheet);
    this.hint = element("p", { class: "stage-hint", role: "status" });
    this.strip = element("div", { class: "filmstrip", role: "group", "aria-label": "Photos before and after" });
    this.place.replaceChildren(
      element(
        "div",
        { class: "viewer-bar" },
        tool("grid", "Back to all photos (Esc)", () => this.#tell("close")),
        element("div", { class: "viewer-name" }, this.name, this.where),
        tool("minus", "Smaller (−)", () => this.zoom.out(), { class: "tool zoom-tool" }),
        this.scale,
        tool("plus", "Larger (+)", () => this.zoom.in(), { class: "tool zoom-tool" }),
        this.evidenceButton,
        this.boxButton,
      ),
      element(
        "div",
        { class: "stage-room" },
        this.stage,
        tool("back", "Photo before (←)", () => this.#tell("go", this.index - 1), { class: "tool turn before" }),
        tool("forth", "Next photo (→)", () => this.#tell("go", this.index + 1), { class: "tool turn after" }),
        this.hint,
      ),
      element("div", { class: "evidence-line" }, this.evidence.caption, this.evidence.scale),
      this.strip,
    );
  }

  #showPhoto() {
    const { photo } = this;
    if (!photo) return;
    const source = picture(photo.id);
    if (!this.image.src.endsWith(source)) {
      this.sheet.classList.remove("loaded", "broken");
      this.sheet.style.backgroundImage = `url(${thumbnail(photo.id)})`;
      this.image.src = source;
      this.image.alt = photo.name;
    }
    this.#fit();
    for (const near of [this.list.at(this.index + 1), this.list.at(this.index - 1)]) if (near) new Image().src = picture(near.id);
  }

  /** Say that the photo cannot be opened, and nothing about evidence in it. */
  #broken() {
    this.sheet.classList.add("broken");
    this.describe();
  }

  /** Make the picture as large as the stage allows. */
  #fit() {
    if (!this.photo) return;
    const { clientWidth, clientHeight } = this.stage;
    const loaded = this.sheet.classList.contains("loaded");
    const width = this.photo.width ?? (loaded ? this.image.naturalWidth : 3);
    const height = this.photo.height ?? (loaded ? this.image.naturalHeight : 2);
    const scale = Math.min(clientWidth / width, clientHeight / height);
    this.sheet.style.width = `${Math.floor(width * scale)}px`;
    this.sheet.style.height = `${Math.floor(height * scale)}px`;
  }

  #showScale() {
    this.scale.textContent = percent(this.zoom.scale);
    this.stage.classList.toggle("zoomed", this.zoom.scale > 1);
    this.sheet.style.setProperty("--scale", this.zoom.scale);
  }

  #showStrip() {
    const { label } = this.project;
    const first = Math.max(0, this.index - AROUND);
    const last = Math.min(this.list.total - 1, this.index + AROUND);
    const shown = [];
    for (let index = first; index <= last; index += 1) {
      const photo = this.list.at(index);
      if (photo) shown.push(this.#frame(photo, index, label));
    }
    this.strip.replaceChildren(...shown);
    const current = this.strip.querySelector('[aria-current="true"]');
    if (current) this.strip.scrollLeft = current.offsetLeft - (this.strip.clientWidth - current.offsetWidth) / 2;
  }

  #frame(photo, index, label) {
    const made = element(
      "button",
      { "aria-label": photo.name, "aria-current": index === this.index ? "true" : null, tabindex: index === this.index ? 0 : -1, click: () => this.#tell("go", index) },
      element("img", { src: thumbnail(photo.id), alt: "", decoding: "async", error: ({ target }) => target.remove() }),
    );
    if (label) {
      const state = mark("unjudged");
      remark(state, stateOf(photo.judged[label.id]));
      made.append(state);
    }
    return made;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
