"""Files of programs that are not read are named, with what to do instead."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.data.strangers import STRANGERS
from tagsight.errors import DataError

TAKEOUT = {"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}, "people": [{"name": "Anna"}]}
PHOTOPRISM = "TakenAt: 2019-07-03T17:33:44Z\nUID: pqbz\nType: image\nDetails:\n  Keywords: dog\n"
FILES = [
    ("a.jpg.supplemental-metadata.json", TAKEOUT, "Google Takeout's data .*label-folders"),
    ("a.yml", PHOTOPRISM, "PhotoPrism's YAML .*the folder of these files"),
    ("keywords.txt", "Animals\n\tDog\n\t\t{Hound}\n\tCat\n", "Lightroom .* names no photos"),
    ("a.txt", "0 0.5 0.5 0.1 0.1\n", "YOLO's boxes without .* write the names to classes.txt"),
    ("a.txt", "p/a.jpg 1,2,3,4,0 5,6,7,8,1\nb.jpg\n", "YOLO's boxes in one line .* a table"),
    ("dog.txt", "a.jpg\nb.JPG\n", r"a list of photos without labels .* for each label"),
    ("t.xlsx", "PK\x03\x04", "a spreadsheet .* as CSV"),
    ("export.zip", "PK\x03\x04", "an archive .*unpack it"),
    ("catalog.lrcat", "SQLite format 3\0", "a database, as Lightroom"),
    ("t.feather", "ARROW1\0\0", "a file of Arrow .*write it as Parquet"),
    ("s.json", [{"task_id": "1", "response": {}, "params": {}}], "Scale's tasks .* a table"),
    ("k.json", [{"id": "1", "externalId": "a", "content": "x", "labels": []}], "Kili's export"),
    ("v.json", {"assets": {}, "tags": []}, "VoTT's project"),
    ("c.json", [{"id": "1", "originalImageUri": "https://x", "tags": []}], "Azure Custom Vision"),
    ("r.json", {"Labels": [{"Name": "Dog"}], "LabelModelVersion": "3.0"}, "a model of Amazon"),
    ("o.json", {"status": {"code": 10000}, "outputs": [{"data": {}}]}, "a model of Clarifai"),
    ("n.json", {"predictions": [{"filepath": "a.jpg", "prediction": "x;fox"}]}, "SpeciesNet's"),
    ("w.json", {"batchcomplete": "", "query": {"pages": {}}}, "a wiki"),
    ("z.json", [{"image_id": 1, "category_id": 1, "score": 0.9}], "COCO's results"),
    ("p.json", {"project": {}, "attribute": {}, "file": {}, "view": {}}, "VIA 3.*version 2"),
    ("q.jsonl", {"image": "a.jpg", "prefix": "detect dog", "suffix": "x"}, "a language model"),
    ("e.json", [{"data_title": "a.jpg", "label_hash": "h", "data_units": {}}], "Encord's labels"),
    ("g.json", [{"fields": {"image": "a.jpg"}, "responses": {}}], "Argilla's records"),
    ("t.json", {"@context": {}, "@graph": [{"tag": [], "photo": []}]}, "Tropy's items"),
    ("f.json", {"photopage": "", "original": "https://x/a.jpg", "tags": []}, "Flickr's data"),
    ("h.json", {"features": [], "rows": []}, "Hugging Face's viewer.* itself"),
    ("i.json", [{"originalFileName": "a.jpg", "originalPath": "/a.jpg", "tags": []}], "Immich"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES)
def test_they_are_named_alone_and_beside_photos(tmp_path, name, content, message):
    (tmp_path / "a.jpg").touch()
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / name).write_text(text)
    for source in (tmp_path / name, *([tmp_path] if name != "a.yml" else [])):
        with pytest.raises(DataError, match=rf"(?s)expected labels, got .*{message}"):
            read_annotations(source)


def test_each_is_tried():
    tried = "\n".join(json.dumps(one) if not isinstance(one, str) else one for _, one, _ in FILES)
    assert len(FILES) == len(STRANGERS)
    for one in STRANGERS:
        assert all(f'"{key}"' in tried.lower() for key in one.keys)


def test_a_folder_with_several_tables_names_them(tmp_path):
    for photo in range(30):
        (tmp_path / f"{photo}.jpg").touch()
    table = "image,labels\n1.jpg,dog;cat\n2.jpg,cat\n"
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=r"but labels\.csv in it is; give that one"):
        read_annotations(tmp_path)
    (tmp_path / "labels (1).csv").write_text(table)
    with pytest.raises(DataError, match=r"one source of labels .* labels \(1\)\.csv, labels\.csv;"):
        read_annotations(tmp_path)


@pytest.mark.parametrize(("one", "other"), [("train", "training"), ("val", "valid")])
def test_two_tables_of_one_split_are_refused(tmp_path, one, other):
    for number, name in enumerate((one, other, "test")):
        (tmp_path / f"{name}.csv").write_text(f"image,labels\n{number}.jpg,dog\n")
    with pytest.raises(DataError, match=f"one table of the split .* {one}.csv and {other}.csv"):
        read_annotations(tmp_path, labels_only=True)
