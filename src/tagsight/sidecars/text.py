"""Tags in text files beside photos, on one line, as those who train image generators keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tagsight.errors import DataError
from tagsight.sidecars.edit import Addition, Edit, same

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tagsight.sidecars.edit import Tag

Existing = Literal["append", "replace", "keep"]

LARGEST = 2**20
"""Bytes of a tag file; a longer one is something else."""

_MARK = b"\xef\xbb\xbf"


def add_tags(
    content: bytes | None,
    tags: Sequence[Tag],
    *,
    separator: str = ", ",
    existing: Existing = "append",
    declined: Collection[str] = (),
) -> Edit | None:
    """Put tags into a text file.

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
        DataError: If the content is no line of tags.
    """
    words = tags_of(content, separator=separator) if content is not None else []
    if content is not None and existing == "keep":
        return None
    refused = {same(name) for name in declined}
    wanted = {same(tag.name): tag.name for tag in tags if same(tag.name) not in refused}
    there = {same(word) for word in words}
    if existing == "replace" and there == wanted.keys():
        return None
    new = [name for word, name in wanted.items() if word not in there]
    if not new and existing == "append":
        return None
    if existing == "replace":
        line = separator.join(wanted.values()).encode()
        edited = line + b"\n" if content and content.endswith(b"\n") else line
    else:
        kept = (content or b"").rstrip()
        end = (content or b"")[len(kept) :]
        edited = kept + _joined([*([""] if words else []), *new], separator) + end
    return Edit(edited, tuple(new), tuple(Addition("", name) for name in new))


def remove_tags(content: bytes, additions: Collection[Addition], *, separator: str = ", ") -> bytes:
    """Take out what was added, and leave whatever else has come since.

    Raises:
        DataError: If the content is no line of tags.
    """
    gone = {same(added.value) for added in additions}
    words = tags_of(content, separator=separator)
    kept = [word for word in words if same(word) not in gone]
    if len(kept) == len(words):
        return content
    end = content[len(content.rstrip()) :]
    mark = _MARK if content.startswith(_MARK) else b""
    return mark + _joined(kept, separator) + end


def tags_of(content: bytes, *, separator: str = ", ") -> list[str]:
    """The tags of a file, in their order.

    Raises:
        DataError: If the content is no line of tags.
    """
    if len(content) > LARGEST:
        msg = f"expected a line of tags, got a file of {len(content):,} bytes"
        raise DataError(msg)
    try:
        text = content.removeprefix(_MARK).decode()
    except UnicodeDecodeError as error:
        msg = "expected tags in UTF-8, got something else"
        raise DataError(msg) from error
    mark = separator.strip() or separator
    if "\x00" in text or ("\n" not in mark and len(text.strip().splitlines()) > 1):
        msg = "expected one line of tags, got several lines"
        raise DataError(msg)
    return [word for part in text.split(mark) if (word := part.strip())]


def _joined(words: Sequence[str], separator: str) -> bytes:
    return separator.join(words).encode()
