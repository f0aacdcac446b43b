"""What a folder holds does not depend on how many files it has, nor on their order."""

import json

from tagsight.data.formats import photo_json
from tagsight.data.readers import read_annotations
from tagsight.data.source import LOOKED_INTO, files_that

MANY = LOOKED_INTO + 5


def test_all_files_of_a_folder_are_read_however_many_there_are(tmp_path):
    labels = {"label": {"labels": [{"name": "dog"}]}}
    (tmp_path / "annotations").mkdir()
    for number in range(MANY):
        item = {"id": "1", "image": {"path": f"{number:02}.jpg"}, "annotations": []}
        file = tmp_path / "annotations" / f"part-{number:02}.json"
        file.write_text(json.dumps({"categories": labels, "items": [item]}))
    found = read_annotations(tmp_path, labels_only=True)
    assert [path.name for path in found.paths] == [f"{number:02}.jpg" for number in range(MANY)]


def test_a_folder_with_files_of_another_kind_is_not_searched_through(tmp_path):
    files = [tmp_path / f"{number:02}.json" for number in range(MANY)]
    opened = []
    assert files_that(opened.append, files[::-1]) == []
    assert opened == files[:LOOKED_INTO]


def test_of_photos_of_one_name_the_last_is_that_of_a_file_of_objects(tmp_path):
    for name in ("a.jpg", "a.png", "a.bmp"):
        (tmp_path / name).touch()
    (tmp_path / "a.txt").write_text("0 .5 .5 .1 .1\n")
    (tmp_path / "data.yaml").write_text("train: .\nnames: [dog]\n")
    found = read_annotations(tmp_path, labels_only=True)
    assert [path.name for path in found.paths] == ["a.png"]


def test_the_files_that_say_what_a_folder_is_are_the_first_by_name(tmp_path):
    files = [tmp_path / f"{number:02}.json" for number in range(MANY)]
    for place, file in enumerate(files):
        for other in files:
            other.write_text("{}")
        file.write_text('{"flags": {}, "shapes": [], "imagePath": "a.jpg"}')
        assert photo_json.recognises(tmp_path) == (place < LOOKED_INTO)
