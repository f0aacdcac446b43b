// Start of the page: the project, then the photos, then what happens elsewhere.

import { amount, byId, element } from "../dom.js";
import { Desk } from "./desk.js";
import { Events } from "./events.js";
import { Judging } from "./judging.js";
import { Notices } from "./notices.js";
import { Outbox } from "./outbox.js";
import { Project } from "./project.js";
import { person } from "./server.js";

async function start() {
  const notices = new Notices();
  const project = new Project();
  try {
    await project.load();
  } catch (error) {
    notices.trouble(error.message);
    byId("progress-text").replaceChildren(element("button", { click: () => location.reload() }, "Try again"));
    return;
  }
  const { info } = project;
  document.title = `${info.name} · tagsight label`;
  byId("project-name").textContent = info.name;
  const outbox = new Outbox(info.id ?? info.name);
  const judging = new Judging(project, outbox);
  const desk = new Desk(project, judging, notices);
  const events = new Events(info.revision);
  notices.watch(project, outbox, events);
  follow({ project, judging, desk, events, outbox, notices });
  events.open();
  outbox.send();
  desk.start();
}

/** React to what happens elsewhere. */
function follow({ project, judging, desk, events, outbox, notices }) {
  const catchUp = () => {
    project.refresh();
    desk.refresh();
  };
  events.addEventListener("judgements", ({ detail }) => {
    if (detail.changes === null) {
      catchUp();
      return;
    }
    judging.take(detail.changes);
    if (detail.by !== person) notices.tell(`${amount(detail.changes.length, "photo")} judged ${detail.by === "me" ? "in another tab" : `by ${detail.by}`}`);
  });
  events.addEventListener("labels", () => project.refresh());
  events.addEventListener("features", ({ detail }) => {
    const scored = (detail.unscored ?? null) !== null && detail.unscored !== project.info.unscored;
    project.take(detail);
    if (scored) desk.newScores(project.info.model_revision);
  });
  let model = project.info.model_revision;
  events.addEventListener("model", ({ detail }) => {
    if (detail.model_revision === model) return; // a stream begins with what is so already
    model = detail.model_revision;
    project.refresh();
    desk.newScores(detail.model_revision);
  });
  events.addEventListener("back", () => {
    catchUp();
    desk.retry();
    outbox.retry();
  });
  document.addEventListener("visibilitychange", () => document.hidden || project.refresh());
}

start();
