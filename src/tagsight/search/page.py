"""Results of a search as a self-contained HTML page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from tagsight.data.photos.reading import open_photo, whole_size
from tagsight.errors import DataError
from tagsight.inference.notebook import data_url
from tagsight.runtime.amounts import amount
from tagsight.runtime.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tagsight.inference.region_pooling import Region
    from tagsight.search.index import Hit

SIDE, QUALITY = 320, 80
"""Longest side of the pictures in pixels, and the quality of their JPEGs."""

_STYLE = """
:root { color-scheme: light dark;
  --ink: #26292f; --faint: #626a76; --paper: #fff; --card: #f3f4f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaee; --faint: #a4abb6; --paper: #17191d; --card: #22252b; }
}
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.4 system-ui, sans-serif; }
h1 { font-size: 1.3rem; font-weight: 600; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1rem;
  list-style: none; padding: 0; }
li, figure { background: var(--card); border-radius: .5rem; overflow: hidden; margin: 0; }
figure { display: inline-block; }
img { display: block; width: 100%; height: 13rem; object-fit: contain; }
figure img { width: auto; max-width: 100%; height: auto; }
p { margin: .6rem .8rem; overflow-wrap: anywhere; }
.path { color: var(--faint); font-size: .85rem; }
"""


def results_page(
    hits: Sequence[Hit],
    names: Sequence[str],
    *,
    like: Path | None = None,
    region: Region | None = None,
    where: str | None = None,
) -> str:
    """Show photos and their labels on a page that contains small copies of the photos.

    Args:
        hits: Photos found.
        names: The ``L`` labels of the index.
        like: Photo of the query.
        region: Region of the query: left, top, width and height in pixels.
        where: Expression of the query.

    Example:
        >>> page = results_page([], ["dog"], where="dog")
        >>> "<h1>0 photos dog</h1>" in page
        True
    """
    asked = [f"like {like.name}"] if like is not None else []
    asked += [where] if where else []
    title = printable(f"{amount(len(hits), 'photo')} {', '.join(asked)}")
    query = "" if like is None else f"<figure>{_picture(like, 'the query', region)}</figure>"
    cards = "\n".join(f"<li>{card}</li>" for card in _cards(hits, names))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{query}\n<ul>\n{cards}\n</ul>\n</body>\n</html>\n"
    )


def _cards(hits: Sequence[Hit], names: Sequence[str]) -> Iterator[str]:
    places = {name: place for place, name in enumerate(names)}
    for hit in hits:
        scores = {name: f"{hit.scores[places[name]]:.2f}" for name in hit.labels}
        spoken = ", ".join(f"{name} {score}" for name, score in scores.items())
        # <bdi>: a name may contain marks that change the direction of text.
        shown = ", ".join(f"<bdi>{escape(name)}</bdi> {score}" for name, score in scores.items())
        likeness = "" if hit.likeness is None else f"{hit.likeness:.3f} · "
        yield (
            f"{_picture(hit.path, spoken or 'no label')}"
            f"<p>{likeness}{shown or 'no label'}</p>"
            f'<p class="path"><bdi>{escape(printable(str(hit.path)))}</bdi></p>'
        )


def _picture(path: Path, what: str, region: Region | None = None) -> str:
    try:
        photo = open_photo(path, least_side=SIDE)
    except DataError:
        return "<p>the photo cannot be opened any more</p>"
    width, height = whole_size(photo)
    photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    if region is not None:
        left, top, across, down = region
        x, y = photo.width / width, photo.height / height
        corners = (left * x, top * y, (left + across) * x, (top + down) * y)
        ImageDraw.Draw(photo).rectangle(corners, outline=(255, 210, 0), width=3)
    source = data_url(photo, quality=QUALITY)
    return f'<img src="{source}" alt="{escape(what)}" loading="lazy">'
