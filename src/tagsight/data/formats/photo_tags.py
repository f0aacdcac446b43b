"""Photos with keywords: in XMP sidecars, and inside the photos."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.source import is_folder, require_file
from tagsight.data.tags.authors import PhotoTags, cleaned, tags_inside, told_apart
from tagsight.data.tags.meaning import labelled_by_tags
from tagsight.data.tags.pictures import Leftover, all_pictures, pictures
from tagsight.data.tags.text import leaf, levels, same
from tagsight.data.tags.xmp import read_keywords
from tagsight.data.tags.xmp_tree import LARGEST
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tags.pictures import Picture

ENDINGS = (".xmp",)

LOOKED_AT, LOOKED_INTO = 2_000, 100
"""Photos whose sidecars are looked for, and photos that are opened, to recognise the format."""

logger = logging.getLogger(__name__)


class _Found(NamedTuple):
    """Tags of a photo.

    Attributes:
        tags: The tags.
        stale: Those inside the photo that its sidecar contradicts, or the other way round.
        damaged: Sidecars that cannot be read, and reasons.
    """

    tags: PhotoTags
    stale: frozenset[str] = frozenset()
    damaged: tuple[str, ...] = ()


def recognises(source: Path) -> bool:
    """Return whether a folder has photos with sidecars, or some with keywords inside.

    Example:
        >>> from pathlib import Path
        >>> for file in ("a.jpg", "a.jpg.xmp"):
        ...     Path(file).touch()
        >>> recognises(Path())
        True
    """
    if not is_folder(source):
        return False
    found = pictures(source, source, ENDINGS, Leftover(), on_problem=lambda *_: None)
    first = list(islice(found, LOOKED_AT))
    if any(picture.beside for picture in first):
        return True
    some = first[:: 1 + len(first) // LOOKED_INTO]
    return any(tags_inside(picture.photo).given for picture in some)


def _recognises_late(source: Path, photos: Path | None) -> bool:
    if photos is None or not is_folder(source):
        return False
    found = pictures(photos, source, ENDINGS, Leftover(), on_problem=lambda *_: None)
    return any(picture.beside for picture in islice(found, LOOKED_AT))


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the keywords that people gave to photos; `labelled_by_tags` makes labels of them.

    A keyword that tagsight wrote and nobody confirmed is unknown, and one of these that somebody
    removed is absent. Where a sidecar has keywords by a person that tagsight did not write, those
    inside the photo that it lacks are unknown, as they may have been removed from it. A photo
    without any keyword is unknown for all labels.

    Args:
        source: Folder of the sidecars, and of the photos.
        options: Another folder of the photos, with the same subfolders, and the level of paths.

    Raises:
        DataError: If there are no photos, or none has a keyword by a person.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from tagsight.data.format import DEFAULTS
        >>> for name, keywords in {"a": "dog;sky", "b": "sky"}.items():
        ...     exif = Image.Exif()
        ...     exif[0x9C9E] = f"{keywords}\0".encode("utf-16-le")  # keywords of Windows
        ...     Image.new("RGB", (8, 8)).save(f"{name}.jpg", exif=exif)
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 1]])
    """
    folder = options.images or source
    found = all_pictures(folder, source, ENDINGS)
    each = [_found(picture) for picture in found]
    _log_found(source, each)
    photos, tags = [one.photo for one in found], [one.tags for one in each]
    return [labelled_by_tags(folder, photos, tags, options.level or "path")]


def _found(picture: Picture) -> _Found:
    side, damaged, others = PhotoTags(), [], False
    repeated = frozenset[str]()
    for sidecar in picture.beside:
        try:
            keywords = read_keywords(require_file(sidecar, largest=LARGEST).read_bytes())
            told, copies = told_apart(keywords), cleaned(keywords.repeated)
            ours = frozenset(record.name for record in keywords.recorded)
            side, others = _union(side, told), others or bool(_lacking(told.given, ours | copies))
            repeated |= copies
        except (DataError, OSError) as error:
            damaged.append(f"{sidecar}: {error}")
    if damaged:  # the rest may be contradicted
        return _Found(PhotoTags(), damaged=tuple(damaged))
    inside = tags_inside(picture.photo)
    stale = inside.given & side.rejected
    if others or repeated:
        lacking = _lacking(inside.given, side.given)
        # What the sidecar did not repeat when it was made has come into the photo since.
        stale |= lacking - _lacking(lacking, repeated) if repeated else lacking
    gone = side.given - _lacking(side.given, repeated)
    gone = _lacking(gone, inside.given)
    known = PhotoTags(inside.given - stale, inside.unsure | stale, inside.rejected)
    side = side._replace(given=side.given - gone, unsure=side.unsure | gone)
    return _Found(_union(side, known), stale | gone)


def _lacking(names: frozenset[str], known: frozenset[str]) -> frozenset[str]:
    """Return the tags that are neither among others nor levels of them."""
    parts = {same(part) for name in known for part in (*levels(name), *name.split("/"))}
    return frozenset(name for name in names if parts.isdisjoint({same(name), same(leaf(name))}))


def _union(first: PhotoTags, second: PhotoTags) -> PhotoTags:
    given = first.given | second.given
    unsure = (first.unsure | second.unsure) - given
    return PhotoTags(given, unsure, (first.rejected | second.rejected) - given - unsure)


def _log_found(source: Path, found: Sequence[_Found]) -> None:
    """Log what was read, and what is unknown."""
    tagged = sum(bool(one.tags.given) for one in found)
    ours = sum(bool(one.tags.unsure) and not one.tags.given for one in found)
    logger.info(
        "%s: %s of %s have tags by a person, %s only tags that tagsight wrote and nobody "
        "confirmed; all labels of the others are unknown",
        *(source, f"{tagged:,}", amount(len(found), "photo"), f"{ours:,}"),
    )
    if stale := [one.stale for one in found if one.stale]:
        logger.warning(
            "%s: tags inside %s are not in the sidecar, such as %r: they are unknown there",
            *(source, amount(len(stale), "photo"), min(stale[0])),
        )
    if damaged := [one.damaged[0] for one in found if one.damaged]:
        logger.warning(
            "%s: the tags of %s are unknown, as their sidecars cannot be read, the first being %s",
            *(source, amount(len(damaged), "photo"), damaged[0]),
        )


FORMAT = Format(
    "photo-tags",
    "a folder of photos with keywords, in XMP sidecars or inside the photos",
    "2024/a.jpg\n2024/a.xmp    or a.jpg.xmp, or keywords in a.jpg itself",
    recognises,
    read,
    ENDINGS,
    weak=True,
    opens_photos=True,
    recognises_late=_recognises_late,
)
