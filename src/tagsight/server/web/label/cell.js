// One photo of the grid. A cell is made once and shows one photo after another while scrolling.

import { element, percent } from "../dom.js";
import { dot, icon, mark, remark } from "./marks.js";
import { stateOf, WORDS } from "./project.js";
import { thumbnail } from "./server.js";

const MOST_CHIPS = 3;

export class Cell {
  #shown = "";

  constructor() {
    this.image = element("img", { alt: "", decoding: "async", draggable: "false" });
    this.image.addEventListener("load", () => this.element.classList.add("loaded"));
    this.image.addEventListener("error", () => this.#broken());
    this.state = mark("unjudged");
    this.state.classList.add("badge");
    this.score = element("span", { class: "score" });
    this.chips = element("span", { class: "chips" });
    this.others = element("span", { class: "others" });
    this.element = element(
      "div",
      { class: "cell", role: "option" },
      element("span", { class: "picture" }, this.image, this.state, quickButtons()),
      element("span", { class: "foot" }, this.chips, this.others, this.score),
    );
    this.index = -1;
    this.photo = null;
  }

  /** Show a photo at a place of the grid; undefined while it is being loaded. */
  show(index, photo, total) {
    if (index !== this.index) {
      this.index = index;
      this.element.id = `cell-${index}`;
      this.element.setAttribute("aria-posinset", index + 1);
    }
    this.element.setAttribute("aria-setsize", total);
    if (photo !== this.photo) {
      this.photo = photo;
      this.element.classList.remove("loaded", "broken");
      this.image.removeAttribute("src");
    }
  }

  /** Load the thumbnail, when the photo is likely to stay in sight. */
  load() {
    if (this.photo && !this.image.hasAttribute("src")) this.image.src = thumbnail(this.photo.id);
  }

  /** Show what is known of the photo. */
  describe(project, selection) {
    const { photo } = this;
    const chosen = photo !== undefined && photo !== null && selection.has(photo.id);
    this.element.setAttribute("aria-selected", String(chosen));
    this.element.classList.toggle("current", selection.shown && selection.current === this.index);
    if (!photo) {
      this.element.setAttribute("aria-label", "Loading");
      this.#showChips([], []);
      this.score.replaceChildren();
      this.element.classList.remove("judgeable");
      return;
    }
    const { label } = project;
    const judged = label ? stateOf(photo.judged[label.id]) : "unjudged";
    this.element.classList.toggle("judgeable", label !== null);
    this.element.dataset.state = judged;
    remark(this.state, judged);
    this.state.classList.add("badge");
    const scored = label !== null && (photo.score ?? null) !== null;
    this.score.title = scored ? `How likely ${label.name} is` : "";
    this.score.replaceChildren(...(scored ? [dot(label), percent(photo.score)] : []));
    const others = project.labels.filter((other) => other !== label);
    this.#showChips(others.filter((other) => photo.judged[other.id] === 1), others.filter((other) => photo.judged[other.id] === 0));
    this.element.setAttribute("aria-label", sentence(photo, project));
  }

  /** Show the other labels that are present, and how many are absent. */
  #showChips(present, absent) {
    const names = absent.map((label) => label.name).join(", ");
    const signature = `${present.map((label) => `${label.id}${label.colour}${label.name}`)} ${names}`;
    if (signature === this.#shown) return;
    this.#shown = signature;
    this.chips.replaceChildren(...present.slice(0, MOST_CHIPS).map((label) => element("span", { class: "chip" }, dot(label), leaf(label.name))));
    const more = present.length > MOST_CHIPS ? [`+${present.length - MOST_CHIPS}`] : [];
    this.others.replaceChildren(...more, ...(absent.length ? [mark("absent"), String(absent.length)] : []));
    this.others.title = names && `Absent: ${names}`;
  }

  /** Load again what could not be loaded. */
  retry() {
    if (!this.element.classList.contains("broken")) return;
    this.element.classList.remove("broken");
    this.image.removeAttribute("src");
    this.load();
  }

  #broken() {
    if (this.image.hasAttribute("src")) this.element.classList.add("broken");
  }
}

/** Buttons for the pointer; the keyboard has keys for the same. */
function quickButtons() {
  return element(
    "span",
    { class: "quick" },
    ...[["open", "Open"], ["absent", "Absent"], ["present", "Present"]].map(([name, title]) => element("span", { "data-quick": name, title }, name === "open" ? icon(name) : mark(name))),
  );
}

const leaf = (name) => name.slice(name.lastIndexOf("/") + 1);

function sentence(photo, project) {
  const { label } = project;
  const parts = [photo.name];
  if (label) parts.push(`${label.name} ${WORDS[stateOf(photo.judged[label.id])]}`);
  if (photo.score !== null && photo.score !== undefined) parts.push(`score ${percent(photo.score)}`);
  for (const other of project.labels) {
    if (other !== label && photo.judged[other.id] !== undefined) parts.push(`${other.name} ${WORDS[stateOf(photo.judged[other.id])]}`);
  }
  return parts.join(", ");
}
