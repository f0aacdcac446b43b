// Icons, and the marks of the three states: each has a shape of its own besides its colour.

import { element } from "../dom.js";
import { WORDS } from "./project.js";

export function icon(name, properties = {}) {
  return element("svg:svg", { class: "icon", "aria-hidden": "true", ...properties }, element("svg:use", { href: `#icon-${name}` }));
}

/** Make the mark of a state. */
export const mark = (state) => icon(state, { class: `icon mark ${state}` });

/** Change a mark into that of another state. */
export function remark(svg, state) {
  if (svg.dataset.state === state) return;
  svg.dataset.state = state;
  svg.setAttribute("class", `icon mark ${state}`);
  svg.firstChild.setAttribute("href", `#icon-${state}`);
}

/** Make a dot in the colour of a label. */
export function dot(label) {
  const made = element("span", { class: "dot", "aria-hidden": "true" });
  made.style.setProperty("--colour", label.colour);
  return made;
}

/** Buttons for the three states, with their keys. */
export const VERDICTS = [
  { state: "present", value: 1, key: "a", title: "Present" },
  { state: "absent", value: 0, key: "r", title: "Absent" },
  { state: "unjudged", value: null, key: "x", title: "Not judged" },
];

export const word = (state) => WORDS[state];
