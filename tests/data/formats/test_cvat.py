import logging

import pytest

from tagsight.data.readers import read_annotations
from tagsight.data.rules.application import apply_rules
from tagsight.data.rules.rules import LabelRules
from tagsight.errors import DataError

META = (
    "<version>1.1</version><meta><task><labels><label><name>cat</name></label>"
    "<label><name>dog</name></label></labels></task></meta>"
)
IMAGES = (
    '<image id="0" name="x/a.jpg"><tag label="dog"><attribute name="wet">true</attribute>'
    '<attribute name="colour">brown</attribute></tag></image>'
    '<image id="1" name="b.jpg"><box label="ball" xtl="1"/></image>'
)


@pytest.fixture
def read(tmp_path):
    def read(content):
        (tmp_path / "annotations.xml").write_text(f"<annotations>{content}</annotations>")
        rows = read_annotations(tmp_path, labels_only=True)
        assert rows.format == "cvat"
        return rows

    return read


def test_tags_shapes_and_ticked_attributes_are_labels_and_unused_ones_are_known(read):
    rows = read(META + IMAGES)
    assert rows.names == ("ball", "cat", "dog", "dog: wet")
    assert rows.targets.tolist() == [[0, 0, 1, 1], [1, 0, 0, 0]]


def test_an_attribute_that_is_not_ticked_is_rejected(read):
    other = IMAGES.replace("a.jpg", "c.jpg").replace(">true<", ">false<").replace("b.jpg", "d.jpg")
    rows = read(META + IMAGES + other)
    ruled = apply_rules(rows, LabelRules(unlisted="unknown"))
    assert dict(zip((path.name for path in ruled.paths), ruled.targets.tolist(), strict=True)) == {
        "a.jpg": [-1, -1, 1, 1],
        "b.jpg": [1, -1, -1, -1],
        "c.jpg": [-1, -1, 1, 0],
        "d.jpg": [1, -1, -1, -1],
    }


def test_subsets_are_splits_if_they_are_called_so(read, caplog):
    caplog.set_level(logging.INFO)
    named = IMAGES.replace('id="0"', 'subset="Train"').replace('id="1"', 'subset="Validation"')
    assert read(named).splits == ("train", "val")
    assert read(IMAGES.replace('id="', 'subset="batch ')).splits is None
    assert "batch 0, batch 1: taken for no split" in caplog.text
    with pytest.raises(DataError, match=r"every photo in train, val or test.*'b.jpg' in none"):
        read(IMAGES.replace('id="0"', 'subset="Train"'))


def test_values_of_attributes_that_make_no_labels_are_told(read, caplog):
    read(META + IMAGES)
    assert "values of attributes make no labels: 'dog: colour'" in caplog.text


def test_a_folder_has_a_file_for_each_split(tmp_path):
    """As Datumaro exports them."""
    for split, label in (("train", "dog"), ("val", "sky")):
        tag = f'<image name="{split}.jpg"><tag label="{label}"/></image>'
        (tmp_path / f"{split}.xml").write_text(f"<annotations>{tag}</annotations>")
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / f"{split}.jpg").touch()
    rows = read_annotations(tmp_path)
    assert (rows.format, rows.names, rows.splits) == ("cvat", ("dog", "sky"), ("train", "val"))
    assert rows.targets.tolist() == [[1, 0], [0, 1]]
