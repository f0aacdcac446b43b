import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def read(tmp_path):
    def read(**files):
        for name, text in files.items():
            folder, _, file = name.partition("__")
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / file.replace("_DOT_", ".")).write_text(text)
            (tmp_path / folder / "a.jpg").touch()
        rows = read_annotations(tmp_path)
        assert rows.format == "split-folders"
        assert all(path.is_file() for path in rows.paths)
        return rows.names, rows.targets.tolist(), rows.splits

    return read


def test_a_column_that_another_split_lacks_is_unknown_there(read):
    assert read(
        train___classes_DOT_csv="filename, dog, sky\na.jpg, 1, 0\n",
        valid___classes_DOT_csv="filename, dog\na.jpg, 0\n",
    ) == (("dog", "sky"), [[1, 0], [0, -1]], ("train", "val"))


@pytest.mark.parametrize("name", ["labels_DOT_csv", "annotations_DOT_tsv", "my_DOT_csv"])
def test_the_only_table_of_a_split_may_have_any_name(read, name):
    mark = "\t" if name.endswith("tsv") else ","
    assert read(
        **{f"train__{name}": f"image{mark}labels\na.jpg{mark}dog\n"},
        **{f"valid__{name}": f"image{mark}labels\na.jpg{mark}sky\n"},
    ) == (("dog", "sky"), [[1, 0], [0, 1]], ("train", "val"))


@pytest.mark.parametrize(
    ("names", "text", "first"),
    [
        ("classes.txt", "cat\ndog\nfox\n", 0),
        ("classes.txt", "cat\ndog\nfox\n", 1),
        ("label_map.json", '{"1": "cat", "2": "dog", "3": "fox"}', 1),
    ],
)
@pytest.mark.parametrize("kind", ["txt", "json", "jsonl", "csv", "parquet"])
def test_numbers_of_labels_are_named_from_those_of_all_splits(tmp_path, names, text, first, kind):
    (tmp_path / names).write_text(text)
    splits = {"train": {"images/a.jpg": [0, 2], "images/b.jpg": [2]}, "val": {"images/c.jpg": [1]}}
    for split, labels in splits.items():
        rows = [
            {"image": photo, "labels": [one + first for one in found]}
            for photo, found in labels.items()
        ]
        write_split(tmp_path, split, rows, kind)
    found = read_annotations(tmp_path, labels_only=True)
    assert (found.format, found.names) == ("split-folders", ("cat", "dog", "fox"))
    assert found.targets.tolist() == [[1, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert found.splits == ("train", "train", "val")


def write_split(folder, split, rows, kind):
    if kind == "parquet":
        (folder / split).mkdir()
        pq.write_table(pa.Table.from_pylist(rows), folder / split / "metadata.parquet")
        return
    pairs = [(row["image"], [*map(str, row["labels"])]) for row in rows]
    lines = {
        "txt": [" ".join((photo, *labels)) for photo, labels in pairs],
        "csv": ["image,labels", *(f"{photo},{';'.join(labels)}" for photo, labels in pairs)],
        "json": [json.dumps(rows)],
        "jsonl": [*map(json.dumps, rows)],
    }
    name = f"{split}_list.txt" if kind == "txt" else f"{split}.{kind}"
    (folder / name).write_text("\n".join([*lines[kind], ""]))


def test_a_list_of_classes_beside_boxes_is_no_table_of_photos(read):
    assert read(
        train___annotations_DOT_csv="a.jpg,1,1,9,9,dog\n",
        train___classes_DOT_csv="dog,0\nsky,1\n",
        valid___annotations_DOT_csv="a.jpg,1,1,9,9,sky\na.jpg,1,1,9,9,dog\n",
        valid___classes_DOT_csv="dog,0\nsky,1\n",
    ) == (("dog", "sky"), [[1, 0], [1, 1]], ("train", "val"))


@pytest.mark.parametrize("place", ["Train", "TRAINING", "data/train", "train_set"])
@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("_classes.csv", "filename, dog, sky\na.jpg, 1, 1\n"),
        ("metadata.csv", "file_name,labels\na.jpg,dog;sky\n"),
        ("_annotations.csv", "filename,class,xmin,ymin\na.jpg,dog,1,2\na.jpg,sky,3,4\n"),
    ],
)
def test_folders_of_splits_have_many_names(tmp_path, place, name, table):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / name).write_text(table)
    (tmp_path / place / "a.jpg").touch()
    rows = read_annotations(tmp_path)
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 1]])
    assert (rows.format, rows.splits) == ("split-folders", ("train",))
    assert all(path.is_file() for path in rows.paths)


def test_a_label_that_another_split_does_not_list_is_absent_there(read):
    assert read(
        train__metadata_DOT_jsonl='{"file_name": "a.jpg", "labels": ["dog", "sky"]}\n',
        test__metadata_DOT_jsonl='{"file_name": "a.jpg", "labels": ["cat"]}\n',
    ) == (("cat", "dog", "sky"), [[0, 1, 1], [1, 0, 0]], ("train", "test"))


def test_a_split_without_photos_is_left_out_and_told(read, caplog):
    table = "filename, dog\n"
    assert read(train___classes_DOT_csv=table, valid___classes_DOT_csv=f"{table}a.jpg, 1\n") == (
        ("dog",),
        [[1]],
        ("val",),
    )
    assert "train/_classes.csv: expected rows below the header, got none; left out" in caplog.text
    with pytest.raises(DataError, match="expected rows below the header, got none"):
        read(valid___classes_DOT_csv=table)


@pytest.mark.parametrize("photos", ["{name}", "{split}/{name}", "images/{name}"])
@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ("csv", "image,labels\n{name},{label}\n"),
        ("tsv", "image\tlabels\n{name}\t{label}\n"),
        ("jsonl", '{{"image": "{name}", "labels": ["{label}"]}}\n'),
        ("json", '[{{"image": "{name}", "labels": ["{label}"]}}]'),
    ],
)
def test_a_table_may_be_called_as_its_split(tmp_path, photos, ending, text):
    for split, name, label in (("train", "a.jpg", "dog"), ("val", "b.jpg", "sky")):
        (tmp_path / f"{split}.{ending}").write_text(text.format(name=name, label=label))
        photo = tmp_path / photos.format(split=split, name=name)
        photo.parent.mkdir(exist_ok=True)
        photo.touch()
    (tmp_path / "test.csv").write_text("id\n7\n")  # of a contest, without labels
    rows = read_annotations(tmp_path)
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 0], [0, 1]])
    assert (rows.format, rows.splits) == ("split-folders", ("train", "val"))
    assert all(path.is_file() for path in rows.paths)


def test_parquet_beside_the_photos_of_one_folder_is_their_table(tmp_path):
    """Hugging Face's imagefolder without folders of splits."""
    rows = [{"file_name": "a.jpg", "labels": ["dog"]}, {"file_name": "b.jpg", "labels": []}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    read = read_annotations(tmp_path)
    assert (read.format, read.targets.tolist()) == ("split-folders", [[1], [0]])


CODES = {"/m/01": "Dog", "/m/02": "Sky"}
IN_OPEN_IMAGES = {"train": "a,x,/m/01,1\na,x,/m/02,0\n", "validation": "b,x,/m/01,0\nb,x,/m/02,1\n"}


@pytest.mark.parametrize("start", ["", "oidv6-"])
@pytest.mark.parametrize("kind", ["human-imagelabels", "human-imagelabels-boxable", "fiftyone"])
@pytest.mark.parametrize("place", [".", "annotations"])
def test_open_images_in_a_folder(tmp_path, place, kind, start):
    is_fiftyone = kind == "fiftyone"
    for split, rows in IN_OPEN_IMAGES.items():
        folder = tmp_path / (f"{split}/labels" if is_fiftyone else place)
        photos = tmp_path / (f"{split}/data" if is_fiftyone else f"images/{split}")
        for one in (folder, photos, tmp_path / split / "metadata"):
            one.mkdir(parents=True, exist_ok=True)
        name = "classifications" if is_fiftyone else f"{start}{split}-annotations-{kind}"
        (folder / f"{name}.csv").write_text(f"ImageID,Source,LabelName,Confidence\n{rows}")
        boxes = "detections" if is_fiftyone else f"{start}{split}-annotations-bbox"
        (folder / f"{boxes}.csv").write_text("ImageID,Source,LabelName,Confidence,XMin\n")
        text = "".join(f"{code},{label}\n" for code, label in CODES.items())
        names = (
            ("../metadata/classes",)
            if is_fiftyone
            else ("class-descriptions", "v6-class-descriptions-x")
        )
        for file in names:
            (folder / f"{file}.csv").write_text(text)
        (photos / f"{rows[0]}.jpg").touch()
    read = read_annotations(tmp_path)
    assert (read.names, read.splits) == (("Dog", "Sky"), ("train", "val"))
    assert read.targets.tolist() == [[1, 0], [0, 1]]
    assert [path.name for path in read.paths if path.is_file()] == ["a.jpg", "b.jpg"]


def test_boxes_of_open_images_are_read_where_there_are_no_labels(tmp_path):
    for split, rows in IN_OPEN_IMAGES.items():
        table = f"ImageID,Source,LabelName,Confidence\n{rows}"
        (tmp_path / f"{split}-annotations-bbox.csv").write_text(table)
    read = read_annotations(tmp_path, labels_only=True)
    assert (read.splits, read.targets.tolist()) == (("train", "val"), [[1, 0], [0, 1]])


def test_a_table_in_data_is_of_its_splits(tmp_path):
    for name in ("train/a.jpg", "test/b.jpg"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).touch()
    rows = "train/a.jpg,dog\ntest/b.jpg,sky;dog\n"
    (tmp_path / "data" / "metadata.csv").write_text(f"file_name,labels\n{rows}")
    (tmp_path / "README.md").touch()
    assert read_annotations(tmp_path).splits == ("train", "test")
