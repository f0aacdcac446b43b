// Render the model card: the subset of Markdown that our cards use, as elements.

import { element } from "./dom.js";

/** Rows of a table that are shown at first: thousands take a browser seconds to lay out. */
const ROWS = 200;

/** Match a mark that is not escaped by a backslash. */
const unescaped = (mark) => new RegExp(`(?<=(?<!\\\\)(?:\\\\\\\\)*)${mark}`);

const [BAR, TICK] = ["\\|", "`"].map(unescaped);

export function showCard(place, markdown) {
  place.replaceChildren(...blocks(markdown.split("\n")));
}

function blocks(lines) {
  const made = [];
  let place = 0;
  const take = (fits) => {
    const taken = [];
    while (place < lines.length && fits(lines[place])) taken.push(lines[place++]);
    return taken;
  };
  while (place < lines.length) {
    const line = lines[place];
    if (!line.trim()) place += 1;
    else if (line.startsWith("```")) {
      place += 1;
      made.push(element("pre", {}, take((one) => !one.startsWith("```")).join("\n")));
      place += 1;
    } else if (/^#+ /.test(line)) {
      const [marks, ...words] = line.split(" ");
      made.push(element(`h${Math.min(marks.length + 1, 4)}`, {}, ...inline(words.join(" "))));
      place += 1;
    } else if (line.startsWith("- ")) {
      made.push(element("ul", {}, ...take((one) => one.startsWith("- ")).map((one) => element("li", {}, ...inline(one.slice(2))))));
    } else if (line.startsWith("|")) made.push(table(take((one) => one.startsWith("|"))));
    else made.push(element("p", {}, ...inline(take((one) => one.trim() && !/^([-|#] ?|```)/.test(one)).join(" ") || lines[place++])));
  }
  return made;
}

function table([head, , ...rows]) {
  const cells = (line) => line.slice(1, -1).split(BAR).map((cell) => cell.trim());
  const titles = cells(head);
  const shown = (row) => element("tr", {}, ...cells(row).map((cell) => element("td", {}, ...inline(cell))));
  const body = element("tbody", {}, ...rows.slice(0, ROWS).map(shown));
  const whole = element("table", {}, body);
  if (titles.some(Boolean)) {
    whole.prepend(element("thead", {}, element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title)))));
  }
  if (rows.length <= ROWS) return whole;
  const showRest = () => {
    for (const row of rows.slice(ROWS)) body.append(shown(row));
    all.remove();
  };
  const all = element("button", { type: "button", click: showRest }, `Show all ${rows.length.toLocaleString("en")} rows`);
  return element("div", {}, whole, all);
}

const inline = (text) =>
  text.split(TICK).map((part, place) => (place % 2 ? element("code", {}, part) : plain(part)));

const plain = (text) => text.replace(/\\([!-/:-@[-`{-~])/g, "$1");
