"""One object of JSON or YAML that stands for several photos."""

import json

import pytest

from tagsight.data.readers import read_annotations
from tagsight.errors import DataError


def read(folder, name, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return read_annotations(folder / name, labels_only=True)


def targets(annotations):
    return dict(zip(annotations.relative_names, annotations.targets.tolist(), strict=True))


RECORDS = [
    {"Image Index": "x/a.jpg", "Finding Labels": "dog"},
    {"Image Index": "b.jpg", "Finding Labels": "dog|cat"},
]
BY_LABEL = {"cow": [], "dog": ["x/a.jpg", "b.jpg"], "cat": ["b.jpg"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", BY_LABEL),
        ("a.json", json.dumps(BY_LABEL, indent=2)),
        ("a.yaml", "# animals\n---\ncow: []\ndog:\n- x/a.jpg\n- 'b.jpg'\ncat: [b.jpg]\n"),
        ("a.yml", '"x/a.jpg": [dog]\nb.jpg: [dog, cat]\n'),
        ("a.yml", "x/a.jpg:\n  - dog\nb.jpg: dog, cat\nc.jpg:\n"),
        (
            "a.yml",
            "- image: x/a.jpg\n  labels: [dog]\n- image: b.jpg\n  labels:\n  - dog\n  - cat\n",
        ),
        ("a.yml", "b.jpg: {cat: 1, dog: 1}\nx/a.jpg: {dog: yes, cat: no}\n"),
        ("a.json", {"x/a.jpg": ["dog"], "b.jpg": ["dog", "cat"]}),
        *(("a.json", {"version": 1, key: RECORDS}) for key in ("images", "data", "annotations")),
    ],
)
def test_photos_by_label_and_labels_by_photo_mean_the_same(tmp_path, caplog, name, content):
    found = read(tmp_path, name, content)
    assert found.names == ("cat", "dog")
    assert targets(found) == {"x/a.jpg": [0, 1], "b.jpg": [1, 1]}
    assert ("labels without photos left out: cow" in caplog.text) == ("cow" in str(content))


@pytest.mark.parametrize(
    "content",
    [
        {"train": RECORDS[:1], "val": RECORDS[1:]},
        {"info": {"year": 2026}, "Training": RECORDS[:1], "Validation": RECORDS[1:]},
        {"train": {"x/a.jpg": ["dog"]}, "val": {"b.jpg": ["dog", "cat"]}},
        {"train": {"dog": ["x/a.jpg"]}, "val": {"dog": ["b.jpg"], "cat": ["b.jpg"]}},
    ],
)
def test_words_of_splits_above_the_photos_are_no_labels_and_no_photo_is_lost(tmp_path, content):
    found = read(tmp_path, "a.json", content)
    assert found.names == ("cat", "dog")
    assert targets(found) == {"x/a.jpg": [0, 1], "b.jpg": [1, 1]}
    assert found.splits == ("train", "val")


def test_a_label_may_be_called_as_a_key_of_photos(tmp_path):
    found = read(tmp_path, "a.json", {"photo": ["a.jpg"], "drawing": ["a.jpg", "b.jpg"]})
    assert targets(found) == {"a.jpg": [1, 1], "b.jpg": [1, 0]}


def test_one_record_may_take_several_lines(tmp_path):
    text = json.dumps({"image": "a.jpg", "labels": ["dog"]}, indent=2)
    assert targets(read(tmp_path, "a.json", text)) == {"a.jpg": [1]}


def test_yaml_has_text_alone_so_that_no_is_a_label(tmp_path):
    assert read(tmp_path, "a.yaml", "a.jpg: [no, 1.0]\n").names == ("1.0", "no")


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("a.json", {"dog": ["a.jpg"], "b.jpg": ["cat"]}, "'b.jpg'"),
        ("a.json", {"a.jpg": ["cat"], "dog": ["b.jpg"]}, "'a.jpg'"),
        ("a.json", {"dog": ["a.jpg", 5]}, "'dog'"),
        ("a.json", {"dog": ["a", "b"]}, "'dog'"),
        ("a.json", {"x": {"dog": ["a.jpg"]}, "b.jpg": ["dog"]}, "'x'"),
        ("a.yaml", "dog: [a, b]\n", "'dog'"),
        ("a.yaml", "dog: [a.jpg]\ncat: 5\n", "'cat'"),
    ],
)
def test_a_mixture_is_refused_with_what_does_not_fit(tmp_path, name, content, shown):
    wanted = "a list of photos for each label, or the labels of each photo, whose names end as"
    with pytest.raises(DataError, match=rf"expected {wanted} .*got {{{shown}"):
        read(tmp_path, name, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"dogs": RECORDS, "cats": RECORDS}, "expected photos under one key, .* got dogs, cats"),
        ({"train": RECORDS, "more": RECORDS}, "expected photos under one key, .* got train, more"),
        ({"train": ["a.jpg"], "val": ["b.jpg"]}, "got train, val, .* the splits alone"),
        ("train: [a.jpg]\nval: [b.jpg]\n", "got train, val, .* the splits alone"),
    ],
)
def test_photos_of_which_some_would_be_lost_or_without_labels_are_refused(
    tmp_path, content, message
):
    with pytest.raises(DataError, match=message):
        read(tmp_path, f"a.{'yaml' if isinstance(content, str) else 'json'}", content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg: [dog\nb: ]", "expected YAML, got"),
        ("a.jpg: &x [dog]\nb.jpg: *x\n", "without aliases"),
    ],
)
def test_yaml_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, "a.yaml", text)
