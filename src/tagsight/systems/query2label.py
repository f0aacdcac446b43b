"""A transformer decoder with a learned query for each label.

Liu, Zhang, Yang, Su and Zhu. Query2Label: A Simple Transformer Way to Multi-Label Classification.
2021. https://arxiv.org/abs/2107.10834

Maps: the exact contribution of each cell of the encoder's grid to the logit through all decoder
layers, in logits, with the layers linearised at their input: attention weights, scales of the norms
and active hidden units are kept fixed. What belongs to no cell is added to every cell, so that the
mean of a map is its logit. The encoder mixes cells by self-attention, so that a cell may also carry
evidence from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch import nn

from tagsight.config import AsymmetricConfig, Recipe, SystemConfig
from tagsight.nn.class_activation import pooled
from tagsight.nn.config import DecoderConfig
from tagsight.nn.label_attention import (
    AttentionLayer,
    LabelHead,
    as_cells,
    as_row,
    evidence,
    position_code,
    through_norm,
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
    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.label_attention import AttentionTrace
    from tagsight.nn.views import Images


class Query2LabelConfig(SystemConfig):
    """Query2Label's settings."""

    decoder: DecoderConfig = DecoderConfig(width=2048, heads=4, hidden=8192)
    """Size of the layers; features of another width are projected to it."""

    projection: bool = False
    """Whether features are projected even if the width is that of the backbone."""

    encoder_layers: int = Field(1, ge=0, le=12)
    """Number of layers of self-attention between cells."""

    decoder_layers: int = Field(2, ge=1, le=12)
    """Number of layers in which labels attend to cells."""

    dropout: float = Field(0.1, ge=0, lt=1)
    """Fraction of the layers' units that are dropped in training."""


QUERY2LABEL_PAPER = DECODER_PAPER.model_copy(
    update={
        "epochs": 80,
        "batch_size": 128,
        "optimizer": "adamw",
        "decayed_parameters": "all",
        "weight_decay": 1e-2,
    }
)

RECIPES = (
    cpu_recipe(
        "query2label",
        Query2LabelConfig(
            label_smoothing=CPU_SMOOTHING,
            decoder=DecoderConfig(width=256, heads=4, hidden=512),
        ),
        CPU_DECODER_TRAINING,
        use="a transformer with a query for each label",
    ),
    Recipe(
        name="query2label-paper",
        system="query2label",
        settings=Query2LabelConfig(
            backbone=RESNET101.model_copy(update={"frozen_stages": 1, "freeze_batch_norm": True}),
            loss="asymmetric",
            asymmetric=AsymmetricConfig(gamma_positive=0, gamma_negative=2, margin=0),
        ),
        training=QUERY2LABEL_PAPER,
        source=(
            "Query2Label's released code: width 2048, 4 heads, 8192 hidden units, 1 encoder and 2 "
            "decoder layers, dropout 0.1, first layers and batch norm as they are, asymmetric loss "
            "with 2, 0 and 0, AdamW at 1e-4 in one cycle, decay 1e-2 of all parameters, 80 epochs, "
            "batch of 128, average 0.9997, RandAugment; Cutout as the paper has it; its early stop "
            "is left out"
        ),
        expectation=f"published: COCO mAP 84.9 at 448 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
)


class Query2Label(System):
    """A transformer whose decoder has one query per label.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = empty_label_space(["dog", "sky"])
        >>> system = build_system(RECIPES["query2label-cpu"], labels).eval()
        >>> system.queries.shape, system.maps_add_up
        (torch.Size([2, 256]), True)

    Deviations:
        Keys have no bias, which would have no effect. There is no self-attention between labels;
        in the released code it is optional and off by default.

        ``query2label-paper``: the released loss is ``1000 / L`` times ours, 12.5 for COCO, to which
        AdamW is invariant except for its epsilon of 1e-8. It is constant at 11.5 below a logit of
        -11.5 for a present label and above 11.5 for an absent one; here it continues. The batch
        size of 128 is that of the README's command for two processes; the one for a single process
        has 64. The released run stops after 8 of 80 epochs without improvement; this one does not.
        Its command requests a Cutout of half the side, but a defect turns that into a side of -1,
        which Pillow now refuses to draw; here it is half the side, as intended. RandAugment and the
        start of the average are as for ``ml-decoder-paper``. The code trains on all 82,783 photos
        and tests on all 40,504 (``--protocol coco2014-all``). The averaged weights are used; the
        released code keeps the better of both.
    """

    Config: ClassVar[type[SystemConfig]] = Query2LabelConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/2107.10834"
    published: ClassVar[tuple[Published, ...]] = (
        Published("COCO 2014", 84.9, "448, ResNet-101, VOC 2010 AP", "Query2Label README"),
        Published("COCO 2014", 86.5, "576, ResNet-101, VOC 2010 AP", "Query2Label README"),
        Published("COCO 2014", 91.3, "384, CvT-w24, VOC 2010 AP", "Query2Label README"),
        Published("NUS-WIDE", 65.0, "448, ResNet-101, split of ASL", "Query2Label"),
        Published("NUS-WIDE", 70.1, "384, CvT-w24, split of ASL", "Query2Label"),
    )
    label_parameters: ClassVar[frozenset[str]] = frozenset({"queries", "head.weight", "head.bias"})
    config: Query2LabelConfig

    def __init__(self, config: Query2LabelConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        width, channels = config.decoder.width, self.backbone.channels
        projected = config.projection or width != channels
        self.projection = nn.Linear(channels, width) if projected else nn.Identity()
        self.queries = nn.Parameter(torch.randn(len(labels), width))
        self.encoder = nn.ModuleList(
            started(AttentionLayer(config.decoder)) for _ in range(config.encoder_layers)
        )
        self.layers = nn.ModuleList(
            started(AttentionLayer(config.decoder)) for _ in range(config.decoder_layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = LabelHead(len(labels), width)
        nn.init.uniform_(self.head.bias, -(width**-0.5), width**-0.5)

    @property
    def maps_add_up(self) -> bool:
        return True

    @property
    def equivariant(self) -> bool:
        return False  # positions are encoded

    def forward(self, images: Images) -> Recognition:
        features, on_photo = self.backbone(images), as_row(self.backbone.on_photo(images))
        states, looks = self._decoded(features, on_photo)
        logits = self._logits(states)
        with full_precision(features.device):
            directions = through_norm(self.norm, self.head.weight, states)
        shares = evidence(self.layers, looks, directions, logits, on_photo)
        return Recognition(
            logits=logits,
            maps=shares.unflatten(-1, features.shape[-2:]),
            embedding=pooled(features, self.config.pooling),
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        del progress
        on_photo = as_row(self.backbone.on_photo(images))
        states, _ = self._decoded(self.backbone(images), on_photo, self.config.dropout)
        return {"labels": self.label_loss(self._logits(states), targets)}

    def _decoded(
        self, features: Tensor, on_photo: Tensor | None, dropout: float = 0.0
    ) -> tuple[Tensor, list[AttentionTrace]]:
        """Compute the labels' last states, ``(B, L, D)``, and the trace of each layer."""
        # Rounding to half precision in several layers would be visible in the maps.
        with full_precision(features.device):
            cells = self.projection(as_cells(widened(features)))
            place = position_code(features.shape[-2:], cells.shape[-1], like=cells)
            for layer in self.encoder:
                cells, _ = layer(
                    cells,
                    cells,
                    position=place,
                    cell_position=place,
                    dropout=dropout,
                    on_photo=on_photo,
                )
            states, looks = torch.zeros_like(self.queries)[None], []
            for layer in self.layers:
                states, look = layer(
                    states,
                    cells,
                    position=self.queries,
                    cell_position=place,
                    dropout=dropout,
                    on_photo=on_photo,
                )
                looks.append(look)
            return states, looks

    def _logits(self, states: Tensor) -> Tensor:
        with full_precision(states.device):
            return self.head(self.norm(states))


def started(layer: AttentionLayer) -> AttentionLayer:
    """Initialise a layer as the released code does: Xavier, attention without biases.

    The released code draws queries, keys and values as one matrix of three times the rows, which
    makes their weights smaller by a factor of ``0.5^0.5``.

    Example:
        >>> from tagsight.nn.config import DecoderConfig
        >>> layer = started(AttentionLayer(DecoderConfig(width=8, heads=2, hidden=4)))
        >>> bool(layer.attention.out.bias.any())
        False
    """
    attention = layer.attention
    for part in (attention.queries, attention.keys, attention.values):
        nn.init.xavier_uniform_(part.weight, gain=0.5**0.5)
    for part in (attention.queries, attention.values, attention.out):
        nn.init.zeros_(part.bias)
    for part in (layer.first, layer.second):
        nn.init.xavier_uniform_(part.weight)
    return layer
