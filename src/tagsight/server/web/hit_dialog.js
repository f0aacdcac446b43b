// A photo of the index, large: its labels with scores, their evidence, and its place on the disk.

import { json, picture } from "./api.js";
import { byId, element } from "./dom.js";
import { EvidenceStage } from "./evidence_stage.js";
import { listed, scoreLine } from "./score_line.js";

const SIDE = 1600;

export class HitDialog {
  #photos = [];
  #place = 0;
  #asked = 0;

  /** @param {Object} model The model's facts; its thresholds are shown. */
  constructor(model) {
    this.thresholds = new Map(model.labels.map((label) => [label.name, label.threshold]));
    this.dialog = byId("hit");
    this.stage = new EvidenceStage(byId("hit-stage"));
    byId("hit-previous").addEventListener("click", () => this.turn(-1));
    byId("hit-next").addEventListener("click", () => this.turn(1));
    byId("hit-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.forget());
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.turn(step);
    });
  }

  /** Show one of several photos that a search has found. */
  open(photos, place) {
    this.#photos = photos;
    this.#place = place;
    this.dialog.showModal();
    this.show();
  }

  turn(step) {
    const place = this.#place + step;
    if (!(place in this.#photos)) return;
    this.#place = place;
    this.show();
  }

  async show() {
    const photo = this.#photos[this.#place];
    const asked = ++this.#asked;
    const name = photo.path.split(/[\\/]/).pop();
    byId("hit-title").textContent = name;
    byId("hit-place").textContent = `Photo ${this.#place + 1} of ${this.#photos.length}`;
    byId("hit-previous").disabled = this.#place === 0;
    byId("hit-next").disabled = this.#place === this.#photos.length - 1;
    byId("hit-trouble").hidden = true;
    this.forget();
    this.lines("found", []);
    this.lines("below", []);
    byId("hit-found-title").textContent = "Recognising …";
    byId("hit-paths").replaceChildren(path(photo.path));
    this.stage.show({ url: null, name, evidence: null, labels: [] });
    try {
      const [url, response] = await Promise.all([
        picture(`/v1/photos/${photo.id}?side=${SIDE}`),
        json(`/v1/photos/${photo.id}/labels`),
      ]);
      if (asked !== this.#asked) URL.revokeObjectURL(url);
      else this.fill(url, name, response);
    } catch (error) {
      if (asked === this.#asked) this.fail(error);
    }
  }

  fill(url, name, response) {
    this.url = url;
    const { found, below } = listed(response, "balanced");
    this.stage.show({ url, name, evidence: response.evidence, labels: found });
    byId("hit-found-title").textContent = found.length ? "Labels" : "No label reaches its threshold";
    this.lines("found", found, response);
    this.lines("below", below, response);
    byId("hit-paths").replaceChildren(...response.paths.map(path));
  }

  fail(error) {
    byId("hit-found-title").textContent = "Labels";
    byId("hit-trouble").textContent = error.status === 404 ? "This photo is no longer where it was indexed." : error.message;
    byId("hit-trouble").hidden = false;
  }

  lines(part, names, response) {
    const point = (asked) => this.stage.point(asked);
    byId(`hit-${part}`).replaceChildren(
      ...names.map((name) =>
        element(
          "li",
          { class: part === "found" ? "accepted" : "open", mouseenter: () => point(name), mouseleave: () => point(null) },
          scoreLine(name, response.scores[name], this.thresholds.get(name), point),
        ),
      ),
    );
    if (part === "below") byId("hit-below-title").hidden = !names.length;
  }

  /** Free the memory of the picture. */
  forget() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }
}

/** A path, to be copied where the browser allows it. */
function path(text) {
  const copy = element("button", { type: "button", class: "quiet" }, "Copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  });
  return element("li", {}, element("code", {}, text), ...(navigator.clipboard ? [copy] : []));
}
