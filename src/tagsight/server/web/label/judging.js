// Judgements: shown at once, sent through the outbox, and changed by what the server tells.

import { amount } from "../dom.js";
import { knownPhoto, setState } from "./photo_list.js";

/** Fires "change" when photos are judged otherwise than before, "told" with a sentence. */
export class Judging extends EventTarget {
  constructor(project, outbox) {
    super();
    this.project = project;
    this.outbox = outbox;
    outbox.addEventListener("sent", ({ detail }) => this.#sent(detail));
    outbox.addEventListener("refused", ({ detail }) => this.#refused(detail));
  }

  /**
   * Judge photos.
   * @param {number[]} photos Their ids.
   * @param {number} label Its id.
   * @param {1|0|null} value Present, absent, or not judged.
   */
  judge(photos, label, value) {
    if (!photos.length || label === null) return;
    const before = photos.map((id) => knownPhoto(id)?.judged[label] ?? null);
    this.#apply(photos.map((photo) => ({ photo, label, value })));
    this.outbox.add("judgements", { photos, label, value });
    const count = before.filter((one) => one !== value).length;
    const name = this.project.find(label)?.name ?? "";
    const where = (photos.length === 1 && knownPhoto(photos[0])?.name) || amount(photos.length, "photo");
    const word = value === 1 ? "present" : value === 0 ? "absent" : "not judged";
    this.#tell(count ? `${name} ${word}: ${where}` : `${name} was ${word} already: ${where}`);
  }

  undo() {
    this.outbox.add("undo", {});
  }

  redo() {
    this.outbox.add("redo", {});
  }

  /** Take changes from the server, but not where a later judgement of this browser is on its way. */
  take(changes) {
    const later = this.#waiting();
    this.#apply(changes.filter(({ photo, label }) => !later.has(`${photo} ${label}`)));
    this.project.refresh();
  }

  /** Show judgements that wait in the outbox, after photos have been loaded. */
  overlay() {
    this.#apply(this.outbox.waiting.filter(({ path }) => path === "judgements").flatMap(({ body }) =>
      body.photos.map((photo) => ({ photo, label: body.label, value: body.value }))), false);
  }

  #waiting() {
    const judgements = this.outbox.waiting.filter(({ path }) => path === "judgements");
    return new Set(judgements.flatMap(({ body }) => body.photos.map((photo) => `${photo} ${body.label}`)));
  }

  #apply(changes, tell = true) {
    for (const { photo, label, value } of changes) setState(photo, label, value);
    if (tell && changes.length) this.dispatchEvent(new Event("change"));
  }

  #sent({ entry, answer }) {
    this.take(answer.changes ?? []);
    if (entry.path === "judgements") return;
    const what = entry.path === "undo" ? "Undone" : "Redone";
    const count = answer.photos?.length ?? 0;
    this.dispatchEvent(new CustomEvent("returned", { detail: answer.photos ?? [] }));
    if (!count) this.#tell(`Nothing to ${entry.path}.`);
    else this.#tell(`${what}: ${this.project.find(answer.label)?.name ?? "labels"} on ${amount(count, "photo")}`);
  }

  #refused({ entry, error }) {
    this.dispatchEvent(new CustomEvent("refused", { detail: { entry, error } }));
  }

  #tell(sentence) {
    this.dispatchEvent(new CustomEvent("told", { detail: sentence }));
  }
}
