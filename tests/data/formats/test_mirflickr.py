import pytest
from tiny_collections import write_mirflickr

from tagsight.data.format import ReadOptions
from tagsight.data.formats import mirflickr
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


@pytest.fixture
def lists(tmp_path):
    return write_mirflickr(tmp_path).source / mirflickr.FOLDER


@pytest.mark.parametrize("photos", ["mirflickr", "mirflickr25k", "images", "."])
def test_photos_are_found_in_the_usual_folders(lists, photos):
    folder = lists.parent / photos
    folder.mkdir(exist_ok=True)
    (folder / "im7.jpg").touch()
    assert read_annotations(lists, format="mirflickr").paths[6].samefile(folder / "im7.jpg")
    assert (
        read_annotations(lists, format="mirflickr").paths
        == read_annotations(lists.parent, format="mirflickr").paths
    )


def test_a_number_is_that_of_the_photo_counted_from_one(lists):
    (lists / "sky.txt").write_bytes(b"50\r\n 1 \r\n\r\n1\r\n")
    rows = read_annotations(lists, labels_only=True, format="mirflickr")
    shown = rows.targets[:, rows.names.index("sky")].nonzero().flatten().tolist()
    assert [rows.paths[row].name for row in shown] == ["im1.jpg", "im50.jpg"]


def test_missing_and_unknown_topics_are_named(lists, tmp_path):
    (lists / "sky.txt").unlink()
    (tmp_path / "empty").mkdir()
    assert mirflickr.recognises(lists)
    for source, topics, message in (
        (lists, "all", r"expected a file at .*sky.txt, got nothing"),
        (tmp_path / "empty", "all", r"lists of topics, such as animals.txt, in .* got none"),
        (lists, "some", r"expected `topics` to be one of .* got 'some'"),
    ):
        with pytest.raises(DataError, match=message):
            read_annotations(source, options=ReadOptions(topics=topics), format="mirflickr")


@pytest.mark.parametrize(
    ("topics", "labels", "labels_per_photo", "unlabelled"),
    [("potential", 24, 3.716, 419), ("relevant", 14, 1.000, 12_318), ("all", 38, 4.716, 419)],
)
def test_the_topics_have_the_counts_that_are_known(
    shared_data, topics, labels, labels_per_photo, unlabelled
):
    rows = read_annotations(
        shared_data / "mirflickr25k", options=ReadOptions(topics=topics), labels_only=True
    )
    present = rows.targets == 1
    assert present.shape == (25_000, labels)
    assert present.sum() / 25_000 == pytest.approx(labels_per_photo, abs=0.0005)
    assert (~present.any(1)).sum() == unlabelled
    if topics == "all":
        column = dict(zip(rows.names, present.T, strict=True))
        only_about = {
            name: int((column[name] & ~column[name.removesuffix("_r1")]).sum())
            for name in mirflickr.RELEVANT
        }
        assert only_about == dict.fromkeys(mirflickr.RELEVANT, 0) | {"people_r1": 4}
