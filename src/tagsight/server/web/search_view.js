// Search for photos of the index by a label expression.

import { json } from "./api.js";
import { byId, element } from "./dom.js";
import { showPhotos } from "./found_photos.js";

const MOST = 60;
const MOST_CHIPS = 40;

export function startSearch(model, onTrouble) {
  const [first, second] = model.labels.map((label) => quoted(label.name));
  byId("tab-search").hidden = false;
  byId("search-hint").textContent =
    `${model.indexed.toLocaleString("en")} photos. Examples: ${first}` +
    (second ? `; ${first} and not ${second}` : "");
  byId("search-labels").replaceChildren(...model.labels.slice(0, MOST_CHIPS).map((label) => element("li", {}, chip(label.name))));
  byId("search-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const status = byId("search-status");
    status.textContent = "Searching …";
    try {
      const where = encodeURIComponent(byId("where").value);
      const { photos } = await json(`/v1/search?where=${where}&top=${MOST}`);
      showPhotos(byId("search-photos"), photos);
      status.textContent = photos.length === MOST ? `The first ${MOST} photos` : counted(photos.length);
    } catch (error) {
      status.textContent = "";
      byId("search-photos").replaceChildren();
      onTrouble(error);
    }
  });
}

/** A label to search for by a click. */
function chip(name) {
  const search = () => {
    byId("where").value = quoted(name);
    byId("search-form").requestSubmit();
  };
  return element("button", { type: "button", click: search }, name);
}

const counted = (count) => (count === 1 ? "1 photo" : `${count || "No"} photos`);

const quoted = (name) => (/^[A-Za-z][\w-]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
