import pytest
import torch

from tagsight.metrics.measured_labels import (
    counted_targets,
    label_remark,
    left_out_labels,
    left_out_sentences,
    mean_over,
    rare_labels,
    rare_sentence,
)

NAMES = ("untrained", "unknown", "absent", "everywhere", "measured", "untrained and absent")
TARGETS = torch.tensor([[1, -1, 0, 1, 1, 0], [0, -1, 0, 1, 0, 0], [-1, -1, -1, -1, -1, 0]])
TRAINED = torch.tensor([False, True, True, True, True, False])


def test_a_label_stays_out_for_the_first_reason_that_holds():
    assert left_out_labels(NAMES, TARGETS, TRAINED) == {
        "without_training_photo": ["untrained", "untrained and absent"],
        "not_in_data": ["unknown"],
        "without_positive": ["absent"],
        "without_negative": ["everywhere"],
    }
    assert left_out_labels(NAMES[4:5], TARGETS[:, 4:5], TRAINED[4:5]) == {}


def test_only_labels_with_a_training_photo_are_counted():
    counted = counted_targets(TARGETS, TRAINED)
    assert counted[:, [0, 5]].tolist() == [[-1, -1]] * 3
    assert torch.equal(counted[:, 1:5], TARGETS[:, 1:5])


def test_a_label_is_rare_with_1_to_19_photos():
    targets = torch.zeros(25, 5, dtype=torch.long)
    for label, photos in enumerate((0, 1, 19, 20, 25)):
        targets[:photos, label] = 1
    targets[20:, :3] = -1
    assert rare_labels(["none", "one", "19", "20", "all"], targets) == {"one": 1, "19": 19}


def test_the_ten_rarest_labels_are_named_and_the_others_counted():
    rare = {f"label {count}": count for count in range(19, 8, -1)}
    begin = "fewer than 20 photos of val have these labels, which is little to go by: "
    ten = ", ".join(f"label {count} {count}" for count in range(9, 19))
    assert rare_sentence(rare, "val") == f"{begin}{ten} and 1 more"
    del rare["label 19"]
    assert rare_sentence(rare, "val") == f"{begin}{ten}"


@pytest.mark.parametrize(
    ("reason", "remark", "sentence"),
    [
        ("without_training_photo", "no training photo", "no training photo has"),
        ("not_in_data", "not in the data", "the data do not have"),
        ("without_positive", "no test photo", "none of these photos has"),
        ("without_negative", "all test photos", "all of these photos have"),
    ],
)
def test_each_reason_is_said_of_a_label_and_of_all_of_them(reason, remark, sentence):
    left_out = {"another reason": ["dog"], reason: ["cat", "owl"]}
    assert label_remark("owl", 0, left_out, "test") == remark
    del left_out["another reason"]
    assert list(left_out_sentences(left_out)) == [f"not in mAP, as {sentence} them: 'cat', 'owl'"]


def test_a_remark_counts_the_photos_of_a_rare_label():
    assert label_remark("cat", 19, {"not_in_data": ["owl"]}, "val") == "19 val photos"
    assert label_remark("cat", 20, {"not_in_data": ["owl"]}, "val") == ""


@pytest.mark.parametrize(
    ("counted", "labels", "expected"),
    [
        (1, 1, "over 1 label"),
        (80, 80, "over 80 labels"),
        (1200, 1300, "over 1,200 of 1,300 labels"),
    ],
)
def test_a_mean_says_how_many_labels_it_rests_on(counted, labels, expected):
    assert mean_over({"labels_counted": counted, "labels": labels}) == expected
