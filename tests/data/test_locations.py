from __future__ import annotations

from pathlib import Path

import pytest
from collection import write_boxes, write_collection

from tagsight.data.collections import DOWNLOADS
from tagsight.data.locations import DATA_PLACES, read_collection
from tagsight.data.protocols import PROTOCOLS
from tagsight.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", DATA_PLACES)
def test_what_is_missing_is_said_with_what_to_obtain_and_where_to_put_it(name: str, tmp_path: Path):
    with pytest.raises(DataError) as caught:
        read_collection(name, tmp_path)
    said = str(caught.value)
    assert f"expected {name} at {tmp_path / DATA_PLACES[name].source}, which does not exist" in said
    if name in DOWNLOADS:
        assert f"'tagsight download {name} --out {tmp_path}' gets it" in said
    assert "{root}" not in said


@pytest.mark.parametrize("name", DATA_PLACES)
def test_collections_of_the_literature_are_read_by_their_protocol(name: str):
    protocol = DATA_PLACES[name].protocol
    assert protocol is None or protocol in PROTOCOLS
    if name in PROTOCOLS:
        assert protocol == name


@pytest.mark.parametrize("name", DOWNLOADS)
def test_what_is_downloaded_is_found_where_it_is_put(name: str):
    if name in DATA_PLACES:
        assert DATA_PLACES[name].source == DOWNLOADS[name].source


def test_labels_of_ones_own_are_read_as_ever(tmp_path: Path):
    labels = write_collection(tmp_path)
    collection = read_collection(str(labels), tmp_path)
    assert collection.name == labels.stem
    assert collection.arguments == (str(labels),)
    assert len(collection.annotations) > 0


def test_neither_a_name_nor_a_file_is_refused_with_the_names():
    with pytest.raises(DataError, match=r"one of the data sets mirflickr25k, .* got 'flickr'"):
        read_collection("flickr", Path("data"))


def test_boxes_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    labels = write_collection(tmp_path)
    write_boxes(tmp_path / "boxes.json", labels)
    place = DATA_PLACES["voc-animals"]._replace(source=labels.name, images=None, boxes="boxes.json")
    monkeypatch.setitem(DATA_PLACES, "voc-animals", place)
    assert read_collection("voc-animals", tmp_path).boxes is not None


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared photos, which users do not have")
@pytest.mark.parametrize("name", ["voc-animals", "movie-posters"])
def test_the_shared_photos_are_found(name: str):
    collection = read_collection(name, SHARED)
    assert collection.annotations.split_sizes["train"] > 0
    assert (collection.boxes is not None) == (name == "voc-animals")
