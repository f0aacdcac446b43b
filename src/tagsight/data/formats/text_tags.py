"""Photos beside text files of tags, as used to train image generators."""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.format import PLACES, Format
from tagsight.data.source import clean_name, is_folder
from tagsight.data.tables.names import SPLIT_NAMES, is_photo
from tagsight.data.tables.text import FOREIGN, WESTERN
from tagsight.data.tags.authors import PhotoTags
from tagsight.data.tags.encoding import unicode_encoding
from tagsight.data.tags.meaning import labelled_by_tags
from tagsight.data.tags.pictures import Leftover, all_pictures, pictures
from tagsight.data.tags.text import (
    LARGEST,
    MARK,
    has_blanks_between,
    is_sentence,
    plain,
    require_tags,
    sentences_and_tag,
    separators_in,
)
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions
    from tagsight.data.tags.pictures import Picture

ENDINGS = (".txt", ".caption")
TEXTS = ("labels", "captions", "tags")
"""Folders of files for the photos of a folder next to them."""

MOST_WORDS = 6
"""Words of a tag; more are a caption."""

LOOKED_AT, LOOKED_INTO = 2_000, 20
"""Photos whose files are looked for, and files that are opened, to recognise the format."""

_NUMBERS = re.compile(r"[-+.\deE\s]*")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"(?:^|[,;|\t])\s*\"")
_HASHTAG = re.compile(r"#\w")
_FULL_STOP = re.compile(r"([^.]*[^\W\d_]{3})\.")
"""A tag at the end of a list that ends as a sentence does."""

_BREAK = re.compile(r"\s*\bBREAK\b\s*,?")
_SETTINGS = re.compile(r"^(?:Negative prompt:|Steps: \d)", re.MULTILINE)
"""What separates parts of a prompt, and what image generators write below it."""

_ARTICLE = re.compile(r"(?:an?|the|this|there)\b", re.IGNORECASE)

logger = logging.getLogger(__name__)


class _Text(NamedTuple):
    """Tags of a photo, and parts of its files that are captions."""

    tags: frozenset[str]
    captions: tuple[str, ...]


class _File(NamedTuple):
    """Text of a file; whether it is Windows-1252 instead of Unicode."""

    path: Path
    text: str
    is_western: bool


def recognises(source: Path) -> bool:
    """Return whether a folder has photos beside text files of tags, and not of boxes.

    Example:
        >>> from pathlib import Path
        >>> Path("a.jpg").touch()
        >>> _ = Path("a.txt").write_text("dog, sky")
        >>> recognises(Path())
        True
    """
    return _recognises_late(*_places(source, None))


def _recognises_late(source: Path, photos: Path | None) -> bool:
    if photos is None or not is_folder(source):
        return False
    found = pictures(photos, source, ENDINGS, Leftover(), on_problem=lambda *_: None)
    some = [one for one in islice(found, LOOKED_AT) if one.beside][:LOOKED_INTO]
    return any(_has_words(picture) for picture in some)


def _places(source: Path, images: Path | None) -> tuple[Path, Path]:
    """Return the folders of the files and of the photos, which may be next to each other."""
    pairs = ((source / texts, source / photos) for texts in TEXTS for photos in PLACES)
    found = next((pair for pair in pairs if all(map(is_folder, pair))), None)
    return found if images is None and found is not None else (source, images or source)


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    r"""Read the tags in text files; `labelled_by_tags` makes labels of them.

    Tags are separated by line breaks and by ``,``, or ``;``, ``|`` or tabs in a file without
    commas; by blanks if no file has any of them and words are written with ``_``. A caption, a
    sentence or more than 6 words, is no tag. Weights and brackets for emphasis are no part of a
    tag. Tags that are written with ``_`` in some files and with blanks in others are one label, as
    most files have it. A photo without a file, or with an empty one, is unknown for all labels.
    A file that lists photos, such as ``dog.txt`` beside ``dog.jpg``, has none. The files may be in
    ``labels``, ``captions`` or ``tags`` beside ``images``.

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
    source, folder = _places(source, options.images)
    found = all_pictures(folder, source, ENDINGS)
    encoding = options.columns.encoding
    files = [[_opened(file, encoding) for file in picture.beside] for picture in found]
    files = [[file for file in several if not _lists_photos(file.text)] for several in files]
    each = [file for several in files for file in several]
    if lists := sum(len(one.beside) for one in found) - len(each):
        logger.warning(
            "%s: %s left out that list photos, and are no tags of one",
            *(source, amount(lists, "file")),
        )
    _warn_of_lists(source, found)
    blanks = _separated_by_blanks(source, each)
    texts = [_text(several, blanks=blanks) for several in files]
    _log_left_out(source, each, texts)
    spelled = _spellings(source, texts)
    tags = [PhotoTags(frozenset(spelled.get(tag, tag) for tag in one.tags)) for one in texts]
    photos = [one.photo for one in found]
    return [labelled_by_tags(folder, photos, tags, options.level or "path")]


def _warn_of_lists(source: Path, found: Iterable[Picture]) -> None:
    """Warn of files such as ``dog.txt`` that list photos of a label and are not read."""
    used = {file for picture in found for file in picture.beside}
    stems = {picture.photo.stem for picture in found}
    texts = (file for file in source.glob("*.txt") if file not in used)
    others = (file for file in islice(texts, LOOKED_INTO) if file.stem.lower() not in SPLIT_NAMES)
    lists = [file.name for file in others if _lists(file, stems)]
    if lists:
        logger.warning(
            "%s: %s not read, which list photos instead of tags; in a folder of their own, two or "
            "more are read as `format=label-lists`",
            *(source, ", ".join(sorted(lists))),
        )


def _lists(file: Path, stems: set[str]) -> bool:
    try:
        lines = _opened(file).text.splitlines()
    except (DataError, OSError):
        return False
    names = [line.split()[0] for line in lines if line.strip()]
    return 2 * sum(is_photo(name) or name in stems for name in names) > len(names)


def _has_words(picture: Picture) -> bool:
    try:
        files = [_opened(file) for file in picture.beside]
        text = _text([one for one in files if not _lists_photos(one.text)], blanks=False)
    except (DataError, OSError):
        return False
    return any(not _NUMBERS.fullmatch(tag) for tag in text.tags)


def _lists_photos(text: str) -> bool:
    """Return whether most lines of a text are names of photos, perhaps with a mark behind."""
    names = [line.split()[0] for line in text.splitlines() if line.strip()]
    return 2 * sum(map(is_photo, names)) > len(names)


def _separated_by_blanks(source: Path, files: Iterable[_File]) -> bool:
    texts = [file.text for file in files if len(file.text.split()) > 1]
    several = any(separators_in(text) or len(text.strip().splitlines()) > 1 for text in texts)
    if several or 2 * sum(map(has_blanks_between, texts)) < max(1, len(texts)):
        return False
    logger.info("%s: no separators in the files, and words with _: read as tags of a word", source)
    return True


def _text(files: Iterable[_File], *, blanks: bool) -> _Text:
    tags: set[str] = set()
    captions: list[str] = []
    for file in files:
        settings = _SETTINGS.search(file.text)
        if settings is not None:
            captions.append(file.text[settings.start() :])
        for part in _parts(file.text[: settings and settings.start()], blanks=blanks):
            for text, _ in sentences_and_tag(part):
                if is_sentence(text) or len(text.split()) > MOST_WORDS:
                    captions.append(text)
                elif name := clean_name(plain(clean_name(text, str(file.path)))):
                    tags.add(_FULL_STOP.sub(r"\1", name))
    return _Text(frozenset(tags), tuple(captions))


def _parts(text: str, *, blanks: bool) -> Iterator[str]:
    """Yield the text between separators; a line that is a caption with commas is one part."""
    marks = separators_in(text) or ","
    lines = _BREAK.sub(marks[0], text).splitlines()
    if len(lines) > 1:
        lines = [_BULLET.sub("", line) for line in lines]
    for line in lines:
        if blanks:
            parts = line.split()
        elif _is_caption(line, marks[0]):
            parts = [line]
        else:
            parts = _divided(line.translate(str.maketrans(marks, marks[0] * len(marks))), marks[0])
        for part in parts:
            words = part.split()
            yield from words if words and all(map(_HASHTAG.match, words)) else [part]


def _divided(line: str, mark: str) -> list[str]:
    """Split a line at separators, those in quotation marks around a tag excepted."""
    if line.count('"') % 2 or not _QUOTED.search(line):
        return line.split(mark)
    return next(csv.reader([line], delimiter=mark, skipinitialspace=True))


def _is_caption(line: str, mark: str) -> bool:
    """Return whether a line is a sentence with commas, rather than tags with a sentence behind."""
    sentence, parts = line.strip(), line.strip().split(mark)
    begins = _ARTICLE.match(sentence) or (sentence[:1].isupper() and is_sentence(parts[-1].strip()))
    return len(parts) > 1 and bool(begins) and is_sentence(sentence)


def _opened(file: Path, given: str | None = None) -> _File:
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        msg = f"{file}: expected tags, got a file of more than {LARGEST:,} bytes"
        raise DataError(msg)
    is_western, encoding = False, given or unicode_encoding(content) or "utf-8"
    try:
        text = content.decode(encoding).removeprefix(MARK)
    except UnicodeError:
        is_western, text = given is None, content.decode(WESTERN, "replace") if not given else "\0"
    try:
        if "\0" in text or "\ufffd" in text or (is_western and FOREIGN.search(content)):
            msg = (
                f"expected tags in {(given or 'UTF-8').upper()}, got other bytes: save the file as "
                "UTF-8, or name its `encoding`"
            )
            raise DataError(msg)
        require_tags(text)
    except DataError as error:
        msg = f"{file}: {error}"
        raise DataError(msg) from error
    return _File(file, text, is_western)


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


def _log_left_out(source: Path, files: Iterable[_File], texts: Iterable[_Text]) -> None:
    """Log which files are not Unicode, and the captions that are left out.

    Raises:
        DataError: If there is nothing else.
    """
    if western := [file.path for file in files if file.is_western]:
        logger.warning(
            "%s: %s not UTF-8, read as Windows-1252, the first being %s; if names look wrong, save "
            "as UTF-8",
            *(source, amount(len(western), "file"), western[0].name),
        )
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
    is_text=True,
    recognises_late=_recognises_late,
)
