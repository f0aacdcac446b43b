"""Tags in text files beside photos, on one line, as those who train image generators keep them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Addition, Edit, check_names, same

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tagsight.tagging.sidecars.edit import Existing, Tag

LARGEST = 2**20
"""Bytes of a tag file; a longer one is something else."""

_MARK = "\ufeff"
_ENDS = re.compile(r"[.!?…。！？][\"'”’»)\]」』]*(\s+|$)")  # noqa: RUF001 - as other scripts write them
_ENDS_ALWAYS = re.compile(r"[。！？][\"'”’»)\]」』]*$")  # noqa: RUF001 - between them there are no blanks
_IN_TAGS = re.compile(r"[\w\\()\[\]{}]|(?![\t\r\n])[\x00-\x1f\x7f]")
_BACKSLASHED = re.compile(r"\\([()\[\]{}])")


class _Line(NamedTuple):
    """The words of a file and what stands around them, so that nothing else need change.

    Attributes:
        gaps: Before the first word, between the words and behind the last: one more than words.
        words: Tags and sentences, without white space around them.
    """

    gaps: list[str]
    words: list[str]

    def content(self) -> bytes:
        """All of the file."""
        between = zip(self.gaps[1:], self.words, strict=True)
        return "".join([self.gaps[0], *(word + gap for gap, word in between)]).encode()


def add_tags(
    content: bytes | None,
    tags: Sequence[Tag],
    *,
    separator: str = ", ",
    existing: Existing = "append",
    declined: Collection[str] = (),
) -> Edit | None:
    """Put tags into a text file.

    They come behind the last word, before a separator or white space at the end; behind a sentence
    after a blank instead of the separator.

    Args:
        content: Of the file; None if there is none.
        tags: The labels.
        separator: What stands between two tags.
        existing: ``append`` puts tags that are not there behind those that are, ``replace`` takes
            the place of all that is there, ``keep`` leaves a file that is there alone.
        declined: Labels that are not put there.

    Returns:
        The new content and what was added, or None if nothing changes.

    Raises:
        DataError: If the content is no line of tags, or a tag could not be read back.
    """
    line = _parsed(content or b"", separator)
    if content is not None and existing == "keep":
        return None
    refused = {alike(name) for name in declined}
    wanted = {alike(tag.name): tag.name for tag in tags if alike(tag.name) not in refused}
    there = {alike(word) for word in line.words}
    if existing == "replace" and there == wanted.keys():
        return None
    new = [name for word, name in wanted.items() if word not in there]
    if not new and existing == "append":
        return None
    check_tags(wanted.values(), separator)
    if existing == "replace":
        end = "\n" if content and content.endswith(b"\n") else ""
        line = _parsed(end.encode(), separator)
        _append(line, list(wanted.values()), separator)
    else:
        _append(line, new, separator)
    edited = line.content()
    _parsed(edited, separator)  # or it could not be read again, nor taken back
    return Edit(edited, tuple(new), tuple(Addition("", name) for name in new))


def remove_tags(content: bytes, additions: Collection[Addition], *, separator: str = ", ") -> bytes:
    """Take out what was added, and leave whatever else has come since.

    Raises:
        DataError: If the content is no line of tags.
    """
    line = _parsed(content, separator)
    for added in additions:
        if added.value in line.words:
            _remove(line, line.words.index(added.value))
    return line.content()


def restore_tags(
    before: bytes, content: bytes, additions: Collection[Addition], *, separator: str = ", "
) -> bytes:
    """Give back a file whose tags were replaced, with what has come since behind its own.

    Args:
        before: What was replaced.
        content: What is there now.
        additions: What was put in its place and was not there before.
        separator: What stands between two tags.

    Raises:
        DataError: If one of them is no line of tags.
    """
    line = _parsed(before, separator)
    known = {alike(word) for word in (*line.words, *(added.value for added in additions))}
    since = [word for word in _parsed(content, separator).words if alike(word) not in known]
    _append(line, since, separator)
    return line.content()


def tags_of(content: bytes, *, separator: str = ", ") -> list[str]:
    """The tags of a file, in their order; a sentence is one of them.

    Raises:
        DataError: If the content is no line of tags.
    """
    return _parsed(content, separator).words


def separator_of(text: str) -> str:
    r"""Read a separator as it is typed: ``\n``, ``\r\n`` and ``\t`` mean what they stand for.

    >>> separator_of("\\n"), separator_of("; ")
    ('\n', '; ')

    Raises:
        DataError: If it is nothing, or could be part of a tag.
    """
    separator = text
    for written, meant in {r"\r": "\r", r"\n": "\n", r"\t": "\t"}.items():
        separator = separator.replace(written, meant)
    if not separator or _IN_TAGS.search(separator):
        msg = (
            "expected punctuation, white space or \\n between two tags as --separator, "
            f"got {text!r}"
        )
        raise DataError(msg)
    return separator


def alike(word: str) -> str:
    r"""What is equal for tags that programs write differently.

    >>> alike("Guide_dog  \\(small\\)") == alike("guide dog (small)")
    True
    """
    return same(_BACKSLASHED.sub(r"\1", word).replace("_", " "))


def check_tags(tags: Collection[str], separator: str) -> None:
    """Refuse tags that would not be read back as they are.

    Raises:
        DataError: If there are such.
    """
    check_names(tags)
    for tag in tags:
        if tags_of(tag.encode(), separator=separator) != [tag]:
            msg = (
                f"expected tags that do not hold the separator {separator!r}, got {tag!r}: give "
                f"another --separator, or another tag in its place with --replace {tag!r}=..."
            )
            raise DataError(msg)


def is_sentence(text: str) -> bool:
    """Whether a text is a sentence and no tag.

    It ends as sentences do, and has three words or more, or two of which the first begins with a
    capital letter.

    >>> is_sentence("a dog sits on the grass."), is_sentence("k-on!"), is_sentence("St. Bernard")
    (True, False, False)
    """
    if not _ENDS.match(text, len(text.rstrip("\"'”’»)]」』")) - 1):  # noqa: RUF001 - as above
        return False
    words = text.split(maxsplit=2)
    capital = text.lstrip("\"'“‘«([「『")[:1].isupper()  # noqa: RUF001 - as above
    return len(words) > (1 if capital else 2) or _ENDS_ALWAYS.search(text) is not None


def _parsed(content: bytes, separator: str) -> _Line:
    if len(content) > LARGEST:
        msg = f"expected a line of tags, got a file of {len(content):,} bytes"
        raise DataError(msg)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        msg = "expected tags in UTF-8, got something else"
        raise DataError(msg) from error
    begin = _MARK if text.startswith(_MARK) else ""
    text = text.removeprefix(_MARK)
    mark = _mark(separator)
    if "\x00" in text or ("\n" not in mark and len(text.strip().splitlines()) > 1):
        msg = "expected one line of tags, got several lines"
        raise DataError(msg)
    line = _Line([begin], [])
    for place, part in enumerate(text.split(mark)):
        line.gaps[-1] += mark if place else ""
        for word, space in _words(part):
            if word:
                line.words.append(word)
                line.gaps.append(space)
            else:
                line.gaps[-1] += space
    return line


def _mark(separator: str) -> str:
    """What tells two tags apart: the separator but for the blanks around it."""
    return "\n" if "\n" in separator else separator.strip() or separator


def _words(part: str) -> Iterator[tuple[str, str]]:
    """What stands between two marks: sentences or a tag, each with the white space behind it."""
    start = len(part) - len(part.lstrip())
    yield "", part[:start]
    for end in _ENDS.finditer(part):
        if end.start() >= start and is_sentence(sentence := part[start : end.start(1)]):
            yield sentence, end[1]
            start = end.end()
    rest = part[start:].rstrip()
    yield rest, part[start + len(rest) :]


def _append(line: _Line, words: Sequence[str], separator: str) -> None:
    if "\n" in separator:
        separator = "\r\n" if any("\r\n" in gap for gap in line.gaps) else "\n"
    for word in words:
        last = line.gaps.pop()
        if not line.words:
            line.gaps.extend(_around(last))
        else:
            told_apart = "\n" not in separator and is_sentence(line.words[-1])
            line.gaps.extend([" " if told_apart else separator, last])
        line.words.append(word)


def _around(gap: str) -> list[str]:
    """What stands before and behind the first word of a file without words."""
    rest = gap.removeprefix(_MARK)
    before = len(rest) - len(rest.lstrip()) if rest.strip() else 0
    return [gap[: len(gap) - len(rest)] + rest[:before], rest[before:]]


def _remove(line: _Line, place: int) -> None:
    """Take out a word, with what stands before it; behind a sentence with what comes after it."""
    del line.words[place]
    if not line.words:
        line.gaps[:] = ["".join(line.gaps)]
        return
    is_last = place == len(line.words)
    behind_sentence = place > 0 and line.gaps[place].isspace()
    forward = place == 0 or (behind_sentence and not is_last)
    del line.gaps[place + 1 if forward else place]
