// Lets a person look through labels that are probably wrong, and makes a new table of labels.
"use strict";

const { names, photos, splits, targets, errors } = JSON.parse(
  document.getElementById("data").textContent,
);
const items = [...document.querySelectorAll(".label-errors > li")];
const CHOICES = { a: "corrected", k: "kept", u: "unknown" };
const chosen = new Map();
let isSaved = true;

const save = document.getElementById("save");

items.forEach((item, place) => {
  const [row, label] = errors[place];
  const [given, other] = targets[row][label] === "1" ? ["present", "absent"] : ["absent", "present"];
  const buttons = document.createElement("p");
  buttons.className = "choices";
  const titles = { a: `Make it ${other} (a)`, k: `Keep ${given} (k)`, u: "Unknown (u)" };
  for (const [key, title] of Object.entries(titles)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title;
    button.dataset.key = key;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => choose(place, key));
    buttons.append(button);
  }
  item.append(buttons);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const here = items.findIndex((item) => item.contains(document.activeElement));
  if (event.key in CHOICES) here < 0 ? move(0) : choose(here, event.key);
  else if (event.key === "ArrowDown" || event.key === "ArrowRight") move(here + 1);
  else if ((event.key === "ArrowUp" || event.key === "ArrowLeft") && here > 0) move(here - 1);
  else return;
  event.preventDefault();
});

addEventListener("beforeunload", (event) => isSaved || event.preventDefault());

save.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([correctedTable()], { type: "text/csv" }));
  link.download = "corrected-labels.csv";
  link.click();
  URL.revokeObjectURL(link.href);
  isSaved = true;
});

function choose(place, key) {
  chosen.set(place, key);
  isSaved = false;
  const changed = [...chosen.values()].filter((one) => one !== "k").length;
  save.textContent = `Download the corrected table (${changed} of ${chosen.size} looked at changed)`;
  items[place].querySelector("[role=status]").textContent = CHOICES[key];
  for (const button of items[place].querySelectorAll(".choices button")) {
    button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }
  move(place + 1);
}

function move(place) {
  if (place >= items.length) return;
  items[place].focus();
  items[place].scrollIntoView({ block: "center" });
}

function correctedTable() {
  const rows = targets.map((row) => [...row]);
  for (const [place, key] of chosen) {
    const [row, label] = errors[place];
    if (key === "a") rows[row][label] = rows[row][label] === "1" ? "0" : "1";
    else if (key === "u") rows[row][label] = "-";
  }
  const head = ["image", ...(splits ? ["split"] : []), ...names];
  const lines = rows.map((row, place) => [
    photos[place],
    ...(splits ? [splits[place]] : []),
    ...row.map((value) => (value === "-" ? "" : value)),
  ]);
  return [head, ...lines].map((line) => line.map(cell).join(",")).join("\n") + "\n";
}

function cell(value) {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
