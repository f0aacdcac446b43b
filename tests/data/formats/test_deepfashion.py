"""DeepFashion: categories by number, and attributes by 1, -1 and 0."""

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

ATTRIBUTES, CATEGORIES, PARTITION = (
    "Anno/list_attr_img.txt",
    "Anno/list_category_img.txt",
    "Eval/list_eval_partition.txt",
)
FILES = {
    "Anno/list_attr_cloth.txt": "3\nname  type\na-line  3\nabstract floral 1\nlace 2\n",
    ATTRIBUTES: "2\nimage_name  attribute_labels\nimg/s/1.jpg  -1  1 0\nimg/s/2.jpg 1 -1 -1\n",
    "Anno/list_category_cloth.txt": "2\ncategory_name  category_type\nTee  1\nSkirt  2\n",
    CATEGORIES: "2\nimage_name  category_label\nimg/s/1.jpg  2\nimg/s/2.jpg 1\n",
    PARTITION: "2\nimage_name  evaluation_status\nimg/s/2.jpg val\nimg/s/1.jpg train\n",
}


def read(folder, name, **changed):
    for file, text in (FILES | changed).items():
        if text is not None:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text)
    (folder / "img" / "s").mkdir(parents=True)
    for number in (1, 2):
        (folder / "img" / "s" / f"{number}.jpg").touch()
    return read_annotations(folder / name)


@pytest.mark.parametrize(
    ("name", "names", "targets"),
    [
        (ATTRIBUTES, ("a-line", "abstract floral", "lace"), [[0, 1, -1], [1, 0, 0]]),
        (CATEGORIES, ("Tee", "Skirt"), [[0, 1], [1, 0]]),
    ],
)
def test_numbers_have_the_names_beside_and_the_splits_of_the_partition(
    tmp_path, name, names, targets
):
    found = read(tmp_path, name)
    assert (found.format, found.names, found.splits) == ("deepfashion", names, ("train", "val"))
    assert list(found.relative_names) == ["img/s/1.jpg", "img/s/2.jpg"]
    assert found.targets.tolist() == targets


def test_of_two_lists_in_a_folder_one_is_to_be_given(tmp_path):
    both = "got list_category_img.txt and list_attr_img.txt; give the file that is meant"
    with pytest.raises(DataError, match=both):
        read(tmp_path, "")
    (tmp_path / ATTRIBUTES).unlink()
    for source in (tmp_path, tmp_path / "Anno"):
        assert read_annotations(source).names == ("Tee", "Skirt")


def test_a_partition_that_lacks_photos_is_told_and_not_used(tmp_path, caplog):
    short = {PARTITION: "1\nimage_name  evaluation_status\nimg/s/2.jpg val\n"}
    assert read(tmp_path, CATEGORIES, **short).splits is None
    assert "not used, as it lacks 1 photo" in caplog.text


HEAD = "1\nimage_name  category_label\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("list_category_cloth.txt", None, "the names of the labels in .*list_category_cloth.txt"),
        ("list_category_cloth.txt", "2\nx y\nTee 1\nTee 2\n", "a different name in each line"),
        (
            "list_category_img.txt",
            f"{HEAD}img/s/1.jpg 3\n",
            "img.txt:3: .*category, 1 to 2, got '3'",
        ),
        (
            "list_category_img.txt",
            HEAD + 2 * "img/s/1.jpg 1\n",
            "img.txt:4: expected each photo once",
        ),
        ("list_category_img.txt", HEAD, "photos below the header, got none"),
    ],
)
def test_what_is_missing_is_named(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, CATEGORIES, **{f"Anno/{name}": text})


@pytest.mark.parametrize(
    ("names", "row", "message"),
    [
        ("a-line 3\n", "img/s/1.jpg 1 1", ":3: expected a photo and 1 mark, got 'img/s/1.jpg 1 1"),
        ("a-line 3\nlace 2\n", "img/s/1.jpg 1", ":3: expected a photo and 2 marks, got"),
        ("a-line 3\n", "img/s/1.jpg 2", ":3: expected 1, -1 or 0 for each attribute, got '2'"),
    ],
)
def test_attributes_are_as_many_as_their_names(tmp_path, names, row, message):
    changed = {
        "Anno/list_attr_cloth.txt": f"2\nx y\n{names}",
        ATTRIBUTES: f"1\nimage_name  attribute_labels\n{row}\n",
    }
    with pytest.raises(DataError, match=message):
        read(tmp_path, ATTRIBUTES, **changed)
