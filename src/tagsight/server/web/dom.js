// Find and make elements. Text is always inserted as text and never parsed as HTML.

export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 * @param {string} name Name of the element; an SVG element as "svg:path".
 * @param {Object} properties Attributes; functions are listeners, false and null omit an attribute.
 * @param {...(Node|string)} children Its children.
 */
export function element(name, properties = {}, ...children) {
  const [kind, tag] = name.includes(":") ? name.split(":") : ["html", name];
  const made = kind === "svg"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Word a number of things. */
export const amount = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Write a message as a sentence: with a capital letter, and a full stop. */
export const sentence = (text) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.?!…]$/.test(text) ? "" : "."}`;

export const percent = (share) => `${Math.round(100 * share)} %`;
