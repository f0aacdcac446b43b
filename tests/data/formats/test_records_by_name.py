"""One object of JSON or YAML that stands for several photos."""

import json

import pandas
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
BY_PHOTO = {"x/a.jpg": ["dog"], "b.jpg": ["dog", "cat"]}
CAT = {"b.jpg": {"labels": {"cat": 1, "dog": 1}}}
NUMBERED = [{"image": "x/a.jpg", "labels": [0]}, {"image": "b.jpg", "labels": [0, 1]}]
WRAPPED = (
    BY_PHOTO,
    {"dog": ["x/a.jpg", "b.jpg"], "cat": ["b.jpg"]},
    {"images": RECORDS},
    {"name": "animals", "rows": [{"file": name, "tags": it} for name, it in BY_PHOTO.items()]},
    {name: {"labels": labels} for name, labels in BY_PHOTO.items()},
)
"""What may be under a key of one object, or under a key of that."""

YAML_LISTS = (
    "- x/a.jpg: [dog]\n- b.jpg: [dog, cat]\n",
    "- [x/a.jpg, [dog]]\n- [b.jpg, [dog, cat]]\n",
    "- [x/a.jpg, dog]\n- [b.jpg, dog, cat]\n",
    "- labels: [dog]\n  image: x/a.jpg\n- image: b.jpg\n  labels: [dog, cat]\n",
    "name: animals\nimages:\n- image: x/a.jpg\n  tags: [dog]\n- image: b.jpg\n  tags: [dog, cat]\n",
)
PAIR_LINES = '["x/a.jpg", ["dog"]]\n["b.jpg", ["dog", "cat"]]\n'
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
        ("a.yml", "images:\n  x/a.jpg: [dog]\n  b.jpg: [dog, cat]\n"),
        ("a.yml", "images:\n  x/a.jpg:\n    tags: [dog]\n  b.jpg:\n    tags: [dog, cat]\n"),
        ("a.yml", "photos:\n- file: x/a.jpg\n  tags: [dog]\n- file: b.jpg\n  tags: [dog, cat]\n"),
        ("a.json", {"x/a.jpg": ["dog"], "b.jpg": ["dog", "cat"]}),
        *(("a.yml", text) for text in YAML_LISTS),
        *(("a.json", {"dataset": content}) for content in WRAPPED),
        *(("a.json", {"format": "mine", "set": {"version": 2, "x": it}}) for it in WRAPPED),
        ("a.json", [{name: labels} for name, labels in BY_PHOTO.items()]),
        ("a.json", [{"data": {"image": name}, "tags": it} for name, it in BY_PHOTO.items()]),
        *((name, PAIR_LINES) for name in ("a.jsonl", "a.json", "a.ndjson")),
        *(("a.json", {"version": 1, key: RECORDS}) for key in ("images", "data", "annotations")),
        *(("a.json", {"info": {"year": 2026}, key: BY_PHOTO}) for key in ("images", "annotations")),
        ("a.json", {"images": {name: {"labels": labels} for name, labels in BY_PHOTO.items()}}),
        ("a.json", {name: {"tags": labels, "width": 9} for name, labels in BY_PHOTO.items()}),
        ("a.json", {"x/a.jpg": {"labels": {"cat": 0, "dog": 1}}} | CAT),
        ("a.json", {"images": [*BY_PHOTO], "labels": [*BY_PHOTO.values()], "version": 2}),
        ("a.json", {"classes": ["dog", "cat"], "data": NUMBERED}),
        ("a.json", {"id2label": {"0": "dog", "1": "cat"}, "data": NUMBERED}),
        ("a.json", {"class_to_idx": {"dog": 0, "cat": 1}, "images": NUMBERED}),
        (
            "a.json",
            {
                "categories": [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}],
                "images": [
                    {"file_name": one["image"], "labels": one["labels"]} for one in NUMBERED
                ],
            },
        ),
        ("a.jsonl", "".join(f"{json.dumps({name: BY_PHOTO[name]})}\n" for name in BY_PHOTO)),
        ("a.jsonl", json.dumps(BY_PHOTO)),
        *(
            (name, join.join(json.dumps(record, indent=2) for record in RECORDS))
            for name, join in [("a.json", "\n"), ("a.jsonl", ""), ("a.json", "\n\n")]
        ),
        ("a.json", [*BY_PHOTO.items()]),
        ("a.json", [[name, *labels] for name, labels in BY_PHOTO.items()]),
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


def test_names_without_endings_are_photos_if_all_have_labels_of_their_own(tmp_path):
    content = {"x/a": {"tags": "dog"}, "b": {"tags": "dog, cat"}}
    assert targets(read(tmp_path, "a.json", content)) == {"x/a": [0, 1], "b": [1, 1]}
    with pytest.raises(DataError, match="expected a list of photos for each label"):
        read(tmp_path, "a.json", content | {"info": {"year": 2026}})


def test_a_name_that_is_there_twice_is_refused_as_one_would_be_lost(tmp_path):
    text = '{"a.jpg": ["dog"], "b.jpg": ["cat"], "a.jpg": ["cat"]}'
    for name in ("a.json", "a.jsonl"):
        with pytest.raises(DataError, match=r"expected each key once, got 'a\.jpg' several times"):
            read(tmp_path, name, text)


def test_what_is_listed_as_absent_is_no_label_and_the_rest_is_unknown(tmp_path):
    content = {"a.jpg": {"positive": ["dog"], "negative": ["cat"]}, "b.jpg": {"negative": ["dog"]}}
    assert targets(read(tmp_path, "a.json", content)) == {"a.jpg": [1, 0], "b.jpg": [0, -1]}
    content["b.jpg"]["positive"] = ["dog"]
    with pytest.raises(DataError, match="expected 'dog' as present or absent, got both"):
        read(tmp_path, "a.json", content)


def test_names_in_the_file_count_before_those_beside_and_unsure_numbers_stay(tmp_path):
    (tmp_path / "classes.txt").write_text("cow\nfox\n")
    content = {"names": ["dog", "cat"], "data": NUMBERED}
    assert read(tmp_path, "a.json", content).names == ("cat", "dog")
    assert read(tmp_path, "a.json", content | {"names": ["dog"]}).names == ("cow", "fox")
    ones = [{"image": "a.jpg", "labels": [1]}, {"image": "b.jpg", "labels": [2]}]
    content = {"names": ["cow", "dog", "cat"], "data": ones}
    assert read(tmp_path, "a.json", content).names == ("cow", "fox")
    (tmp_path / "classes.txt").unlink()
    assert read(tmp_path, "a.json", content).names == ("1", "2")


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
        ("a.jsonl", '{"a.jpg": ["dog"]}\n{"dog": 5}\n', "'dog'"),
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


def test_yaml_may_have_a_list_of_photos_for_each_split(tmp_path):
    text = "train:\n- image: a.jpg\n  tags: [dog]\ntest:\n- image: b.jpg\n  tags: [cat]\n"
    found = read(tmp_path, "a.yaml", text)
    assert (found.names, found.splits) == (("cat", "dog"), ("train", "test"))


def test_lists_of_what_is_so_and_what_is_not_may_lie_beside_the_photo(tmp_path):
    rows = [
        {"image": "a.jpg", "positive": ["dog"], "negative": ["sky"]},
        {"image": "b.jpg", "positive": ["sky"]},
    ]
    found = read(tmp_path, "a.json", rows)
    assert (found.names, found.targets.tolist()) == (("dog", "sky"), [[1, 0], [-1, 1]])
    (tmp_path / "data.toml").write_text(found.origin.toml())
    assert read_annotations(tmp_path / "data.toml", labels_only=True).hash() == found.hash()


def test_what_a_program_wrote_is_refused_under_a_key_with_the_way_out(tmp_path):
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 1}],
    }
    with pytest.raises(DataError, match=r"under 'dataset'.* 'jq \.dataset a.json > labels.json'"):
        read(tmp_path, "a.json", {"dataset": coco})


@pytest.mark.parametrize("orient", ["split", "records", "index", "columns", "table"])
@pytest.mark.parametrize("index", [True, False])
def test_all_forms_of_json_that_pandas_writes_are_read(tmp_path, orient, index):
    frame = pandas.DataFrame({"image": ["a.jpg", "b.jpg"], "dog": [1, 0], "sky": [1, 1]})
    if index and orient == "records":
        return  # which leaves the photos out
    frame = frame.set_index("image") if index else frame
    file = tmp_path / "rows.json"
    frame.to_json(file, orient=orient)
    rows = read_annotations(file, labels_only=True)
    assert (rows.names, rows.targets.tolist()) == (("dog", "sky"), [[1, 1], [0, 1]])
    frame = pandas.DataFrame({"image": ["a.jpg", "b.jpg"], "tags": [["dog", "sky"], ["sky"]]})
    frame.to_json(file, orient=orient)
    assert read_annotations(file, labels_only=True).targets.tolist() == [[1, 1], [0, 1]]


BARE = ({"a": ["dog"], "b": ["dog", "cat"]}, {"dog": ["a", "b"], "cat": ["b"], "cow": []})
BARE_OTHERS = (
    {"a": "dog", "b": "dog, cat"},
    {"a": {"dog": 1, "cat": 0}, "b": {"dog": 1, "cat": 1}},
)


@pytest.mark.parametrize("place", [".", "photos", "elsewhere"])
@pytest.mark.parametrize("content", [*BARE, *BARE_OTHERS])
def test_the_folder_tells_which_names_without_endings_are_photos(tmp_path, place, content):
    (tmp_path / place).mkdir(exist_ok=True)
    for name in ("a.JPG", "b.png", "c.jpg"):
        (tmp_path / place / name).touch()
    (tmp_path / "a.json").write_text(json.dumps(content))
    images = tmp_path / place if place == "elsewhere" else None
    found = read_annotations(tmp_path / "a.json", images=images)
    found = found.matched_to(["cat", "dog"])
    assert targets(found) == {"a.JPG": [0, 1], "b.png": [1, 1]}


@pytest.mark.parametrize("content", [*BARE, {"theme": ["dark", "light"], "size": ["9"]}])
def test_names_that_no_folder_knows_are_refused(tmp_path, content):
    (tmp_path / "z.jpg").touch()
    with pytest.raises(DataError, match="if names are without endings, give the folder of the ph"):
        read(tmp_path, "a.json", content)


@pytest.mark.parametrize(
    "key", [{"name": "x/a.jpg"}, {"src": "https://example.org/a.jpg?w=2"}, {"id": "a"}]
)
def test_a_photo_under_a_key_of_any_name_is_found_by_its_value(tmp_path, key):
    ((name, value),) = key.items()
    rows = [
        {"no": n, name: value.replace("a", p), "tags": tags}
        for n, (p, tags) in enumerate(BARE[0].items())
    ]
    texts = json.dumps(rows), "\n".join(map(json.dumps, rows))
    for ending, text in zip(("json", "jsonl"), texts, strict=True):
        found = read(tmp_path, f"l.{ending}", text)
        assert (found.names, found.targets.tolist()) == (("cat", "dog"), [[0, 1], [1, 1]])
