"""The catalogue: every system by name. A new one is a file here and a line in `SYSTEMS`.

May import nn and what lies below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tagsight.systems.a_gcn import AGCN
from tagsight.systems.base import Recognition, System
from tagsight.systems.cnn_rnn import CNNRNN
from tagsight.systems.csra import CSRA
from tagsight.systems.f_gcn import FGCN
from tagsight.systems.gcam import GCAM
from tagsight.systems.knn import KNN
from tagsight.systems.ml_decoder import MLDecoder
from tagsight.systems.ml_gcn import MLGCN
from tagsight.systems.ml_zsl import MLZSL
from tagsight.systems.multi_evidence import MultiEvidence
from tagsight.systems.order_free_rnn import OrderFreeRNN
from tagsight.systems.query2label import Query2Label
from tagsight.systems.resnet import ResNet
from tagsight.systems.rnn_attention import RNNAttention
from tagsight.systems.srn import SRN
from tagsight.systems.vac import VAC
from tagsight.systems.warp import WARP

if TYPE_CHECKING:
    from tagsight.config import Recipe
    from tagsight.labels.space import LabelSpace

__all__ = ["SYSTEMS", "Recognition", "System", "build_system"]

SYSTEMS: dict[str, type[System]] = {
    "resnet": ResNet,
    "ml-gcn": MLGCN,
    "a-gcn": AGCN,
    "f-gcn": FGCN,
    "ml-zsl": MLZSL,
    "vac": VAC,
    "gcam": GCAM,
    "warp": WARP,
    "csra": CSRA,
    "cnn-rnn": CNNRNN,
    "order-free-rnn": OrderFreeRNN,
    "srn": SRN,
    "query2label": Query2Label,
    "ml-decoder": MLDecoder,
    "knn": KNN,
    "rnn-attention": RNNAttention,
    "multi-evidence": MultiEvidence,
}


def build_system(recipe: Recipe, labels: LabelSpace) -> System:
    """Make the system that a recipe describes for these labels."""
    return SYSTEMS[recipe.system](recipe.settings, labels)
