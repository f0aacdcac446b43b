import re
from pathlib import Path

import tagsight

THINGS = (
    "photos|labels|sidecars|tags|queries|edges|files|vectors|processes|epochs|cells|entries|lines|"
    "tensors|targets|seeds|runs|problems|elements"
)
COUNT = r"{(?:len\([^}]*|(?![A-Z_]+:)[^}]*:,)}"
COUNTED_BY_HAND = re.compile(rf"{COUNT} (?:[a-z-]+ )?(?:{THINGS})\b")
PACKAGE = Path(tagsight.__file__).parent


def test_sentences_count_things_by_the_one_function_that_knows_the_plural():
    assert COUNTED_BY_HAND.search('f"{len(found)} photos"')
    assert COUNTED_BY_HAND.search('f"{total:,} training photos left"')
    assert not COUNTED_BY_HAND.search('f"{MOST:,} photos {path} {size:,} bytes"')
    found = {
        str(file.relative_to(PACKAGE)): lines
        for file in sorted(PACKAGE.rglob("*.py"))
        if (lines := COUNTED_BY_HAND.findall(file.read_text(encoding="utf-8")))
    }
    assert not found, "use tagsight.runtime.amounts.amount"
