"""Objects and cells that say of a label that it is not present."""

import csv
import io
import json
import tarfile

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

SAID = {"a.jpg": {"dog": True, "sky": False}, "b.jpg": {"dog": False, "sky": True}}
FORMS = {
    "present": lambda label, it: {"name": label, "present": it},
    "value": lambda label, it: {"label": label, "value": int(it)},
    "answer": lambda label, it: {"label": label, "answer": "yes" if it else "no"},
    "checked": lambda label, it: {"tag": label, "checked": it, "by": "Ann"},
    "absent": lambda label, it: {"name": label, "absent": not it},
    "deleted": lambda label, it: {"category": label, "deleted": not it},
    "status": lambda label, it: {"name": label, "status": "accepted" if it else "rejected"},
}


@pytest.fixture(params=FORMS)
def lists(request):
    form = FORMS[request.param]
    return {name: [form(label, it) for label, it in said.items()] for name, said in SAID.items()}


def right(annotations):
    return (annotations.names, annotations.targets.tolist()) == (
        ("dog", "sky"),
        [[1, 0], [0, 1]],
    )


@pytest.mark.parametrize("key", ["labels", "annotations"])
def test_in_records(tmp_path, lists, key):
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"image": name, key: listed} for name, listed in lists.items()]))
    assert right(read_annotations(file, labels_only=True))


def test_in_cells_of_a_table(tmp_path, lists):
    with (tmp_path / "a.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "labels"])
        rows.writerows([name, json.dumps(listed)] for name, listed in lists.items())
    assert right(read_annotations(tmp_path / "a.csv", labels_only=True))


def test_in_a_file_beside_each_photo(tmp_path, lists):
    for name, listed in lists.items():
        (tmp_path / name).touch()
        (tmp_path / f"{name}.json").write_text(json.dumps({"labels": listed}))
    assert right(read_annotations(tmp_path))


def test_in_shards(tmp_path, lists):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, listed in lists.items():
            for member, content in (
                (name, b""),
                (f"{name[0]}.json", json.dumps({"labels": listed}).encode()),
            ):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    assert right(read_annotations(tmp_path / "a.tar"))


def test_what_no_object_of_a_photo_mentions_is_unknown_where_some_deny(tmp_path):
    rows = [
        {"image": "a.jpg", "labels": [{"name": "dog", "present": True}]},
        {"image": "b.jpg", "labels": [{"name": "sky", "present": False}]},
        {"image": "c.jpg", "labels": []},
    ]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    read = read_annotations(tmp_path / "a.json", labels_only=True)
    assert read.targets.tolist() == [[1, -1], [-1, 0], [-1, -1]]


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("status", "accepted", "rejected"),
        ("review", "correct", "wrong"),
        ("correct", "True", "False"),
        ("verdict", "Approved", "Rejected"),
    ],
)
def test_verdicts_on_labels_of_some_photos(write_csv, name, yes, no):
    rows = f"a.jpg,dog,{yes}\na.jpg,sky,{no}\nb.jpg,sky,{yes}\nc d.jpg,dog,{no}\n"
    read = read_annotations(write_csv(f"image,label,{name}\n{rows}"))
    assert read.targets.tolist() == [[1, 0], [-1, 1], [0, -1]]


@pytest.mark.parametrize(
    "rows",
    [
        "a.jpg,dog;!sky\nb.jpg,sky\n",
        "a.jpg,dog;-sky\nb.jpg,sky;- dog\n",
        "a.jpg,dog=1;sky=0\nb.jpg,dog=0;sky=1\n",
        'a.jpg,"dog: true, sky: false"\nb.jpg,"dog: false, sky: true"\n',
    ],
)
def test_labels_that_are_denied_in_lists_are_refused(write_csv, rows):
    with pytest.raises(DataError, match="which may say that one is not: write a column for each"):
        read_annotations(write_csv(f"image,labels\n{rows}"))


@pytest.mark.parametrize(
    "rows", ["a.jpg,t-shirt;-40C\nb.jpg,shirt\n", "a.jpg,year: 1\nb.jpg,dog\n"]
)
def test_names_that_only_look_so_are_labels(write_csv, rows):
    assert len(read_annotations(write_csv(f"image,labels\n{rows}")).names) > 1
