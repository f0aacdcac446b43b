import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.errors import DataError
from tagsight.search.expression import (
    Both,
    Either,
    Has,
    Not,
    condition,
    parse,
    quoted,
    wanted,
)

NAMES = ("dog", "cat", "dining table", "not a label", "it's")
DOG, CAT, TABLE = (Has(i, NAMES[i]) for i in range(3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" DOG ", DOG),
        ("dining table", TABLE),
        ("'dining table'", TABLE),
        ('"not a label"', Has(3, "not a label")),
        ('"it\'s"', Has(4, "it's")),
        ("dog >= 0.8", Has(0, "dog", 0.8)),
        ("dining table>=1", Has(2, "dining table", 1.0)),
        ("not dog", Not(DOG)),
        ("dog and not cat", Both((DOG, Not(CAT)))),
        ("dog or cat and dining table", Either((DOG, Both((CAT, TABLE))))),
        ("(dog or cat) and dining table", Both((Either((DOG, CAT)), TABLE))),
        ("not not dog", Not(Not(DOG))),
        ("Dog AND Cat OR dog", Either((Both((DOG, CAT)), DOG))),
    ],
)
def test_expressions_are_read_as_people_mean_them(text, expected):
    assert parse(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a label, such as 'dog', got nothing"),
        ("dog and", "got nothing"),
        ("and dog", "got 'and'"),
        ("dog cat", "expected a label of the index, got 'dog cat': did you mean 'dog'"),
        ("dog (cat)", r"expected 'and' or 'or' before '\('"),
        ("(dog", r"expected a '\)'"),
        ("dog)", r"before '\)'"),
        ("horse", "expected a label of the index, such as .* got 'horse'"),
        ("dog >= 1.5", r"expected a score in \[0, 1\] after '>=', got '1.5'"),
        ("dog >= nan", "got 'nan'"),
        ("dog >", "expected labels with and, or, not"),
        ("'dog", "expected labels with and, or, not"),
        ("(" * 60 + "dog" + ")" * 60, "at most 50 parentheses"),
        ("not " * 60 + "dog", "at most 50 parentheses"),
        ("dog or " * 2000 + "dog", "at most 10,000 characters"),
    ],
)
def test_others_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        parse(text, NAMES)


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    with contextlib.suppress(DataError):
        parse(text, NAMES)


def test_the_labels_to_be_found_are_those_that_are_not_denied_and_the_database_is_asked_for():
    for text, found in {
        "dog and not (cat or dining table)": {0},
        "dog or dining table": {0, 2},
        "not dog": set(),
    }.items():
        assert wanted(parse(text, NAMES)) == found
    assert condition(parse("dog and not (cat or 'dining table' >= 0.5)", NAMES)) == (
        "(array_has(labels, 'dog')) AND (NOT ((array_has(labels, 'cat')) OR (scores[3] >= 0.5)))"
    )
    assert quoted("it's") == "'it''s'"
