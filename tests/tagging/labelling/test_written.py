"""What is written of a project says what people said, in each format as far as it can."""

import json
from pathlib import Path

import pytest
from labelled import session_in

from tagsight.data.format import DEFAULTS
from tagsight.data.formats import photo_tags
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError
from tagsight.tagging.labelling.project import Project
from tagsight.tagging.labelling.written import write_labels
from tagsight.tagging.sidecars.journal import Journal
from tagsight.tagging.undo import undo

NAMES = ("animal/dog", "sky")


@pytest.fixture
def project(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b, c.jpg", "d.jpg", "e.jpg"):
        (photos / name).write_bytes(b"1")
    with Project(tmp_path / "project", photos) as opened:
        opened.photos.search(lambda: None)
        dog, sky = (opened.labels.make(name).id for name in NAMES)
        opened.judge([1, 2], dog, 1, "me")
        opened.judge([3], dog, 0, "me")
        opened.judge([1], sky, 0, "me")
        yield opened


def read_back(project, written):
    rows = read_annotations(written.path, images=project.photos.folder, labels_only=False)
    return {path.name: row for path, row in zip(rows.paths, rows.targets.tolist(), strict=True)}


def test_csv_keeps_all_three_states(project, tmp_path):
    written = write_labels(project, "csv", tmp_path / "journal")
    assert read_back(project, written) == {"a.jpg": [1, 0], "b, c.jpg": [1, -1], "d.jpg": [0, -1]}


@pytest.mark.parametrize("name", ["Image", "split", "fold", "width", "dog_id", "index"])
def test_a_label_whose_column_would_be_read_as_something_else_is_not_written(
    project, tmp_path, name
):
    project.judge([1], project.labels.make(name).id, 1, "me")
    with pytest.raises(DataError, match=f"'{name}', which is read as something else: rename"):
        write_labels(project, "csv", tmp_path / "journal")
    assert not list(project.folder.glob("*.csv"))
    coco = write_labels(project, "coco", tmp_path / "journal").path
    assert name in read_annotations(coco, images=project.photos.folder, labels_only=False).names


@pytest.mark.parametrize("format_", ["coco", "label-studio"])
def test_formats_that_list_what_is_present_are_read_back_as_such(project, tmp_path, format_):
    written = write_labels(project, format_, tmp_path / "journal")
    read = read_back(project, written)
    assert {name: row[0] for name, row in read.items()} == {"a.jpg": 1, "b, c.jpg": 1, "d.jpg": 0}


@pytest.mark.parametrize("formats", [["coco"], ["csv", "label-studio", "coco"]])
def test_what_was_written_into_its_folder_does_not_hide_the_project(project, tmp_path, formats):
    for format_ in formats:
        write_labels(project, format_, tmp_path / "journal")
    rows = read_annotations(project.folder)
    assert (rows.names, len(rows)) == (NAMES, 3)


def test_coco_says_what_was_judged_absent(project, tmp_path):
    written = write_labels(project, "coco", tmp_path / "journal")
    images = json.loads(Path(written.path).read_bytes())["images"]
    assert [image["neg_category_ids"] for image in images] == [[2], [], [1]]


def test_sidecars_have_confirmed_tags_that_training_learns_from_and_undo_removes(project, tmp_path):
    journal = tmp_path / "journal"
    written = write_labels(project, "sidecars", journal)
    assert written.photos == 2
    (tags,) = photo_tags.read(project.photos.folder, DEFAULTS)
    rows = read_annotations(project.photos.folder, format="photo-tags")
    present = {p.name for p, row in zip(rows.paths, rows.targets.tolist(), strict=True) if 1 in row}
    assert (tags.names, present) == (("animal/dog",), {"a.jpg", "b, c.jpg"})
    assert write_labels(project, "sidecars", journal).photos == 0
    with Journal(journal) as opened:
        assert len(list(undo(opened, *opened.runs()))) == 2
    assert not list(project.photos.folder.glob("*.xmp"))


def test_nothing_is_written_of_nothing(tmp_path):
    with session_in(tmp_path) as session, pytest.raises(DataError, match="somebody has judged"):
        write_labels(session.project, "csv", tmp_path / "journal")
