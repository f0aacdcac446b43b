from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import tagsight
from tagsight.runtime.amounts import agreeing, amount

THINGS = (
    "photos|labels|sidecars|tags|queries|edges|files|vectors|processes|epochs|cells|entries|lines|"
    "tensors|targets|seeds|runs|problems|elements"
)
AFTER_A_NUMBER = re.compile(rf" (?:[a-z-]+ )?(?:{THINGS})\b")
PACKAGE = Path(tagsight.__file__).parent


def counted_by_hand(source: str) -> list[int]:
    """Lines on which a sentence puts a number before a plural, whatever the number is."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                known = isinstance(value.value, ast.Name) and value.value.id.isupper()
                if not known and is_number(value) and AFTER_A_NUMBER.match(str(text.value)):
                    found.append(value.lineno)
    return found


def is_number(value: ast.FormattedValue) -> bool:
    """Whether a count is shown: by ``len`` or ``:,``."""
    counts = isinstance(value.value, ast.Call) and ast.unparse(value.value).startswith("len(")
    return counts or (value.format_spec is not None and ast.unparse(value.format_spec) == "f','")


def test_sentences_count_things_by_the_one_function_that_knows_the_plural():
    found = {
        str(file.relative_to(PACKAGE)): lines
        for file in sorted(PACKAGE.rglob("*.py"))
        if (lines := counted_by_hand(file.read_text(encoding="utf-8")))
    }
    assert not found, "use tagsight.runtime.amounts.amount"


def test_the_law_on_plurals_sees_what_it_is_about():
    assert counted_by_hand('f"{len(found)} photos"')
    assert counted_by_hand('f"{total:,} training photos left"')
    assert not counted_by_hand('f"{MOST:,} photos {path} {size:,} bytes"')


@pytest.mark.parametrize("number", [0, 1, 2, 1000])
def test_one_thing_is_singular_and_all_other_numbers_plural(number: int):
    assert amount(number, "photo").endswith("photo" if number == 1 else "photos")
    assert agreeing(number, "is") == ("is" if number == 1 else "are")
