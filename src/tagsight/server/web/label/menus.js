// Choosing a queue, writing the labels, the list of keys.

import { byId, element, sentence } from "../dom.js";
import { icon } from "./marks.js";
import { get, send } from "./server.js";

const FORMATS = [
  ["csv", "labels.csv", "A row for each photo, a column for each label: 1, 0, or empty where not judged."],
  ["sidecars", "Sidecars", "Present labels as keywords in an .xmp beside each photo; photos stay as they are."],
  ["coco", "COCO-like JSON", "Photos, labels and judgements in one file for programs."],
  ["label-studio", "Label Studio JSON", "Tasks with annotations, to import into Label Studio."],
];

/** Close a dialog when its backdrop is clicked. */
export function startMenus() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
}

/**
 * Open the list of queues, or draw the open one again.
 * @param {string} current Name of the queue in use.
 * @param {(queue: Object) => void} choose Called with the chosen one.
 */
export function chooseQueue(queues, current, choose) {
  const dialog = byId("queue-dialog");
  const pick = (queue) => () => {
    dialog.close();
    choose(queue);
  };
  const focused = dialog.contains(document.activeElement) ? document.activeElement.dataset.queue : undefined;
  dialog.replaceChildren(
    heading("queue-heading", "What to look at next", dialog),
    element(
      "ul",
      { class: "choices" },
      ...queues.map((queue) =>
        element(
          "li",
          {},
          element(
            "button",
            { class: "choice", "data-queue": queue.name, disabled: !queue.available, "aria-current": queue.name === current ? "true" : null, autofocus: queue.name === current, click: pick(queue) },
            element("strong", {}, queue.title),
            element("span", {}, queue.available ? queue.meaning : `${queue.meaning} ${sentence(queue.reason)}`),
          ),
        ),
      ),
    ),
  );
  if (!dialog.open) dialog.showModal();
  else if (focused) dialog.querySelector(`[data-queue="${focused}"]`)?.focus();
}

/** @param {string} folder That of the project, which a model can be trained on. */
export function openWriting(folder) {
  const dialog = byId("write-dialog");
  const result = element("p", { class: "written", role: "status" });
  const write = (format) => async ({ currentTarget }) => {
    currentTarget.disabled = true;
    result.textContent = "Writing …";
    try {
      result.textContent = sentence((await send("POST", "write", { format })).report);
    } catch (error) {
      result.textContent = sentence(error.message);
    }
    currentTarget.disabled = false;
  };
  dialog.replaceChildren(
    heading("write-heading", "Write the labels", dialog),
    element("ul", { class: "choices" }, ...FORMATS.map(([format, title, text]) =>
      element("li", {}, element("button", { class: "choice", click: write(format) }, element("strong", {}, title), element("span", {}, text))))),
    result,
    element("p", { class: "hint" }, "To train a model on what is judged, run ", element("code", {}, `tagsight train ${quoted(folder)} --out runs/first`)),
  );
  dialog.showModal();
}

/** List the photos that cannot be used, and why. */
export async function showLeftOut() {
  const dialog = byId("left-out-dialog");
  const rows = (await get("left-out")).map(({ path, problem }) => element("li", {}, element("strong", {}, element("bdi", {}, path)), element("span", {}, sentence(problem))));
  dialog.replaceChildren(
    heading("left-out-heading", "Photos that cannot be used", dialog),
    element("p", { class: "hint" }, "They are left out, and looked at again when tagsight is started again."),
    element("ul", { class: "choices left-out" }, ...rows),
  );
  dialog.showModal();
}

/** Show all keys; whether they act is remembered, for people whose tools type letters. */
export function showKeys(groups, active, setActive) {
  const dialog = byId("keys-dialog");
  const box = element("input", { type: "checkbox", checked: active, change: (event) => setActive(event.target.checked) });
  dialog.replaceChildren(
    heading("keys-heading", "Keyboard", dialog),
    element("div", { class: "key-groups" }, ...groups.map(([title, rows]) =>
      element("section", {}, element("h3", {}, title), element("dl", {}, ...rows.flatMap(([keys, text]) =>
        [element("dt", {}, ...keys.split(" ").map((key) => element("kbd", {}, key))), element("dd", {}, text)]))))),
    element("label", { class: "switch" }, box, " Letters and digits act as shortcuts"),
  );
  dialog.showModal();
}

function heading(id, text, dialog) {
  return element("div", { class: "menu-heading" }, element("h2", { id }, text),
    element("button", { class: "tool", "aria-label": "Close", click: () => dialog.close() }, icon("close")));
}

const quoted = (path) => (/^[\w/.~-]+$/.test(path) ? path : `"${path}"`);
