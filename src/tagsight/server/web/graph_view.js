// The label graph: labels on a circle, connected ones close together.

import { byId, element, percent } from "./dom.js";

const SIZE = 800;
const RADIUS = 270;
const MOST = 60;

export function showGraph(model) {
  const links = model.links;
  const text = byId("graph-text");
  byId("graph-table").hidden = !links.length;
  if (!links.length) {
    text.textContent = `This model (${model.system}) uses no label graph: each label is recognised independently.`;
    return;
  }
  text.textContent =
    "An arrow from one label to another means that photos with the first often have the second, whose classifier is computed from both. " +
    "A thicker arrow means a higher probability. Point at a label, or move to it with the tab key, to highlight its arrows.";
  const linked = new Set(links.flatMap((link) => [link.source, link.target]));
  const alone = model.labels.filter((label) => !linked.has(label.name)).length;
  if (alone) text.textContent += ` ${alone} of ${model.labels.length} labels are not drawn: they were seldom enough with another one, and are recognised by themselves.`;
  byId("graph-picture").replaceChildren(drawn(links));
  byId("graph-rows").replaceChildren(
    ...links.map((link) =>
      element("tr", {}, element("td", {}, link.source), element("td", {}, link.target), element("td", {}, percent(link.weight))),
    ),
  );
}

function drawn(links) {
  const names = inCircle(links).slice(0, MOST);
  const angle = new Map(names.map((name, place) => [name, (2 * Math.PI * place) / names.length - Math.PI / 2]));
  const svg = element("svg:svg", {
    viewBox: `0 0 ${SIZE} ${SIZE}`,
    role: "group",
    "aria-label": `Label graph of ${names.length} labels and ${links.length} edges`,
  });
  const edges = links
    .filter((link) => angle.has(link.source) && angle.has(link.target))
    .map((link) => ({ ...link, path: edge(angle.get(link.source), angle.get(link.target), link.weight) }));
  svg.append(arrow(), ...edges.map(({ path }) => path));
  for (const name of names) svg.append(node(name, angle.get(name), links, edges, svg));
  return svg;
}

const arrow = () =>
  element(
    "svg:marker",
    { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 14, markerHeight: 14, markerUnits: "userSpaceOnUse", orient: "auto" },
    element("svg:path", { d: "M0 0 8 4 0 8z" }),
  );

/** Order labels greedily: each is followed by the remaining label with the strongest edge. */
function inCircle(links) {
  const left = new Set(links.flatMap((link) => [link.source, link.target]));
  const order = [];
  let current = links[0].source;
  while (left.size) {
    left.delete(current);
    order.push(current);
    const next = links.find(
      ({ source, target }) => (source === current && left.has(target)) || (target === current && left.has(source)),
    );
    current = next ? (next.source === current ? next.target : next.source) : left.values().next().value;
  }
  return order;
}

const at = (angle, radius) => [SIZE / 2 + radius * Math.cos(angle), SIZE / 2 + radius * Math.sin(angle)];

function edge(from, to, weight) {
  const turn = Math.atan2(Math.sin(to - from), Math.cos(to - from));
  const inside = RADIUS - 12;
  const middle = at(from + turn / 2, RADIUS * (1 - 0.9 * Math.abs(Math.sin(turn / 2))) * 0.9);
  return element("svg:path", {
    class: "edge",
    d: `M${at(from, inside)} Q${middle} ${at(to, inside)}`,
    "stroke-width": (1 + 5 * weight).toFixed(1),
    "marker-end": "url(#arrow)",
  });
}

function node(name, angle, links, edges, svg) {
  const [x, y] = at(angle, RADIUS);
  const [textX, textY] = at(angle, RADIUS + 18);
  const leftSide = Math.cos(angle) < -0.01;
  const turned = (angle * 180) / Math.PI + (leftSide ? 180 : 0);
  const given = links.filter((link) => link.source === name).map((link) => `${link.target} ${percent(link.weight)}`);
  const said = given.length ? `${name}: often with ${given.join(", ")}` : `${name}: no outgoing edge`;
  const choose = (on) => () => {
    byId("graph-said").textContent = on ? said : "";
    svg.classList.toggle("chosen", on);
    for (const one of edges) one.path.classList.toggle("from", on && (one.source === name || one.target === name));
  };
  return element(
    "svg:g",
    {
      class: "one",
      tabindex: 0,
      role: "img",
      "aria-label": said,
      mouseenter: choose(true),
      mouseleave: choose(false),
      focus: choose(true),
      blur: choose(false),
    },
    element("svg:circle", { class: "node", cx: x, cy: y, r: 8 }),
    element(
      "svg:text",
      {
        x: textX,
        y: textY,
        transform: `rotate(${turned} ${textX} ${textY})`,
        "text-anchor": leftSide ? "end" : "start",
        "dominant-baseline": "central",
      },
      name,
    ),
  );
}
