import logging

import pytest

from tagsight.data.formats import label_folders
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            file = tmp_path / f"{name.replace('__', '/')}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def found(source):
    rows = read_annotations(source)
    assert rows.format == "label-folders"
    names = (path.relative_to(source).as_posix() for path in rows.paths)
    return rows.names, dict(zip(names, rows.targets.tolist(), strict=True))


def test_files_of_equal_content_are_one_photo_whatever_they_are_called(write, caplog):
    caplog.set_level(logging.INFO)
    source = write(
        cat__1="one", dog__1="two", dog__copy="one", dog__inner__2="three", sky__2="four"
    )
    assert found(source) == (
        ("cat", "dog", "sky"),
        {
            "cat/1.jpg": [1, 1, 0],
            "dog/1.jpg": [0, 1, 0],
            "dog/inner/2.jpg": [0, 1, 0],
            "sky/2.jpg": [0, 0, 1],
        },
    )
    assert "1 photo in the folders of several labels" in caplog.text


def test_folders_of_splits_are_above_those_of_labels(write):
    source = write(train__cat__1="one", train__dog__2="two", valid__cat__3="one")
    rows = read_annotations(source)
    assert (rows.names, rows.splits) == (("cat", "dog"), ("train", "train", "val"))
    with pytest.raises(DataError, match="expected no `images`"):
        read_annotations(source, images=source)


@pytest.mark.parametrize(
    "files",
    [
        ["2019__a", "2020__b"],
        ["2020-05-01__a", "2020-05-02__b"],
        ["images__a"],
        ["cat__a"],
        ["cat__a", "dog__b", "c"],
        ["images__a", "photos__b"],
    ],
)
def test_albums_and_photos_beside_folders_are_no_labels(write, files):
    assert not label_folders.recognises(write(**dict.fromkeys(files, "a")))


def test_other_files_beside_the_photos_speak_for_another_format(write):
    source = write(cat__a="one", dog__b="two")
    assert label_folders.recognises(source)
    (source / "cat" / "a.txt").touch()
    assert not label_folders.recognises(source)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((n, "of no meaning") for n in ("Thumbs.db", "desktop.ini", "README.txt", "LICENSE")),
        ("cats.zip", "of no meaning"),
        ("synsets.txt", "cat\ndog\n"),
        ("classes.txt", "0 cat\n1 dog\n"),
        ("words.txt", "CAT a pet\r\nDog pet"),
    ],
)
def test_files_that_others_left_behind_and_lists_of_the_labels_are_passed_over(write, name, text):
    source = write(cat__1="one", dog__2="two")
    (source / name).write_text(text)
    assert found(source)[0] == ("cat", "dog")


def test_folders_that_may_be_no_labels_are_asked_about(write):
    source = write(**{"2023__1": "one", "2024__2": "two"})
    with pytest.raises(DataError, match="if the names of its folders are labels, give `format"):
        read_annotations(source)
    assert read_annotations(source, format="label-folders").names == ("2023", "2024")


def test_a_folder_within_that_has_labels_is_named(write):
    source = write(export__train__cat__1="one", export__train__dog__2="two")
    with pytest.raises(DataError, match="is of no known format, but export in it is; give that"):
        read_annotations(source)
