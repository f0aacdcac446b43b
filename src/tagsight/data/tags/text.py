"""Text of tags: levels of a path, words that count as the same, and sentences between tags."""

from __future__ import annotations

import json
import re
import unicodedata
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.data.format import Level

LARGEST = 2**20
"""Most bytes of a tag file; a longer file is something else."""

MARK = "\ufeff"
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)\]」』]*(\s+|$)")  # noqa: RUF001 - punctuation of other scripts
_ENDS_ALWAYS = re.compile(r"[。！？][\"'”’»)\]」』]*$")  # noqa: RUF001 - scripts without spaces
_BACKSLASHED = re.compile(r"\\([()\[\]{}])")

SEPARATORS = (",，、", ";；", "|｜", "\t")  # noqa: RUF001 - those of other scripts
"""Characters that separate tags, those that mean the same together; the first found decide."""

_BOX = re.compile(
    r"\s*\d+(\s+[-+.\deE]+){4,}\s*"
    r"|\s*(?:-?\d+\.\d+\s+){6,}\S+(?:\s+\d)?\s*|\s*[A-Za-z]\w*(?:\s+-?[.\d]+){7,}\s*"
)
"""A line of YOLO, of DOTA, whose boxes have four corners, or of KITTI, where the class is first."""

_MARKUP = re.compile(r"\s*<(\?xml|!doctype|html|svg)\b", re.IGNORECASE)

OPENING, CLOSING = "([{", ")]}"
_LETTER = re.compile(r"[^\W\d_]")
_WEIGHT = re.compile(r"\s*:\s*[-+]?\d*\.?\d+$")
_SCORE = re.compile(r"\s*:\s*\d?\.\d+$|\s+\(\d?\.\d+\)$")
_QUOTED = re.compile(r"\"[^\"]+\"|“[^“”]+”")


def leaf(name: str) -> str:
    """Return the last level of a label.

    Example:
        >>> leaf("animal/dog")
        'dog'
    """
    return name.rpartition("/")[2]


def same(word: str) -> str:
    """Normalise case and white space, so that words that people consider the same are equal.

    Example:
        >>> same(" Guide  dog") == same("guide dog")
        True
    """
    return " ".join(word.split()).casefold()


def same_file(name: str) -> str:
    """Normalise the name of a file: its case, and Unicode as macOS and others write it.

    Example:
        >>> same_file("IMG_1.JPG") == same_file("img_1.jpg")
        True
    """
    return unicodedata.normalize("NFC", name).casefold()


def levels(name: str) -> list[str]:
    """Return a path and all above it, from the root.

    Example:
        >>> levels("animal/dog/poodle")
        ['animal', 'animal/dog', 'animal/dog/poodle']
    """
    return list(accumulate(name.split("/"), "{}/{}".format))


def at_level(name: str, level: Level) -> str:
    """Return a path cut to its first levels, or its last level.

    Example:
        >>> [at_level("animal/dog/poodle", level) for level in ("path", "leaf", 2)]
        ['animal/dog/poodle', 'poodle', 'animal/dog']
    """
    if level == "path":
        return name
    return leaf(name) if level == "leaf" else "/".join(name.split("/")[:level])


def alike(word: str) -> str:
    r"""Normalise a tag, so that different spellings of programs are equal.

    Example:
        >>> alike("(Guide_dog  \\(small\\):1.2)") == alike("guide dog (small)")
        True
    """
    return same(plain(word.rstrip(" ,;")).replace("_", " "))


def plain(word: str) -> str:
    r"""Remove what prompts of image generators and posts on the web have besides the name of a tag.

    These are weights, scores, brackets for emphasis, backslashes before other brackets, quotation
    marks around and a ``#`` in front.

    Example:
        >>> [plain(word) for word in ("(dog:1.2)", "((dog))", "dog:0.93", r"dog \(small\)", "#dog")]
        ['dog', 'dog', 'dog', 'dog (small)', 'dog']
        >>> [plain(word) for word in ("dog (small)", ":)", "16:9", "1/2.8")]
        ['dog (small)', ':)', '16:9', '1/2.8']
    """
    while (inner := _opened(word)) != word:
        word = inner
    return unescaped(word)


def _opened(word: str) -> str:
    """Remove one layer around a tag, unless no letter would be left."""
    partner, unclosed = _brackets(word)
    inner = word
    if _QUOTED.fullmatch(word):
        inner = word[1:-1]
    elif partner is not None and partner == len(word) - 1:
        inner = _WEIGHT.sub("", word[1:-1])
    elif partner is None and word[:1] in OPENING:
        inner = word[1:]
    elif unclosed and word[-1:] in CLOSING:
        inner = _WEIGHT.sub("", word[:-1])
    elif word.startswith("#") and _LETTER.match(word, 1):
        inner = word[1:]
    elif _SCORE.search(word):
        inner = _SCORE.sub("", word)
    return inner.strip() if _LETTER.search(inner) else word


def _brackets(word: str) -> tuple[int | None, bool]:
    """Return where the bracket at the start is closed, and whether the last one closes none."""
    waiting: list[int] = []
    partner, unclosed = None, False
    for place, letter in enumerate(word):
        if place and word[place - 1] == "\\":
            continue
        if letter in OPENING:
            waiting.append(place)
        elif letter in CLOSING:
            unclosed = not waiting
            if waiting and waiting.pop() == 0:
                partner = place
    return partner, unclosed


def unescaped(word: str) -> str:
    r"""Remove the backslashes before brackets, which prompts of image generators need.

    Example:
        >>> unescaped("dog \\(small\\)")
        'dog (small)'
    """
    return _BACKSLASHED.sub(r"\1", word)


def separators_in(text: str) -> str:
    r"""Return the characters that separate the tags of a text; empty if there are none.

    Example:
        >>> separators_in("dog\tblue sky"), separators_in("blue sky")
        ('\t', '')
    """
    return next((marks for marks in SEPARATORS if any(mark in text for mark in marks)), "")


def has_blanks_between(text: str) -> bool:
    """Return whether blanks separate tags: words with ``_`` in place of blanks, on one line.

    Example:
        >>> [has_blanks_between(text) for text in ("1girl long_hair", "long hair", "a_b, c d")]
        [True, False, False]
    """
    words = text.split()
    single = len(text.strip().splitlines()) == 1 and not separators_in(text)
    return single and len(words) > 1 and any("_" in word.strip("_") for word in words)


def require_tags(text: str) -> None:
    """Check that a text is none of the others that lie beside photos.

    Raises:
        DataError: If it is boxes of numbers, JSON, XML or a web page.

    Example:
        >>> require_tags("dog, [sky]")
        >>> try:
        ...     require_tags("0 0.5 0.5 0.1 0.1")
        ... except DataError as error:
        ...     print(error)
        expected tags, got boxes of numbers, as in label files of YOLO, DOTA or KITTI
    """
    got = ""
    if any(_BOX.fullmatch(line) for line in text.splitlines()):
        got = "boxes of numbers, as in label files of YOLO, DOTA or KITTI"
    elif _MARKUP.match(text):
        got = "XML or a web page"
    elif text.lstrip()[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            json.loads(text)
            got = "JSON"
    if got:
        msg = f"expected tags, got {got}"
        raise DataError(msg)


def is_sentence(text: str) -> bool:
    """Return whether a text is a sentence rather than a tag.

    A sentence ends with its punctuation, and has at least three words, or two of which the first
    begins with a capital letter.

    Example:
        >>> [is_sentence(text) for text in ("a dog sits here.", "k-on!", "St. Bernard")]
        [True, False, False]
    """
    if not _ENDS.match(text, len(text.rstrip("\"'”’»)]」』")) - 1):  # noqa: RUF001 - as above
        return False
    words = text.split(maxsplit=2)
    capital = text.lstrip("\"'“‘«([「『")[:1].isupper()  # noqa: RUF001 - as above
    return len(words) > (1 if capital else 2) or _ENDS_ALWAYS.search(text) is not None


def sentences_and_tag(part: str) -> Iterator[tuple[str, str]]:
    """Split the text between two separators into sentences and a tag, each with its white space.

    Example:
        >>> list(sentences_and_tag("A dog runs on a beach. golden hour"))
        [('', ''), ('A dog runs on a beach.', ' '), ('golden hour', '')]
    """
    start = len(part) - len(part.lstrip())
    yield "", part[:start]
    for end in _ENDS.finditer(part):
        if end.start() >= start and is_sentence(sentence := part[start : end.start(1)]):
            yield sentence, end[1]
            start = end.end()
    rest = part[start:].rstrip()
    yield rest, part[start + len(rest) :]
