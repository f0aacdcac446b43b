import json
from pathlib import Path

import pytest

from tagsight.data.boxes import read_boxes
from tagsight.errors import DataError


def content(box=(1, 2, 3.5, 4), **image):
    return {
        "images": [
            {"id": 1, "file_name": "sub/a.jpg", "width": 40, "height": 30} | image,
            {"id": 2, "file_name": "b.jpg", "width": 10, "height": 20},
        ],
        "categories": [{"id": 5, "name": "dog"}, {"id": 6, "name": "cat"}],
        "annotations": [
            {"image_id": 1, "category_id": 5, "bbox": box},
            {"image_id": 1, "category_id": 5, "bbox": [0, 0, 10, 10]},
            {"image_id": 1, "category_id": 6, "bbox": [5, 5, 0, 10]},
        ],
    }


@pytest.fixture
def write(tmp_path):
    def write(values):
        file = tmp_path / "boxes.json"
        file.write_text(json.dumps(values))
        return file

    return write


def test_boxes_are_corners_in_pixels_by_photo_and_label_found_by_the_end_of_a_path(write):
    boxes = read_boxes(write(content()))
    photo = boxes.of(Path("/somewhere/sub/a.jpg"))
    assert (boxes.names, photo.size) == (("cat", "dog"), (40, 30))
    assert photo.boxes.keys() == {"dog"}  # that of the cat has no area
    assert photo.boxes["dog"].tolist() == [[1, 2, 4.5, 6], [0, 0, 10, 10]]
    assert boxes.of(Path("/somewhere/b.jpg")).boxes == {}
    assert boxes.of(Path("/somewhere/a.jpg")) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *(
            (content(box), r"annotations\[0\].bbox: expected \[left")
            for box in (None, [1, 2, 3], [1, 2, -3, 4], [1, 2, "3", 4], [1, 2, float("nan"), 4])
        ),
        (content([1, 2, 10**400, 4]), r"annotations\[0\].bbox: expected \[left"),
        (content(width=0), r"images\[0\]: expected 'width' and 'height' in pixels"),
        (content(height="30"), r"images\[0\]: expected 'width' and 'height' in pixels"),
    ],
)
def test_careless_boxes_and_sizes_are_named_by_their_place(write, values, message):
    with pytest.raises(DataError, match=f"boxes.json: {message}"):
        read_boxes(write(values))
