// The label graph: labels that occur together close to each other, with arrows between them.

import { byId, element, percent } from "./dom.js";
import { layOut } from "./graph_layout.js";

const MOST = 60;
const SENT = 2000; // arrows that the server sends at most, the strongest
const LISTED = 500;
const HEIGHT = 34;
const LETTERS = "15px system-ui, sans-serif";
const LONGEST = 22;
const BESIDE = 20;

export class GraphView {
  #width = 0;
  #filled = false;

  constructor(model) {
    this.links = model.links;
    const linked = new Set(model.links.flatMap((link) => [link.source, link.target]));
    this.names = [...linked].slice(0, MOST);
    this.alone = model.labels.map((label) => label.name).filter((name) => !linked.has(name));
    byId("graph-table").hidden = byId("graph-drawing").hidden = !linked.size;
    byId("graph-alone").hidden = !linked.size || !this.alone.length;
    byId("graph-text").textContent = linked.size ? explained(linked.size) : `This model (${model.system}) uses no label graph, or one without arrows: each label is recognised by itself.`;
    byId("graph-alone-title").textContent =
      model.links.length < SENT ? "Labels without an arrow" : `Labels without one of the ${SENT.toLocaleString("en")} strongest arrows`;
  }

  fill() {
    byId("graph-scale").textContent = scale(this.links);
    const more = this.alone.length - LISTED;
    const names = this.alone.slice(0, LISTED).map((name) => element("li", {}, name));
    if (more > 0) names.push(element("li", { class: "faint" }, `and ${more.toLocaleString("en")} more`));
    byId("graph-alone-names").replaceChildren(...names);
    byId("graph-rows").replaceChildren(
      ...this.links.map((link) =>
        element("tr", {}, element("td", {}, link.source), element("td", {}, link.target), element("td", {}, percent(link.weight))),
      ),
    );
    new ResizeObserver(() => this.start()).observe(byId("graph-picture"));
  }

  /** Fill the tab and draw the graph when it is seen, and draw it again when its width changes. */
  start() {
    if (!this.#filled && this.names.length) {
      this.#filled = true;
      this.fill();
    }
    const width = Math.floor(byId("graph-picture").clientWidth);
    if (!width || width === this.#width || !this.names.length) return;
    this.#width = width;
    byId("graph-picture").replaceChildren(this.drawn(width));
  }

  drawn(width) {
    const index = new Map(this.names.map((name, place) => [name, place]));
    const shown = this.links.filter((link) => index.has(link.source) && index.has(link.target));
    const boxes = this.names.map((name) => ({ width: Math.min(textWidth(short(name)) + 28, width - 8), height: HEIGHT }));
    const between = shown.map((link) => ({ source: index.get(link.source), target: index.get(link.target), weight: link.weight }));
    const { places, height } = layOut(boxes, between, width);
    const svg = element("svg:svg", {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "group",
      "aria-label": `Label graph of ${this.names.length} labels and ${shown.length} arrows`,
    });
    const box = (name) => ({ ...places[index.get(name)], ...boxes[index.get(name)] });
    const arrows = shown.map((link) => arrow(link, box(link.source), box(link.target)));
    const choose = (said, touches) => {
      byId("graph-said").textContent = said;
      svg.classList.toggle("chosen", said !== "");
      for (const { link, group, strength } of arrows) {
        const touched = said !== "" && touches(link);
        group.classList.toggle("from", touched);
        strength.classList.toggle("from", touched);
      }
    };
    svg.append(head(), ...arrows.map(({ group }) => group));
    for (const name of this.names) svg.append(this.pill(name, box(name), choose));
    svg.append(...arrows.map(({ strength }) => strength));
    for (const { link, group } of arrows) {
      group.addEventListener("mouseenter", () => choose(`${link.source} → ${link.target}: ${percent(link.weight)}`, (other) => other === link));
      group.addEventListener("mouseleave", () => choose("", () => false));
    }
    return svg;
  }

  pill(name, { x, y, width, height }, choose) {
    const said = this.told(name);
    const on = () => choose(said, (link) => link.source === name || link.target === name);
    const off = () => choose("", () => false);
    return element(
      "svg:g",
      { class: "one", tabindex: 0, role: "img", "aria-label": said, mouseenter: on, mouseleave: off, focus: on, blur: off },
      element("svg:rect", { class: "node", x: x - width / 2, y: y - height / 2, width, height, rx: height / 2 }),
      element("svg:text", { x, y, "text-anchor": "middle", "dominant-baseline": "central" }, short(name)),
    );
  }

  /** Say what a label is linked to, and how strongly. */
  told(name) {
    const given = this.links.filter((link) => link.source === name).map((link) => `${link.target} ${percent(link.weight)}`);
    const taken = this.links.filter((link) => link.target === name).map((link) => `${link.source} ${percent(link.weight)}`);
    const parts = [];
    if (given.length) parts.push(`often with ${given.join(", ")}`);
    if (taken.length) parts.push(`informed by ${taken.join(", ")}`);
    return `${name}: ${parts.join("; ")}`;
  }
}

const explained = (count) =>
  "Labels that occur together are close to each other. An arrow means that training photos with the first label often have the second, " +
  "whose classifier is computed from both. Point at a label or an arrow to see how strong it is." +
  (count > MOST ? ` The drawing has the ${MOST} labels with the strongest arrows; the table has all ${count}.` : "");

function scale(links) {
  const weights = links.map((link) => link.weight);
  return `A thicker arrow means a higher probability, from ${percent(Math.min(...weights))} to ${percent(Math.max(...weights))}.`;
}

const short = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

const pen = document.createElement("canvas").getContext("2d");

function textWidth(text) {
  pen.font = LETTERS;
  return pen.measureText(text).width;
}

const head = () =>
  element(
    "svg:marker",
    { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 11, markerHeight: 11, markerUnits: "userSpaceOnUse", orient: "auto" },
    element("svg:path", { d: "M0 0 8 4 0 8z" }),
  );

/** A curve from the edge of one box to that of another, bent so that the way back is beside it. */
function arrow(link, from, to) {
  const [x, y] = [to.x - from.x, to.y - from.y];
  const bend = { x: (from.x + to.x) / 2 - 0.14 * y, y: (from.y + to.y) / 2 + 0.14 * x };
  const [start, end] = [edgeOf(from, bend, 1), edgeOf(to, bend, 4)];
  const path = `M${start.x.toFixed(1)} ${start.y.toFixed(1)} Q${bend.x.toFixed(1)} ${bend.y.toFixed(1)} ${end.x.toFixed(1)} ${end.y.toFixed(1)}`;
  const long = Math.hypot(x, y) || 1;
  const beside = { x: (start.x + 2 * bend.x + end.x) / 4 - (BESIDE * y) / long, y: (start.y + 2 * bend.y + end.y) / 4 + (BESIDE * x) / long };
  const line = element("svg:path", { class: "edge", d: path, "stroke-width": (0.8 + 4 * link.weight ** 1.5).toFixed(1), "marker-end": "url(#arrow)" });
  const strength = element("svg:text", { class: "strength", x: beside.x, y: beside.y, "text-anchor": "middle", "dominant-baseline": "central", "aria-hidden": "true" }, percent(link.weight));
  const group = element("svg:g", {}, element("svg:path", { class: "reach", d: path }), line);
  return { link, group, strength };
}

/** Where the way from the middle of a box to a point leaves the box, and some pixels on. */
function edgeOf(box, point, beyond) {
  const [x, y] = [point.x - box.x, point.y - box.y];
  const out = Math.min((box.width / 2 + beyond) / Math.abs(x || 1e-9), (box.height / 2 + beyond) / Math.abs(y || 1e-9));
  return { x: box.x + x * Math.min(out, 1), y: box.y + y * Math.min(out, 1) };
}
