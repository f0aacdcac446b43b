"""Every system's settings, and the recipes that reproduce a result: a file here per system.

They stand apart from the systems so that a mistyped setting is answered without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.config import Recipe, SystemConfig
from tagsight.errors import DataError
from tagsight.systems.recipes import (
    a_gcn,
    cnn_rnn,
    csra,
    f_gcn,
    gcam,
    knn,
    ml_decoder,
    ml_gcn,
    ml_zsl,
    multi_evidence,
    order_free_rnn,
    query2label,
    resnet,
    rnn_attention,
    srn,
    vac,
    warp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RECIPES", "SYSTEM_CONFIGS", "parse_recipe", "system_config"]

SYSTEM_CONFIGS: dict[str, type[SystemConfig]] = {
    "resnet": resnet.ResNetConfig,
    "ml-gcn": ml_gcn.MLGCNConfig,
    "a-gcn": a_gcn.AGCNConfig,
    "f-gcn": f_gcn.FGCNConfig,
    "ml-zsl": ml_zsl.MLZSLConfig,
    "vac": vac.VACConfig,
    "gcam": gcam.GCAMConfig,
    "warp": warp.WARPConfig,
    "csra": csra.CSRAConfig,
    "cnn-rnn": cnn_rnn.CNNRNNConfig,
    "order-free-rnn": order_free_rnn.OrderFreeRNNConfig,
    "srn": srn.SRNConfig,
    "query2label": query2label.Query2LabelConfig,
    "ml-decoder": ml_decoder.MLDecoderConfig,
    "knn": knn.KNNConfig,
    "rnn-attention": rnn_attention.RNNAttentionConfig,
    "multi-evidence": multi_evidence.MultiEvidenceConfig,
}

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for module in (
        resnet,
        ml_gcn,
        a_gcn,
        f_gcn,
        ml_zsl,
        vac,
        gcam,
        warp,
        csra,
        cnn_rnn,
        order_free_rnn,
        srn,
        query2label,
        ml_decoder,
        knn,
        rnn_attention,
        multi_evidence,
    )
    for recipe in module.RECIPES
}


def system_config(name: str) -> type[SystemConfig]:
    """Look the settings of a system up.

    Raises:
        DataError: If there is no system of that name.
    """
    if name not in SYSTEM_CONFIGS:
        msg = f"expected one of the systems {', '.join(SYSTEM_CONFIGS)}, got {name!r}"
        raise DataError(msg)
    return SYSTEM_CONFIGS[name]


def parse_recipe(values: Mapping[str, object]) -> Recipe:
    """Make a recipe from plain values, such as a model folder's JSON holds.

    Raises:
        ValueError: If a setting is unknown or out of its range (pydantic's ``ValidationError``).
    """
    kind = system_config(str(values.get("system")))
    settings = kind.model_validate(values.get("settings", {}))
    return Recipe.model_validate({**values, "settings": settings})
