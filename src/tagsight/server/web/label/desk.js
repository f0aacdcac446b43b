// The work on photos: which queue is shown, what is selected, and what keys and buttons do with it.

import { byId, element } from "../dom.js";
import { Grid } from "./grid.js";
import { KEY_GROUPS, Keys } from "./keys.js";
import { editLabel } from "./label_dialog.js";
import { LabelsPanel } from "./labels_panel.js";
import { dot, mark, VERDICTS } from "./marks.js";
import { openWriting, showKeys, showLeftOut, startMenus } from "./menus.js";
import { knownPhoto, PhotoList } from "./photo_list.js";
import { Pointing } from "./pointing.js";
import { tree } from "./project.js";
import { QueueBar } from "./queue_bar.js";
import { Selection } from "./selection.js";
import { get, send } from "./server.js";
import { Viewer } from "./viewer.js";

export class Desk {
  #known = 0;

  constructor(project, judging, notices) {
    Object.assign(this, { project, judging, notices, list: null, region: null });
    this.selection = new Selection();
    this.grid = new Grid(byId("grid"), byId("sheet"), project, this.selection);
    this.bar = new QueueBar(project);
    this.viewer = new Viewer(byId("viewer"), project, this.selection);
    this.panel = new LabelsPanel(project, () => this.targets);
    this.keys = new Keys(this.#actions());
    this.#listen();
    this.#listenToButtons();
    startMenus();
  }

  /** Ids of the photos that a verdict judges: the one in view, or the selected ones. */
  get targets() {
    if (this.viewer.open) return this.viewer.photo ? [this.viewer.photo.id] : [];
    return this.selection.targets;
  }

  start() {
    this.panel.draw();
    this.#showHand();
    this.show();
    if (!this.project.labels.length) this.panel.focusName();
    else byId("grid").focus({ preventScroll: true });
  }

  /** Show the queue from its beginning; `fresh` has the server order it again. */
  show(fresh = false) {
    this.#use(new PhotoList(this.bar.query, fresh), null);
  }

  /** Ask again for the photos in sight, in the same order. */
  refresh() {
    this.list?.expire();
    this.grid.arrange();
  }

  /** The server is back: load what it could not give. */
  retry() {
    this.grid.retry();
    this.viewer.retry();
  }

  /**
   * New scores have come: those in sight are asked for. The order stays until another is wanted, but
   * for a queue that had no photo, whose photos are shown.
   */
  newScores(revision) {
    this.viewer.modelRevision = revision;
    if (this.list?.total === 0 && !this.region) {
      this.show(true);
      return;
    }
    this.refresh();
    this.viewer.describe();
    if (!this.bar.showsAll && !this.region) this.bar.suggestOrder();
  }

  #use(list, region) {
    this.list?.close();
    Object.assign(this, { list, region });
    this.viewer.close();
    this.panel.showScores({});
    this.notices.tell("");
    this.selection.use(list);
    this.grid.use(list);
    list.addEventListener("change", () => {
      this.judging.overlay();
      this.bar.show(list, region);
    });
    list.addEventListener("trouble", ({ detail }) => list === this.list && this.notices.trouble(detail.message));
    list.need(0, 0);
    this.bar.show(list, region);
  }

  #listen() {
    const { project, selection, judging, viewer } = this;
    selection.addEventListener("change", () => this.#showSelection());
    project.addEventListener("change", () => {
      this.#showHand();
      this.#follow();
    });
    project.addEventListener("hand", () => this.#handChanged());
    judging.addEventListener("change", () => {
      this.grid.describe();
      this.viewer.describe();
      this.panel.showStates();
    });
    judging.addEventListener("told", ({ detail }) => this.notices.tell(detail));
    judging.addEventListener("refused", ({ detail }) => {
      this.notices.trouble(detail.error.message);
      this.refresh();
    });
    judging.addEventListener("returned", ({ detail }) => this.#goBackTo(detail));
    this.bar.addEventListener("choose", () => {
      this.show(true);
      byId("grid").focus({ preventScroll: true });
    });
    this.bar.addEventListener("back", () => this.#leaveRegion());
    this.panel.addEventListener("verdict", ({ detail }) => judging.judge(this.targets, detail.label, detail.value));
    this.panel.addEventListener("made", () => this.#closePanel());
    this.panel.addEventListener("edit", ({ detail }) => editLabel(project, detail, (error) => this.notices.trouble(error.message)));
    this.panel.addEventListener("trouble", ({ detail }) => this.notices.trouble(detail.message));
    viewer.addEventListener("shown", ({ detail }) => this.#showScores(detail));
    viewer.addEventListener("close", () => this.#closeViewer());
    viewer.addEventListener("go", ({ detail }) => this.#go(detail));
    viewer.addEventListener("region", ({ detail }) => this.#findRegion(detail));
    const pointing = new Pointing(this.grid, selection);
    pointing.addEventListener("open", ({ detail }) => this.#open(detail));
    pointing.addEventListener("verdict", ({ detail }) => judging.judge([this.list.at(detail.index)?.id].filter(Number.isInteger), project.hand, detail.value));
  }

  #listenToButtons() {
    byId("undo").addEventListener("click", () => this.judging.undo());
    byId("redo").addEventListener("click", () => this.judging.redo());
    byId("write-button").addEventListener("click", () => openWriting(this.project.info.folder));
    byId("left-out").addEventListener("click", () => showLeftOut().catch(({ message }) => this.notices.trouble(message)));
    byId("keys-button").addEventListener("click", () => this.#showKeys());
    byId("size").addEventListener("input", (event) => this.grid.resize(Number(event.target.value)));
    byId("panel-open").addEventListener("click", () => {
      document.body.classList.add("with-panel");
      byId("panel-close").focus();
    });
    byId("panel-close").addEventListener("click", () => this.#closePanel());
    byId("verdicts").replaceChildren(
      ...VERDICTS.map(({ state, value, key, title }) =>
        element("button", { class: `verdict ${state}`, title: `${title} (${key})`, click: () => this.#verdict(value) }, mark(state), element("span", {}, title), element("kbd", { "aria-hidden": "true" }, key)),
      ),
    );
  }

  #actions() {
    const zoom = (grow) => () => (this.viewer.open ? (grow ? this.viewer.zoom.in() : this.viewer.zoom.out()) : this.#resize(grow ? 24 : -24));
    const step = (count, x = 0, y = 0) => (event) => (event.shiftKey && this.viewer.pan(x, y)) || this.#step(count(), event.shiftKey);
    const actions = {
      a: () => this.#verdict(1),
      r: () => this.#verdict(0),
      x: () => this.#verdict(null),
      u: () => this.judging.undo(),
      U: () => this.judging.redo(),
      digit: (event, digit) => this.#switch(digit),
      j: () => this.#nextLabel(1),
      k: () => this.#nextLabel(-1),
      n: () => this.panel.focusName(),
      q: () => this.bar.open(),
      o: () => this.bar.choose(),
      e: () => this.viewer.open && this.viewer.showEvidence(),
      b: () => this.viewer.open && this.viewer.drawBox(),
      0: () => this.viewer.open && this.viewer.zoom.reset(),
      "?": () => this.#showKeys(),
      all: () => this.list.total !== 0 && this.keys.after(this.selection.range(0, (this.list.total ?? 1) - 1)),
      Enter: () => (this.viewer.open ? this.#closeViewer() : this.#open(this.selection.current)),
      " ": () => (this.viewer.open ? this.#closeViewer() : this.selection.toggle(this.selection.current)),
      Escape: () => this.#escape(),
      ArrowLeft: step(() => -1, 1, 0),
      ArrowRight: step(() => 1, -1, 0),
      ArrowUp: step(() => -(this.viewer.open ? 1 : this.grid.columns), 0, 1),
      ArrowDown: step(() => (this.viewer.open ? 1 : this.grid.columns), 0, -1),
      PageUp: step(() => -this.grid.screen),
      PageDown: step(() => this.grid.screen),
      Home: step(() => -Infinity),
      End: step(() => Infinity),
    };
    for (const key of ["+", "="]) actions[key] = zoom(true);
    for (const key of ["-", "−"]) actions[key] = zoom(false);
    return actions;
  }

  /** Judge with the label in hand, and go on to the next photo. */
  #verdict(value) {
    const { hand } = this.project;
    if (hand === null) {
      this.notices.tell("Type a label first: what should be found?");
      this.panel.focusName();
      return;
    }
    const { targets } = this;
    if (!targets.length) {
      this.notices.tell("Select photos first: click one, or press an arrow key.");
      return;
    }
    this.judging.judge(targets, hand, value);
    if (this.viewer.open) this.#go(this.viewer.index + 1);
    else if (targets.length === 1) this.#step(1, false);
    else this.selection.release();
  }

  /** Switch the label of a key on the photos: present, or not judged if it is present on all. */
  #switch(digit) {
    const label = this.project.labels.find((one) => one.shortcut === digit);
    if (!label) {
      this.notices.tell(`No label has the key ${digit}.`);
      return;
    }
    const { targets } = this;
    const present = targets.every((id) => knownPhoto(id)?.judged[label.id] === 1);
    if (targets.length) this.judging.judge(targets, label.id, present ? null : 1);
    else this.project.takeInHand(label.id);
  }

  #step(count, extend) {
    const { selection, list } = this;
    const last = (list.total ?? 0) - 1;
    this.#focusPhotos();
    if (this.viewer.open) return this.#go(Math.abs(count) === Infinity ? (count < 0 ? 0 : last) : this.viewer.index + Math.sign(count));
    if (list.total === null) return this.keys.after(list.need(0, 0).then(() => list === this.list && list.total && this.#step(count, extend)));
    if (last < 0) return undefined;
    const first = !selection.shown && Number.isFinite(count);
    const index = Math.min(last, Math.max(0, selection.current + (first ? 0 : count)));
    this.keys.after(extend ? selection.extend(index) : selection.choose(index));
    return this.grid.reveal(index);
  }

  #open(index) {
    if (!this.list.at(index)) return;
    this.selection.choose(index);
    this.viewer.show(this.list, index).then(() => this.panel.showStates());
    this.panel.showStates();
  }

  #go(index) {
    if (index < 0 || index >= this.list.total) {
      this.notices.tell(index < 0 ? "This is the first photo." : "This was the last photo of the queue.");
      return;
    }
    const shown = this.viewer.show(this.list, index).then(() => this.#show(index));
    if (!this.viewer.photo) this.keys.after(shown);
  }

  /** Show the scores of all labels for the photo in view. */
  async #showScores(photo) {
    this.panel.showScores({});
    if (!photo) return;
    try {
      const { scores } = await get(`photos/${photo.id}`);
      if (this.viewer.open && this.viewer.photo === photo) this.panel.showScores(scores);
    } catch {
      // Without scores the photo can be judged all the same; the connection tells of trouble.
    }
  }

  #closeViewer() {
    this.viewer.close();
    this.panel.showScores({});
    this.grid.reveal(this.selection.current);
    this.panel.showStates();
    byId("grid").focus({ preventScroll: true });
  }

  /** Uncover the photos, on which the keys act from then on. */
  #closePanel() {
    document.body.classList.remove("with-panel");
    this.#focusPhotos();
  }

  /** Have Enter and space act on photos, not on the button that was used last. */
  #focusPhotos() {
    const place = this.viewer.open ? this.viewer.stage : byId("grid");
    if (!place.contains(document.activeElement)) place.focus({ preventScroll: true });
  }

  #escape() {
    const covered = byId("panel-open").offsetParent !== null && document.body.classList.contains("with-panel");
    if (covered) this.#closePanel();
    else if (this.viewer.region.on) this.viewer.drawBox(false);
    else if (this.viewer.open) this.#closeViewer();
    else if (this.selection.ids.size) this.selection.release();
    else if (this.region) this.#leaveRegion();
  }

  /** Go from photos with such a region back to the photo whose region it is. */
  #leaveRegion() {
    const { photo, place } = this.region;
    this.show();
    byId("grid").focus({ preventScroll: true });
    const { list } = this;
    this.keys.after(list.need(place, place).then(() => list === this.list && list.at(place) === photo && this.#show(place)));
  }

  /** Show the photos whose judgements were undone or redone, selected so that they can be judged. */
  #goBackTo(photos) {
    const places = photos.map((photo) => this.list.indexOf(photo)).filter((place) => place >= 0);
    if (!places.length) return;
    if (this.viewer.open) this.#go(places[0]);
    else if (places.length === 1) this.#show(places[0]);
    else {
      this.selection.chooseAll(places);
      this.grid.reveal(places[0]);
    }
  }

  /** Select a photo and bring it into sight. */
  #show(index) {
    this.selection.choose(index);
    this.grid.reveal(index);
  }

  async #findRegion({ photo, box }) {
    this.notices.tell("Looking for such regions …");
    const place = this.region?.place ?? this.viewer.index;
    try {
      const { photos } = await send("POST", "region", { photo: photo.id, box });
      this.#use(PhotoList.of(photos, {}), { photo: this.region?.photo ?? photo, place, of: photo.name });
      byId("grid").focus({ preventScroll: true });
    } catch (error) {
      this.viewer.drawBox(false);
      this.notices.tell("");
      this.notices.trouble(error.message);
    }
  }

  /** Show what is there now: at once if nothing is selected, else when it is wanted. */
  #follow() {
    const { photos } = this.project.info;
    const { list, selection } = this;
    const total = list?.total ?? photos;
    if (!this.bar.showsAll || this.region || total === photos || photos === this.#known) return;
    this.#known = photos;
    if (selection.shown || this.viewer.open) this.bar.suggestOrder();
    else {
      list.renew();
      this.grid.arrange();
    }
  }

  #handChanged() {
    this.#showHand();
    if (this.region) {
      this.viewer.describe();
      return;
    }
    if (this.bar.dependsOnLabel) {
      this.show(true);
      return;
    }
    this.list?.score(this.project.hand);
    this.refresh();
    this.viewer.describe();
  }

  #nextLabel(step) {
    const ids = tree(this.project.labels).flatMap(({ label }) => (label ? [label.id] : []));
    if (ids.length) this.project.takeInHand(ids[(ids.indexOf(this.project.hand) + step + ids.length) % ids.length]);
  }

  #resize(by) {
    byId("size").value = Number(byId("size").value) + by;
    this.grid.resize(Number(byId("size").value));
  }

  #showKeys() {
    showKeys(KEY_GROUPS, this.keys.active, (on) => {
      this.keys.active = on;
    });
  }

  #showHand() {
    const { label } = this.project;
    byId("hand").replaceChildren(...(label ? [dot(label), element("bdi", { title: label.name }, label.name)] : [element("span", { class: "faint" }, "No label yet")]));
    byId("verdicts").setAttribute("aria-label", label ? `Judge the selected photos: ${label.name}` : "Judge the selected photos");
  }

  #showSelection() {
    const count = this.selection.ids.size;
    this.notices.tellCount(count);
    this.panel.showStates();
  }
}
