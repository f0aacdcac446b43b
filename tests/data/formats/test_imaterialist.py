"""iMaterialist: photos and labels by number."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

IMAGES = [{"url": "https://example.org/x", "imageId": "1"}, {"url": "y", "imageId": "2"}]
LABELS = [{"labelId": ["66", "9"], "imageId": "1"}, {"labelId": ["66"], "imageId": "2"}]


def read(folder, **content):
    (folder / "train.json").write_text(json.dumps(content))
    return read_annotations(folder / "train.json", labels_only=True)


@pytest.mark.parametrize(
    "annotations",
    [
        LABELS,
        [
            {"image_id": 1, "label_id": 66},
            {"image_id": 1, "label_id": 9},
            {"image_id": 2, "label_id": 66},
        ],
    ],
)
@pytest.mark.parametrize("more", [{}, {"info": {}, "images": IMAGES, "license": "x"}])
def test_a_photo_has_the_labels_whose_numbers_it_lists(tmp_path, annotations, more):
    found = read(tmp_path, **more, annotations=annotations)
    assert (found.format, found.names) == ("imaterialist", ("66", "9"))
    assert list(found.relative_names) == ["1.jpg", "2.jpg"]
    assert found.targets.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": IMAGES}, "got None there; a test set has no labels"),
        ({"images": IMAGES, "annotations": []}, r"got \[\] there; a test set has no labels"),
        ({"annotations": [*LABELS, {"labelId": [1]}]}, r"annotations\[2\]: expected 'imageId' and"),
        ({"annotations": [LABELS[0] | {"labelId": [None]}]}, r"annotations\[0\]: expected"),
        ({"annotations": [LABELS[0] | {"imageId": "x/../../1"}]}, "inside the folder"),
    ],
)
def test_what_is_missing_is_named(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, **content)
