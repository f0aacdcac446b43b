import json

from tagsight.data.readers import read_annotations


def write(file, *entries):
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(entries))
    return file


def test_labels_are_names_or_objects_and_roboflow_has_a_file_a_split(tmp_path):
    box = {"label": "dog", "coordinates": {"x": 1, "y": 1, "width": 2, "height": 2}}
    name = "_annotations.createml.json"
    write(tmp_path / "train" / name, {"image": "a.jpg", "annotations": [box, box]})
    write(tmp_path / "valid" / name, {"image": "a.jpg", "annotations": ["cat"]})
    rows = read_annotations(tmp_path, labels_only=True)
    assert (rows.format, rows.names, rows.splits) == ("createml", ("cat", "dog"), ("train", "val"))
    assert rows.targets.tolist() == [[0, 1], [1, 0]]
    assert [path.relative_to(tmp_path).parent.name for path in rows.paths] == ["train", "valid"]
