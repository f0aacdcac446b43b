"""Settings and recipes of nearest neighbours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tagsight.config import Recipe, SystemConfig, TrainConfig
from tagsight.systems.recipes.base import RESNET101, UNTRIED

Count = Annotated[int, Field(ge=1, le=1000)]


class KNNConfig(SystemConfig):
    """Settings of nearest neighbours. Nothing is trained, so those of losses play no part."""

    k: Count | None = None
    """Neighbours that vote; without it the best of ``candidates`` on the validation photos."""

    candidates: tuple[Count, ...] = Field((10, 20, 50, 100, 200), min_length=1)
    """What ``k`` is chosen from, as far as there are more training photos."""

    weighting: Literal["uniform", "distance", "ml-knn"] = "distance"
    """One vote each, ``exp(-d / sigma)`` votes, or ML-KNN's estimate from the number of votes."""

    metric: Literal["cosine", "euclidean"] = "cosine"
    """Distance ``d`` of pooled features: 1 minus the cosine, or the length of the difference."""

    sigma: float = Field(0.1, gt=0)
    """Distance over which a vote loses 63 %, in the metric's unit; it also scales the maps."""


ONCE = TrainConfig(image_size=224, epochs=1, batch_size=64)
"""Photos are seen once, whole; what else there is to training plays no part."""

RECIPES = (
    Recipe(
        name="knn-cpu",
        system="knn",
        settings=KNNConfig(),
        training=ONCE,
        source="own trials; k is chosen on the validation photos",
        expectation="docs/results.md",
    ),
    Recipe(
        name="knn-paper",
        system="knn",
        settings=KNNConfig(backbone=RESNET101, k=50, weighting="uniform"),
        training=ONCE,
        source=(
            "Gong et al. 2014, visual feature + kNN row [recall]; k = 50, one vote each, deep "
            "features instead of their six hand-made ones, 224 pixels are ours"
        ),
        expectation=(
            "published: NUS-WIDE top-3 CF1 24.3 and OF1 47.6 of hand-made features, of which mAP "
            f"is not known; {UNTRIED}"
        ),
    ),
)
