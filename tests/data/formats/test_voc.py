import numpy as np
import pytest

from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def write(tmp_path):
    def write(lists: dict[str, str], year: str = "VOC2012"):
        folder = tmp_path / "VOCdevkit" / year
        main = folder / "ImageSets" / "Main"
        main.mkdir(parents=True, exist_ok=True)
        (folder / "JPEGImages").mkdir(exist_ok=True)
        for photo in ("p1", "p2", "p3"):
            (folder / "JPEGImages" / f"{photo}.jpg").touch()
        for name, text in lists.items():
            (main / f"{name}.txt").write_text(text)
        return tmp_path / "VOCdevkit"

    return write


def test_the_collection_is_found_from_any_of_its_folders_unless_there_are_two(write):
    source = write({"cat_train": "p1  1\np2 -1\n"}, year="VOC2007")
    for below in (".", "VOC2007", "VOC2007/ImageSets/Main"):
        rows = read_annotations(source / below, format="voc")
        assert [path.name for path in rows.paths] == ["p1.jpg", "p2.jpg"]
        assert (rows.names, rows.targets.tolist()) == (("cat",), [[1], [0]])
    write({"cat_train": "p1 1\n"}, year="VOC2012")
    with pytest.raises(DataError, match=r"one ImageSets/Main .*VOC2007.*VOC2012"):
        read_annotations(source, format="voc")


@pytest.mark.parametrize(("difficult", "target"), [("unknown", -1), ("present", 1), ("absent", 0)])
def test_a_difficult_object_counts_as_the_user_says(write, difficult, target):
    source = write({"cat_train": "my p1  0\nmy p1 0\n"})
    rows = read_annotations(
        source, options=ReadOptions(difficult=difficult), labels_only=True, format="voc"
    )
    assert rows.targets.tolist() == [[target]]
    assert [path.name for path in rows.paths] == ["my p1.jpg"]
    with pytest.raises(DataError, match=r"expected `difficult` to be one of .* got 'maybe'"):
        read_annotations(source, options=ReadOptions(difficult="maybe"), format="voc")


def test_a_photo_that_a_list_leaves_out_is_unknown_there(write):
    lists = {"cat_train": "p1 1\np2 -1\n", "dog_train": "p2 1\n", "dog_val": "p3 1\n"}
    rows = read_annotations(write(lists), format="voc")
    assert (rows.names, rows.targets.tolist()) == (("cat", "dog"), [[1, -1], [0, 1], [-1, 1]])


def test_a_photo_of_a_split_in_no_list_of_a_label_is_unknown(write, caplog):
    lists = {"cat_train": "p1 1\n", "cat_val": "p2 -1\n", "train": "p1\n\np 3\n", "val": "p2\n"}
    rows = read_annotations(write({**lists, "test": "p4\n"}), format="voc")
    assert [path.name for path in rows.paths] == ["p1.jpg", "p2.jpg", "p 3.jpg"]
    assert (rows.targets.tolist(), rows.splits) == ([[1], [0], [-1]], ("train", "val", "train"))
    assert "1 photo of a split in no list of a label, such as 'p 3': unknown" in caplog.text


def test_trainval_is_read_only_where_train_and_val_are_missing(write):
    lists = {"cat_trainval": "p1 1\np2 1\n", "cat_test": "p3 -1\n"}
    assert read_annotations(write(lists), format="voc").splits == ("train", "train", "test")
    source = write({"cat_train": "p1 1\n", "cat_val": "p2 1\n"})
    assert read_annotations(source, format="voc").splits == ("train", "val", "test")


def test_a_label_may_be_called_train(write):
    lists = {"train_train": "p1 1\n", "train_val": "p2 -1\n", "train": "p1\n", "val": "p2\n"}
    rows = read_annotations(write(lists), format="voc")
    assert (rows.names, rows.targets.tolist()) == (("train",), [[1], [0]])


def test_the_animals_are_those_of_their_readme_of_their_table_and_of_the_released_graph(
    shared_data,
):
    folder = shared_data / "voc-animals"
    animals = read_annotations(folder / "VOCdevkit")
    assert (animals.format, animals.split_sizes) == ("voc", {"train": 2000, "val": 536})
    assert (animals.targets == 1).sum() / len(animals) == pytest.approx(1.34, abs=0.005)
    assert all(path.is_file() for path in animals.paths)
    graph = np.load(shared_data / "label-graphs" / "voc_cooccurrence.npz")
    assert animals.names == tuple(graph["names"].tolist())
    photos = folder / "VOCdevkit" / "VOC2012" / "JPEGImages"
    table = read_annotations(folder / "labels-12.csv", images=photos)
    lists = animals.matched_to(table.names)
    order = {path: row for row, path in enumerate(lists.paths)}
    assert lists.select([order[path] for path in table.paths]).hash() == table.hash()
