"""Photos beside text files of tags, as used to train image generators."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import Format
from tagsight.data.source import clean_name, is_folder
from tagsight.data.tags.meaning import PhotoTags, labelled_by_tags
from tagsight.data.tags.pictures import Leftover, all_pictures, pictures
from tagsight.data.tags.text import LARGEST, is_sentence, sentences_and_tag, unescaped
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tags.pictures import Picture

ENDINGS = (".txt", ".caption")
SEPARATORS = (",", ";", "|")
MOST_WORDS = 6
"""Words of a tag; more are a caption."""

LOOKED_AT, LOOKED_INTO = 2_000, 20
"""Photos whose files are looked for, and files that are opened, to recognise the format."""

_BOX = re.compile(r"\s*\d+(\s+[-+.\deE]+){4,}\s*")
_NUMBERS = re.compile(r"[-+.\deE\s]*")

logger = logging.getLogger(__name__)


class _Text(NamedTuple):
    """Tags of a photo, and parts of its files that are captions."""

    tags: frozenset[str]
    captions: tuple[str, ...]


def recognises(source: Path) -> bool:
    """Return whether a folder has photos beside text files of tags, and not of boxes.

    Example:
        >>> from pathlib import Path
        >>> Path("a.jpg").touch()
        >>> _ = Path("a.txt").write_text("dog, sky")
        >>> recognises(Path())
        True
    """
    if not is_folder(source):
        return False
    found = pictures(source, source, ENDINGS, Leftover(), on_problem=lambda *_: None)
    some = [one for one in islice(found, LOOKED_AT) if one.beside][:LOOKED_INTO]
    return any(_has_words(picture) for picture in some)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the tags in text files; `labelled_by_tags` makes labels of them.

    Tags are separated by line breaks and by ``,``, or ``;`` or ``|`` in a file without commas. A
    caption, a sentence or more than 6 words, is no tag. Tags that are written with ``_`` in some
    files and with blanks in others are one label, as most files have it. A photo without a file, or
    with an empty one, is unknown for all labels.

    Args:
        source: Folder of the files, and of the photos.
        options: Another folder of the photos, with the same subfolders, and the level of paths.

    Raises:
        DataError: If there are no photos, no tags, or a file has something else than tags.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> for name, text in {"a": "dog, sky", "b": "sky\nA dog runs on a beach."}.items():
        ...     Path(f"{name}.jpg").touch()
        ...     _ = Path(f"{name}.txt").write_text(text)
        >>> (found,) = read(Path(), DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[1, 1], [0, 1]])
    """
    folder = options.images or source
    found = all_pictures(folder, source, ENDINGS)
    texts = [_text(picture) for picture in found]
    _tell(source, texts)
    spelled = _spellings(source, texts)
    tags = [PhotoTags(frozenset(spelled.get(tag, tag) for tag in one.tags)) for one in texts]
    photos = [one.photo for one in found]
    return [labelled_by_tags(folder, photos, tags, options.level or "path")]


def _has_words(picture: Picture) -> bool:
    try:
        return any(not _NUMBERS.fullmatch(tag) for tag in _text(picture).tags)
    except (DataError, OSError):
        return False


def _text(picture: Picture) -> _Text:
    tags: set[str] = set()
    captions: list[str] = []
    for file in picture.beside:
        for part in _parts(file):
            for text, _ in sentences_and_tag(part):
                if is_sentence(text) or len(text.split()) > MOST_WORDS:
                    captions.append(text)
                elif name := clean_name(unescaped(text), str(file)):
                    tags.add(name)
    return _Text(frozenset(tags), tuple(captions))


def _parts(file: Path) -> Iterable[str]:
    text = _decoded(file)
    if any(_BOX.fullmatch(line) for line in text.splitlines()):
        msg = f"{file}: expected tags, got boxes of numbers, as in YOLO's label files"
        raise DataError(msg)
    separator = next((mark for mark in SEPARATORS if mark in text), ",")
    return (part for line in text.splitlines() for part in line.split(separator))


def _decoded(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        msg = f"{file}: expected tags, got a file of more than {LARGEST:,} bytes"
        raise DataError(msg)
    try:
        utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    if "\0" in text or "\ufffd" in text:
        msg = f"{file}: expected tags as text, got something else"
        raise DataError(msg)
    return text


def _spellings(source: Path, texts: Iterable[_Text]) -> Mapping[str, str]:
    """Map tags that are written with ``_`` and with blanks to the more frequent form."""
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in texts:
        for tag in one.tags:
            forms[tag.replace("_", " ")][tag] += 1
    several = {blank: count for blank, count in forms.items() if len(count) > 1}
    chosen = {b: max(count, key=lambda tag: (count[tag], tag == b)) for b, count in several.items()}
    if chosen:
        logger.info(
            "%s: %s written with _ in some files, with blanks in others, such as %r, read as one",
            *(source, amount(len(chosen), "tag"), next(iter(chosen.values()))),
        )
    return {tag: chosen[blank] for blank, count in several.items() for tag in count}


def _tell(source: Path, texts: Iterable[_Text]) -> None:
    """Log the captions that are left out.

    Raises:
        DataError: If there is nothing else.
    """
    captions = [one.captions for one in texts if one.captions]
    if not captions:
        return
    first = captions[0][0][:60]
    if not any(one.tags for one in texts):
        msg = f"expected tags in {source}, got sentences only, such as {first!r}"
        raise DataError(msg)
    logger.warning(
        "%s: sentences in the files of %s are no tags and left out, such as %r",
        *(source, amount(len(captions), "photo"), first),
    )


FORMAT = Format(
    "text-tags",
    "a folder of photos beside .txt or .caption files with tags",
    "a.jpg\na.txt   dog, grass, blue sky",
    recognises,
    read,
    ENDINGS,
    weak=True,
)
