// A label with its score and its threshold; pointing at it shows its evidence.

import { element, percent } from "./dom.js";

/**
 * Make the button of a label.
 * @param {string} name The label.
 * @param {number} score In [0, 1].
 * @param {number} threshold Score from which the label is kept.
 * @param {function(?string)} point Called with the label when it is pointed at, and with null after.
 */
export function scoreLine(name, score, threshold, point) {
  const meter = element("span", { class: "meter", "aria-hidden": "true" }, element("span", { class: "filled" }), element("span", { class: "threshold" }));
  meter.style.setProperty("--score", score);
  meter.style.setProperty("--threshold", threshold);
  const show = () => point(name);
  return element(
    "button",
    {
      type: "button",
      class: "name",
      "aria-label": `${name}, ${percent(score)}, threshold ${percent(threshold)}: show the evidence`,
      focus: show,
      blur: () => point(null),
      click: show,
    },
    element("span", { class: "line" }, element("span", {}, name), element("span", { class: "score", title: `Threshold ${percent(threshold)}` }, percent(score))),
    meter,
  );
}

/** Divide the labels to list: those found, and those below their thresholds that have evidence. */
export function listed(response, strictness) {
  const found = response.decided[strictness];
  const below = Object.keys(response.scores).filter((name) => name in response.evidence.overlays && !found.includes(name));
  return { found, below };
}
