from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.errors import DataError
from tagsight.tagging.sidecars.edit import Tag
from tagsight.tagging.sidecars.text import (
    add_tags,
    alike,
    remove_tags,
    restore_tags,
    separator_of,
    tags_of,
)

TAGS = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
    unique_by=str.casefold,
)


def added(before: bytes | None, *names: str, **options: object) -> bytes | None:
    edit = add_tags(before, [Tag(name, 0.9) for name in names], **options)
    return None if edit is None else edit.content


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b"dog, grass"),
        (b"", b"dog, grass"),
        (b"a photo,  red", b"a photo,  red, dog, grass"),
        (b"red, Dog\n", b"red, Dog, grass\n"),
        (b"\xef\xbb\xbfred\r\n", b"\xef\xbb\xbfred, dog, grass\r\n"),
        (b"dog, grass", None),
        (b"GRASS,dog,", None),
        (b"red, sky,", b"red, sky, dog, grass,"),
        (b"red, sky, \r\n", b"red, sky, dog, grass, \r\n"),
        (b"red,, sky", b"red,, sky, dog, grass"),
        (b",\n", b"dog, grass,\n"),
        (b"\n,", b"\ndog, grass,"),
        (b"\n\n", b"dog, grass\n\n"),
        (b"A dog sits on the lawn.", b"A dog sits on the lawn. dog, grass"),
        (b"A dog, a cat and a ball!\n", b"A dog, a cat and a ball! dog, grass\n"),
        (b"Good boy. He sits.", b"Good boy. He sits. dog, grass"),
        ("犬がいる。".encode(), "犬がいる。 dog, grass".encode()),
        (b'he said "sit down."', b'he said "sit down." dog, grass'),
        (b"1girl, k-on!", b"1girl, k-on!, dog, grass"),
        (b"St. Bernard", b"St. Bernard, dog, grass"),
        (b"A dog sits on the lawn. dog", b"A dog sits on the lawn. dog, grass"),
        (b"Grass_, DOG", None),
    ],
)
def test_tags_come_behind_those_that_are_there(before: bytes | None, after: bytes | None):
    assert added(before, "dog", "grass") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, b"dog"), (b"red\n", b"dog\n"), (b"DOG", None), (b"dog, red", b"dog")],
)
def test_tags_replace_those_that_are_there(before: bytes | None, after: bytes | None):
    assert added(before, "dog", existing="replace") == after


def test_an_existing_file_is_kept():
    assert added(b"red", "dog", existing="keep") is None
    assert added(None, "dog", existing="keep") == b"dog"


def test_a_declined_label_is_not_added():
    assert added(b"red", "dog", "cat", declined={"Dog"}) == b"red, cat"
    assert added(b"red", "dog", declined={"dog"}) is None


@pytest.mark.parametrize(
    ("before", "separator", "after"),
    [
        (b"red,sky", ",", b"red,sky,dog"),
        (b"red sky", " ", b"red sky dog"),
        (b"red\r\nsky\r\n", "\n", b"red\r\nsky\r\ndog\r\n"),
        (b"red\nsky", "\r\n", b"red\nsky\ndog"),
    ],
)
def test_any_separator_is_read_and_written(before: bytes, separator: str, after: bytes):
    assert added(before, "dog", separator=separator) == after
    assert added(after, "dog", "sky", separator=separator) is None


PIECES = [*'ab,.!? "\r\n\t_()\\', "。", "dog", "Dog ", "A dog sits.", ", "]
CONTENTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
SEPARATORS = st.sampled_from([", ", ",", ";", "; ", " | ", "\n", "\r\n", " ", "\t"])


@settings(max_examples=150, deadline=None)
@given(CONTENTS, TAGS, SEPARATORS, st.sampled_from(["", "\ufeff"]))
def test_taking_out_what_was_added_gives_every_byte_back(
    text: str, names: list[str], separator: str, mark: str
):
    before = (mark + text).encode()
    tags = [Tag(name, 0.5) for name in names]
    try:
        edit = add_tags(before, tags, separator=separator)
    except DataError:
        return
    words = {alike(word) for word in tags_of(before, separator=separator)}
    if edit is None:
        assert {alike(name) for name in names} <= words
        return
    assert remove_tags(edit.content, edit.additions, separator=separator) == before
    assert add_tags(edit.content, tags, separator=separator) is None
    there = tags_of(edit.content, separator=separator)
    assert [word for word in there if word not in edit.names] == tags_of(
        before, separator=separator
    )


@settings(max_examples=80, deadline=None)
@given(CONTENTS, TAGS, TAGS, SEPARATORS)
def test_what_was_replaced_comes_back_with_what_has_come_since(
    text: str, names: list[str], since: list[str], separator: str
):
    before = text.encode()
    try:
        edit = add_tags(
            before, [Tag(name, 0.5) for name in names], separator=separator, existing="replace"
        )
    except DataError:
        return
    if edit is None:
        return
    assert restore_tags(before, edit.content, edit.additions, separator=separator) == before
    later = add_tags(edit.content, [Tag(name, 0.5) for name in since], separator=separator)
    now = edit.content if later is None else later.content
    restored = restore_tags(before, now, edit.additions, separator=separator)
    words = {alike(word) for word in tags_of(restored, separator=separator)}
    kept = {*tags_of(before, separator=separator), *(since if later else ())} - set(names)
    assert {alike(word) for word in kept} - {alike(name) for name in names} <= words


def test_only_what_we_added_is_removed():
    edit = add_tags(b"red\n", [Tag("guide dog", 0.9)])
    assert edit is not None
    for before, after in (
        (b"red, guide dog, mine\n", b"red, mine\n"),
        (b"red, mine\n", b"red, mine\n"),
        (b"red, Guide_Dog", b"red, Guide_Dog"),
        (b"guide dog", b""),
    ):
        assert remove_tags(before, edit.additions) == after


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ("guide_dog", "guide dog"),
        ("dog \\(small\\)", "dog (small)"),
        ("DOG  (small)", "dog \\(small\\)"),
        ("a \\[b\\]", "A_[b]"),
    ],
)
def test_spellings_of_other_programs_are_the_same_tag(there: str, name: str):
    assert added(there.encode(), name) is None


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        ("dog, small", ", "),
        ("dog,small", ","),
        ("guide dog", " "),
        ("dog\nsmall", "\n"),
        ("A dog sits. It barks.", ", "),
        ("dog\x1b", ", "),
        ("dog\udcff", ", "),
        ("animal/", ", "),
    ],
)
def test_a_tag_that_could_not_be_read_back_is_refused(name: str, separator: str):
    with pytest.raises(DataError, match=r"got .*`replace`"):
        added(b"red", name, separator=separator)


def test_a_separator_is_parsed_with_its_escapes():
    for text in ("\n", "\r\n", "\t", " | "):
        assert separator_of(text) == separator_of(repr(text)[1:-1]) == text
    for text in ("", "and", "_", "\\x", "(", "\x00"):
        with pytest.raises(DataError, match=r"expected punctuation.*`separator`"):
            separator_of(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"first line\nsecond line\n", "expected one line of tags, got several"),
        (b"caf\xe9", "expected tags in UTF-8"),
        (b"a\x00b", "expected one line of tags"),
        (b"a" * (2**20 + 1), "got a file of 1,048,577 bytes"),
        (b"a" * (2**20 - 2), "expected a line of tags, got a file of 1,048,5"),
    ],
)
def test_other_content_is_refused_and_never_written(content: bytes, message: str):
    with pytest.raises(DataError, match=message):
        added(content, "dog")
    if len(content) != 2**20 - 2:
        with pytest.raises(DataError, match=message):
            added(content, "dog", existing="replace")
