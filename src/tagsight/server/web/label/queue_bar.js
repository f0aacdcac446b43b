// The bar above the photos: which queue, which state of the label in hand, and how many there are.

import { amount, byId, sentence } from "../dom.js";
import { chooseQueue } from "./menus.js";
import { WORDS } from "./project.js";

/** Fires "choose" when other photos are to be shown, in the order that is best now, and "back". */
export class QueueBar extends EventTarget {
  #offered = "";
  #region = null;

  constructor(project) {
    super();
    Object.assign(this, { project, queue: project.info.queues[0], state: "" });
    byId("queue-button").addEventListener("click", () => this.open());
    byId("fresh").addEventListener("click", () => this.choose());
    byId("back").addEventListener("click", () => this.dispatchEvent(new Event("back")));
    byId("states").addEventListener("change", (event) => {
      this.state = event.target.value;
      this.choose();
    });
    for (const name of ["change", "hand"]) project.addEventListener(name, () => this.#allowStates());
    project.addEventListener("change", () => {
      this.#offerAgain();
      this.#sayWhyEmpty();
    });
  }

  /** Parameters of the request for its photos. */
  get query() {
    const { hand } = this.project;
    if (hand === null) return { queue: this.queue.name };
    return { queue: this.queue.name, label: hand, ...(this.state ? { state: this.state } : {}) };
  }

  /** Whether the photos, or their order, depend on the label in hand. */
  get dependsOnLabel() {
    return this.queue.needs_label || this.state !== "";
  }

  /** Whether it shows all photos of the project. */
  get showsAll() {
    return this.queue.name === "all" && this.state === "";
  }

  /** Let the person choose a queue. */
  open() {
    const { queues } = this.project.info;
    this.#offered = JSON.stringify(queues);
    chooseQueue(queues, this.queue.name, (queue) => {
      this.queue = queue;
      this.choose();
    });
  }

  /** Have the photos ordered by what is known now. */
  choose() {
    byId("fresh").classList.remove("calls");
    this.dispatchEvent(new Event("choose"));
  }

  /** Say that a new order would be a better one. */
  suggestOrder() {
    byId("fresh").hidden = false;
    byId("fresh").classList.add("calls");
  }

  /**
   * Show the facts of a list.
   * @param {PhotoList} list The photos.
   * @param {?Object} region `of` is the name of the photo by whose region they were found, instead
   *   of by a queue.
   */
  show(list, region) {
    byId("fresh").hidden = this.queue.name === "all" || region !== null;
    byId("back").hidden = region === null;
    byId("states").hidden = region !== null;
    byId("queue-title").textContent = region ? "Such a region" : this.queue.title;
    byId("queue-reason").textContent = region ? `Photos with a region like the one in ${region.of}, most alike first.` : this.queue.meaning;
    byId("queue-count").textContent = list.total === null ? "" : amount(list.total, "photo");
    byId("empty").hidden = list.total !== 0;
    this.#region = region;
    this.#sayWhyEmpty();
  }

  #sayWhyEmpty() {
    byId("empty").textContent = this.project.info.photos ? this.#reasonOfEmptiness : this.#reasonWithoutPhotos;
  }

  get #reasonWithoutPhotos() {
    const { problem, seconds_left: left, left_out: leftOut, name } = this.project.info;
    if (problem) return sentence(problem);
    if (left !== 0) return "Looking for photos …";
    if (leftOut) return `None of the photos in ${name} can be used; the line above says why.`;
    return `There is no photo in ${name}. Put some there, and start tagsight again.`;
  }

  get #reasonOfEmptiness() {
    const { encoded, photos } = this.project.info;
    if (this.#region) return encoded < photos ? "No other photo has been analysed yet." : `There is no other photo to compare with ${this.#region.of}.`;
    if (this.state) return `No photo of “${this.queue.title}” is ${WORDS[this.state]} for ${this.project.label?.name}.`;
    const { label } = this.project;
    if (this.queue.name === "probably-yes" && label && encoded && !label.present && !label.absent) {
      return label.advice === null ? `Wait a moment: photos are being scored for ${label.name}.` : `Nothing is known of ${label.name} yet. Choose “All photos” or “Unlike anything judged”, and judge a few photos first.`;
    }
    if (label && this.queue.name !== "probably-wrong" && label.present + label.absent >= photos) return `Every photo is judged for ${label.name}.`;
    if (encoded < photos) return "No photo of this queue has been analysed yet. Ask for a new order in a while.";
    return "No photo is left in this queue. Choose another one, or ask for a new order.";
  }

  /** While the list is open, let it offer what has become possible meanwhile. */
  #offerAgain() {
    const { queues } = this.project.info;
    if (byId("queue-dialog").open && JSON.stringify(queues) !== this.#offered) this.open();
  }

  #allowStates() {
    for (const input of byId("states").querySelectorAll("input")) input.disabled = this.project.hand === null && input.value !== "";
  }
}
