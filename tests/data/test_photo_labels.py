import json

import pytest

from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def test_entries_of_one_photo_are_united_and_what_is_surely_present_is_so(caplog):
    photos = [
        PhotoLabels("a.jpg", ["sky"], ["dog"]),
        PhotoLabels("b.jpg", [], ["sky"]),
        PhotoLabels("a.jpg", ["dog"]),
    ]
    table = tabulate("labels", photos, names=["cat"])
    assert table.photos == ("a.jpg", "b.jpg")
    assert (table.names, table.targets.tolist()) == (
        ("cat", "dog", "sky"),
        [[0, 1, 1], [0, 0, -1]],
    )
    assert "labels: 1 further entry of the same photos, united" in caplog.text


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", "test"), "each photo in one split, got 'a.jpg' in two"),
        (("train", None), "each photo in one split"),
    ],
)
def test_a_photo_in_two_splits_is_refused(splits, message):
    photos = [PhotoLabels("a.jpg", ["sky"], split=split) for split in splits]
    with pytest.raises(DataError, match=message):
        tabulate("labels", photos)


CVAT = "<annotations>{}</annotations>"
VOC = "<annotation><filename>{}.jpg</filename>{}</annotation>"
DOG, NAMELESS = "<object><name>dog</name></object>", "<object><name/></object>"
REGION = {"from_name": "box", "value": {"x": 1, "width": 2, "rectanglelabels": []}}


B = {"category_id": 2}


def coco(first, second) -> dict[str, object]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "sky"}],
        "annotations": [{"image_id": 1, **first}, {"image_id": 2, **second}, {"image_id": 2} | B],
    }


FILES = {
    "coco": {"a.json": coco(B, {"category_id": None})},
    "coco, lacking": {"a.json": coco(B, {})},
    "cvat": {
        "annotations.xml": CVAT.format(
            '<image name="a.jpg"><tag label="sky"/></image>'
            '<image name="b.jpg"><box xtl="1"/><box label="sky" xtl="1"/></image>'
            '<image name="c.jpg"><tag label="dog"/></image>'
        )
    },
    "voc-xml": {
        "a.xml": VOC.format("a", DOG.replace("dog", "sky")),
        "b.xml": VOC.format("b", NAMELESS + DOG.replace("dog", "sky")),
        "c.xml": VOC.format("c", DOG),
    },
    "createml": {
        "a.json": [
            {"image": "a.jpg", "annotations": [{"label": "sky"}]},
            {
                "image": "b.jpg",
                "annotations": [{"label": "sky"}, {"label": "", "coordinates": {"x": 1}}],
            },
            {"image": "c.jpg", "annotations": [{"label": "dog"}]},
        ]
    },
    "datumaro": {
        "annotations/all.json": {
            "categories": {"label": {"labels": [{"name": "dog"}, {"name": "sky"}]}},
            "items": [
                {"id": "a", "annotations": [{"type": "label", "label_id": 1}]},
                {
                    "id": "b",
                    "annotations": [{"type": "label", "label_id": 1}, {"type": "bbox"}],
                },
            ],
        }
    },
    "fiftyone": {
        "samples.json": {
            "samples": [
                {"filepath": "data/a.jpg", "it": {"detections": [{"label": "sky"}]}},
                {
                    "filepath": "data/b.jpg",
                    "it": {"detections": [{"label": "sky"}, {"label": None}]},
                },
                {"filepath": "data/c.jpg", "it": {"detections": [{"label": "dog"}]}},
            ]
        }
    },
    "label-studio": {
        "a.json": [
            {"data": {"image": f"{photo}.jpg"}, "annotations": [{"result": results}]}
            for photo, results in {
                "a": [{"from_name": "t", "value": {"choices": ["sky"]}}],
                "b": [{"from_name": "t", "value": {"choices": ["sky"]}}, REGION],
                "c": [
                    {"from_name": "t", "value": {"choices": ["dog"]}, "id": "7"},
                    {"from_name": "box", "value": {"x": 1, "width": 2}, "id": "7"},
                ],
            }.items()
        ]
    },
}


@pytest.mark.parametrize("kind", FILES)
def test_what_a_photo_with_a_nameless_box_does_not_list_is_unknown_and_told(tmp_path, caplog, kind):
    for name, content in FILES[kind].items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
    only = next(iter(FILES[kind]))
    source = tmp_path if kind not in {"createml", "label-studio"} else tmp_path / only
    rows = read_annotations(source, labels_only=True)
    assert rows.names == ("dog", "sky")
    assert rows.targets[:2].tolist() == [[0, 1], [-1, 1]]
    assert "boxes without a label in 1 photo: labels that are not listed are unknown" in caplog.text


@pytest.mark.parametrize("kind", ["label-folders", "text-tags", "json", "voc-xml"])
def test_a_mark_without_a_letter_is_no_label_in_any_format(tmp_path, caplog, kind):
    for name in ("a", "b"):
        if kind == "label-folders":
            for label in ("-", "dog", "sky"):
                (tmp_path / label).mkdir(exist_ok=True)
                (tmp_path / label / f"{name}.jpg").write_text(name)
            continue
        (tmp_path / f"{name}.jpg").touch()
        if kind == "text-tags":
            (tmp_path / f"{name}.txt").write_text("-, dog, sky, ->")
        elif kind == "voc-xml":
            objects = "".join(f"<object><name>{x}</name></object>" for x in ("-", "dog", "sky"))
            text = f"<annotation><filename>{name}.jpg</filename>{objects}</annotation>"
            (tmp_path / f"{name}.xml").write_text(text)
        else:
            labels = [{"label": x, "points": []} for x in ("-", "dog", "sky")]
            content = {"flags": {}, "shapes": labels, "imagePath": f"{name}.jpg"}
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
    rows = read_annotations(tmp_path)
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 1], [1, 1]])
    assert "'-'" in caplog.text
    assert "without a letter or a digit: no label" in caplog.text
