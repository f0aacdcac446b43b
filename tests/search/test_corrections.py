import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.errors import DataError
from tagsight.search.corrections import corrections
from tagsight.search.expression import UnknownLabelError, parse, written
from tagsight.search.spelling import similar_names

NAMES = ("dog", "cat", "dining table", "potted plant", "not a label", "it's", "1st")


def meant(text: str) -> list[str]:
    with pytest.raises(UnknownLabelError) as raised:
        parse(text, NAMES)
    return corrections(raised.value, NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dgo", "dog"),
        ("dogs", "dog"),
        ("table", '"dining table"'),
        ("(cta or dgo) and not plant >= 0.7", '(cat or dog) and not "potted plant" >= 0.7'),
        ("cat dog", "cat and dog"),
        ("'dinning tabel' or dog", '"dining table" or dog'),
    ],
)
def test_misspelt_incomplete_and_unconnected_names_are_understood(text, expected):
    assert meant(text)[0] == expected


@pytest.mark.parametrize("text", ["zebra", "dgo and zebra", "dgo and (cat", "x" * 9000])
def test_nothing_is_offered_that_would_be_refused(text):
    assert meant(text) == []


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_what_is_offered_is_always_understood(text):
    try:
        parse(text, NAMES)
    except UnknownLabelError as error:
        start, end = error.span
        assert 0 <= start < end <= len(text)
        for offered in corrections(error, NAMES):
            parse(offered, NAMES)
    except DataError:
        pass


@pytest.mark.parametrize("name", NAMES)
def test_a_label_that_is_written_as_an_expression_is_read_as_itself(name):
    assert parse(written(name), NAMES).name == name


def test_names_with_the_words_come_before_names_spelt_alike():
    assert similar_names("plant", ("plank", "potted plant")) == ["potted plant", "plank"]
