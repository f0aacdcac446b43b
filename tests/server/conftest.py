from __future__ import annotations

import pytest
from channels import corner
from served import recognizer

from tagsight.data.photo_files import find_photos
from tagsight.search.facts import Facts
from tagsight.search.index import SearchIndex
from tagsight.search.indexing import index_photos


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("served")
    (folder / "photos").mkdir()
    for colour in ("red", "green", "blue"):
        corner(colour).save(folder / "photos" / f"{colour}.png")
    model = recognizer()
    facts = Facts("model", "m", model.labels, (0.5,) * 3, 3)
    index = SearchIndex.create(folder / "index", facts)
    index_photos(model, find_photos([folder / "photos"]), index)
    return index
