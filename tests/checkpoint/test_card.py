from __future__ import annotations

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


def card(pooling: str = "average", name: str = "resnet") -> str:
    system = tiny_system(name, labels=LABELS, pooling=pooling)
    recipe = channels_model().recipe.model_copy(update={"settings": system.config})
    decision = Decision(np.array([0.25, 1.0]), 1.5)
    return model_card(system, LABELS, decision, recipe, FACTS)


LINES = [
    "# channels: which of 2 labels are in a photo, and where",
    "| cat | 0.250 | 30 | 34 |",
    "| a\\|b | 1.000 | 4, fewer than 20 | 35 |",
    "| not in mAP, as no training photo has it | dog |",
    "| labels that fewer than 20 of these photos have | cat 3 |",
    "- seconds: 12.35",
    "- resolution: photos resized to 32 x 32 pixels",
    "- system: channels (https://arxiv.org/abs/1512.03385)",
    "| photos | train 35, val 9 |",
    "| split file hash | c0ffee |",
    "| mAP | 61.23 |",
    "The model was selected on this split, so a test split will give less.",
    "- Labels with few training photos: a\\|b (4).",
]


def test_the_card_says_what_the_model_is_how_it_was_trained_and_what_it_is_worth():
    assert not set(LINES) - set(card().splitlines())


def test_the_card_of_a_system_that_remembers_speaks_of_no_training():
    system = tiny_system("knn", labels=LABELS)
    recipe = channels_model().recipe.model_copy(update={"settings": system.config})
    text = model_card(system, LABELS, Decision(np.full(2, 0.5), 1.0), recipe, FACTS)
    assert "- nothing is trained: the model stores features of the training photos" in text
    assert "batches of" not in text


def test_the_card_says_whether_maps_add_up():
    assert "its mean is the label's logit, exactly" in card("average")
    assert "its mean is not the label's logit" in card("max")


def test_the_card_says_where_scores_only_rank():
    assert "not probabilities" not in card()
    assert "Scores are not probabilities" in card(name="warp")
