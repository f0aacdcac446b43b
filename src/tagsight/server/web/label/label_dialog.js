// Change a label: name, colour, shortcut; remove it while nothing is judged with it.

import { amount, byId, element } from "../dom.js";

const DIGITS = ["", ..."123456789"];

export function editLabel(project, label, onTrouble) {
  const dialog = byId("label-dialog");
  const name = element("input", { id: "edit-name", value: label.name, maxlength: 200, required: true, autocomplete: "off" });
  const colour = element("input", { id: "edit-colour", type: "color", value: label.colour });
  const shortcut = element("select", { id: "edit-shortcut" }, ...DIGITS.map((digit) => option(digit, project, label)));
  const judged = label.present + label.absent;
  const attempt = async (act) => {
    try {
      await act();
      dialog.close();
    } catch (error) {
      dialog.close();
      onTrouble(error);
    }
  };
  const save = () => attempt(() => project.edit(label.id, { name: name.value.trim(), colour: colour.value, shortcut: shortcut.value }));
  dialog.replaceChildren(
    element(
      "form",
      { method: "dialog", class: "label-form", submit: (event) => { event.preventDefault(); save(); } },
      element("h2", { id: "label-heading" }, "Label"),
      element("label", { for: "edit-name" }, "Name; a path for a hierarchy, as animal/dog"),
      name,
      element("div", { class: "pair" },
        element("div", {}, element("label", { for: "edit-colour" }, "Colour"), colour),
        element("div", {}, element("label", { for: "edit-shortcut" }, "Key that switches it"), shortcut)),
      element("p", { class: "hint" }, judged ? `It is judged on ${amount(judged, "photo")}. To remove it, set them to not judged.` : "Nothing is judged with it yet."),
      element("div", { class: "row end" },
        judged ? "" : element("button", { type: "button", class: "danger", click: () => attempt(() => project.remove(label.id)) }, "Remove"),
        element("button", { type: "button", click: () => dialog.close() }, "Cancel"),
        element("button", { class: "main" }, "Save")),
    ),
  );
  dialog.showModal();
  name.select();
}

function option(digit, project, label) {
  const owner = project.labels.find((other) => other.shortcut === digit && other.id !== label.id);
  const text = digit ? `${digit}${owner ? ` (now ${owner.name})` : ""}` : "none";
  return element("option", { value: digit, selected: (label.shortcut ?? "") === digit }, text);
}
