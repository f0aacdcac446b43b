"""Authors of the keywords of a file: a person, or tagsight."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.source import clean_name
from tagsight.data.tags.embedded import Embedded, embedded_tags
from tagsight.data.tags.text import leaf, levels, same
from tagsight.data.tags.xmp import Keywords, read_keywords
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NONE = Keywords()
INTERNAL = ("darktable/", "_digikam")
"""Beginnings of keywords that programs write for themselves."""

ROOT = "_digikam_root_tag_"
"""Level above all keywords of people, as old versions of digiKam write it."""


class PhotoTags(NamedTuple):
    """Tags of a photo; ``/`` separates the levels of a path.

    Attributes:
        given: Tags by a person, or that a person has confirmed.
        unsure: Tags of which it is unknown whether they are right.
        rejected: Tags that a person has removed.
    """

    given: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    rejected: frozenset[str] = frozenset()


def keywords_inside(photo: Path) -> Keywords:
    """Return the keywords inside a photo, in XMP and elsewhere.

    Example:
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> exif = Image.Exif()
        >>> exif[0x9C9E] = "dog;sky".encode("utf-16-le")  # keywords of Windows
        >>> Image.new("RGB", (8, 8)).save("a.jpg", exif=exif)
        >>> keywords_inside(Path("a.jpg")).words
        ('dog', 'sky')
    """
    inside, keywords = embedded_tags(photo), NONE
    if inside == Embedded():
        return NONE
    with suppress(DataError):  # other programs ignore a damaged packet as well
        keywords = keywords if inside.xmp is None else read_keywords(inside.xmp)
    return keywords._replace(words=(*inside.words, *keywords.words))


def tags_inside(photo: Path) -> PhotoTags:
    """Separate the tags by a person inside a photo from our own.

    Example:
        >>> from pathlib import Path
        >>> tags_inside(Path("missing.jpg")).given
        frozenset()
    """
    try:
        return told_apart(keywords_inside(photo))
    except DataError:  # control characters
        return PhotoTags()


def told_apart(keywords: Keywords) -> PhotoTags:
    """Separate the tags by a person from our own, in the keywords of one file.

    Programs that know a part of the properties leave the others as they were: ``dc:subject``, which
    all know, decides whether a keyword of ours is still there.

    Raises:
        DataError: If a keyword has control characters.

    Example:
        >>> from tagsight.data.tags.xmp import Record
        >>> told_apart(Keywords(("dog", "sky"), recorded=(Record("dog", confirmed=False),)))
        PhotoTags(given=frozenset({'sky'}), unsure=frozenset({'dog'}), rejected=frozenset())
    """
    paths = cleaned(keywords.paths)
    # "AC/DC" in dc:subject is no path where it is the last level of one.
    internal = _internal_levels(keywords.paths)
    words = {
        word
        for word in cleaned(keywords.words)
        if ("/" not in word or not any(path.endswith(f"/{word}") for path in paths))
        and (same(word) not in internal or word in paths)
    }
    there = {same(leaf(name)) for name in words or paths}
    recorded = {record.name: record.confirmed for record in keywords.recorded}
    our_words, our_paths = _ours(keywords)
    given = {word for word in words if same(word) not in our_words | our_paths}
    given |= {path for path in paths if same(path) not in our_paths}
    return PhotoTags(
        given=frozenset(given),
        unsure=frozenset(
            name
            for name, confirmed in recorded.items()
            if not confirmed and same(leaf(name)) in there
        ),
        rejected=frozenset(name for name in recorded if same(leaf(name)) not in there),
    )


def _internal_levels(paths: Iterable[str]) -> set[str]:
    """Return the levels of the paths that a program keeps to itself: it may repeat each alone."""
    levels_of = (path.replace("|", "/").split("/") for path in paths)
    return {same(one) for path in levels_of for one in path if f"{path[0]}/".casefold() in INTERNAL}


def of_person(keywords: Keywords) -> Keywords:
    """Return the keywords by a person, each once, as the file has them.

    Example:
        >>> of_person(Keywords(("dog", "Dog", "_digikam_group"), ("animal/dog",)))
        Keywords(words=('dog',), paths=('animal/dog',), recorded=(), repeated=())
    """
    if not keywords.words and not keywords.paths:
        return NONE
    our_words, our_paths = _ours(keywords)
    words = _each_once(keywords.words, our_words | our_paths)
    return Keywords(words, _each_once(keywords.paths, our_paths))


def _each_once(names: Iterable[str], without: set[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for name in names:
        with suppress(DataError):  # control characters
            for one in cleaned([name]):
                found.setdefault(same(one), name)
    return tuple(name for key, name in found.items() if key not in without)


def _ours(keywords: Keywords) -> tuple[set[str], set[str]]:
    """Return the words and paths of keywords that we have added and nobody has confirmed.

    Programs add the levels above a keyword, so that these are ours as well.
    """
    ours = [record.name for record in keywords.recorded if not record.confirmed]
    words = {same(part) for name in ours for part in name.split("/")}
    return words, {same(path) for name in ours for path in levels(name)}


def cleaned(names: Iterable[str]) -> set[str]:
    """Return names with ``/`` between their levels, without those that programs keep to themselves.

    Raises:
        DataError: If a name has control characters.

    Example:
        >>> sorted(cleaned(["animal|dog", "darktable|format|jpg", "_Digikam_root_tag_/sky"]))
        ['animal/dog', 'sky']
    """
    parts = ([clean_name(part) for part in name.replace("|", "/").split("/")] for name in names)
    kept = (path[1:] if path[0].casefold() == ROOT else path for path in parts)
    joined = {"/".join(filter(None, path)) for path in kept}
    return {name for name in joined if name and not name.casefold().startswith(INTERNAL)}
