"""Collections that cannot be read are named by file and place: a catalogue over all formats."""

import json
from functools import partial
from pathlib import Path

import pytest
from tiny_collections import PHOTOS, write_mirflickr, write_nus_wide, write_shard

from tagsight.data import json_files
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError

Rows = list[tuple[dict[str, object], str]]


def in_file(name: str, *rows: tuple[object, str], place: str = "") -> Rows:
    """Rows of what is wrong in a file that is all there is."""
    return [({name: content}, place + message) for content, message in rows]


A = {"id": 7, "file_name": "a.jpg"}
TALL, WIDE = {"width": 48, "height": 64}, {"width": 64, "height": 48}
OBJECT = {"image_id": 7, "category_id": 1}


def coco(**changed: object) -> dict[str, object]:
    images, categories = [A, {"id": 3, "file_name": "b.jpg"}], [{"id": 1, "name": "zebra"}]
    return {"images": images, "categories": categories, "annotations": [OBJECT]} | changed


COCO = in_file(
    "instances_train2017.json",
    *((coco(images=images), message) for images, message in [
        (None, "a list under 'images', got None"),
        ([], "entries under 'images', got an empty list"),
        ({"id": 1}, "a list under 'images', got {'id': 1}"),
        (["a.jpg"], r"an object at images\[0\], got 'a.jpg'"),
        ([{"file_name": "a.jpg"}], r"images\[0\].id: expected a whole .* got None"),
        ([A | {"id": [1]}], r"images\[0\].id: .* got \[1\]"),
        ([A | {"id": True}], r"images\[0\].id: .* got True"),
        ([A | {"file_name": 5}], r"images\[0\].file_name: expected text, got 5"),
        ([A, A], r"images\[1\].id: .* got 7 again"),
        ([A | TALL, A | WIDE | {"id": 3}], "'a.jpg' of different sizes .* ids 7 and 3"),
        ([A | {"file_name": "\ud800"}], r"images\[0\].file_name"),
    ]),
    *((coco(categories=categories), message) for categories, message in [
        ([{"id": 1}], r"categories\[0\].name: expected text, got None"),
        ([{"id": 1, "name": "d\x1bog"}], "without control characters"),
    ]),
    *((coco(annotations=objects), message) for objects, message in [
        ([], "expected annotations, got none"),
        ([5], r"an object at annotations\[0\], got 5"),
        ([OBJECT | {"image_id": True}], r"annotations\[0\].image_id: .* id of images, got True"),
        ([OBJECT | {"image_id": 9}], r"annotations\[0\].image_id: .* id of images, got 9"),
        ([OBJECT | {"category_id": {}}], r"annotations\[0\].category_id: .* of categories, got {}"),
    ]),
    ("{", "expected JSON, got"),
    ("[" * 200_000, "nested too deeply"),
    ('{"images": [' + '{"a":' * 200_000, "nested too deeply"),
    ('{"images": [' + "[]," * 399_999 + "[]]}", "at most 300,000 objects and lists, got 400"),
    ("[1]", "expected an object with 'images'"),
    ('{"images": ' + "9" * 5000 + "}", "expected JSON, got"),
    place="instances_train2017.json: .*",
)  # fmt: skip
CREATEML = in_file(
    "a.json",
    *(([{"image": "a.jpg", "annotations": ["dog"]}, entry], message) for entry, message in [
        ({"image": 5, "annotations": []}, "expected 'image' and a list"),
        ({"image": "b.jpg", "annotations": [5]}, "expected a label as text, got 5"),
        (5, "expected 'image' and a list of 'annotations', got 5"),
    ]),
    place=r"\[1\]: ",
)  # fmt: skip
MANY = ",".join(f"l{i}" for i in range(100_001))
CSV_COLUMNS = in_file(
    "labels.csv",
    ("x,cat\na,1\n", r":1: expected a header with a column 'image'"),
    ("image,cat,cat \na.jpg,1,1\n", r":1: .*\['cat'\] empty or repeated"),
    ("image,cat,\na.jpg,1,1\n", r":1: .*\[''\] empty or repeated"),
    ("image,split\na.jpg,train\n", "expected a column per label"),
    ("image,cat,dog\n", "rows below the header, got none"),
    ("image,cat,dog\na.jpg,1,0\nb.jpg,1\n", r":3: expected 3 cells .* got 2"),
    ("image,split,cat\na.jpg,half,1\n", ":2: expected the split .* got 'half'"),
    ("image,cat,train,test\na.jpg,1,1,0\nb.jpg,0,0,1\n", "in one column.* got 'train', 'test'"),
    ("image,cat,dog\n,1,0\n", ":2: expected a photo, got a blank cell"),
    ("image,cat,dog\na.jpg,1,0\na.jpg,0,0\n", ":3: .* but line 2 differs"),
    ('image,cat,dog\n"a.jpg"x,1,0\n', ":2: expected a well-formed CSV"),
    ('image,cat,dog\n"a.jpg,1,0\n' + 200_000 * "b", ":3: expected a well-formed CSV"),
    (b"image,cat,\x81\na.jpg,1,0\n", ":1: expected UTF-8"),
    (b"image,cat,dog\na.jpg,1,0\n\xcf\xf0\xe8\xe2.jpg,1,0\n", ":3: expected UTF-8"),
    ("image,cat,dog".encode("utf-16") + b"\n", ":1: expected UTF-16"),
    (f"image,{MANY}\na.jpg\n", "at most 100,000 cells"),
    ("image,cat,dog\na.jpg" + "," * 100_001, "at most 100,000 cells"),
    ("image,cat,dog\n" + "\n" * 10_001 + "a.jpg,1,0\n", "got 10,000 blank lines"),
    ("image,cat,dog\n" + "a.jpg,1,0\n" * 200_000, "at most 1,900,000 bytes .*, got 2,000,014"),
)
OTHER_TEXTS = [
    *(("\u72ac", "shift-jis"), ("\u72d7", "gbk"), ("\u017c\u00f3\u0142w", "cp1250")),
    ("\u043a\u043e\u0448\u043a\u0430", "cp1251"),
]
"""Labels in encodings that are not read as Western text."""

CSV_LIST = in_file(
    "labels.csv",
    *(
        (f"image,labels\na.jpg,['a']\nb.jpg,\"{cell}\"\n", r":3: expected a list such as \['sea',")
        for cell in (
            "{'dog': 2}",
            "[{'name': 'dog', 'score': 0.9}]",
            *("['a', __import__('os')]", "['a' 'b', 'c']", "['a'", "['a' x]", "[x y]"),
            *("['a'], 'b'", "sea", "[[", "[['a'], ['b']]", "['a', ..., 'b']", "[True, False]"),
        )
    ),
    *(
        (f"image,labels\na.jpg,{label}\n".encode(encoding), ":2: expected UTF-8 text, got other")
        for label, encoding in OTHER_TEXTS
    ),
    ("image,labels\na,gr\u00fcn\n".encode() + b"b,bla\xfc\n", ":3: expected UTF-8 text, got other"),
    *(
        (f"image,{column}\na.jpg,my cat\nb.jpg,a dog\n", f"got '{column}'; name it with `labels_c")
        for column in ("caption", "text", "Description")
    ),
    (
        "image,tags\n" + "".join(f"{n}.jpg,A dog runs over field number {n}.\n" for n in range(30)),
        "are these captions",
    ),
    ("image,labels,by\na.jpg,dog,cat,Ann\n", r"labels.csv:2: expected 3 cells .* unquoted"),
    ("image,cat,dog\na.jpg,1,0\n", "one column of labels .* got 'cat', 'dog'"),
    ("image,labels\na.jpg,\nb.jpg,\n", "that nobody has filled in: write the labels of each"),
    ("image,labels\na.jpg,One\nb.jpg,Two\n", "2 photos with 2 labels; are these labels, or"),
)
CSV_LONG = in_file(
    "labels.csv",
    (
        "image,label,present\na.jpg,cat,yes\na.jpg,dog,no\nb.jpg,dog,maybe\n",
        ":4: expected a confidence .* got 'maybe'",
    ),
)
CVAT = in_file(
    "annotations.xml",
    *((f"<annotations>{content}</annotations>", message) for content, message in [
        ('<track id="0"/>', "got CVAT for video"),
        ('<image id="7" name="a.jpg"/>', "tags or shapes of photos, got none of 1 photo"),
        ('<image id="7" name="a.jpg"><tag/></image>', "image 7: expected a label of its <tag>"),
        ('<image id="7" name="x/../a"><tag label="a"/></image>', "image 7: .* inside the folder"),
        ("<image>", "well-formed XML, got: mismatched tag"),
    ]),
    place="annotations.xml: .*",
)  # fmt: skip
LABELS = {"label": {"labels": [{"name": "cat"}, {"name": "dog"}]}}
TAG = {"type": "label", "label_id": 2}
DATUMARO = in_file(
    "annotations/default.json",
    *(
        ({"categories": labels, "items": [{"id": "a", "annotations": given}]}, message)
        for labels, given, message in [
            (LABELS, [TAG], r"items\[0\]: expected a 'label_id' among 2, got 2"),
            (LABELS, 5, r"items\[0\]: expected an item with a list of 'annotations'"),
            ({"label": {}}, [TAG], "a list under categories.label.labels, got None"),
        ]
    ),
    ({"categories": LABELS, "items": []}, "expected 'items', a list of photos, got an empty list"),
)


def sample(**fields: object) -> dict[str, object]:
    return {"filepath": "a.jpg", "tags": [], "metadata": {"width": 3}} | fields


NAMED = {"_cls": "Classifications", "classifications": [{"label": "cat"}]}
FIFTYONE = in_file(
    "labels.json",
    *(({"classes": classes, "labels": labels}, message) for classes, labels, message in [
        (["cat"], {"a": [2]}, r"labels\['a'\]: expected a label, or its number .* got 2"),
        (["cat"], {"a": [True]}, "got True"),
        (["cat"], {"x/../a": [0]}, "inside the folder of the photos"),
        ([5], {"a": [0]}, "'classes', a list of names"),
    ]),
    ({"samples": [{"filepath": 5}]}, r"samples\[0\]: expected an object with 'filepath'"),
    ({"samples": [sample()]}, "one field of labels, .* got none"),
    ({"samples": [sample(x=NAMED, y=NAMED)]}, "or one called 'ground_truth', got 'x', 'y'"),
)  # fmt: skip


def task(image: str, choices: list[object]) -> dict[str, object]:
    result = {"from_name": "tags", "type": "choices", "value": {"choices": choices}}
    return {"annotations": [{"result": [result]}], "data": {"image": image}}


MIN = {"image": "a.jpg", "annotator": 1, "annotation_id": 1, "lead_time": 3.2}
LABEL_STUDIO = in_file(
    "project.json",
    ([task("data:image/png;base64,é", ["a"])], "write the photos to a"),
    ([task("a.jpg", [5])], r"\[0\].choices: expected labels as text, got '5'"),
    ([task("a.jpg", ["a"]), 5], r"\[1\]: expected a task with 'data'"),
    ([task("a/../../x.jpg", ["a"])], "inside the folder of the photos"),
    ([{"data": {"text": "hi"}, "annotations": [{"result": []}]}], "one photo a task"),
    ([MIN | {"camera": "Nikon"}], "a column of labels, such as 'choice'"),
    ([MIN | {"choice": "x"}, 5], r"\[1\]: expected a row as an object"),
    ([MIN | {"image": ["a.jpg"], "choice": "x"}], "expected one photo a task"),
)
MIRFLICKR = [
    ({"mirflickr25k_annotations_v080/sky.txt": f"5\n{line}\n"}, "sky.txt:2: .*, 1 to 50, got")
    for line in ("0", "51", "-3", "x", "1.0", "9" * 5000)
]
CLASSES = {"classes": ["cat", "dog", "cow"]}
MMPRETRAIN = in_file(
    "train.json",
    *(({"metainfo": meta, "data_list": listed}, message) for meta, listed, message in [
        (CLASSES, [{"img_path": "a", "gt_label": [0, 3]}], r"data_list\[0\].gt_label: .* \[0, 3\]"),
        (CLASSES, [{"img_path": "a", "gt_label": [True]}], "numbers of classes, got"),
        (CLASSES, [{"gt_label": [0]}], "an object with 'img_path'"),
        ({}, [{"img_path": "a", "gt_label": [0]}], "'metainfo.classes', a list of names"),
        (CLASSES, None, "'data_list', a list of photos, got None"),
    ]),
)  # fmt: skip
MARKS, CONCEPTS = "Groundtruth/TrainTestLabels/Labels_bird_", "ConceptsList/Concepts81.txt"
NUS_WIDE = [
    ({f"{MARKS}Train.txt": "1 0 2"}, "Labels_bird_Train.txt: expected 0 or 1 .* got b'2'"),
    ({f"{MARKS}Train.txt": "1 0"}, "a mark for each of 3 photos, got 2"),
    ({f"{MARKS}Test.txt": "1 0 1"}, "a mark for each of 2 photos, got 3"),
    ({CONCEPTS: "bird\n../../../secret\n"}, "Concepts81.txt:2: expected the name of a concept"),
    ({CONCEPTS: f"bird\n{'x' * 300}\n"}, "Concepts81.txt:2: expected the name of a concept"),
]


def lines(*records: object) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


FIRST = {"path": "a.jpg", "labels": ["dog"]}
RECORDS = in_file(
    "rows.jsonl",
    *((lines(FIRST, record), message) for record, message in [
        ({"path": "b.jpg", "labels": [[["dog"]]]}, "record 2: expected labels as text, got"),
        ({"path": "b.jpg", "labels": [True]}, "record 2: expected labels as text, got True"),
        ({"path": 5, "labels": []}, "record 2: expected a photo's path, got 5"),
        ({"path": {"bytes": "é"}, "labels": []}, "record 2: .* the photo in Base64, got 'é'; wr"),
        ({"path": "x/../b.jpg", "labels": []}, "record 2: .* inside the folder"),
        ([1], ":2: expected an object with a photo and its labels"),
    ]),
    (lines({"file": "a.jpg", "size": 17}), "labels under a key such as 'labels', .* got"),
    (lines({"file": "a", "x": ["a"], "y": ["b"]}), "labels under a key such as 'labels'"),
)  # fmt: skip
UTF_8_OR_JSON = "expected labels as UTF-8 text or JSON"
SHARDS = in_file(
    "a.tar",
    *(({"1.jpg": b"", f"1.{ending}": labels}, message) for ending, labels, message in [
        ("json", '{"labels": 0.5}', r"a\.tar/1\.json: expected 'labels', a list of names or a ta"),
        ("json", '{"labels": [true]}', "expected 'labels', a list of names"),
        ("json", '{"labels": {"dog": 2}}', "a table of 1, 0 and null"),
        ("json", '{"labels": {"dog": 1.0}}', "a table of 1, 0 and null"),
        ("json", "{", UTF_8_OR_JSON),
        ("json", "[" * 100_000, UTF_8_OR_JSON),
        ("json", '{"labels": ' + "9" * 5_000 + "}", UTF_8_OR_JSON),
        ("txt", b"\xff\xfe", UTF_8_OR_JSON),
        ("txt", "a\x1b[2J", "without control characters"),
        ("txt", "x" * (2**20 + 1), "expected at most 1,048,576 bytes, got 1,048,577"),
    ]),
    ({"1.jpg": b"", "1.png": b""}, r"expected one photo a sample, got '1\.jpg' and '1\.png'"),
    ({"1.jpg": b"", "1.txt": "a", "1.cls": "b"}, "expected one file of labels a sample"),
    ({"1.jpg": b"", "2.jpg": b"", "2.txt": "a"}, r"expected labels of '1\.jpg' as other"),
    ({"1.txt": "a"}, "expected photos in the shards of .*, got members such as '1"),
    ({"1.jpg": b""}, "or in one CSV beside them, got no labels and 0 CSV files"),
)  # fmt: skip
VOC = [
    ({f"VOC2012/ImageSets/Main/{name}.txt": text for name, text in lists.items()}, message)
    for lists, message in [
        ({"cat_train": "p1 1\n\np2 2\n"}, "cat_train.txt:3: expected a photo and 1, 0 or -1"),
        ({"cat_train": "p1 1\np2\n"}, "cat_train.txt:2: expected a photo and 1, 0 or -1"),
        ({"cat_train": "p1 1\np1 -1\n"}, "cat_train.txt:2: expected 'p1' once"),
        ({"cat_train": "p1 1\n", "dog_val": "p1 1\n"}, "each photo in one split, got 'p1' in two"),
        ({"cat": "p1 1\n"}, "one ImageSets/Main .* got none"),
        ({"cat_train": "\n\n"}, "got 0 photos and 1 label"),
    ]
]
VOC_XML = in_file(
    "b.xml",
    ("<annotations/>", "begins with <annotation>"),
    ("<annotation><object>", "well-formed XML"),
    place="b.xml: .*",
)
NAMES = "names: [cat, 'no', dog]\n"
BOXES = {"images/train/a.jpg": "", "labels/train/a.txt": "2 0 0"}
YOLO = [
    ({"data.yaml": settings} | BOXES, message)
    for settings, message in [
        (f"train: images/train\n{NAMES}x: &a [1]\ny: *a\n", "YAML without aliases"),
        ("train: images/train\nnames: 5\n", "'names' of classes, by number or as a list, got '5'"),
        ("train: images/train\nnames: [cat]\n", "a.txt:1: expected the number of a class, .* '2'"),
        (f"train:\n{NAMES}", "folders of photos as 'train', 'val' or 'test'"),
        (f"train: [\n{NAMES}", "expected YAML, got"),
        (f"train: other.txt\n{NAMES}", "a list of photos at .*other.txt"),
        (f"train: images/nothing\n{NAMES}", r"files of objects \(.txt\) in .*, got none"),
    ]
]
CATALOGUE: dict[str, Rows] = {
    "coco": COCO,
    "createml": CREATEML,
    "csv-columns": CSV_COLUMNS,
    "csv-list": CSV_LIST,
    "csv-long": CSV_LONG,
    "cvat": CVAT,
    "datumaro": DATUMARO,
    "fiftyone": FIFTYONE,
    "json-records": RECORDS,
    "label-studio": LABEL_STUDIO,
    "mirflickr": MIRFLICKR,
    "mmpretrain": MMPRETRAIN,
    "nus-wide": NUS_WIDE,
    "shards": SHARDS,
    "voc": VOC,
    "voc-xml": VOC_XML,
    "yolo": YOLO,
}
AROUND = {"mirflickr": write_mirflickr, "nus-wide": partial(write_nus_wide, photos=PHOTOS)}
"""What writes the sound files around a wrong one."""


def written(file: Path, content: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict) and file.suffix == ".tar":
        write_shard(file, content)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content))


@pytest.mark.parametrize(
    ("format_", "files", "message"),
    [(name, *row) for name, rows in CATALOGUE.items() for row in rows],
    ids=[f"{name} {place}" for name, rows in CATALOGUE.items() for place in range(len(rows))],
)
def test_what_cannot_be_read_is_named(tmp_path, monkeypatch, format_, files, message):
    monkeypatch.setattr(json_files, "MOST_ENTRIES", 300_000)
    monkeypatch.setattr("tagsight.data.tables.csv_table.LARGEST_FILE", 1_900_000)
    if format_ == "csv-list":
        monkeypatch.setattr("tagsight.data.annotations.LARGEST_TABLE", 3)
    AROUND.get(format_, lambda folder: folder)(tmp_path)
    for name, content in files.items():
        written(tmp_path / name, content)
    alone = [tmp_path / name for name in files if len(files) == 1 and "/" not in name]
    source = tmp_path if format_ in {"shards", "voc-xml"} else (alone or [tmp_path])[0]
    with pytest.raises(DataError, match=message):
        read_annotations(source, format=format_, labels_only=True)
