"""Answers to questions, as in VGG Image Annotator and Labelbox, become labels."""

import json

from tagsight.data.readers import read_annotations


def via(photo: str, *regions: dict[str, object], **attributes: object) -> dict[str, object]:
    inside = [{"region_attributes": region} for region in regions]
    return {"filename": photo, "size": 9, "regions": inside, "file_attributes": attributes}


def write(tmp_path, *photos: dict[str, object]):
    file = tmp_path / "via.json"
    file.write_text(json.dumps({f"{photo['filename']}9": photo for photo in photos}))
    return read_annotations(file, labels_only=True)


def test_an_answer_is_a_label_and_yes_is_the_question(tmp_path):
    rows = write(
        tmp_path,
        via("a.jpg", {"kind": "dog"}, {"kind": "cat"}, indoor="yes", caption="A day out"),
        via("b.jpg", indoor="no", weather={"rain": True, "snow": False}),
    )
    assert rows.names == ("cat", "dog", "indoor", "rain")
    assert rows.targets.tolist() == [[1, 1, 1, 0], [0, 0, 0, 1]]


def test_answers_of_several_questions_are_named_with_theirs(tmp_path):
    rows = write(
        tmp_path, via("a.jpg", front="red", back="blue"), via("b.jpg", front="blue", back="7")
    )
    assert rows.names == ("7", "back: blue", "front: blue", "red")


def test_a_region_without_a_label_leaves_others_unknown(tmp_path):
    rows = write(tmp_path, via("a.jpg", {"kind": "dog"}), via("b.jpg", {"kind": ""}))
    assert rows.targets.tolist() == [[1], [-1]]


def test_what_nobody_labelled_is_left_out_of_labelbox(tmp_path):
    kinds = {"name": "indoor", "radio_answer": {"name": "Yes"}}
    done = {"annotations": {"objects": [{"name": "dog"}], "classifications": [kinds]}}
    rows = [
        {"data_row": {"external_id": name}, "projects": {"p": {"labels": labels}}}
        for name, labels in (("a.jpg", [done]), ("b.jpg", []))
    ]
    file = tmp_path / "export.ndjson"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = read_annotations(file, labels_only=True)
    assert (found.names, found.relative_names) == (("dog", "indoor"), ("a.jpg",))
