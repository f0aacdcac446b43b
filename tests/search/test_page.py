from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from channels import corner
from PIL import Image

from tagsight.search.index import Hit
from tagsight.search.page import SIDE, results_page

NAMES = ("dog", "<cat>")


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    paths = [tmp_path / "<b>.png", tmp_path / "wide.png", tmp_path / "gone.png"]
    corner("red").save(paths[0])
    corner("blue", (2000, 500)).save(paths[1])
    scores = np.array([0.91, 0.82], dtype=np.float32)
    return [Hit(path, 0.5, ("dog", "<cat>"), scores, b"") for path in paths]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.pictures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))


def test_the_page_has_a_small_copy_and_the_labels_of_every_photo(hits):
    page = results_page(hits, NAMES, where="dog")
    tags = Tags()
    tags.feed(page)
    assert tags.names.count("li") == 3
    assert [picture["alt"] for picture in tags.pictures] == ["dog 0.91, <cat> 0.82"] * 2
    for picture in tags.pictures:
        data = (picture["src"] or "").removeprefix("data:image/jpeg;base64,")
        with Image.open(io.BytesIO(base64.b64decode(data))) as copy:
            assert max(copy.size) <= SIDE
    assert "cannot be opened any more" in page


def test_the_page_asks_nobody_for_anything(hits):
    page = results_page(hits, NAMES, like=hits[0].path, region=(0, 0, 8, 8))
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert page.count("<img ") == 3
