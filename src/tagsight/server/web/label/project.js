// What the page knows of the project: labels, queues, progress, and the label in hand.

import { get, send } from "./server.js";

const PAUSE = 400;
const KEY = "tagsight-label-in-hand";

/** Fires "change" when any of it changes, "hand" when another label is taken in hand. */
export class Project extends EventTarget {
  #wanted = 0;
  #asking = false;

  constructor() {
    super();
    this.info = { name: "", photos: 0, encoded: 0, seconds_left: null, revision: 0, labels: [], queues: [] };
    this.hand = null;
  }

  get labels() {
    return this.info.labels;
  }

  /** The label in hand, or null. */
  get label() {
    return this.find(this.hand);
  }

  find(id) {
    return this.labels.find((label) => label.id === id) ?? null;
  }

  async load() {
    this.take(await get("project"));
  }

  take(changes) {
    this.info = { ...this.info, ...changes };
    if (!this.label) this.takeInHand((this.#remembered ?? this.labels[0])?.id ?? null);
    this.dispatchEvent(new Event("change"));
  }

  takeInHand(id) {
    if (id === this.hand) return;
    this.hand = id;
    if (id !== null) sessionStorage.setItem(KEY, JSON.stringify([this.info.folder, id]));
    this.dispatchEvent(new Event("hand"));
  }

  /** The label that was in hand in this tab before it was loaded again: keys go on to judge it. */
  get #remembered() {
    const [folder, id] = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return folder === this.info.folder ? this.find(id) : null;
  }

  /** Ask for counts and quality again, once after many changes. */
  async refresh() {
    this.#wanted += 1;
    if (this.#asking) return;
    this.#asking = true;
    try {
      for (let done = 0; done !== this.#wanted; ) {
        done = this.#wanted;
        await new Promise((resume) => setTimeout(resume, PAUSE));
        await this.load();
      }
    } catch {
      // The connection says that the server is away, and loads the project when it is back.
    } finally {
      this.#asking = false;
    }
  }

  async make(name) {
    const same = this.labels.find((label) => label.name === name);
    const label = same ?? (await send("POST", "labels", { name }));
    await this.load();
    this.takeInHand(label.id);
    return label;
  }

  async edit(id, changes) {
    await send("PATCH", `labels/${id}`, changes);
    await this.load();
  }

  async remove(id) {
    await send("DELETE", `labels/${id}`);
    await this.load();
  }
}

/** Order labels as a tree of their paths; a parent has no label if none has its name. */
export function tree(labels) {
  const root = { children: new Map() };
  for (const label of labels) {
    let node = root;
    const levels = label.name.split("/");
    const parts = levels.includes("") ? [label.name] : levels;
    parts.forEach((part, depth) => {
      if (!node.children.has(part)) node.children.set(part, { name: part, depth, label: null, children: new Map() });
      node = node.children.get(part);
    });
    node.label = label;
  }
  const walk = (node) => [...node.children.values()].flatMap((child) => [child, ...walk(child)]);
  return walk(root);
}

/** State of a label on photos: "present", "absent", "unjudged", or "mixed". */
export function state(photos, label) {
  const states = new Set(photos.map((photo) => stateOf(photo.judged[label])));
  if (states.size > 1) return "mixed";
  return states.size ? [...states][0] : "unjudged";
}

export const stateOf = (value) => (value === 1 ? "present" : value === 0 ? "absent" : "unjudged");

export const WORDS = { present: "present", absent: "absent", unjudged: "not judged", mixed: "different on the selected photos" };
