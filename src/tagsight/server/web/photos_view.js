// Chosen photos: predicted labels, evidence, and the user's review.

import { ask, json, withPhoto } from "./api.js";
import { byId, element, sentence } from "./dom.js";
import { EvidenceStage } from "./evidence_stage.js";
import { FoundPhotos } from "./found_photos.js";
import { listed, scoreLine } from "./score_line.js";

const SIMILAR = 12;
const SCORES = 24; // as many as have evidence; a model may know thousands of labels

export function startPhotos(model, dialog, onTrouble) {
  new PhotosView(model, dialog, onTrouble);
}

class PhotosView {
  constructor(model, dialog, onTrouble) {
    this.thresholds = new Map(model.labels.map((label) => [label.name, label.thresholds]));
    this.searched = model.indexed !== null;
    this.onTrouble = onTrouble;
    this.photos = [];
    this.current = null;
    this.stage = new EvidenceStage(byId("stage"));
    this.similar = new FoundPhotos(byId("similar-photos"), dialog);
    byId("file").addEventListener("change", (event) => {
      this.add(event.target.files);
      event.target.value = "";
    });
    addEventListener("paste", (event) => this.add(event.clipboardData?.files ?? []));
    for (const button of document.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => this.addExample(button.dataset.example));
    }
    this.takeDrops();
    for (const way of document.querySelectorAll('[name="strictness"]')) way.addEventListener("change", () => this.show());
    for (const form of ["xmp", "txt", "csv"]) byId(`download-${form}`).addEventListener("click", () => this.download(form));
  }

  get strictness() {
    return document.querySelector('[name="strictness"]:checked').value;
  }

  takeDrops() {
    const dragging = (on) => document.body.classList.toggle("dragging", on);
    addEventListener("dragover", (event) => {
      event.preventDefault();
      dragging(true);
    });
    addEventListener("dragleave", (event) => event.relatedTarget === null && dragging(false));
    addEventListener("drop", (event) => {
      event.preventDefault();
      dragging(false);
      this.add(event.dataTransfer.files);
    });
  }

  /** Recognise files one after another, so that the first result appears soon. */
  async add(files) {
    const added = [...files].map((file) => ({ file, url: URL.createObjectURL(file), verdicts: new Map(), state: "busy" }));
    if (!added.length) return;
    this.photos.push(...added);
    this.choose(added[0]);
    await this.recogniseAll(added);
  }

  /** Recognise once more what failed for a reason that passes, as when the server was away. */
  async retry() {
    const again = this.photos.filter((photo) => photo.state === "failed" && photo.problem.passes);
    for (const photo of again) photo.state = "busy";
    this.choose(this.current);
    await this.recogniseAll(again);
  }

  async recogniseAll(photos) {
    this.onTrouble(null);
    for (const [place, photo] of photos.entries()) {
      await this.recognise(photo);
      // After a photo that failed the next one, so that labels are seen at once.
      if (photo === this.current) this.choose(photo.state === "failed" ? (photos[place + 1] ?? photo) : photo);
      this.tellFailures(photos);
    }
  }

  async recognise(photo) {
    try {
      const response = await json(`/v1/predict?evidence=true&scores=${SCORES}`, withPhoto(photo.file));
      Object.assign(photo, { response: response.photos[0], state: "done" });
      byId("status").textContent = `${photo.file.name}: ${this.accepted(photo).map((label) => label.name).join(", ") || "no label found"}`;
    } catch (error) {
      Object.assign(photo, { state: "failed", problem: error });
      byId("status").textContent = `${photo.file.name} was not recognised: ${error.message}`;
    }
    this.showStrip();
  }

  /** Say which photos were not recognised; the photo in sight says it itself. */
  tellFailures(added) {
    const failed = added.filter((photo) => photo.state === "failed");
    if (failed.every((photo) => photo === this.current)) return;
    const [{ file, problem }] = failed;
    const why = this.current.state === "failed" ? "" : "; choose one to see why";
    const many = `${failed.length} of ${added.length} photos were not recognised${why}.`;
    this.onTrouble(new Error(failed.length === 1 ? `${file.name}: ${problem.message}` : many));
  }

  /** Recognise an example of the page. */
  async addExample(name) {
    try {
      const content = await (await ask(`/web/examples/${name}`)).blob();
      await this.add([new File([content], name, { type: "image/jpeg" })]);
    } catch (error) {
      this.onTrouble(error);
    }
  }

  choose(photo) {
    this.current = photo;
    byId("similar").hidden = true;
    this.showStrip();
    this.show();
    if (photo.response && this.searched) this.findSimilar(photo);
  }

  showStrip() {
    byId("strip").replaceChildren(
      ...this.photos.map((photo) =>
        element(
          "li",
          {},
          element(
            "button",
            {
              class: photo.state,
              title: photo.file.name,
              "aria-label": photo.state === "failed" ? `${photo.file.name}, which was not recognised` : photo.file.name,
              "aria-current": photo === this.current ? "true" : null,
              click: () => this.choose(photo),
            },
            thumbnail(photo),
          ),
        ),
      ),
    );
  }

  /** Show the photo's labels at the chosen strictness. */
  show() {
    const photo = this.current;
    byId("welcome").hidden = photo !== null;
    byId("work").hidden = photo === null;
    if (photo === null) return;
    const { found, below } = photo.state === "done" ? listed(photo.response, this.strictness) : { found: [], below: [] };
    this.stage.show({ url: photo.url, name: photo.file.name, evidence: photo.response?.evidence ?? null, labels: found });
    byId("found-title").textContent = { busy: "Recognising …", failed: "Not recognised", done: "Labels" }[photo.state];
    byId("found").replaceChildren(...found.map((name) => this.row(photo, name)));
    if (photo.state === "done" && !found.length) byId("found").append(element("li", {}, element("p", { class: "faint" }, "No label reaches its threshold.")));
    if (photo.state === "failed") {
      byId("found").append(element("li", {}, element("p", { class: "problem" }, sentence(photo.problem.message))));
      if (photo.problem.passes) byId("found").append(element("li", {}, element("button", { type: "button", click: () => this.retry() }, "Try again")));
    }
    byId("below").replaceChildren(...below.map((name) => this.row(photo, name)));
    byId("below-title").hidden = !below.length;
    this.showDownloads();
  }

  row(photo, name) {
    const point = (asked) => this.stage.point(asked);
    const line = scoreLine(name, photo.response.scores[name], this.thresholds.get(name)[this.strictness], point);
    const accepted = this.accepts(photo, name);
    const said = photo.verdicts.has(name);
    const judge = (verdict) => () => this.judge(photo, name, verdict);
    return element(
      "li",
      { class: accepted ? "accepted" : said ? "rejected" : "open", mouseenter: () => point(name), mouseleave: () => point(null) },
      line,
      element("button", { class: "verdict accept", "aria-pressed": String(accepted), "aria-label": `Accept ${name}`, title: "Accept", click: judge(true) }, "✓"),
      element("button", { class: "verdict reject", "aria-pressed": String(said && !accepted), "aria-label": `Reject ${name}`, title: "Reject", click: judge(false) }, "✕"),
    );
  }

  /** Record a verdict on a label; the same verdict again removes it. */
  judge(photo, name, verdict) {
    if (photo.verdicts.get(name) === verdict) photo.verdicts.delete(name);
    else photo.verdicts.set(name, verdict);
    const said = `${verdict ? "Accept" : "Reject"} ${name}`;
    this.show();
    const buttons = [...document.querySelectorAll(".verdict")];
    buttons.find((button) => button.getAttribute("aria-label") === said)?.focus();
  }

  accepts(photo, name) {
    return photo.verdicts.get(name) ?? photo.response.decided[this.strictness].includes(name);
  }

  accepted(photo) {
    return Object.entries(photo.response.scores)
      .filter(([name]) => this.accepts(photo, name))
      .map(([name, score]) => ({ name, score }));
  }

  showDownloads() {
    const reviewed = this.photos.filter((photo) => photo.state === "done");
    const empty = this.current.state !== "done" || !this.accepted(this.current).length;
    byId("download-xmp").disabled = empty;
    byId("download-txt").disabled = empty;
    byId("download-csv").disabled = !reviewed.length;
  }

  async download(form) {
    const photos = form === "csv" ? this.photos.filter((photo) => photo.state === "done") : [this.current];
    const body = JSON.stringify({ photos: photos.map((photo) => ({ name: photo.file.name, labels: this.accepted(photo) })) });
    try {
      const response = await ask(`/v1/tags?form=${form}`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
      const [, name] = response.headers.get("Content-Disposition").split("filename*=UTF-8''");
      const url = URL.createObjectURL(await response.blob());
      element("a", { href: url, download: decodeURIComponent(name) }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    } catch (error) {
      this.onTrouble(error);
    }
  }

  async findSimilar(photo) {
    try {
      photo.similar ??= (await json(`/v1/search?top=${SIMILAR}`, withPhoto(photo.file))).photos;
    } catch (error) {
      this.onTrouble(error);
      return;
    }
    if (photo !== this.current) return;
    byId("similar").hidden = !photo.similar.length;
    this.similar.show(photo.similar);
  }
}

/** A small picture, or the name of a file that the browser cannot show. */
function thumbnail(photo) {
  const image = element("img", { src: photo.url, alt: "" });
  image.addEventListener("error", () => image.replaceWith(element("span", {}, photo.file.name)));
  return image;
}
