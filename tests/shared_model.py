"""A small trained model in its folder, for tests of what is done with model folders."""

from pathlib import Path

from tiny import label_space, tiny_system
from tiny_run import tiny_recipe

from tagsight.checkpoint.decision import Decision
from tagsight.checkpoint.folder import save_model

MEASURED = {"validation": {"mAP": 61.5, "labels_counted": 5, "labels": 5}}


def shared_model(folder: Path) -> Path:
    """Write a model folder, with a measured mAP of 61.5 %."""
    labels = label_space()
    decision, recipe = Decision.default(len(labels)), tiny_recipe("resnet")
    save_model(folder, tiny_system("resnet"), labels, decision, recipe, MEASURED)
    return folder
