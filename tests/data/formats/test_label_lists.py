"""A list of photos for each label."""

import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def lists(tmp_path):
    def write(photos="images", /, **texts):
        (tmp_path / photos).mkdir(parents=True, exist_ok=True)
        for name in "abc":
            (tmp_path / photos / f"{name}.jpg").touch()
        folder = tmp_path / "lists"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.txt").write_text(text)
        return folder

    return write


def targets(annotations):
    rows = zip(annotations.paths, annotations.targets.tolist(), strict=True)
    return {path.name: row for path, row in rows}


@pytest.mark.parametrize("photos", ["images", "lists/photos"])
@pytest.mark.parametrize("ending", ["", ".jpg", ".JPG"])
def test_a_photo_has_the_labels_whose_lists_have_it(lists, photos, ending):
    dog, cat = f"a{ending}\n\nb{ending}\n", f"b{ending}\n"
    found = read_annotations(lists(photos, dog=dog, cat=cat, notes="Taken in May\n"))
    assert (found.format, found.names) == ("label-lists", ("cat", "dog"))
    assert targets(found) == {"a.jpg": [0, 1], "b.jpg": [1, 1]}
    assert {path.parent.name for path in found.paths} == {photos.rpartition("/")[2]}


@pytest.mark.parametrize(
    ("dog", "difficult", "expected"),
    [
        ("a 1\nb  1\nc -1\n", None, [[1], [1], [0]]),
        ("a 1\nb  0\nc -1\n", None, [[1], [-1], [0]]),
        ("a 1\nb  0\nc -1\n", "present", [[1], [1], [0]]),
        ("a 1\nb  0\nc 0\n", None, [[1], [0], [0]]),
        ("a,1\nb, 0\nc;0\n", None, [[1], [0], [0]]),
        ("a 1\nc 0\n", None, [[1], [-1], [0]]),
    ],
)
def test_marks_say_what_is_absent_and_others_are_unknown(lists, dog, difficult, expected):
    folder = lists(dog=dog, cat="a 1\nb 1\nc 1\n")
    found = read_annotations(folder, options=ReadOptions(difficult=difficult))
    assert found.matched_to(["dog"]).targets.tolist() == expected


@pytest.mark.parametrize(
    "texts",
    [
        {"dog_train": "a 1\n", "cat_train": "a -1\n", "dog_val": "b 1\n", "cat_val": "b 1\n"},
        {"dog": "a.jpg\nb.jpg\n", "cat": "b.jpg\n", "train": "a.jpg\n", "val": "b.jpg\n"},
        {"dog": "a\nb\n", "cat": "b\n", "train_list": "a\n", "val_list": "b\n"},
    ],
)
def test_lists_of_splits_are_no_labels(lists, texts):
    found = read_annotations(lists(**texts))
    splits = {path.stem: split for path, split in zip(found.paths, found.splits, strict=True)}
    assert (found.names, splits) == (("cat", "dog"), {"a": "train", "b": "val"})
    assert targets(found) == {"a.jpg": [0, 1], "b.jpg": [1, 1]}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"dog": "a.jpg\nb.jpg\nTaken in May\n", "cat": "b.jpg\n"}, "dog.txt:3: expected a photo"),
        ({"dog": "a.jpg 1\na.jpg 0\n", "cat": "b.jpg 1\n"}, "dog.txt:2: expected 'a.jpg' once"),
        ({"dog": "a.jpg\n", "cat": "x/../../b.jpg\n"}, "cat.txt:1: .*inside the folder"),
        ({"a_train": "a.jpg\n", "b_train": "b.jpg\n", "a_val": "a.jpg\n"}, "got 'a.jpg' in two"),
        ({"train": "a.jpg\n", "val": "b.jpg\n"}, "of no known format"),
        ({"train_val_list": "a.jpg\n", "test_list": "b.jpg\n"}, "of no known format"),
        ({"selected": "a.jpg\nb.jpg\n"}, "a list of photos without labels"),
    ],
)
def test_what_cannot_be_meant_is_refused(lists, texts, message):
    with pytest.raises(DataError, match=message):
        read_annotations(lists(**texts))
