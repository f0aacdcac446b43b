from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagsight.errors import DataError
from tagsight.sidecars.edit import Tag
from tagsight.sidecars.text import add_tags, remove_tags, tags_of

TAGS = st.lists(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6),
    min_size=1,
    max_size=5,
    unique_by=str.casefold,
)


def added(before: bytes | None, *names: str, **settings: object) -> bytes | None:
    edit = add_tags(before, [Tag(name, 0.9) for name in names], **settings)
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
    ],
)
def test_tags_come_behind_those_that_are_there(before: bytes | None, after: bytes | None):
    assert added(before, "dog", "grass") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, b"dog"), (b"red\n", b"dog\n"), (b"DOG", None), (b"dog, red", b"dog")],
)
def test_or_in_their_place(before: bytes | None, after: bytes | None):
    assert added(before, "dog", existing="replace") == after


def test_or_only_where_there_is_no_file():
    assert added(b"red", "dog", existing="keep") is None
    assert added(None, "dog", existing="keep") == b"dog"


@pytest.mark.parametrize("separator", [", ", ",", ";", " ", "\n"])
def test_any_separator_is_read_and_written(separator: str):
    content = added(separator.join(["red", "sky"]).encode(), "dog", separator=separator)
    assert content == separator.join(["red", "sky", "dog"]).encode()
    assert added(content, "dog", "sky", separator=separator) is None


def test_a_label_that_is_declined_is_not_put_there():
    assert added(b"red", "dog", "cat", declined={"Dog"}) == b"red, cat"
    assert added(b"red", "dog", declined={"dog"}) is None


@given(TAGS, TAGS)
def test_taking_out_gives_the_tags_of_before(there: list[str], names: list[str]):
    before = ", ".join(there).encode()
    edit = add_tags(before, [Tag(name, 0.5) for name in names])
    if edit is None:
        assert {n.casefold() for n in names} <= {w.casefold() for w in there}
    else:
        assert remove_tags(edit.content, edit.additions) == before
        assert add_tags(edit.content, [Tag(name, 0.5) for name in names]) is None


def test_what_came_since_stays_when_ours_is_taken_out():
    edit = add_tags(b"red\n", [Tag("dog", 0.9)])
    assert edit is not None
    assert remove_tags(b"red, dog, mine\n", edit.additions) == b"red, mine\n"
    assert remove_tags(b"red, mine\n", edit.additions) == b"red, mine\n"
    assert remove_tags(b"dog", edit.additions) == b""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"first line\nsecond line\n", "expected one line of tags, got several"),
        (b"caf\xe9", "expected tags in UTF-8"),
        (b"a\x00b", "expected one line of tags"),
        (b"a" * (2**20 + 1), "got a file of 1,048,577 bytes"),
    ],
)
def test_a_text_of_another_kind_is_refused(content: bytes, message: str):
    for existing in ("append", "replace"):
        with pytest.raises(DataError, match=message):
            added(content, "dog", existing=existing)
    with pytest.raises(DataError, match=message):
        tags_of(content)
