"""Evidence from the whole photo, from boxes and from cells, combined.

Ge, Yang and Yu. Multi-Evidence Filtering and Fusion for Multi-Label Classification, Object
Detection and Semantic Segmentation Based on Weakly Supervised Learning. CVPR 2018.
https://arxiv.org/abs/1802.09129

Maps: the log-odds of the mean of three scores per cell: that of the photo's classifier there (the
class activation map), that of the cell classifier, and that of the boxes covering the cell,
weighted by coverage. In logits. With max pooling no cell exceeds the logit, which a cell reaches if
all three are certain of it; the mean of a map is not the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from tagsight.config import Pooling, Recipe, SystemConfig
from tagsight.nn.box_evidence import (
    SMALLEST,
    agreeing,
    box_loss,
    box_shares,
    cell_loss,
    covered_by_boxes,
    hot_cells,
    log_odds,
    mean_of_scores,
    typical,
    within,
)
from tagsight.nn.class_activation import class_logits, class_maps, pooled
from tagsight.nn.regions import box_means, lattice_boxes
from tagsight.runtime.precision import full_precision, widened
from tagsight.systems.base import Published, Recognition, System
from tagsight.systems.recipes import (
    CPU_SMOOTHING,
    ML_GCN_PAPER,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    cpu_recipe,
)

if TYPE_CHECKING:
    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class MultiEvidenceConfig(SystemConfig):
    """Multi-Evidence's settings."""

    pooling: Pooling = "max"
    """Pooling of the feature grid for the classifier of the whole photo."""

    lattice: int = Field(4, ge=1, le=8)
    """Divisions of each side of the photo; box edges lie on these lines, 100 boxes for 4."""

    hidden: int = Field(256, gt=0, le=8192)
    """Length of the feature vector of a box."""

    agreement: float = Field(0.5, ge=0, lt=1)
    """Overlap (IoU) above which two boxes agree."""

    evidence_from: float = Field(0.4, ge=0, le=1)
    """Fraction of the training after which evidence is mined and trained on."""

    box_weight: float = Field(0.5, ge=0)
    """Weight of the cross-entropy of the selected boxes."""

    cell_weight: float = Field(0.5, ge=0)
    """Weight of the cross-entropy of cells, reduced over labels by ``label_reduction``."""

    @property
    def takes_soft_targets(self) -> bool:
        """False: evidence is collected for present labels."""
        return False


RECIPES = (
    cpu_recipe(
        "multi-evidence",
        MultiEvidenceConfig(label_smoothing=CPU_SMOOTHING),
        use="evidence in boxes as well as in maps",
    ),
    Recipe(
        name="multi-evidence-paper",
        system="multi-evidence",
        settings=MultiEvidenceConfig(backbone=RESNET101, label_reduction="mean", hidden=1024),
        training=ML_GCN_PAPER.model_copy(update={"epochs": 50, "decay_every": 30}),
        source=(
            "recall: ResNet-101 at 448 pixels and the three kinds of evidence; ours: all else, the "
            "reconstruction, its weights and widths; loss and rates as of the max pooled baseline"
        ),
        expectation=(
            "published: COCO mAP not given, CF1 74.9 and OF1 78.4 at 448 pixels, of a pipeline "
            f"that this is not; 82 to 83 mAP would not surprise; {UNTRIED}"
        ),
        use=PAPER_USE,
    ),
)


class Streams(NamedTuple):
    """Outputs of the three streams for ``B`` photos with ``R`` boxes each.

    Attributes:
        embedding: ``(B, D)`` float, the pooled features.
        whole: ``(B, L)`` float, logits of the whole photo.
        heat: ``(B, L, h, w)`` float, the class activation maps of ``whole``.
        descriptions: ``(B, R, F)`` float, features of the boxes.
        named: ``(B, R, L)`` float, logits of the label that a box shows.
        shares: ``(B, R, L)`` float, logarithm of a box's share in the score of a label.
        cells: ``(B, L, h, w)`` float, logits of each cell.
    """

    embedding: Tensor
    whole: Tensor
    heat: Tensor
    descriptions: Tensor
    named: Tensor
    shares: Tensor
    cells: Tensor

    def logits(self) -> list[Tensor]:
        """Return the logits of the photo, its boxes and its cells, each ``(B, L)``.

        Example:
            >>> photo, boxes, cells = map(torch.zeros, ((1, 1), (1, 2, 1), (1, 1, 2, 2)))
            >>> shares = torch.full((1, 2, 1), 0.25).log()  # a score of 0.5 together
            >>> streams = Streams(photo, photo, cells, boxes, boxes, shares, cells)
            >>> [one.item() for one in streams.logits()]
            [0.0, 0.0, 0.0]
        """
        return [self.whole, log_odds(self.shares.logsumexp(1)), self.cells.amax((-2, -1))]


class MultiEvidence(System):
    """A photo classifier, WSDDN on boxes, and a cell classifier trained on the evidence of both.

    At first the photo classifier and the boxes are trained on the labels only. Later, boxes on
    which both agree become evidence: those most typical of their label train the box classifier,
    and the hot cells inside them the cell classifier. The score is the mean of the three.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = empty_label_space(["dog", "sky"])
        >>> system = build_system(RECIPES["multi-evidence-cpu"], labels).eval()
        >>> list(system.losses(torch.rand(1, 3, 64, 64), torch.tensor([[1, 0]])))
        ['labels', 'boxes', 'cells']

    Deviations:
        A reconstruction from memory: no code is public, and the authors' pipeline trains several
        networks in sequence. Boxes lie on a lattice; they are not proposals of another program.
        Evidence is mined anew in every step, by the present network. Boxes are compared with the
        box that overlaps most with the hot cells, since the mean heat within a box is always
        highest for the smallest. The authors cluster the boxes of a label over photos; here the
        density of a box is its cosine with the label's classifier, relative to the median of the
        photo's candidates, since neighbours in other photos would make a step depend on its
        division among processes. There is no metric learning, no saliency and no separate detector.
        The softmax over labels has an additional logit of 0 for a box without a label.
    """

    Config: ClassVar[type[SystemConfig]] = MultiEvidenceConfig
    paper: ClassVar[str] = "https://arxiv.org/abs/1802.09129"
    published: ClassVar[tuple[Published, ...]] = ()
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {"choosing.weight"}
        | {f"{name}.weight" for name in ("classifier", "naming", "cell_classifier")}
        | {f"{name}.bias" for name in ("classifier", "naming", "cell_classifier")}
    )
    staged: ClassVar[bool] = True
    takes_padding: ClassVar[bool] = False
    config: MultiEvidenceConfig
    boxes: Tensor

    def __init__(self, config: MultiEvidenceConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels, size = self.backbone.channels, len(labels)
        self.classifier = nn.Linear(channels, size)
        self.description = nn.Linear(channels, config.hidden)
        self.naming = nn.Linear(config.hidden, size)
        # No bias: the softmax over boxes is invariant to it.
        self.choosing = nn.Linear(config.hidden, size, bias=False)
        self.cell_classifier = nn.Linear(channels, size)
        self.register_buffer("boxes", lattice_boxes(config.lattice), persistent=False)

    def forward(self, images: Images) -> Recognition:
        streams = self._streams(images)
        with full_precision(streams.heat.device):
            covered = covered_by_boxes(streams.shares.exp(), self.boxes, streams.heat.shape[-2:])
        boxes = covered.logit(SMALLEST)
        return Recognition(
            logits=mean_of_scores(streams.logits()),
            maps=mean_of_scores([streams.heat, boxes, streams.cells]),
            embedding=streams.embedding,
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        config, streams = self.config, self._streams(images)
        with_evidence = progress >= config.evidence_from
        trained = streams.logits()[: 3 if with_evidence else 2]
        losses = [self.label_loss(logits, targets) for logits in trained]
        terms = {"labels": torch.stack(losses).mean()}
        if with_evidence:
            hot = hot_cells(streams.heat)
            with full_precision(hot.device):
                kept = self._evidence(streams, hot, targets)
                shown = hot & within(kept, self.boxes, hot.shape[-2:])
            terms["boxes"] = config.box_weight * box_loss(streams.named, kept, targets)
            cells = cell_loss(streams.cells, shown, targets, config.label_reduction)
            terms["cells"] = config.cell_weight * cells
        return terms

    @torch.no_grad()
    def _evidence(self, streams: Streams, hot: Tensor, targets: Tensor) -> Tensor:
        """Select the boxes that show a present label and are typical of it: ``(B, L, R)`` bool."""
        agreed = agreeing(streams.shares, hot, self.boxes, self.config.agreement)
        looks = F.normalize(streams.descriptions, dim=-1)
        nearness = torch.einsum("brf,lf->blr", looks, F.normalize(self.naming.weight))
        return typical(nearness, agreed & (targets == 1)[..., None])

    def _streams(self, images: Images) -> Streams:
        features = widened(self.backbone(images))
        with full_precision(features.device):
            embedding = pooled(features, self.config.pooling)
            classifiers = self.classifier.weight, self.classifier.bias
            # A linear layer commutes with the mean over a box; there are fewer cells than boxes.
            described = class_maps(features, self.description.weight, self.description.bias)
            descriptions = F.relu(box_means(described, self.boxes))
            named = self.naming(descriptions)
            return Streams(
                embedding=embedding,
                whole=class_logits(embedding, *classifiers),
                heat=class_maps(features, *classifiers),
                descriptions=descriptions,
                named=named,
                shares=box_shares(named, self.choosing(descriptions)),
                cells=class_maps(features, self.cell_classifier.weight, self.cell_classifier.bias),
            )
