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
def test_tags_come_behind_those_that_are_there(before, after):
    assert added(before, "dog", "grass") == after


REPLACE, KEEP = {"existing": "replace"}, {"existing": "keep"}


@pytest.mark.parametrize(
    ("before", "names", "options", "after"),
    [
        (None, "dog", REPLACE, b"dog"),
        (b"red\n", "dog", REPLACE, b"dog\n"),
        (b"DOG", "dog", REPLACE, None),
        (b"dog, red", "dog", REPLACE, b"dog"),
        (b"red", "dog", KEEP, None),
        (None, "dog", KEEP, b"dog"),
        (b"red", "dog|cat", {"declined": {"Dog"}}, b"red, cat"),
        (b"red", "dog", {"declined": {"dog"}}, None),
        (b"red,sky", "dog", {"separator": ","}, b"red,sky,dog"),
        (b"red,sky,dog", "dog|sky", {"separator": ","}, None),
        (b"red sky", "dog", {"separator": " "}, b"red sky dog"),
        (b"red\r\nsky\r\n", "dog", {"separator": "\n"}, b"red\r\nsky\r\ndog\r\n"),
        (b"red\nsky", "dog", {"separator": "\r\n"}, b"red\nsky\ndog"),
        # Spellings of other programs are the same tag.
        (b"guide_dog", "guide dog", {}, None),
        (b"dog \\(small\\)", "dog (small)", {}, None),
        (b"DOG  (small)", "dog \\(small\\)", {}, None),
        (b"a \\[b\\]", "A_[b]", {}, None),
        (b"(dog:1.2), [sky]", "dog|sky", {}, None),
        (b"((guide_dog)), x", "guide dog", {}, None),
        (b"(sky, dog:1.3)", "dog", {}, None),
        (b"#dog, x", "dog", {}, None),
        (b'"dog", x', "dog", {}, None),
        (b"dog,\nsky,\n", "dog|sky", {"separator": "\n"}, None),
        # A file keeps its encoding.
        *(
            (f"{mark}größe\r\n".encode(kind), "dog", {}, f"{mark}größe, dog\r\n".encode(kind))
            for kind in ("utf-16-le", "utf-16-be", "utf-32-le")
            for mark in ("", "\ufeff")
        ),
        ("red\r\n".encode("utf-16"), "dog", REPLACE, "dog\r\n".encode("utf-16")),
    ],
)
def test_tags_come_as_the_options_say(before, names, options, after):
    assert added(before, *names.split("|"), **options) == after


PIECES = [*'ab,.!? "\r\n\t_()\\', "。", "dog", "Dog ", "A dog sits.", ", "]
CONTENTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
SEPARATORS = st.sampled_from([", ", ",", ";", "; ", " | ", "\n", "\r\n", " ", "\t"])


@settings(max_examples=150)
@given(CONTENTS, TAGS, SEPARATORS, st.sampled_from(["", "\ufeff"]))
def test_taking_out_what_was_added_gives_every_byte_back(text, names, separator, mark):
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


@settings(max_examples=80)
@given(CONTENTS, TAGS, TAGS, SEPARATORS)
def test_what_was_replaced_comes_back_with_what_has_come_since(text, names, since, separator):
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


def test_a_separator_is_parsed_with_its_escapes():
    for text in ("\n", "\r\n", "\t", " | "):
        assert separator_of(text) == separator_of(repr(text)[1:-1]) == text
    for text in ("", "and", "_", "\\x", "(", "\x00"):
        with pytest.raises(DataError, match=r"expected punctuation.*`separator`"):
            separator_of(text)


@pytest.mark.parametrize(
    ("content", "name", "separator", "message"),
    [
        # A tag that could not be read back.
        *(
            (b"red", name, separator, "got .*`replace`")
            for name, separator in (
                *(("dog,small", ","), ("guide dog", " "), ("dog\nsmall", "\n")),
                *((name, ", ") for name in ("dog, small", "A dog sits. It barks.", "dog\x1b")),
                *((name, ", ") for name in ("dog\udcff", "animal/")),
            )
        ),
        (b"first line\nsecond line\n", "dog", ", ", r"expected one line .*`separator` \\n writes"),
        (b"caf\xe9", "dog", ", ", "expected tags in UTF-8, .* save the file as UTF-8"),
        (b"a\x00b", "dog", ", ", "expected one line of tags"),
        (b"0 0.5 0.5 0.1 0.1\n", "dog", ", ", "got boxes of numbers, as in label files of YOLO"),
        (b'{"tags": ["red", "cat"]}', "dog", ", ", "expected tags, got JSON"),
        (b"<html></html>", "dog", ", ", "got XML or a web page"),
        (b"a" * (2**20 + 1), "dog", ", ", "got a file of 1,048,577 bytes"),
    ],
)
@pytest.mark.parametrize("existing", ["append", "replace"])
def test_what_is_no_line_of_tags_is_refused(content, name, separator, message, existing):
    with pytest.raises(DataError, match=message):
        added(content, name, separator=separator, existing=existing)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("red; sky", ";"),
        ("red|sky", "|"),
        ("red\tsky", "\\t"),
        ("红、天", "、"),
        ("1girl a_b", " "),
    ],
)
def test_tags_are_not_added_between_other_separators_than_a_file_has(content, got):
    with pytest.raises(DataError) as caught:
        added(content.encode(), "dog")
    assert str(caught.value) == f"expected ', ' between tags, got '{got}': give it as `separator`"
    assert added(content.encode(), "dog", existing="replace") == b"dog"
    separator = got.replace("\\t", "\t")
    assert (
        added(content.encode(), "dog", separator=separator) == f"{content}{separator}dog".encode()
    )


def test_a_line_that_would_become_too_long_is_refused():
    with pytest.raises(DataError, match="expected a line of tags, got a file of 1,048,5"):
        added(b"a" * (2**20 - 2), "dog")
