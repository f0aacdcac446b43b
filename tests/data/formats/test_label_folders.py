import logging
import shutil

import pytest

from tagsight.cli import main
from tagsight.data.formats import label_folders
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

LEFT_BEHIND = ("Thumbs.db", "desktop.ini", "Icon\r", "CITATION.cff", "README.txt", "LICENSE")


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


def test_folders_of_splits_may_be_in_those_of_labels(write):
    source = write(cat__train__1="one", cat__test__2="two", dog__train__3="three")
    rows = read_annotations(source)
    assert (rows.names, set(zip(rows.relative_names, rows.splits, strict=True))) == (
        ("cat", "dog"),
        {("cat/train/1.jpg", "train"), ("cat/test/2.jpg", "test"), ("dog/train/3.jpg", "train")},
    )


def test_photos_of_a_split_without_folders_of_labels_are_left_out_and_told(write, caplog):
    source = write(train__cat__1="one", train__dog__2="two", test__3="three")
    rows = read_annotations(source)
    assert (rows.names, rows.relative_names) == (
        ("cat", "dog"),
        ("train/cat/1.jpg", "train/dog/2.jpg"),
    )
    assert "1 photo in no folder of a label left out, such as test" in caplog.text
    beside = read_annotations(write(docs__sky__5="five"), format="label-folders")
    assert beside.names == ("cat", "dog")
    assert "beside the folders of splits, left out: docs" in caplog.text


@pytest.mark.parametrize("above", ["", "train__"])
@pytest.mark.parametrize("name", ["unlabeled", "_unlabeled", "Unsorted"])
def test_what_nobody_has_sorted_is_unknown(write, name, above):
    files = {f"{above}cat__1": "one", f"{above}dog__2": "two", f"{name}__3": "three"}
    source = write(**files, **({"val__cat__4": "four"} if above else {}))
    names, targets = found(source)
    assert names == ("cat", "dog")
    assert targets[f"{name}/3.jpg"] == [-1, -1]


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
    "name", ["graph", "Confusion_Matrix", "PR_curve", "labels", "train__samples-2", "my preview"]
)
def test_pictures_of_a_collection_beside_its_folders_are_left_out_and_told(write, name, caplog):
    source = write(train__cat__a="one", train__dog__b="two", val__cat__c="three")
    plain = found(source)
    write(**{name: "a chart"})
    assert found(source) == plain
    picture = f"{name.replace('__', '/')}.jpg"
    assert f"1 photo in no folder of a label left out, such as {picture}" in caplog.text


def test_a_few_photos_beside_many_in_folders_are_left_out_and_told(write, caplog):
    source = write(
        **{f"{label}__{n}": f"{label} {n}" for label in ("cat", "dog") for n in range(9)}
    )
    write(mine="mine")
    assert not label_folders.recognises(source)  # 1 of 18
    write(cat__9="cat 9", dog__9="dog 9")
    assert len(found(source)[1]) == 20
    assert "1 photo in no folder of a label left out, such as mine.jpg" in caplog.text


@pytest.mark.parametrize("name", ["@eaDir", "#recycle", ".ipynb_checkpoints"])
def test_folders_of_systems_are_no_labels(write, name):
    source = write(cat__1="one", dog__2="two")
    plain = found(source)
    write(**{f"{name}__cat__1": "small", f"dog__{name}__3": "three"})
    assert found(source) == plain


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((n, "of no meaning") for n in LEFT_BEHIND),
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


@pytest.mark.parametrize(
    ("above", "splits"),
    [
        ("images__", None),
        ("data__my-animals__photos__", None),
        ("export__train__,export__val__", ("train", "val")),
        ("train__images__,val__images__", ("train", "val")),
    ],
)
def test_folders_that_are_each_alone_above_those_of_labels_are_no_labels(write, above, splits):
    first, _, second = above.partition(",")
    source = write(**{f"{first}cat__1": "one", f"{second or first}dog__2": "two"})
    rows = read_annotations(source)
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, 0], [0, 1]])
    assert rows.splits == splits
    assert read_annotations(source, format="label-folders").names == rows.names


def test_labels_within_a_folder_are_named_one_or_several(write):
    source = write(images__cat__1="one", images__dog__2="two", more__3="three")
    with pytest.raises(DataError, match="if the names of its folders are labels"):
        read_annotations(source)
    (source / "labels.csv").write_text("image,labels\nimages/cat/1.jpg,cat\n")
    with pytest.raises(DataError, match=r"but labels.csv in it is; give that one"):
        read_annotations(source)
    shutil.rmtree(source / "more")
    with pytest.raises(DataError, match=r"got 2: images, labels.csv; give the one that is meant"):
        read_annotations(source)
    (source / "lists").mkdir()
    (source / "labels.csv").rename(source / "lists" / "my.csv")
    with pytest.raises(DataError, match=r"format, but lists/my.csv in it is; give that one"):
        read_annotations(source)


def test_what_was_written_beside_the_folders_of_labels_changes_nothing(write, monkeypatch):
    source = write(
        train__cat__1="one", train__dog__2="two", val__cat__3="three", val__dog__4="five"
    )
    plain = found(source)
    monkeypatch.chdir(source)
    assert main(["data", ".", "--labels-only", "--json", "summary.json"]) == 0
    for name in ("report.html", "notes.md", "train.py"):
        (source / name).write_text("mine")
    (source / "run" / "model").mkdir(parents=True)
    (source / "run" / "run.jsonl").write_text("{}\n")
    (source / "run" / "model" / "config.json").write_text("{}")
    assert found(source) == plain
    (source / "labels.json").write_text('{"1.jpg": ["cat"]}')
    with pytest.raises(DataError):  # which may say more than the folders
        found(source)


@pytest.mark.parametrize("mark", ["_", "+", ", ", " & ", "-"])
def test_names_that_join_labels_are_told(write, caplog, mark):
    joined = ("dog+person+sofa", "dog+car", "car+person", "cat+person", "cat+dog", "dog", "cat")
    files = {f"{name.replace('+', mark)}__{n}": str(n) for n, name in enumerate(joined)}
    names, _ = found(write(**files))
    assert len(names) == len(joined)
    assert f"join labels by '{mark.strip()}'" in caplog.text.replace(
        f"'{mark}'", f"'{mark.strip()}'"
    )


def test_names_of_several_words_are_not_told_as_joined(write, caplog):
    files = {f"{name}__{n}": str(n) for n, name in enumerate(("polar_bear", "brown_bear", "dog"))}
    found(write(**files))
    assert "join labels" not in caplog.text


@pytest.mark.parametrize(
    "names",
    [
        ("100CANON", "101CANON"),
        ("100_PANA", "102MSDCF"),
        ("Photos from 2018", "Photos from 2019"),
        ("2019-Jan", "2019-Feb"),
        ("March 2020", "2020_April"),
        ("images", "masks"),
        ("input", "target"),
        ("originals", "thumbnails"),
        ("train_images", "test_images"),
        ("part1", "part 2"),
        ("batch_0", "batch_1"),
        ("jpg", "png"),
    ],
)
def test_names_that_say_nothing_of_photos_are_no_labels_unless_they_are_chosen(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
        for number in range(3):
            (tmp_path / name / f"{number}.jpg").write_text(f"{name} {number}")
    with pytest.raises(DataError, match="if the names of its folders are labels, give `format"):
        read_annotations(tmp_path)
    assert set(read_annotations(tmp_path, format="label-folders").names) == set(names)
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "9.jpg").write_text("dog")
    assert set(read_annotations(tmp_path).names) == {*names, "dog"}
