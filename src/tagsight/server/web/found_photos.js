// Search results as a grid of photos.

import { picture } from "./api.js";
import { element, percent } from "./dom.js";

/** Replace the photos of a list; their thumbnails load one after another. */
export function showPhotos(list, photos) {
  for (const shown of list.querySelectorAll("img")) URL.revokeObjectURL(shown.src);
  const pictures = photos.map(() => element("img", { alt: "", loading: "lazy" }));
  list.replaceChildren(...photos.map((photo, place) => entry(photo, pictures[place])));
  photos.forEach(async (photo, place) => {
    try {
      pictures[place].src = await picture(`/v1/photos/${photo.id}`);
    } catch {
      pictures[place].alt = "This photo is no longer at its indexed path.";
    }
  });
}

function entry(photo, shown) {
  const name = photo.path.split(/[\\/]/).pop();
  const like = photo.likeness === null ? "" : ` · ${percent(Math.max(0, photo.likeness))} similar`;
  return element(
    "li",
    {},
    shown,
    element("p", {}, (photo.labels.join(", ") || "no label") + like),
    element("p", { class: "path", title: photo.path }, name),
  );
}
