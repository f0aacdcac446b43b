"""One decoder layer with fixed queries, which groups of labels share.

Ridnik, Sharir, Ben-Cohen, Ben-Baruch and Noy. ML-Decoder: Scalable and Versatile Classification
Head. WACV 2023. https://arxiv.org/abs/2111.12933

Maps: the exact contribution of each cell to the logit, in logits, with the layer linearised at its
input: attention weights, scales of the norms and active hidden units are kept fixed. What belongs
to no cell (the query's own part and the biases) is added to every cell, so that the mean of a map
is its logit. Unlike attention, a map shows how much a cell counts for or against the label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from zlib import crc32

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from tagsight.config import AsymmetricConfig, Recipe, SystemConfig
from tagsight.nn.class_activation import pooled
from tagsight.nn.config import DecoderConfig
from tagsight.nn.dropout import dropped
from tagsight.nn.label_attention import (
    AttentionLayer,
    LabelHead,
    as_cells,
    as_row,
    evidence,
)
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import (
    CPU_DECODER_TRAINING,
    CPU_SMOOTHING,
    DECODER_PAPER,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.label_attention import AttentionTrace
    from tagsight.nn.views import Images


class MLDecoderConfig(SystemConfig):
    """ML-Decoder's settings."""

    decoder: DecoderConfig = DecoderConfig()
    """Size of the decoder layer."""

    groups: int = Field(100, gt=0)
    """Maximum number of queries; with more labels, several consecutive ones share a query."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Fraction of the decoder's units that are dropped in training."""


RELEASED_BATCH = 56

ML_DECODER_PAPER = DECODER_PAPER.model_copy(
    update={
        "epochs": 40,
        "batch_size": RELEASED_BATCH,
        "optimizer": "adam",
        "weight_decay": 1e-4 / RELEASED_BATCH,
    }
)
"""ML-Decoder's released code. Its L2 penalty of 1e-4 belongs to a loss summed over the batch, ours
to the mean."""

RECIPES = (
    cpu_recipe(
        "ml-decoder",
        MLDecoderConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=DecoderConfig(width=256, heads=8, hidden=512),
        ),
        CPU_DECODER_TRAINING,
        use="many labels, which share the queries of a transformer",
    ),
    Recipe(
        name="ml-decoder-paper",
        system="ml-decoder",
        settings=MLDecoderConfig(
            backbone=RESNET101,
            loss="asymmetric",
            asymmetric=AsymmetricConfig(gamma_positive=0, gamma_negative=4, margin=0.05),
        ),
        training=ML_DECODER_PAPER,
        source=(
            "ML-Decoder's released code: width 768, 8 heads, 2048 hidden units, 100 groups, "
            "dropout 0.1, asymmetric loss with 4, 0 and 0.05, Adam at 1e-4 in one cycle with an L2 "
            "penalty of 1e-4, 40 epochs, batch of 56, average 0.9997, Cutout, RandAugment; ours: "
            "ResNet-101 for its TResNet"
        ),
        expectation=(
            "published: COCO mAP 90.1 at 448 pixels with TResNet-L, none with ResNet-101; "
            f"{UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class MLDecoder(System):
    """A decoder layer without self-attention, followed by one linear classifier per label.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = empty_label_space(["dog", "sky"])
        >>> system = build_system(RECIPES["ml-decoder-cpu"], labels).eval()
        >>> system.queries.shape, system.maps_add_up
        (torch.Size([2, 256]), True)

    Deviations:
        Keys have no bias, which would have no effect. The random queries are seeded by the name of
        the label or group, so that they follow the labels. With more labels than ``groups`` the
        order of labels determines which of them share a query, as in the released code. Word
        vectors as queries, the paper's variant for untrained labels, are not implemented. Attention
        is initialised within ``(3 / width)^0.5``, its biases within ``width^-0.5``; the released
        code within ``(1.5 / width)^0.5`` (queries, keys, values) and ``width^-0.5`` (output layer),
        with biases of 0. The last layer is initialised within ``width^-0.5``; the released one is
        normal with a variance of ``2 / (width + groups)``.

        ``ml-decoder-paper``: the encoder is ResNet-101 with ImageNet weights and their
        normalisation; the published figures are for TResNet, which is pretrained together with the
        decoder and takes pixels in [0, 1]. The released loss is also summed over the batch, 56
        times ours. Adam is invariant to that factor except for its L2 penalty, which is therefore
        1e-4 / 56 here, and its epsilon of 1e-8, which counts 56 times as much. The released loss of
        a present label is constant at 18.4 below a logit of -18.4; here it continues with a slope
        of -1. RandAugment applies two of torchvision's operations, each at a random magnitude and
        with a probability of one half; the released package can also invert, and cut out a small
        square. The square of Cutout is 224 pixels wide; the released one is 225. The decay of the
        average is ``(1 + n) / (10 + n)`` after ``n`` steps until it reaches 0.9997, for 29,990 of
        58,600 steps on COCO; the released decay is 0.9997 from the start. Statistics of batch norm
        are not averaged. The averaged weights are used; the released code reports the better of
        both and keeps the weights without averaging.
    """

    Config: ClassVar[type[SystemConfig]] = MLDecoderConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/2111.12933"
    published: ClassVar[tuple[Published, ...]] = (
        Published("COCO 2014", 84.2, "224, TResNet-M, non-interpolated AP", "ML-Decoder README"),
        Published("COCO 2014", 90.1, "448, TResNet-L, non-interpolated AP", "ML-Decoder README"),
        Published("COCO 2014", 91.4, "640, TResNet-XL, non-interpolated AP", "ML-Decoder README"),
        Published("VOC 2007", 96.6, "TResNet, non-interpolated AP", "a third party's benchmark"),
        Published("NUS-WIDE", 67.07, "TResNet, non-interpolated AP", "a third party's benchmark"),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset({"queries", "head.weight", "head.bias"})
    config: MLDecoderConfig
    queries: Tensor
    groups: Tensor

    def __init__(self, config: MLDecoderConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        width = config.decoder.width
        size = -(-len(labels) // min(config.groups, len(labels)))
        names = labels.names if size == 1 else range(-(-len(labels) // size))
        self.register_buffer("queries", fixed_queries([str(name) for name in names], width))
        self.register_buffer("groups", torch.arange(len(labels)) // size, persistent=False)
        self.projection = nn.Linear(self.backbone.channels, width)
        self.query_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList([AttentionLayer(config.decoder)])
        self.head = LabelHead(len(labels), width)

    @property
    def maps_add_up(self) -> bool:
        return True

    def forward(self, images: Images) -> Recognition:
        features, on_photo = self.backbone(images), as_row(self.backbone.on_photo(images))
        logits, look = self._decoded(features, on_photo)
        looks = [look.select(self.groups)]
        shares = evidence(self.layers, looks, self.head.weight, logits, on_photo)
        return Recognition(
            logits=logits,
            maps=shares.unflatten(-1, features.shape[-2:]),
            embedding=pooled(features, self.config.pooling),
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        on_photo = as_row(self.backbone.on_photo(images))
        logits, _ = self._decoded(self.backbone(images), on_photo, self.config.dropout)
        return {"labels": self.label_loss(logits, targets)}

    def _decoded(
        self, features: Tensor, on_photo: Tensor | None, dropout: float = 0.0
    ) -> tuple[Tensor, AttentionTrace]:
        with full_precision(features.device):
            cells = F.relu(self.projection(as_cells(widened(features))))
            queries = self.query_norm(self.queries + dropped(self.queries, dropout, shared=True))
            states, look = self.layers[0](queries[None], cells, dropout=dropout, on_photo=on_photo)
            return self.head(states[:, self.groups]), look


def fixed_queries(names: Sequence[str], width: int) -> Tensor:
    """Draw a query for each name, seeded by the name: ``(K, D)`` float.

    Example:
        >>> one, other = fixed_queries(["dog", "sky"], 8), fixed_queries(["sky", "dog"], 8)
        >>> torch.equal(one, other.flip(0))
        True
    """
    rows = []
    for name in names:
        # A generator of its own leaves the random state of the run unchanged.
        generator = torch.Generator().manual_seed(crc32(name.encode()))
        rows.append(torch.randn(width, generator=generator))
    return torch.stack(rows)
