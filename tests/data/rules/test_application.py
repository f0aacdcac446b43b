"""Laws of rules on labels."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tagsight.data.annotations import Annotations
from tagsight.data.format import ReadOptions
from tagsight.data.readers import read_annotations
from tagsight.data.rules.application import apply_rules
from tagsight.data.rules.rules import LabelRules, parse_label_rules, read_label_rules
from tagsight.errors import DataError

NAMES = ("animal", "Dog", "dog", "puppy", "day", "night", "dusk", "none")
RULES = LabelRules(
    merge={"dog": ["Dog"]},
    rename={"dusk": "evening"},
    no_finding=["none"],
    implies={"dog": ["animal"], "puppy": ["dog"], "night": ["dark"]},
    one_of=[["day", "night", "evening"]],
    drop=["puppy"],
)
cells = st.tuples(*[st.sampled_from([1, 0, -1])] * len(NAMES))
tables = st.lists(cells, min_size=1, max_size=12)
law = settings(max_examples=30)


def rows(table, names=NAMES, *, lists=False) -> Annotations:
    paths = tuple(Path("/photos") / f"{index}.jpg" for index in range(len(table)))
    targets = torch.tensor(table, dtype=torch.int8).reshape(len(table), len(names))
    return Annotations(tuple(names), paths, targets, None, "any", lists_present=lists)


def by_name(found: Annotations) -> dict[str, list[int]]:
    return dict(zip(found.names, found.targets.T.tolist(), strict=True))


@law
@given(table=tables, lists=st.booleans(), unlisted=st.sampled_from([None, "unknown", "absent"]))
def test_rules_that_are_applied_twice_change_nothing(table, lists, unlisted):
    rules = RULES.model_copy(update={"unlisted": unlisted, "min_photos": 1})
    before = rows([*table, (0, 1, 0, 0, 1, 0, 0, 0)], lists=lists)
    once = apply_rules(before, rules)
    assert by_name(apply_rules(once, rules)) == by_name(once)


@law
@given(table=tables, lists=st.booleans(), seed=st.integers(0, 99))
def test_the_order_of_rows_and_of_names_never_matters(table, lists, seed):
    generator = torch.Generator().manual_seed(seed)
    before = rows(table, lists=lists)
    order = torch.randperm(len(NAMES), generator=generator).tolist()
    lines = torch.randperm(len(table), generator=generator)
    turned = replace(
        before,
        names=tuple(NAMES[i] for i in order),
        targets=before.targets[:, order],
    ).select(lines)
    assert by_name(apply_rules(before, RULES).select(lines)) == by_name(apply_rules(turned, RULES))


@law
@given(table=tables, lists=st.booleans())
def test_present_flows_up_and_absent_flows_down_and_one_of_a_group_is_present(table, lists):
    found = by_name(apply_rules(rows(table, lists=lists), RULES))
    for animal, dog in zip(found["animal"], found["dog"], strict=True):
        assert dog != 1 or animal == 1
        assert lists or animal != 0 or dog == 0
    group = torch.tensor([found[name] for name in ("day", "night", "evening")])
    assert ((group == 1).sum(0) <= 1).all()


@law
@given(table=tables)
def test_unknown_stays_unknown_where_no_rule_decides(table):
    before = rows(table)
    unknown = replace(before, targets=torch.full_like(before.targets, -1))
    assert apply_rules(unknown, RULES).targets.eq(-1).all()
    assert by_name(apply_rules(before, LabelRules())) == by_name(before)


@pytest.mark.parametrize(
    ("rules", "names", "before", "after"),
    [
        ({"merge": {"red": ["Red"]}}, ("red", "Red"), [[0, 1], [0, -1], [0, 0]], [[1], [-1], [0]]),
        ({"no_finding": ["no"]}, ("flu", "no"), [[-1, 1], [1, 0], [-1, -1]], [[0], [1], [-1]]),
        ({"unlisted": "absent"}, ("flu", "no"), [[-1, 1]], [[0, 1]]),
        ({"implies": {"dog": ["pet"]}}, ("cow", "dog"), [[1, 0], [0, 1], [1, -1]],
         [[1, 0, 0], [0, 1, 1], [1, -1, -1]]),
        ({"implies": {"dog": ["pet"]}}, ("dog", "pet"), [[-1, 0], [1, -1], [0, 1], [1, 0]],
         [[0, 0], [1, 1], [0, 1], [-1, -1]]),
        ({"one_of": [["day", "night"]]}, ("day", "night"), [[1, -1], [1, 1], [0, -1]],
         [[1, 0], [-1, -1], [0, -1]]),
        ({"drop": ["dog"], "implies": {"dog": ["pet"]}}, ("dog", "pet"), [[1, -1]], [[1]]),
        ({"min_photos": 2}, ("dog", "pet"), [[1, 1], [0, 1]], [[1], [1]]),
    ],
)  # fmt: skip
def test_what_a_rule_says(rules, names, before, after):
    assert apply_rules(rows(before, names), LabelRules(**rules)).targets.tolist() == after


def test_contradictions_are_unknown_and_told_with_their_photo(caplog):
    found = apply_rules(rows([[1, 1, 0], [1, 0, 0]], ("day", "night", "none")),
                        LabelRules(one_of=[["day", "night"]], no_finding=["none"]))  # fmt: skip
    assert found.contradictions == ((Path("/photos/0.jpg"), ("day", "night")),)
    assert "of 1 photo contradict" in caplog.text
    assert "/photos/0.jpg" in caplog.text
    nothing = apply_rules(rows([[1, 1]], ("day", "none")), LabelRules(no_finding=["none"]))
    assert nothing.contradictions[0].labels == ("day", "none")


def test_what_a_list_does_not_name_contradicts_nothing_and_may_be_unknown():
    rules = {"implies": {"dog": ["pet"]}}
    listed = rows([[1, 0], [0, 0]], ("dog", "pet"), lists=True)
    assert apply_rules(listed, LabelRules(**rules)).targets.tolist() == [[1, 1], [0, 0]]
    unknown = apply_rules(listed, LabelRules(unlisted="unknown", **rules))
    assert unknown.targets.tolist() == [[1, 1], [-1, -1]]


@pytest.mark.parametrize(
    ("rules", "after"),
    [
        ({}, {"Dog": [0, 0, 1], "pet": [0, 1, 0]}),
        ({"unlisted": "unknown"}, {"Dog": [0, -1, 1], "pet": [-1, 1, -1]}),
        (
            {"unlisted": "unknown", "rename": {"Dog": "dog"}},
            {"dog": [0, -1, 1], "pet": [-1, 1, -1]},
        ),
        (
            {"unlisted": "unknown", "merge": {"any": ["Dog", "pet"]}},
            {"any": [0, 1, 1]},
        ),
        (
            {"unlisted": "unknown", "implies": {"cub": ["Dog"]}, "rename": {"pet": "cub"}},
            {"Dog": [0, 1, 1], "cub": [0, 1, -1]},
        ),
        ({"implies": {"pet": ["Dog"]}}, {"Dog": [0, 1, 1], "pet": [0, 1, 0]}),
    ],
)
def test_what_a_list_rejects_stays_absent(rules, after):
    listed = rows([[0, 0], [0, 1], [1, 0]], ("Dog", "pet"), lists=True)
    rejected = frozenset({(listed.paths[0], "Dog"), (Path("/elsewhere.jpg"), "pet")})
    found = apply_rules(replace(listed, rejected=rejected), LabelRules(**rules))
    assert by_name(found) == after


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"merge": {"a": ["b"], "b": ["c"]}}, "no other rule changes"),
        ({"merge": {"a": ["c"], "b": ["c"]}}, "got 'c' under two"),
        ({"rename": {"a": "b", "b": "a"}}, "no other rule changes"),
        ({"implies": {"a": ["b"], "b": ["a"]}}, "no circle, got one through 'a'"),
        ({"implies": {"a": ["b"]}, "no_finding": ["b"]}, "'a' implies 'b', which is `no_finding`"),
        ({"one_of": [["a", "b"], ["b", "c"]]}, "got 'b' again"),
        ({"one_of": [["a", "b"]], "implies": {"a": ["b"]}}, "exclude each other"),
        ({"drop": "a"}, "drop: expected a valid tuple"),
        ({"colour": 1}, "colour"),
        ({"drop": ["a\x1b"]}, "control characters"),
    ],
)
def test_rules_that_cannot_hold_are_refused(rules, message):
    with pytest.raises(DataError, match=message):
        parse_label_rules(rules)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"drop": ["dgo"]}, "`drop`: expected a label of the data, such as 'dog', got 'dgo'"),
        ({"merge": {"x": ["y"]}}, "`merge`: expected a label"),
        ({"rename": {"dog": "sky"}}, "`rename`: 'sky' is a label already; `merge` \"sky=dog\""),
        ({"one_of": [["dog", "moon"]]}, "got 'moon'"),
        ({"unlisted": "unknown"}, "states itself what is absent"),
        ({"drop": ["dog", "sky"]}, "at least one label to be left, got all 2"),
        ({"no_finding": ["dog", "sky"]}, "labels besides `no_finding`"),
    ],
)
def test_rules_that_do_not_fit_the_data_are_refused(rules, message):
    with pytest.raises(DataError, match=message):
        read_annotations(
            rows([[1, 0]], ("dog", "sky")), options=ReadOptions(rules=LabelRules(**rules))
        )


def test_other_rules_than_those_applied_are_refused():
    options = ReadOptions(rules=LabelRules(drop=["dog"]))
    once = read_annotations(rows([[1, 0]], ("dog", "sky")), options=options)
    assert read_annotations(once, options=options).left_out == ("dog",)
    with pytest.raises(DataError, match="without rules to apply others"):
        read_annotations(once, options=ReadOptions(rules=LabelRules(min_photos=1)))


def test_a_file_of_rules_is_read_as_it_was_written(tmp_path):
    rules = RULES.model_copy(update={"unlisted": "absent", "min_photos": 3})
    odd = rules.model_copy(update={"drop": ('a "quote"', "Bär 🐻", "a.b = c")})
    for each in (LabelRules(), rules, odd):
        (tmp_path / "labels.toml").write_text(each.toml(), encoding="utf-8")
        assert read_label_rules(tmp_path / "labels.toml") == each
    (tmp_path / "labels.toml").write_text("drop = 1")
    with pytest.raises(DataError, match=r"labels.toml: drop: expected a valid tuple"):
        read_label_rules(tmp_path / "labels.toml")
