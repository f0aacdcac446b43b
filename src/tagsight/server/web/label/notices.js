// What the page says about itself: progress, the last action, trouble, judgements that wait.

import { AWAY } from "../api.js";
import { amount, byId, sentence } from "../dom.js";

export class Notices {
  #said = null;
  #count = "";

  constructor() {
    byId("trouble-close").addEventListener("click", () => this.#show(null));
  }

  /** Say what has just happened. */
  tell(text) {
    byId("told").textContent = text;
  }

  /** Say how many photos are selected, if it is several, as long as nothing else is said. */
  tellCount(count) {
    const before = this.#count;
    this.#count = count > 1 ? `${amount(count, "photo")} selected` : "";
    if (this.#count || (before && byId("told").textContent === before)) this.tell(this.#count);
  }

  /** Say what went wrong, until it is closed; that the server is away says why, and comes first. */
  trouble(message) {
    if (this.#said !== "standing") this.#show(sentence(message));
  }

  /** Follow progress, and whether judgements reach the server. */
  watch(project, outbox, events) {
    const connection = () => this.#connection(outbox, events);
    project.addEventListener("change", () => showProgress(project.info));
    for (const name of ["away", "back"]) events.addEventListener(name, connection);
    outbox.addEventListener("state", connection);
    outbox.addEventListener("sent", () => events.away && connection());
    const count = () => {
      document.body.dataset.waiting = outbox.waiting.length;
    };
    for (const name of ["added", "sent", "refused", "state"]) outbox.addEventListener(name, count);
    count();
    showProgress(project.info);
  }

  #connection(outbox, events) {
    const waiting = outbox.waiting.length;
    const kept = waiting ? `${amount(waiting, "judgement")} ${waiting === 1 ? "waits" : "wait"} in this browser.` : "You can go on judging: nothing is lost.";
    if (outbox.trouble || events.away) this.#standing(`${sentence(outbox.trouble?.message ?? AWAY)} ${kept}`);
    else if (this.#said === "standing") {
      this.#show(null);
      this.tell("The server is back, and has all judgements.");
    }
  }

  #standing(text) {
    this.#show(text);
    this.#said = "standing";
  }

  #show(text) {
    this.#said = text && "trouble";
    byId("trouble-text").textContent = text ?? "";
    byId("trouble").hidden = text === null;
  }
}

/** Show how many photos have features, and scores of a trained model, and how long the rest takes. */
function showProgress({ photos, encoded, unscored, seconds_left: left, problem, left_out: leftOut }) {
  const scoring = encoded >= photos && unscored > 0;
  const ready = scoring ? photos - unscored : encoded;
  const done = ready >= photos;
  const bar = byId("progress");
  document.body.classList.toggle("analysing", !done);
  bar.hidden = done || !photos;
  bar.setAttribute("aria-label", scoring ? "Photos scored" : "Photos analysed");
  bar.setAttribute("aria-valuenow", photos ? Math.floor((100 * ready) / photos) : 0);
  bar.firstElementChild.style.transform = `scaleX(${photos ? ready / photos : 0})`;
  const time = left === null || left === undefined ? "" : `, ${duration(left)} left`;
  const doing = scoring ? "Scoring photos with the model" : "Analysing photos";
  const counted = `${doing}: ${ready.toLocaleString("en")} of ${photos.toLocaleString("en")}${time}`;
  byId("progress-text").textContent = problem && !done ? sentence(problem) : done ? amount(photos, "photo") : counted;
  byId("left-out").hidden = !leftOut;
  byId("left-out").textContent = leftOut ? `${leftOut.toLocaleString("en")} left out` : "";
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
