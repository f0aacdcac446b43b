"""Tags on one line of a text file beside the photo, as used to train image generators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tagsight.data.tags.encoding import unicode_encoding
from tagsight.data.tags.text import (
    LARGEST,
    MARK,
    alike,
    has_blanks_between,
    is_sentence,
    require_tags,
    sentences_and_tag,
    separators_in,
)
from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Addition, Edit, check_names

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tagsight.tagging.sidecars.edit import Existing, Tag

_IN_TAGS = re.compile(r"[\w\\()\[\]{}]|(?![\t\r\n])[\x00-\x1f\x7f]")


class _Line(NamedTuple):
    """Words of a file and the text between them, which an edit leaves unchanged.

    Attributes:
        gaps: Text before the first word, between words and after the last; one more than words.
        words: Tags and sentences, without surrounding white space.
        encoding: Encoding of the file.
    """

    gaps: list[str]
    words: list[str]
    encoding: str

    def content(self) -> bytes:
        """Return the content of the file."""
        between = zip(self.gaps[1:], self.words, strict=True)
        text = "".join([self.gaps[0], *(word + gap for gap, word in between)])
        return text.encode(self.encoding)


def add_tags(
    content: bytes | None,
    tags: Sequence[Tag],
    *,
    separator: str = ", ",
    existing: Existing = "append",
    declined: Collection[str] = (),
) -> Edit | None:
    """Add tags to a text file.

    They are inserted after the last word, before any separator or white space at the end. After a
    sentence, a space stands in place of the separator.

    Args:
        content: Content of the file; None if there is no file.
        tags: The labels.
        separator: Text between two tags.
        existing: ``append`` adds tags that are not in the file, ``replace`` replaces its content,
            ``keep`` leaves an existing file unchanged.
        declined: Labels that are not added.

    Returns:
        The new content and what is new in it, or None if nothing changes.

    Raises:
        DataError: If the content is not a line of tags, or a tag could not be read back.

    Example:
        >>> from tagsight.tagging.sidecars.edit import Tag
        >>> add_tags(b"red, Dog", [Tag("dog", 0.9), Tag("cat", 0.8)]).content
        b'red, Dog, cat'
    """
    line = _parsed(content or b"", separator)
    if content is not None and existing == "keep":
        return None
    require_tags(content.decode(line.encoding) if content else "")
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
        begin, end = MARK if line.gaps[0].startswith(MARK) else "", line.gaps[-1]
        line = _Line([begin + end[len(end.rstrip("\r\n")) :]], [], line.encoding)
        _append(line, list(wanted.values()), separator)
    else:
        _check_separator(line, separator)
        _append(line, new, separator)
    edited = line.content()
    _parsed(edited, separator)  # refuse what could not be read back and undone
    return Edit(edited, tuple(new), tuple(Addition("", name) for name in new))


def remove_tags(content: bytes, additions: Collection[Addition], *, separator: str = ", ") -> bytes:
    """Remove tags that were added, and keep everything else.

    Raises:
        DataError: If the content is not a line of tags.

    Example:
        >>> remove_tags(b"red, dog, mine", [Addition("", "dog")])
        b'red, mine'
    """
    line = _parsed(content, separator)
    for added in additions:
        if added.value in line.words:
            _remove(line, line.words.index(added.value))
    return line.content()


def restore_tags(
    before: bytes, content: bytes, additions: Collection[Addition], *, separator: str = ", "
) -> bytes:
    """Restore content that was replaced, and append tags that were added since.

    Args:
        before: Content that was replaced.
        content: Present content.
        additions: Tags that replaced it and were not in it.
        separator: Text between two tags.

    Raises:
        DataError: If one of the contents is not a line of tags.

    Example:
        >>> restore_tags(b"red", b"dog, mine", [Addition("", "dog")])
        b'red, mine'
    """
    line = _parsed(before, separator)
    known = {alike(word) for word in (*line.words, *(added.value for added in additions))}
    since = [word for word in _parsed(content, separator).words if alike(word) not in known]
    _append(line, since, separator)
    return line.content()


def tags_of(content: bytes, *, separator: str = ", ") -> list[str]:
    """Return the tags of a file, in order; a sentence counts as one tag.

    Raises:
        DataError: If the content is not a line of tags.

    Example:
        >>> tags_of(b"A dog sits. guide dog, grass")
        ['A dog sits.', 'guide dog', 'grass']
    """
    return _parsed(content, separator).words


def separator_of(text: str) -> str:
    r"""Parse a separator that a user has typed, with the escapes ``\n``, ``\r`` and ``\t``.

    Raises:
        DataError: If it is empty, or could be part of a tag.

    Example:
        >>> separator_of("\\n"), separator_of("; ")
        ('\n', '; ')
    """
    separator = text
    for written, meant in {r"\r": "\r", r"\n": "\n", r"\t": "\t"}.items():
        separator = separator.replace(written, meant)
    if not separator or _IN_TAGS.search(separator):
        msg = (
            "expected punctuation, white space or \\n between two tags as `separator`, "
            f"got {text!r}"
        )
        raise DataError(msg)
    return separator


def check_tags(tags: Collection[str], separator: str) -> None:
    """Check that tags can be read back from a file.

    Raises:
        DataError: If one cannot.

    Example:
        >>> check_tags(["dog", "polar bear"], ", ")
        >>> try:
        ...     check_tags(["dog, wet"], ", ")
        ... except DataError as error:
        ...     print(str(error).partition(":")[0])
        expected tags without the separator ', ', got 'dog, wet'
    """
    check_names(tags)
    for tag in tags:
        if tags_of(tag.encode(), separator=separator) != [tag]:
            msg = (
                f"expected tags without the separator {separator!r}, got {tag!r}: choose another "
                "`separator`, or write another tag in its place with `replace`"
            )
            raise DataError(msg)


def _parsed(content: bytes, separator: str) -> _Line:
    if len(content) > LARGEST:
        msg = f"expected a line of tags, got a file of {len(content):,} bytes"
        raise DataError(msg)
    encoding = unicode_encoding(content) or "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        msg = "expected tags in UTF-8, got something else: save the file as UTF-8"
        raise DataError(msg) from error
    begin = MARK if text.startswith(MARK) else ""
    text = text.removeprefix(MARK)
    mark = _mark(separator)
    if "\x00" in text:
        msg = "expected one line of tags, got bytes that are no text"
        raise DataError(msg)
    if "\n" not in mark and len(text.strip().splitlines()) > 1:
        msg = r"expected one line of tags, got several lines; `separator` \n writes a tag a line"
        raise DataError(msg)
    line = _Line([begin], [], encoding)
    for place, part in enumerate(text.split(mark)):
        line.gaps[-1] += mark if place else ""
        for word, space in sentences_and_tag(part):
            if word:
                line.words.append(word)
                line.gaps.append(space)
            else:
                line.gaps[-1] += space
    return line


def _check_separator(line: _Line, separator: str) -> None:
    """Check that the tags of a file are not separated otherwise: it would hold both kinds.

    Raises:
        DataError: If they are.
    """
    if len(line.words) != 1 or is_sentence(word := line.words[0]):
        return
    other = next((mark for mark in separators_in(word) if mark in word), "")
    if not other and has_blanks_between(word):
        other = " "
    if other and other not in _mark(separator):
        msg = f"expected {separator!r} between tags, got {other!r}: give it as `separator`"
        raise DataError(msg)


def _mark(separator: str) -> str:
    """Return the separator without the spaces around it, which files may write differently."""
    return "\n" if "\n" in separator else separator.strip() or separator


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
    """Split the content of a file without words into what is before and after the first word."""
    rest = gap.removeprefix(MARK)
    before = len(rest) - len(rest.lstrip()) if rest.strip() else 0
    return [gap[: len(gap) - len(rest)] + rest[:before], rest[before:]]


def _remove(line: _Line, place: int) -> None:
    """Remove a word with the gap before it; after a sentence, with the gap after it."""
    del line.words[place]
    if not line.words:
        line.gaps[:] = ["".join(line.gaps)]
        return
    is_last = place == len(line.words)
    behind_sentence = place > 0 and line.gaps[place].isspace()
    forward = place == 0 or (behind_sentence and not is_last)
    del line.gaps[place + 1 if forward else place]
