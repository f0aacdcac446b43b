// Lets the thresholds of an evaluation be moved: each row gets a slider, its figures and the totals
// follow, and the chosen label shows its curve and the photos that change.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const labelTable = document.querySelector("table.labels");
const labelRows = [...labelTable.tBodies[0].rows];
const places = data.labels.map((label) => label.current);
const MOST_SHOWN = 24;

for (const row of labelRows) prepare(row);
for (const hint of document.querySelectorAll(".scripted")) hint.hidden = false;
if (labelRows.length > 20) addFilter();

function prepare(row) {
  const index = Number(row.dataset.label);
  const label = data.labels[index];
  const heading = row.querySelector("th");
  const name = heading.textContent;

  const button = make("button", { type: "button", className: "open" });
  button.setAttribute("aria-expanded", "false");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => toggle(row));

  const cell = row.querySelector(".threshold");
  const shown = make("span", { textContent: cell.textContent });
  const slider = make("input", { type: "range", min: 0, max: label.thresholds.length - 1, step: 1 });
  slider.value = label.current;
  slider.setAttribute("aria-label", `threshold of ${name}`);
  slider.setAttribute("aria-valuetext", shown.textContent);
  slider.addEventListener("input", () => move(row, Number(slider.value)));
  cell.replaceChildren(shown, slider);
}

function move(row, place) {
  const index = Number(row.dataset.label);
  places[index] = place;
  const now = rates(data.labels[index], place);
  const shown = thresholdText(data.labels[index].thresholds[place]);
  row.classList.toggle("moved", place !== data.labels[index].current);
  const cell = row.querySelector(".threshold");
  cell.firstChild.textContent = shown;
  cell.dataset.value = data.labels[index].thresholds[place] ?? 1;
  const slider = cell.querySelector("input");
  slider.value = place;
  slider.setAttribute("aria-valuetext", `${shown}, predicted for ${now.predicted} photos`);
  write(row, "predicted", now.predicted, now.predicted.toLocaleString("en"));
  for (const rate of ["precision", "recall", "f1"]) write(row, rate, now[rate], percent(now[rate]));
  writeTotals();
  if (!isOpen(row)) toggle(row);
  else showDetail(row);
}

// The same definitions as `tagsight.metrics.classification.precision_recall`.
function rates(label, place) {
  const correct = label.correct[place];
  const predicted = correct + label.wrong[place];
  const counted = data.neverPredicted === "wrong" ? Math.max(1, predicted) : predicted;
  const none = data.neverPredicted === "one" ? 1 : 0;
  const positives = label.positives;
  return {
    correct, predicted, counted,
    precision: counted ? correct / counted : positives ? none : NaN,
    recall: positives ? correct / positives : NaN,
    f1: positives ? (2 * correct) / (counted + positives) : NaN,
  };
}

function writeTotals() {
  const all = data.labels.map((label, index) => rates(label, places[index]));
  const means = labelTable.querySelector("tr.means");
  for (const rate of ["precision", "recall", "f1"]) {
    const known = all.map((one) => one[rate]).filter((value) => !Number.isNaN(value));
    write(means, rate, null, percent(sum(known) / known.length));
  }
  const correct = sum(all.map((one) => one.correct));
  const counted = sum(all.map((one) => one.counted));
  const positives = sum(data.labels.map((label) => label.positives));
  const precision = counted ? correct / counted : data.neverPredicted === "one" ? 1 : 0;
  const recall = correct / positives;
  const together = labelTable.querySelector("tr.together");
  write(together, "precision", null, percent(precision));
  write(together, "recall", null, percent(recall));
  const f1 = precision + recall ? (2 * precision * recall) / (precision + recall) : 0;
  write(together, "f1", null, percent(f1));
}

function isOpen(row) {
  return row.nextElementSibling?.classList.contains("detail") ?? false;
}

function toggle(row) {
  const wasOpen = isOpen(row);
  for (const detail of labelTable.querySelectorAll("tr.detail")) {
    detail.previousElementSibling.querySelector("button.open").setAttribute("aria-expanded", "false");
    detail.remove();
  }
  if (wasOpen) return;
  row.querySelector("button.open").setAttribute("aria-expanded", "true");
  const cell = make("td", { colSpan: row.cells.length });
  const detail = make("tr", { className: "detail" }, cell);
  row.after(detail);
  showDetail(row);
}

function showDetail(row) {
  const index = Number(row.dataset.label);
  const label = data.labels[index];
  const place = places[index];
  const now = rates(label, place);
  const missed = label.positives - now.correct;
  const panel = make("div", { className: "panel" });
  const sentence =
    `Predicted for ${photos(now.predicted)}: ${now.correct} rightly, ` +
    `${now.predicted - now.correct} wrongly; ${missed} missed.`;
  panel.append(bigCurve(row, now), bigCalibration(row));
  const side = make("div", { className: "side" }, make("p", { textContent: sentence }));
  side.append(...(place === label.current ? nearestPhotos(label) : changedPhotos(label, place)));
  if (place !== label.current) {
    const back = make("button", { type: "button", textContent: "Back to the model's threshold" });
    back.addEventListener("click", () => {
      move(row, label.current);
      row.querySelector("input").focus();
    });
    side.append(back);
  }
  panel.append(side);
  row.nextElementSibling.firstChild.replaceChildren(panel);
}

function bigCurve(row, now) {
  const figure = make("figure", { className: "big-curve" });
  const curve = row.querySelector(".spark:not(.calibration)")?.cloneNode(true);
  if (!curve) return figure;
  curve.removeAttribute("preserveAspectRatio");
  if (!Number.isNaN(now.recall) && now.predicted) {
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    dot.setAttribute("cx", 100 * now.recall);
    dot.setAttribute("cy", 100 - 100 * now.precision);
    dot.setAttribute("r", 4);
    curve.append(dot);
  }
  const caption = "precision (up) against recall; the dot is this threshold";
  figure.append(curve, make("figcaption", { textContent: caption }));
  return figure;
}

function bigCalibration(row) {
  const curve = row.querySelector(".calibration")?.cloneNode(true);
  if (!curve) return "";
  const caption = "photos that have the label (up) against its score; on the line, scores are right";
  return make("figure", { className: "big-curve" }, curve, make("figcaption", { textContent: caption }));
}

function changedPhotos(label, place) {
  const from = label.current;
  const lower = place < from;
  const correct = Math.abs(label.correct[place] - label.correct[from]);
  const wrong = Math.abs(label.wrong[place] - label.wrong[from]);
  const verb = lower ? "gain the label" : "lose the label";
  if (!correct && !wrong) {
    return [make("p", { textContent: `No photo ${lower ? "gains" : "loses"} the label.` })];
  }
  const text =
    `${photos(correct + wrong)} ${verb}: ${correct} that ${correct === 1 ? "has" : "have"} it, ` +
    `${wrong} that ${wrong === 1 ? "does" : "do"} not.`;
  const [low, high] = lower ? [place, from] : [from, place];
  const changed = label.nearest.filter(([, reached]) => reached > low && reached <= high);
  const parts = [make("p", { textContent: text })];
  if (changed.length) parts.push(gallery(lower ? changed : changed.reverse(), correct + wrong, lower));
  return parts;
}

function nearestPhotos(label) {
  const above = label.nearest.filter(([, reached]) => reached > label.current).reverse();
  const below = label.nearest.filter(([, reached]) => reached <= label.current);
  return [["Just predicted", above, true], ["Just not predicted", below, false]]
    .filter(([, some]) => some.length)
    .flatMap(([title, some, isPredicted]) => [
      make("p", { className: "faint", textContent: title }),
      gallery(some.slice(0, 6), Math.min(6, some.length), isPredicted),
    ]);
}

// Photos, and whether it is right that the label is predicted for them, or that it is not.
function gallery(some, total, isPredicted) {
  const list = make("ul", { className: "gallery" });
  for (const [photo, , target] of some.slice(0, MOST_SHOWN)) {
    const isKnown = target === 0 || target === 1;
    const isRight = (target === 1) === isPredicted;
    const has = `${isRight ? "right" : "wrong"}: ${target === 1 ? "present" : "absent"}`;
    const item = make("li", { className: !isKnown ? "" : isRight ? "good" : "bad" });
    const url = data.pictures[photo];
    if (url) item.append(make("img", { src: url, alt: "" }));
    item.append(
      make("b", { textContent: isKnown ? has : "not known" }),
      make("span", { textContent: data.photos[photo], className: "file" }),
    );
    list.append(item);
  }
  const more = total - Math.min(some.length, MOST_SHOWN);
  if (more > 0) list.append(make("li", { textContent: `and ${more} more` }));
  return list;
}

function addFilter() {
  const input = make("input", { type: "search", id: "filter" });
  const label = make("label", { textContent: "Find a label " }, input);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of labelRows) {
      row.hidden = !row.querySelector("th").textContent.toLowerCase().includes(wanted);
    }
  });
  labelTable.closest(".wide").before(make("p", {}, label));
}

function write(row, kind, value, text) {
  const cell = row.querySelector(`.${kind}`);
  cell.textContent = text;
  if (value === null) return;
  if (Number.isNaN(value)) delete cell.dataset.value;
  else cell.dataset.value = value;
}

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function thresholdText(value) {
  if (value === null || value >= 1) return "never";
  return value >= 0.01 ? value.toFixed(2) : value.toPrecision(1);
}

function percent(share) {
  return Number.isNaN(share) ? "-" : (100 * share).toFixed(1);
}

function photos(count) {
  return count === 1 ? "1 photo" : `${count.toLocaleString("en")} photos`;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
