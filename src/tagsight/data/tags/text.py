"""Text of tags: levels of a path, words that count as the same, and sentences between tags."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tagsight.data.format import Level

LARGEST = 2**20
"""Most bytes of a tag file; a longer file is something else."""

MARK = "\ufeff"
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)\]」』]*(\s+|$)")  # noqa: RUF001 - punctuation of other scripts
_ENDS_ALWAYS = re.compile(r"[。！？][\"'”’»)\]」』]*$")  # noqa: RUF001 - scripts without spaces
_BACKSLASHED = re.compile(r"\\([()\[\]{}])")


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
        >>> alike("Guide_dog  \\(small\\)") == alike("guide dog (small)")
        True
    """
    return same(unescaped(word).replace("_", " "))


def unescaped(word: str) -> str:
    r"""Remove the backslashes before brackets, which prompts of image generators need.

    Example:
        >>> unescaped("dog \\(small\\)")
        'dog (small)'
    """
    return _BACKSLASHED.sub(r"\1", word)


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
