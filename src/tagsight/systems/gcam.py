"""Classifiers generated from a label graph, and maps that follow the photo.

Wang, Xie, Liu and Fan. G-CAM: Graph Convolution Network Based Class Activation Mapping for
Multi-label Image Recognition. ICMR 2021. https://doi.org/10.1145/3460426.3463620

Maps: class activation maps (Eq. 10), in logits. With average pooling the mean of a label's map is
exactly its logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from tagsight.config import Pooling, Recipe
from tagsight.nn.class_activation import attended_maps, logits_and_maps, pooled
from tagsight.nn.config import ConsistencyConfig, GraphConfig
from tagsight.nn.consistency import (
    ViewGrid,
    aligned_pairs,
    consistency_weight,
    maps_in_photo_frame,
    possible_views,
    view_grids,
    view_pairs,
    views_of,
)
from tagsight.nn.graph import graph_classifiers, label_adjacency, label_bias
from tagsight.nn.losses import map_consistency
from tagsight.nn.named_classes import evidence_by_name, named_classes
from tagsight.nn.views import make_view
from tagsight.runtime.precision import widened
from tagsight.systems.base import Published, Recognition, System, with_graph_rate
from tagsight.systems.gpu_recipes import gpu_recipes
from tagsight.systems.ml_gcn import MLGCNConfig
from tagsight.systems.recipes import (
    CHOSEN,
    CPU_CONSISTENCY,
    CPU_GRAPH,
    CPU_SMOOTHING,
    GCAM_PAPER,
    PAPER_USE,
    RESNET101,
    UNTRIED,
    best_recipe,
    cpu_recipe,
    quick_recipe,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.class_activation import LogitsAndMaps
    from tagsight.nn.views import Images, View
    from tagsight.systems.base import ParameterGroup


class GCAMConfig(MLGCNConfig):
    """G-CAM's settings."""

    pooling: Pooling = "average"
    """From feature grid to embedding; section 3.1 pools by average."""

    consistency: ConsistencyConfig = ConsistencyConfig()
    """The consistency loss between the maps of the views."""

    @property
    def takes_unjudged(self) -> bool:
        return self.consistency.weight > 0


GCAM_SETTINGS = GCAMConfig(
    backbone=RESNET101,
    graph=GraphConfig(epsilon=0.4, delta=0.2, vectors="raw"),
    consistency=ConsistencyConfig(weight=0.4, scale=192 / 224),
)
LITERAL = ConsistencyConfig(
    weight=0.4, views="all", error="squared", alignment="nearest", scale=192 / 224
)
"""The consistency loss of VAC's code, for all that the paper leaves open; training can fail."""

CPU = cpu_recipe(
    "gcam",
    GCAMConfig(
        class_names=True,
        map_smoothing=3,
        label_smoothing=CPU_SMOOTHING,
        residual_attention=0.1,
        graph=CPU_GRAPH.model_copy(update={"classifiers": "unit"}),
        consistency=CPU_CONSISTENCY,
    ),
    source=CHOSEN,
    use="the default: related labels, and maps that point at the object",
    minutes=8.5,
)
RECIPES = (
    CPU,
    quick_recipe(CPU, minutes=1.9),
    best_recipe(CPU, minutes=9.6),
    Recipe(
        name="gcam-paper",
        system="gcam",
        settings=GCAM_SETTINGS,
        training=GCAM_PAPER,
        source="G-CAM section 4.2; 60 epochs and bilinear alignment are ours",
        expectation=f"published: COCO mAP 84.1, plausible only at 448 pixels; {UNTRIED}",
        use=PAPER_USE,
    ),
    Recipe(
        name="gcam-literal",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(update={"consistency": LITERAL}),
        training=GCAM_PAPER,
        source="G-CAM section 4.2, and VAC's released code where the paper is silent; 60 epochs",
        expectation=f"see docs/decisions/0003-what-makes-gcam-train.md; {UNTRIED}",
        use="the paper as printed, which can fail to train; needs a GPU",
    ),
    Recipe(
        name="gcam-paper-448",
        system="gcam",
        settings=GCAM_SETTINGS.model_copy(
            update={"consistency": ConsistencyConfig(weight=0.4, scale=384 / 448)}
        ),
        training=GCAM_PAPER.model_copy(update={"image_size": 448}),
        source="G-CAM section 4.2 at the resolution of the systems it is compared with",
        expectation=f"published: COCO mAP 84.1; {UNTRIED}",
        use="the paper at the resolution of its rivals; needs a GPU",
    ),
    *gpu_recipes(CPU),
)


class GCAM(System):
    """Class activation maps with classifiers that a graph over the labels generates.

    Section 3: the encoder computes the feature grid ``F`` (3.1), the label graph the classifiers
    ``M`` (3.2, Eqs. 2-7). Both give the logits ``Y`` (Eq. 8) and the maps ``Q`` (Eq. 10). Training
    minimises the label loss (Eq. 9) and the distance between the maps of a photo and of its
    transformed views (Eqs. 11 and 12), weighted by lambda (Eq. 13).

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.eye(2), torch.eye(2))
        >>> system = build_system(RECIPES["gcam-cpu"], labels).eval()
        >>> list(system.losses(torch.rand(1, 3, 64, 64), torch.tensor([[1, 0]])))
        ['labels', 'consistency']

    Deviations:
        Some of the paper's equations cannot be used as printed; ``docs/notation.md`` lists its
        symbols. Where it leaves a choice open, we follow the code of its predecessors: ML-GCN for
        the graph, VAC for the loss.

        Eqs. 3-5: Eq. 4 defines ``P(o_i given o_j)``, but Eq. 5 compares the transposed ``P_ji``
        with epsilon. Here an edge leads from ``j`` to ``i`` if ``P(o_i given o_j) >= 0.4``, as in
        ML-GCN's code; ``graph.direction = "given_target"`` is the other reading.

        Eq. 6 sums over the ``C`` channels, without a summand. Here the neighbours of a label share
        delta equally and the label keeps ``1 - delta``: 0.2 and 0.8, which equal ML-GCN's 0.25 and
        1 up to a factor that Eq. 2 removes.

        Eq. 2 adds the identity to a matrix whose diagonal is ``1 - delta`` already. Here it is not
        added, as in ML-GCN's code; ``graph.second_self_loop`` adds it.

        Eq. 7 has three layers, each followed by a ReLU. Here there are two, with a LeakyReLU of
        slope 0.2 between them and no activation after the second: features are not negative, so
        with classifiers that are not negative either, no score would be below 0.5.

        Eq. 9 lacks its minus sign. It sums over labels, while the function in its footnote
        averages. Here it sums over the known labels (``label_reduction``) and averages over photos
        and views.

        Eq. 12 is a norm, not squared, divided by ``L H W``. VAC's code uses the mean squared
        difference (``consistency.error = "squared"``; ``"norm"`` is Eq. 12 as printed), and
        ``gcam-cpu`` divides that by the variance of the maps (``"relative"``). Grids of 7 x 7 and
        6 x 6 cells are compared on the coarser grid. VAC's code enlarges both to 42 x 42 by
        repetition (``consistency.alignment = "nearest"``), which leaves a distance that no network
        can remove.

        Eq. 13 does not say whether its second term trains the classifiers. Here it does not
        (``consistency.detach_classifiers``), as in VAC's code: the term has a trivial minimum at
        classifiers of 0.

        Section 4.3 identifies G-CAM at lambda = 0 with ML-GCN, whose code uses max pooling. Section
        3.1 uses average pooling, as this system does by default (``pooling``), so that the mean of
        a map is its logit.

        Residual attention is not in the paper (``residual_attention``; the paper's recipes have 0).
        A label's best cell counts once more, by CSRA's Eqs. 5 and 6, and the map still averages to
        the logit (`attended_maps`). The consistency loss compares the maps of Eq. 10 without it: if
        these follow the photo, so do those with it.

        Classifiers are as long as the graph makes them, but in our own recipes they have length 1
        (``graph.classifiers = "unit"``), as CSRA's have: longer ones fit the training photos.

        The names of labels are known to the graph by their word vectors alone. In our own recipes
        they also say which of the encoder's classes a label is (``class_names``): how sure the
        encoder is of these is added to the maps with a learned weight (`NamedClasses`). There each
        cell's score is also averaged with those around it (``map_smoothing = 3``, 1 in the paper's
        recipes; `smoothed`), which changes no mean of a map. The consistency loss compares the maps
        of Eq. 10 without either.
    """

    Config: ClassVar[type[SystemConfig]] = GCAMConfig
    paper: ClassVar[str] = "https://doi.org/10.1145/3460426.3463620"
    published: ClassVar[tuple[Published, ...]] = (
        Published(
            "COCO 2014",
            84.1,
            "stated as 224 and 192, ResNet-101; plausible at 448 only",
            "G-CAM Table 2",
        ),
        Published("NUS-WIDE", 66.2, "stated as 224 and 192, ResNet-101", "G-CAM Table 3"),
        Published(
            "MIRFLICKR-25K",
            81.4,
            "stated as 224 and 192, ResNet-101, random split of the authors",
            "G-CAM Table 1",
        ),
    )
    needs_vectors: ClassVar[bool] = True
    label_parameters: ClassVar[frozenset[str]] = frozenset(
        {"bias", "label_graph.weight", "by_name.weight"}
    )
    config: GCAMConfig
    bias: nn.Parameter | None

    def __init__(self, config: GCAMConfig, labels: LabelSpace) -> None:
        super().__init__(config, labels)
        channels, graph = self.backbone.channels, config.graph
        adjacency = label_adjacency(labels.cooccurrence, graph)  # Eqs. 3-6 and 2
        self.label_graph = graph_classifiers(labels, adjacency, channels, graph)  # layers of Eq. 7
        self.register_parameter("bias", label_bias(labels, config.graph))
        self.by_name = named_classes(labels.names, self.backbone, wanted=config.class_names)

    def classifiers(self) -> tuple[Tensor, Tensor | None]:
        """Compute M, ``(L, D)`` float, and the bias, ``(L,)`` or None, which the paper lacks."""
        return self.label_graph(), self.bias  # Eq. 7

    def forward(self, images: Images) -> Recognition:
        features = widened(self.backbone(images))  # F, section 3.1
        classifiers, bias = self.classifiers()  # M
        on_photo = self.backbone.on_photo(images)
        found = self._logits_and_maps(ViewGrid(features, on_photo), classifiers, bias)
        return Recognition(
            logits=found.logits,
            maps=attended_maps(found.maps, bias, self.config.residual_attention, on_photo),
            embedding=pooled(features, self.config.pooling),  # D, section 3.1
        )

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        consistency = self.config.consistency
        if not consistency.weight:
            return super().losses(images, targets, progress)
        pairs = view_pairs(consistency)  # I and T(I)
        grids = view_grids(self, images, views_of(pairs))  # F and F'
        classifiers, bias = self.classifiers()  # M

        logits = [self._logits_and_maps(grid, classifiers, bias).logits for grid in grids.values()]
        judged = [one[: len(targets)] for one in logits]
        label_loss = torch.stack([self.label_loss(one, targets) for one in judged]).mean()  # Eq. 9

        steering = classifiers.detach() if consistency.detach_classifiers else classifiers
        maps = {
            view: maps_in_photo_frame(grid.features, steering, view)  # Eqs. 10 and 11
            for view, grid in grids.items()
        }
        distances = [
            pair.weight * map_consistency(pair.first, pair.second, consistency.error)  # Eq. 12
            for pair in aligned_pairs(maps, pairs, consistency.alignment)
        ]
        distance = torch.stack(distances).sum()

        weight = consistency_weight(consistency, progress)  # lambda
        return {"labels": (1 - weight) * label_loss, "consistency": weight * distance}  # Eq. 13

    def _logits_and_maps(
        self, grid: ViewGrid, classifiers: Tensor, bias: Tensor | None
    ) -> LogitsAndMaps:
        """Compute Y of Eq. 8, to which residual attention is added, and Q of Eq. 10."""
        return logits_and_maps(
            grid.features,
            classifiers,
            bias,
            pooling=self.config.pooling,
            attention=self.config.residual_attention,  # ours; 0 in the paper
            smoothing=self.config.map_smoothing,  # ours; 1 in the paper
            added=evidence_by_name(self.by_name, grid.features),  # ours; None in the paper
            on_photo=grid.on_photo,
        )

    @property
    def maps_add_up(self) -> bool:
        return self.config.pooling == "average"

    @property
    def views(self) -> Sequence[View]:
        consistency = self.config.consistency
        return possible_views(consistency) if consistency.weight else super().views

    def make_view(self, images: Tensor, view: View) -> Tensor:
        scale = self.config.consistency.scale
        return make_view(images, view, scale=scale, multiple=self.backbone.stride)

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        groups = super().parameter_groups(lr, backbone_factor)
        return with_graph_rate(groups, self.label_graph, self.config.graph, lr)
