// Places for labels: those that often occur together are close, and none covers another.

const ROUNDS = 400;
const GAP = { x: 44, y: 28 };
const FLATTEN = 0.62;

/**
 * Lay out boxes by simulated forces: links pull by their strength, all boxes repel each other.
 * @param {{width: number, height: number}[]} boxes Sizes in pixels.
 * @param {{source: number, target: number, weight: number}[]} links Between boxes, weights in [0, 1].
 * @param {number} width Pixels across, which no box leaves.
 * @returns {{places: {x: number, y: number}[], height: number}} Centres of the boxes.
 */
export function layOut(boxes, links, width) {
  const area = boxes.reduce((sum, box) => sum + (box.width + GAP.x) * (box.height + GAP.y), 0);
  const height = Math.max(220, Math.min(width * FLATTEN, 110 * Math.sqrt(boxes.length)), (2.2 * area) / width);
  const places = onEllipse(boxes, links, width, height);
  const reach = 0.8 * Math.sqrt((width * height) / boxes.length);
  for (let round = 0; round < ROUNDS; round += 1) {
    const heat = 1 - round / ROUNDS;
    const moves = forces(places, links, reach, width / height);
    places.forEach((place, i) => {
      const length = Math.hypot(moves[i].x, moves[i].y) || 1;
      const step = Math.min(length, 0.08 * width * heat);
      place.x += (moves[i].x / length) * step;
      place.y += (moves[i].y / length) * step;
    });
    if (heat < 0.5) separate(places, boxes);
    keepInside(places, boxes, width, height);
  }
  for (let round = 0; round < ROUNDS && separate(places, boxes); round += 1) keepInside(places, boxes, width, height);
  return { places, height };
}

/** Start on an ellipse, on which each box is followed by the one it is linked to most. */
function onEllipse(boxes, links, width, height) {
  const left = new Set(boxes.keys());
  const order = [];
  let current = links[0]?.source ?? 0;
  while (left.size) {
    left.delete(current);
    order.push(current);
    const next = links.find(({ source, target }) => (source === current && left.has(target)) || (target === current && left.has(source)));
    if (next) current = next.source === current ? next.target : next.source;
    else [current] = left;
  }
  const places = [];
  order.forEach((box, i) => {
    const angle = (2 * Math.PI * i) / order.length;
    places[box] = { x: width * (0.5 + 0.35 * Math.cos(angle)), y: height * (0.5 + 0.35 * Math.sin(angle)) };
  });
  return places;
}

function forces(places, links, reach, aspect) {
  const middle = { x: 0, y: 0 };
  for (const place of places) {
    middle.x += place.x / places.length;
    middle.y += place.y / places.length;
  }
  const moves = places.map((place) => ({ x: 0.02 * (middle.x - place.x), y: 0.02 * aspect * (middle.y - place.y) }));
  for (let i = 0; i < places.length; i += 1) {
    for (let j = i + 1; j < places.length; j += 1) {
      const x = places[i].x - places[j].x || 0.1;
      const y = places[i].y - places[j].y || 0.1;
      const push = (0.4 * reach * reach) / (x * x + y * y);
      moves[i].x += x * push;
      moves[i].y += y * push;
      moves[j].x -= x * push;
      moves[j].y -= y * push;
    }
  }
  for (const { source, target, weight } of links) {
    const x = places[target].x - places[source].x;
    const y = places[target].y - places[source].y;
    const pull = (0.5 * weight * Math.hypot(x, y)) / reach;
    moves[source].x += x * pull;
    moves[source].y += y * pull;
    moves[target].x -= x * pull;
    moves[target].y -= y * pull;
  }
  return moves;
}

/** Push apart boxes that overlap, along the axis where they overlap less; tell whether any did. */
function separate(places, boxes) {
  let moved = false;
  for (let i = 0; i < places.length; i += 1) {
    for (let j = i + 1; j < places.length; j += 1) {
      const x = places[j].x - places[i].x;
      const y = places[j].y - places[i].y;
      const overX = (boxes[i].width + boxes[j].width) / 2 + GAP.x - Math.abs(x);
      const overY = (boxes[i].height + boxes[j].height) / 2 + GAP.y - Math.abs(y);
      if (overX <= 0.5 || overY <= 0.5) continue;
      moved = true;
      const axis = overX < overY ? "x" : "y";
      const push = ((axis === "x" ? overX : overY) / 2) * ((axis === "x" ? x : y) < 0 ? -1 : 1);
      places[i][axis] -= push;
      places[j][axis] += push;
    }
  }
  return moved;
}

function keepInside(places, boxes, width, height) {
  const within = (value, half, size) => Math.max(half + 2, Math.min(size - half - 2, value));
  places.forEach((place, i) => {
    place.x = within(place.x, boxes[i].width / 2, width);
    place.y = within(place.y, boxes[i].height / 2, height);
  });
}
