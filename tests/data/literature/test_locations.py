import pytest
from collection import write_boxes, write_collection

from tagsight.data.literature.collections import DOWNLOADS
from tagsight.data.literature.locations import DATA_PLACES, read_collection
from tagsight.data.literature.protocols import PROTOCOLS
from tagsight.errors import DataError


@pytest.mark.parametrize("name", DATA_PLACES)
def test_what_is_missing_is_said_with_what_to_obtain_and_where_to_put_it(name, tmp_path):
    place = DATA_PLACES[name]
    with pytest.raises(DataError) as caught:
        read_collection(name, tmp_path)
    said = str(caught.value)
    assert f"expected {name} at {tmp_path / place.source}, which does not exist" in said
    assert "{root}" not in said
    if name in DOWNLOADS:
        assert f"'tagsight download {name} --out {tmp_path}' gets it" in said
        assert place.source == DOWNLOADS[name].source
    assert place.protocol == name if name in PROTOCOLS else place.protocol in {None, *PROTOCOLS}


def test_labels_of_ones_own_are_read_as_ever_and_boxes_where_they_are(tmp_path, monkeypatch):
    labels = write_collection(tmp_path)
    collection = read_collection(str(labels), tmp_path)
    assert (collection.name, collection.arguments) == (labels.stem, (str(labels),))
    assert len(collection.annotations) > 0
    with pytest.raises(DataError, match=r"one of the data sets mirflickr25k, .* got 'flickr'"):
        read_collection("flickr", tmp_path)
    write_boxes(tmp_path / "boxes.json", labels)
    place = DATA_PLACES["voc-animals"]._replace(source=labels.name, images=None, boxes="boxes.json")
    monkeypatch.setitem(DATA_PLACES, "voc-animals", place)
    assert read_collection("voc-animals", tmp_path).boxes is not None
