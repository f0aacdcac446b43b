"""The metadata of a model card, as the Hugging Face Hub reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tagsight.checkpoint.folder import LoadedModel

_FRONT = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)


def with_metadata(card: str, model: LoadedModel) -> str:
    """Put metadata before a card, in place of those that it has.

    Args:
        card: Markdown.
        model: The model that it describes.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> print(with_metadata("# A model", load_model(Path("runs/first/model"))))
        ---
        library_name: tagsight
        pipeline_tag: image-classification
        ...
        # A model
    """
    import yaml

    text = yaml.safe_dump(metadata(model), sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n\n{_FRONT.sub('', card)}"


def metadata(model: LoadedModel) -> dict[str, object]:
    """Describe a model in the terms of the Hub: task, tags, base model, measured quality.

    Example:
        >>> from pathlib import Path
        >>> from tagsight.checkpoint.folder import load_model
        >>> metadata(load_model(Path("runs/first/model")))["tags"]
        ['tagsight', 'multi-label-classification', 'resnet']
    """
    backbone = model.recipe.settings.backbone
    found: dict[str, object] = {
        "library_name": "tagsight",
        "pipeline_tag": "image-classification",
        "tags": ["tagsight", "multi-label-classification", model.recipe.system],
    }
    if backbone.weights == "hub":
        found["base_model"] = [f"timm/{name}" for name in backbone.encoders]
    if (quality := _quality(model.facts)) is not None:
        found["model-index"] = [{"name": model.recipe.name, "results": [quality]}]
    return found


def _quality(facts: Mapping[str, object]) -> dict[str, object] | None:
    """Describe the mAP on the validation split, if it was measured."""
    validation = facts.get("validation")
    score = validation.get("mAP") if isinstance(validation, dict) else None
    if not isinstance(score, int | float):
        return None
    return {
        "task": {"type": "image-classification", "name": "Multi-label image classification"},
        "dataset": {"type": "own-photos", "name": "validation split", "split": "val"},
        "metrics": [{"type": "mean_average_precision", "name": "mAP", "value": round(score, 2)}],
    }
