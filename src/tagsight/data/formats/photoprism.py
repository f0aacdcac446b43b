"""PhotoPrism's YAML of photos: keywords that somebody wrote."""

from __future__ import annotations

import logging
import re
from itertools import islice
from typing import TYPE_CHECKING

from tagsight.data.format import Format
from tagsight.data.source import clean_name, files_below, is_folder, require_file
from tagsight.data.tags.authors import PhotoTags
from tagsight.data.tags.meaning import labelled_by_tags
from tagsight.data.tags.pictures import all_pictures
from tagsight.data.yaml_files import parse_yaml
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tags.pictures import Picture

logger = logging.getLogger(__name__)

ENDINGS = (".yml", ".yaml")
LARGEST = 2**20
LOOKED_AT, LOOKED_INTO = 2_000, 20
"""Files whose names are looked at, and that are opened, to recognise the format."""

START = re.compile(rb"(?m)^(?:UID: \w+|TakenAt: )[\s\S]*^(?:Type: \w|Details:)")
DETAILS = re.compile(r"(?m)^Details:[^\n]*\n(?:[ \t]+[^\n]*(?:\n|\Z))*")
BY_PEOPLE = "manual"
"""Source of keywords that somebody wrote or edited; others PhotoPrism took from models, titles and
places, or from the photo, where the format ``photo-tags`` finds them."""


def recognises(source: Path) -> bool:
    r"""Return whether a folder has PhotoPrism's YAML of photos.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("a.yml").write_text("UID: pq1\nType: image\nDetails:\n  Keywords: dog\n")
        >>> recognises(Path())
        True
    """
    if not is_folder(source):
        return False
    files = islice(files_below(source), LOOKED_AT)
    some = islice((one for one in files if one.suffix.lower() in ENDINGS), LOOKED_INTO)
    return any(map(_is_photo_prism, some))


def _is_photo_prism(file: Path) -> bool:
    try:
        with file.open("rb") as handle:
            return START.search(handle.read(2**12)) is not None
    except OSError:
        return False


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read keywords that somebody wrote; `labelled_by_tags` makes labels of them.

    A photo without such keywords is unknown for all labels.

    Args:
        source: Folder of the YAML files, such as ``storage/sidecar``.
        options: Folder of the photos, with the same subfolders, such as ``originals``; by default
            that of the files. The level of paths.

    Raises:
        DataError: If there are no photos, a file cannot be understood, or nobody wrote keywords.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> for name, who in {"a": "manual", "b": "meta"}.items():
        ...     Path(f"{name}.jpg").touch()
        ...     details = f"Details:\n  Keywords: dog, sky\n  KeywordsSrc: {who}\n"
        ...     _ = Path(f"{name}.yml").write_text(f"UID: p1\nType: image\n{details}")
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 1], [-1, -1]])
    """
    folder = options.images or source
    found = all_pictures(folder, source, ENDINGS)
    read = [_keywords(picture) for picture in found]
    others = sum(not tags and has_keywords for tags, has_keywords in read)
    if not any(tags for tags, _ in read):
        msg = (
            f"expected keywords in {source} that somebody wrote (KeywordsSrc: manual), got "
            f"{amount(others, 'photo')} with PhotoPrism's own; give the folder of the photos if "
            "there are keywords inside them"
        )
        raise DataError(msg)
    if others:
        logger.info(
            "%s: keywords of %s are PhotoPrism's own or from the photo: unknown",
            source,
            amount(others, "photo"),
        )
    photos, tags = [one.photo for one in found], [PhotoTags(tags) for tags, _ in read]
    return [labelled_by_tags(folder, photos, tags, options.level or "path")]


def _keywords(picture: Picture) -> tuple[frozenset[str], bool]:
    """Return the keywords that somebody wrote, and whether there are any, of whomever."""
    tags: set[str] = set()
    has_keywords = False
    for file in picture.beside:
        text = require_file(file, largest=LARGEST).read_text(encoding="utf-8-sig", errors="replace")
        block = DETAILS.search(text)  # the rest is much, and takes long to parse
        details = parse_yaml(block[0], str(file))["Details"] if block else {}
        keywords = details.get("Keywords") if isinstance(details, dict) else None
        if not isinstance(keywords, str) or not keywords.strip():
            continue
        has_keywords = True
        if details.get("KeywordsSrc") == BY_PEOPLE:
            tags |= {clean_name(word, str(file)) for word in keywords.split(",")}
    return frozenset(tags - {""}), has_keywords


FORMAT = Format(
    "photoprism",
    "PhotoPrism's folder sidecar: a YAML file a photo, with keywords that somebody wrote",
    "sidecar/2024/a.yml   UID: pq1\n"
    "                     Type: image\n"
    "                     Details:\n"
    "                       Keywords: dog, blue sky\n"
    "                       KeywordsSrc: manual",
    recognises,
    read,
    ENDINGS,
    weak=True,
)
