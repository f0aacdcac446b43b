// Elements by id, and elements that are made. Text is only ever text: nothing is parsed as HTML.

export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 * @param {string} name Of the element; an SVG one as "svg:path".
 * @param {Object} properties Attributes; functions are listeners, false and null leave one out.
 * @param {...(Node|string)} children Put into it.
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

export const percent = (share) => `${Math.round(100 * share)} %`;
