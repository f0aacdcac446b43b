// Photos that a search has found, as a grid.

import { picture } from "./api.js";
import { element, percent } from "./dom.js";

/** Show photos in the place of those that a list has; their pictures come one after another. */
export function showPhotos(list, photos) {
  for (const shown of list.querySelectorAll("img")) URL.revokeObjectURL(shown.src);
  const pictures = photos.map(() => element("img", { alt: "", loading: "lazy" }));
  list.replaceChildren(...photos.map((photo, place) => entry(photo, pictures[place])));
  photos.forEach(async (photo, place) => {
    try {
      pictures[place].src = await picture(`/v1/photos/${photo.id}`);
    } catch {
      pictures[place].alt = "This photo is no longer where it was indexed.";
    }
  });
}

function entry(photo, shown) {
  const name = photo.path.split(/[\\/]/).pop();
  const like = photo.likeness === null ? "" : ` · ${percent(Math.max(0, photo.likeness))} alike`;
  return element(
    "li",
    {},
    shown,
    element("p", {}, (photo.labels.join(", ") || "no label") + like),
    element("p", { class: "path", title: photo.path }, name),
  );
}
