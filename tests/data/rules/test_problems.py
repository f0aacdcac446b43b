from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tagsight.data.annotations import Annotations
from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.rules.problems import KINDS, label_problems, lookalikes
from tagsight.data.rules.rules import LabelRules


def rows(names, table=None, splits=None) -> Annotations:
    """Each label in a photo of its own, and in no other, unless a table says otherwise."""
    targets = torch.eye(len(names)) if table is None else torch.tensor(table)
    paths = tuple(Path("/photos") / f"{index}.jpg" for index in range(len(targets)))
    return Annotations(tuple(names), paths, targets, splits, "any")


def found(annotations) -> dict[str, list[tuple[str, ...]]]:
    kinds: dict[str, list[tuple[str, ...]]] = {}
    for problem in label_problems(annotations):
        kinds.setdefault(problem.kind, []).append(problem.labels)
    assert kinds.keys() <= KINDS.keys()
    return kinds


@pytest.mark.parametrize(
    "group",
    [
        ("Red", "red", "RED"),
        ("cat", "\u0441\u0430t"),
        ("\u041c\u0430x", "max"),
        ("cafe", "café", "cafe\u0301s"),
        ("hot dog", "hot-dog", "Hotdog", "hot_dogs"),
        ("box", "boxes"),
        ("berry", "berries"),
        ("straße", "STRASSE"),
    ],
)
def test_names_that_differ_in_form_alone_look_like_one_label(group):
    kinds = found(rows((*group, "something else")))
    assert kinds == {"variants": [group]}


@pytest.mark.parametrize("names", [("bus", "bu"), ("glass", "glas"), ("犬", "猫"), ("sea", "seal")])
def test_names_that_differ_otherwise_do_not(names):
    assert found(rows(names)) == {}


@pytest.mark.parametrize("joined", ["blue red", "blue#Red", "red/blue", "red_and_blue"])
def test_parts_that_are_labels_elsewhere_look_joined(joined):
    kinds = found(rows(("red", "blue", "and", "dining table", "table", joined)))
    assert kinds == {"joined": [(joined,)]}


def test_labels_with_a_number_or_a_heading_are_told_with_what_they_mean():
    names = ("dog:2", "dog: 1", "sky=0.9", "tags: sea", "Keywords:fog", "16:9", "geo", "a: b")
    problems = [one for one in label_problems(rows(names)) if one.kind == "adorned"]
    assert [one.labels for one in problems] == [
        ("dog:2", "dog: 1"),
        ("sky=0.9",),
        ("tags: sea",),
        ("Keywords:fog",),
    ]
    assert '`merge` "dog=dog:2,dog: 1"' in problems[0].message
    assert "`label_rules`" in problems[1].message  # a rule on the command line has one equals sign


def test_names_for_nothing_and_numbers_are_told():
    names = ("nan", "None", "NULL", "n/a", "banana", "17", "-1", "3 cats")
    assert found(rows(names)) == {
        "missing": [("nan",), ("None",), ("NULL",), ("n/a",)],
        "numbers": [("17", "-1")],
    }


def test_labels_that_no_targets_can_tell_are_told():
    table = [[1, 1, 1, 0, -1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 1, 0]]
    splits = ("train", "train", "train", "val")
    assert found(rows("abcde", table, splits)) == {
        "everywhere": [("a",)],
        "untrained": [("d",)],
        "inseparable": [("b", "c")],
    }


def test_names_in_a_wrong_encoding_are_told():
    names = ("gr\u00c3\u00bcn", "caf\u00e9", "\u041a\u043e\u0442")
    (problem,) = (one for one in label_problems(rows(names)) if one.kind == "garbled")
    assert problem.labels == (names[0],)
    assert '`rename` "gr\u00c3\u00bcn=gr\u00fcn" mends it' in problem.message
    merged = label_problems(rows((*names, "gr\u00fcn")))
    (problem,) = (one for one in merged if one.kind == "garbled")
    assert '`merge` "gr\u00fcn=gr\u00c3\u00bcn" makes them one' in problem.message


def test_the_rule_that_a_problem_names_mends_it():
    table = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    before = rows(("Red", "red", "blue", "blue red"), table)
    said = {problem.kind: problem.message for problem in label_problems(before)}
    assert '`merge` "red=Red" makes them one' in said["variants"]
    assert '`implies` "blue red=>blue,red" with `drop` "blue red"' in said["joined"]
    rules = LabelRules(
        merge={"red": ["Red"]}, implies={"blue red": ["blue", "red"]}, drop=["blue red"]
    )
    listed = replace(before, lists_present=True)
    mended = read_annotations(listed, options=ReadOptions(rules=rules))
    assert mended.targets.tolist() == [[1, 0], [1, 0], [1, 1], [0, 1]]
    assert label_problems(mended) == ()
    stated = read_annotations(before, options=ReadOptions(rules=rules))
    (problem,) = label_problems(stated)  # 'blue' is stated to be absent of a photo with 'blue red'
    assert problem.message == "/photos/2.jpg: 'blue', 'blue red' contradict the rules"


def test_a_problem_of_many_labels_is_told_in_a_line_that_can_be_read():
    same = rows(tuple(f"label {number}" for number in range(9605)), [[1] * 9605, [0] * 9605])
    (problem,) = label_problems(same)
    assert len(problem.labels) == 9605
    assert problem.message.endswith("a file of `label_rules` can make them one")
    assert len(problem.message) < 500


def test_a_label_that_says_that_nothing_is_there_is_never_beside_another():
    for table, told in (([[1, 0], [0, 1]], True), ([[1, 1], [0, 1]], False), ([[1, 0]], False)):
        found = label_problems(rows(("No Finding", "cat"), table))
        messages = [one.message for one in found if one.kind == "nothing"]
        assert len(messages) == told
        assert all('`no_finding` "No Finding"' in message for message in messages)


def test_a_label_between_separators_makes_the_others_suspicious():
    problems = label_problems(rows(("dog;sea", "dog", "hot dog", "cat, fish", "rock # roll")))
    joined = [one for one in problems if one.kind == "joined"]
    assert [one.labels for one in joined] == [("dog;sea",)]
    assert '`implies` "dog;sea=>dog,sea" with `drop` "dog;sea"' in joined[0].message


def test_names_that_options_cannot_write_are_referred_to_a_file():
    (problem,) = label_problems(rows(("a=b", "A=B")))
    assert problem.message.endswith("a file of `label_rules` can make them one")


@pytest.mark.parametrize(
    ("names", "labels", "hint"),
    [
        (["Dog", "CAT ", "sky"], ["dog", "cat", "sky"], "and 1 more look like labels"),
        (["größe"], ["Gro\u0308ße"], "'größe' looks like the label"),
        (["guide_dogs"], ["guide dog"], '`rename` "guide_dogs=guide dog" makes it the label'),
        (["a=b"], ["A=B"], "a file of `label_rules` mends it"),
        (["Dog", "dog"], ["dog"], ""),
        (["otter"], ["dog"], ""),
    ],
)
def test_names_that_look_like_the_labels_of_a_model_are_told(names, labels, hint):
    assert hint in (found := lookalikes(names, labels))
    assert bool(found) == bool(hint)
