"""What the server says of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from tagsight.checkpoint.decision import Strictness
from tagsight.runtime.version import __version__
from tagsight.server.answers import KnownLabel, LabelLink, ModelFacts

if TYPE_CHECKING:
    from tagsight.inference.recognizer import Recognizer

STRICTNESSES: tuple[Strictness, ...] = get_args(Strictness)


def model_facts(recognizer: Recognizer, indexed: int | None) -> ModelFacts:
    """Say what answers: labels, thresholds, label graph, model card.

    Args:
        recognizer: The model.
        indexed: Photos of the index, or None if there is none.
    """
    info, decision = recognizer.info, recognizer.decision
    thresholds = {how: decision.at(how).thresholds.tolist() for how in STRICTNESSES}
    return ModelFacts(
        model=info.model[:12],
        system=info.system,
        recipe=info.recipe,
        image_size=info.image_size,
        labels=[
            KnownLabel(
                name=name,
                threshold=float(decision.thresholds[place]),
                thresholds={how: thresholds[how][place] for how in STRICTNESSES},
            )
            for place, name in enumerate(info.labels)
        ],
        links=[
            LabelLink(
                source=info.labels[link.source], target=info.labels[link.target], weight=link.weight
            )
            for link in info.links
        ],
        card=info.card,
        indexed=indexed,
        tagsight=__version__,
    )
