// The labels: their states on the selected photos, counts, quality, and the label in hand.

import { amount, byId, element, percent } from "../dom.js";
import { knownPhoto } from "./photo_list.js";
import { dot, icon, mark, VERDICTS, word } from "./marks.js";
import { state, tree } from "./project.js";

const hundredths = (share) => Math.round(100 * share);

/** Fires "verdict" with {label, value}, "made", "edit" with a label, "trouble" with an error. */
export class LabelsPanel extends EventTarget {
  #rows = new Map();
  #drawn = "";
  #scores = {};

  /** @param {() => number[]} targets Ids of the photos that a verdict would judge. */
  constructor(project, targets) {
    super();
    Object.assign(this, { project, targets });
    project.addEventListener("change", () => this.draw());
    project.addEventListener("hand", () => this.draw());
    byId("new-label").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make();
    });
    byId("new-name").addEventListener("input", () => this.#showTyped());
    byId("new-name").addEventListener("keydown", (event) => {
      const first = event.key === "ArrowDown" && byId("label-list").querySelector("li.found .take");
      if (!first) return;
      event.preventDefault();
      first.focus();
    });
  }

  /** Draw the rows again if labels have changed, and their states. */
  draw() {
    const { labels, hand } = this.project;
    const signature = JSON.stringify([labels, hand]);
    if (signature !== this.#drawn) {
      const focused = document.activeElement?.closest?.("#label-list [data-focus]")?.dataset.focus;
      this.#drawn = signature;
      this.#rows.clear();
      byId("label-list").replaceChildren(...tree(labels).map((node) => this.#node(node)));
      if (focused) byId("label-list").querySelector(`[data-focus="${focused}"]`)?.focus();
    }
    this.#showTyped();
    this.showScores(this.#scores);
    this.showStates();
  }

  /** Show the states of the labels on the photos that would be judged. */
  showStates() {
    const photos = this.targets().map(knownPhoto).filter(Boolean);
    for (const [id, row] of this.#rows) {
      const found = photos.length ? state(photos, id) : "none";
      row.line.classList.toggle("no-photo", !photos.length);
      for (const [name, button] of row.buttons) button.setAttribute("aria-pressed", String(name === found));
      row.said.textContent = photos.length ? `, ${word(found)}` : "";
    }
  }

  /** Show the scores of a photo, by id of the label; none for an empty object. */
  showScores(scores) {
    this.#scores = scores;
    for (const [id, row] of this.#rows) row.score.textContent = id in scores ? percent(scores[id]) : "";
  }

  /** Let a name be typed; on a narrow screen the panel opens for it. */
  focusName() {
    document.body.classList.add("with-panel");
    byId("new-name").focus();
    byId("new-name").select();
  }

  /** The name that is typed, as a label has it. */
  get #typed() {
    return byId("new-name").value.trim().replace(/\s*\/[\s/]*/g, "/").replace(/^\/|\/$/g, "");
  }

  async #make() {
    const name = this.#typed;
    if (!name) return;
    try {
      await this.project.make(name);
      byId("new-name").value = "";
      this.#showTyped();
      this.dispatchEvent(new Event("made"));
    } catch (error) {
      this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
    }
  }

  /** Show the labels whose names have what is typed, and say what Enter does. */
  #showTyped() {
    const { labels } = this.project;
    const name = this.#typed;
    const alike = labels.filter((label) => label.name.toLowerCase() === name.toLowerCase());
    const same = alike.some((label) => label.name === name);
    const other = alike.length ? `Enter makes a label besides “${alike[0].name}”.` : "Enter makes this label.";
    const enter = same ? "Enter takes this label in hand." : other;
    byId("new-hint").textContent = name ? enter : labels.length ? "" : "Type what to look for, and press Enter.";
    let below = 0; // of a label that is found, the parents above it are shown, too
    for (const line of [...byId("label-list").children].reverse()) {
      const depth = Number(line.style.getPropertyValue("--depth"));
      const found = line.dataset.name.includes(name.toLowerCase());
      line.classList.toggle("found", found);
      line.hidden = !found && !(depth < below);
      if (!line.hidden) below = depth;
    }
  }

  #node({ name, depth, label }) {
    const line = element("li", { class: label ? "label-row" : "label-parent" });
    line.style.setProperty("--depth", depth);
    line.dataset.name = (label?.name ?? "").toLowerCase();
    if (!label) {
      line.append(element("bdi", {}, name));
      return line;
    }
    const inHand = label.id === this.project.hand;
    line.classList.toggle("in-hand", inHand);
    const said = element("span", { class: "visually-hidden" });
    const take = element(
      "button",
      { class: "take", "data-focus": `take-${label.id}`, "aria-pressed": String(inHand), title: label.name, click: () => this.#take(label.id) },
      element("kbd", { "aria-hidden": "true" }, label.shortcut ?? ""),
      dot(label),
      element("span", { class: "label-name" }, element("bdi", {}, name), said),
    );
    const buttons = new Map(
      VERDICTS.map(({ state: of, value, title }) => [
        of,
        element("button", {
          class: "judge",
          "data-focus": `${of}-${label.id}`,
          title: `${title}: ${label.name}`,
          "aria-label": `${label.name} ${title.toLowerCase()}`,
          "aria-pressed": "false",
          click: () => this.#judge(label.id, value),
        }, mark(of)),
      ]),
    );
    const score = element("span", { class: "score" });
    line.append(element("span", { class: "label-line" }, take, score, ...buttons.values()), element("span", { class: "facts" }, counts(label), ...quality(label)));
    if (inHand) line.append(this.#details(label));
    this.#rows.set(label.id, { line, said, score, buttons });
    return line;
  }

  #take(id) {
    byId("new-name").value = "";
    this.#showTyped();
    this.project.takeInHand(id);
  }

  #judge(label, value) {
    this.dispatchEvent(new CustomEvent("verdict", { detail: { label, value } }));
  }

  #details(label) {
    return element(
      "div",
      { class: "label-details" },
      element(
        "div",
        { class: "advice" },
        element("p", {}, label.advice ?? (label.quality ? "" : label.present + label.absent ? "Learning from what is judged …" : "Judge photos with and without it; how well it is found shows after a few of each.")),
        ...(label.quality ? [element("p", { class: "hint" }, `${measured(label.quality)}.`)] : []),
      ),
      element("button", { class: "tool", title: "Name, colour, shortcut", "aria-label": `Edit ${label.name}`, "data-focus": `edit-${label.id}`, click: () => this.dispatchEvent(new CustomEvent("edit", { detail: label })) }, icon("edit")),
    );
  }
}

/** Say on how many photos the label is present and absent. */
function counts({ present, absent }) {
  const spoken = element("span", { class: "visually-hidden" }, `present on ${present} photos, absent on ${absent}`);
  const seen = element("span", { class: "counts", "aria-hidden": "true" }, mark("present"), String(present), mark("absent"), String(absent));
  return element("span", {}, spoken, seen);
}

/** Draw average precision with its interval on a line from 0 to 100. */
function quality({ quality: found }) {
  if (!found) return [];
  const [ap, low, high] = [found.ap, found.low, found.high].map(hundredths);
  const track = element("span", { class: "track", "aria-hidden": "true" }, element("span", { class: "interval" }), element("span", { class: "point" }));
  track.style.setProperty("--low", found.low);
  track.style.setProperty("--high", found.high);
  track.style.setProperty("--ap", found.ap);
  return [track, element("span", { class: "ap", title: measured(found) }, `AP ${ap}`, element("span", { class: "range" }, ` ${low}–${high}`))];
}

/** Say what the average precision is and how it was measured. */
function measured({ ap, low, high, held_out: photos }) {
  const [mean, least, most] = [ap, low, high].map(hundredths);
  return `AP ${mean}: average precision on ${amount(photos, "photo")} that were held out; ${least}–${most} with 95 % confidence`;
}
