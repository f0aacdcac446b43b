// The index: photos to browse, and to search by a label expression.

import { json } from "./api.js";
import { byId, element, sentence } from "./dom.js";
import { FoundPhotos } from "./found_photos.js";

const PAGE = 60;
const MOST_CHIPS = 40;

export class SearchView {
  #where = null;
  #asked = 0;
  #labels = [];

  constructor(dialog, onTrouble) {
    this.onTrouble = onTrouble;
    this.photos = new FoundPhotos(byId("search-photos"), dialog);
    byId("tab-search").hidden = false;
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search(byId("where").value.trim());
    });
    byId("search-more").addEventListener("click", () => this.load());
  }

  /** Show all photos and labels, the first time that the view is seen. */
  async start() {
    if (this.#where !== null) return;
    this.search("");
    try {
      const { labels } = await json("/v1/search/labels");
      this.#labels = labels.filter((label) => label.photos).sort((one, other) => other.photos - one.photos);
    } catch (error) {
      this.onTrouble(error);
      return;
    }
    this.showHint();
    this.showChips(MOST_CHIPS);
  }

  /** Search for an expression; an empty one finds all photos. */
  search(where) {
    this.#where = where;
    byId("where").value = where;
    this.onTrouble(null);
    this.pressChips();
    this.photos.show([]);
    return this.load();
  }

  /** Load the next photos. */
  async load() {
    const asked = ++this.#asked;
    const skip = this.photos.count;
    byId("search-more").hidden = true;
    if (!skip) this.say("Searching …");
    const where = this.#where ? `&where=${encodeURIComponent(this.#where)}` : "";
    try {
      const { photos, matching } = await json(`/v1/search?top=${PAGE}&skip=${skip}${where}`);
      if (asked !== this.#asked) return;
      this.photos.add(photos);
      this.say(this.#where ? `${counted(matching)} with ${this.#where}` : counted(matching));
      byId("search-more").hidden = this.photos.count >= matching;
    } catch (error) {
      if (asked !== this.#asked) return;
      if (error.status === 422) this.showMistake(error);
      else {
        this.say("");
        this.onTrouble(error);
      }
    }
  }

  /** Say what is wrong with an expression, and offer those that may have been meant. */
  showMistake(error) {
    if (!error.told.unknown) return this.say(sentence(error.message));
    const offers = (error.told.meant ?? []).map((where) => this.link(where));
    const asked = offers.flatMap((offer, place) => [[" Did you mean ", ", ", " or "][place ? (place === offers.length - 1 ? 2 : 1) : 0], offer]);
    this.say(`There is no label “${error.told.unknown}”.`, ...(offers.length ? [...asked, "?"] : [" Choose one above."]));
  }

  /** A search that is made by a click. */
  link(where) {
    return element("button", { type: "button", class: "link", click: () => this.search(where) }, where);
  }

  say(...parts) {
    byId("search-status").replaceChildren(...parts);
  }

  showHint() {
    const [first, second] = this.#labels.map((label) => quoted(label.name));
    if (!second) return;
    byId("search-hint").replaceChildren(
      "Combine labels with and, or, not and parentheses, such as ",
      this.link(`${first} and not ${second}`),
      ", or ask for a least score: ",
      this.link(`${first} >= 0.9`),
    );
  }

  showChips(most) {
    const shown = this.#labels.slice(0, most).map((label) => element("li", {}, this.chip(label)));
    const left = this.#labels.length - shown.length;
    const all = () => this.showChips(Infinity);
    if (left > 0) shown.push(element("li", {}, element("button", { type: "button", class: "link", click: all }, `${left} more labels`)));
    byId("search-labels").replaceChildren(...shown);
    this.pressChips();
  }

  /** A label to search for by a click, together with those that are pressed already. */
  chip({ name, photos }) {
    return element(
      "button",
      { type: "button", "data-label": name, "aria-label": `${name}, ${counted(photos)}`, click: () => this.toggle(name) },
      name,
      element("span", { class: "count" }, photos.toLocaleString("en")),
    );
  }

  toggle(name) {
    const names = this.pressed();
    const chosen = names.includes(name) ? names.filter((other) => other !== name) : [...names, name];
    this.search(chosen.map(quoted).join(" and "));
  }

  /** The labels of which the expression consists, if it is only labels with "and". */
  pressed() {
    const names = new Map(this.#labels.map((label) => [quoted(label.name), label.name]));
    const parts = this.#where?.match(/"(?:[^"]|"")*"|[^\s"]+/g) ?? [];
    const fits = parts.every((part, place) => (place % 2 ? part === "and" : names.has(part)));
    return fits ? parts.filter((_, place) => place % 2 === 0).map((part) => names.get(part)) : [];
  }

  pressChips() {
    const pressed = this.pressed();
    for (const chip of byId("search-labels").querySelectorAll("[data-label]")) {
      chip.setAttribute("aria-pressed", String(pressed.includes(chip.dataset.label)));
    }
  }
}

const counted = (count) => (count === 1 ? "1 photo" : `${count ? count.toLocaleString("en") : "No"} photos`);

const quoted = (name) => (/^\p{L}[\w-]*$/u.test(name) && !/^(and|or|not)$/i.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
