"""``tagsight search``: finds photos by similarity, by labels, or by both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from tagsight.commands.options import Hardware, PhotoPath
from tagsight.commands.output import STANDARD_OUTPUT, print_info, print_result, write_json
from tagsight.errors import DataError

if TYPE_CHECKING:
    from tagsight.search.index import Hit

    Region = tuple[float, float, float, float]


@Parameter(name="*")
@dataclass(frozen=True)
class SearchQuery:
    """The search query."""

    like: PhotoPath | None = None
    """Photo to search by; the most similar photos come first."""

    region: str | None = None
    """Part of that photo to search by: left,top,width,height in pixels."""

    where: str | None = None
    """Label expression that photos must match, such as 'dog and not (person or cat >= 0.9)'."""

    top: Annotated[int, Parameter(validator=Number(gte=1, lte=10_000))] = 20
    """Maximum number of photos."""

    exact: bool = False
    """Compare all photos, instead of an approximate search in a large index."""

    def box(self) -> Region | None:
        """Parse the region.

        Raises:
            DataError: If it is not four numbers.

        Example:
            >>> SearchQuery(region="4,4,16,16").box()
            (4.0, 4.0, 16.0, 16.0)
        """
        if self.region is None:
            return None
        try:
            left, top, width, height = (float(part) for part in self.region.split(","))
        except ValueError:
            msg = f"expected --region as left,top,width,height in pixels, got {self.region!r}"
            raise DataError(msg) from None
        return left, top, width, height


def search(
    index: Path,
    /,
    *,
    query: SearchQuery = SearchQuery(),
    html: Path | None = None,
    json: Path | None = None,
    model: Path | None = None,
    hardware: Hardware = Hardware(),
) -> None:
    """Find photos that are similar to a photo, match a label expression, or both.

    ```console
    tagsight search photos-index --like photos/dog.jpg --top 5
    tagsight search photos-index --where 'dog and not sky' --html found.html
    ```

    With both, the photos that match are sorted by how similar they are.

    Args:
        index: Index folder.
        html: File for a self-contained HTML page with the photos.
        json: File for photos and scores as JSON; without a name, standard output.
        model: The model, if it was moved since the index was made, or an exported file of it.
    """
    from tagsight.search.collection import check_query
    from tagsight.search.collection import search as find
    from tagsight.search.index import SearchIndex

    box = query.box()
    check_query(like=query.like, where=query.where, region=box)
    print_info(f"opening {index}")
    opened = SearchIndex.open(index)
    names = opened.facts.names
    place = model or Path(opened.facts.folder)
    hits = find(
        opened,
        like=query.like,
        where=query.where,
        region=box,
        top=query.top,
        exact=query.exact,
        model=hardware.recognizer(place) if query.like is not None and place.exists() else model,
    )
    if html is not None:
        from tagsight.runtime.files import write_atomically
        from tagsight.search.page import results_page

        page = results_page(hits, names, like=query.like, region=box, where=query.where)
        write_atomically(html, page)
        print_info(f"written to {html}")
    if json is not None:
        write_json({"photos": [_plain(hit, names) for hit in hits]}, json)
    if json != STANDARD_OUTPUT:
        print_result(_line(hit) for hit in hits)
    if not hits:
        print_info("no photo found")


def _line(hit: Hit) -> str:
    from tagsight.data.remote.places import shown

    likeness = "" if hit.likeness is None else f"{hit.likeness:.3f}  "
    return f"{likeness}{shown(hit.path)}  {', '.join(hit.labels)}".rstrip()


def _plain(hit: Hit, names: tuple[str, ...]) -> dict[str, object]:
    from tagsight.data.remote.places import shown

    scores = {name: round(float(score), 6) for name, score in zip(names, hit.scores, strict=True)}
    likeness = None if hit.likeness is None else round(hit.likeness, 6)
    return {
        "path": shown(hit.path),
        "likeness": likeness,
        "labels": list(hit.labels),
        "scores": scores,
    }
