import numpy as np
import torch
from channels import channels_model
from tiny import tiny_system

from tagsight.checkpoint.card import model_card
from tagsight.checkpoint.decision import Decision
from tagsight.labels.space import LabelSpace

LABELS = LabelSpace.from_targets(
    ["cat", "a|b"], torch.tensor([[1, 0]] * 30 + [[0, 1]] * 4 + [[-1, 0]])
)
FACTS = {
    "seconds": 12.3456789,
    "data": {"photos": {"train": 35, "val": 9}, "split_file_hash": "c0ffee"},
    "validation": {
        "mAP": 61.23456,
        "epoch": 3,
        "left_out": {"without_training_photo": ["dog"]},
        "few": {"cat": 3},
    },
}


def card(name: str = "resnet", **settings: object) -> str:
    system = tiny_system(name, labels=LABELS, **settings)
    recipe = channels_model().recipe.model_copy(update={"settings": system.config})
    return model_card(system, LABELS, Decision(np.array([0.25, 1.0]), 1.5), recipe, FACTS)


LINES = [
    "# channels: which of 2 labels are in a photo, and where",
    "| cat | 0.250 | 30 | 34 |",
    "| a\\|b | 1.000 | 4, fewer than 20 | 35 |",
    "| not in mAP, as no training photo has it | dog |",
    "| labels that fewer than 20 of these photos have | cat 3 |",
    "- seconds: 12.35",
    "- resolution: photos resized to 32 x 32 pixels, without keeping their aspect ratio",
    "- system: channels (https://arxiv.org/abs/1512.03385)",
    "| photos | train 35, val 9 |",
    "| split file hash | c0ffee |",
    "| mAP | 61.23 |",
    "The model was selected on this split, so a test split will give less.",
    "- Labels with few training photos: a\\|b (4).",
]


def test_the_card_says_what_the_model_is_how_it_was_trained_and_what_it_is_worth():
    average, remembered = card(), card("knn")
    assert not set(LINES) - set(average.splitlines())
    assert "its mean is the label's logit, exactly" in average
    assert "its mean is not the label's logit" in card(pooling="max")
    assert "not probabilities" not in average
    assert "Scores are not probabilities" in card("warp")
    assert "- nothing is trained: the model stores features of the training photos" in remembered
    assert "batches of" not in remembered


def test_long_lists_of_labels_are_cut_in_the_card():
    names = [f"thing {number}" for number in range(60)]
    facts = {"validation": {"few": dict.fromkeys(names, 1), "left_out": {"not_in_data": names}}}
    channels = channels_model()
    written = model_card(channels.system, LABELS, Decision.default(2), channels.recipe, facts)
    assert "thing 48 1, thing 49 1 and 10 more |" in written
    assert "thing 48, thing 49 and 10 more |" in written
    assert "thing 50" not in written
