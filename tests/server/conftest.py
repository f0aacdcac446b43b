import pytest
from channels import corner
from served import index_of

from tagsight.search.index import SearchIndex


@pytest.fixture(scope="session")
def index(tmp_path_factory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("served")
    (folder / "photos").mkdir()
    for colour in ("red", "green", "blue"):
        corner(colour).save(folder / "photos" / f"{colour}.png")
    return index_of(folder / "index", folder / "photos")
