"""The interface of a system: from images to a `Recognition`, and the losses to train it by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self, TypedDict

import torch
from torch import Tensor, nn

from tagsight.config import SystemConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone, skip_initial_weights
from tagsight.nn.config import GraphConfig
from tagsight.nn.losses import label_loss, vac_label_weights
from tagsight.nn.views import ORIGINAL, make_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.labels.space import LabelSpace
    from tagsight.nn.encoder_base import Backbone
    from tagsight.nn.views import Images, View


class ParameterGroup(TypedDict):
    """Parameters and their learning rate, as torch optimisers take them.

    Example:
        >>> ParameterGroup(params=[nn.Parameter(torch.zeros(2))], lr=0.1)["lr"]
        0.1
    """

    params: list[nn.Parameter]
    lr: float


class Recognition(NamedTuple):
    """Output of a system for ``B`` images; maps are raw, never normalised.

    Attributes:
        logits: ``(B, L)`` float; the sigmoid of a logit is the label's score.
        maps: ``(B, L, h, w)`` float, evidence in the unit of the logits.
        embedding: ``(B, D)`` float, pooled descriptor of the whole image.

    Example:
        >>> logits, maps = torch.tensor([[0.5]]), torch.tensor([[[[0.0, 1.0]]]])
        >>> Recognition(logits, maps, embedding=torch.zeros(1, 3)).maps.mean((-2, -1))
        tensor([[0.5000]])
    """

    logits: Tensor
    maps: Tensor
    embedding: Tensor


class Published(NamedTuple):
    """A published result, with the conditions it was measured under.

    Attributes:
        data: Data set.
        score: mAP, in percent.
        setting: Resolution in pixels, backbone, and the definition of AP where it is known.
        source: Publication that states it.
    """

    data: str
    score: float
    setting: str
    source: str


class System(nn.Module, ABC):
    """A recognition method: backbone, classifiers and losses. A subclass defines `forward`.

    Args:
        config: The settings, an instance of the class's own ``Config``.
        labels: The labels to recognise, with counts and word vectors.

    Example:
        >>> from tagsight.labels.space import LabelSpace
        >>> from tagsight.systems.catalogue import RECIPES, build_system
        >>> labels = LabelSpace.from_targets(("dog", "sky"), torch.tensor([[1, 0], [1, 1]]))
        >>> system = build_system(RECIPES["resnet-cpu"], labels).eval()
        >>> system(torch.rand(1, 3, 64, 64)).logits.shape
        torch.Size([1, 2])
    """

    Config: ClassVar[type[SystemConfig]] = SystemConfig
    """Type of its settings; every field needs a default."""
    name: ClassVar[str] = ""
    """Key in `SYSTEMS` once registered; empty for the class's name with hyphens."""
    paper: ClassVar[str] = ""
    """DOI or URL of the paper; empty if the method is not published."""
    published: ClassVar[tuple[Published, ...]] = ()
    """Results that the authors or later papers report."""
    needs_vectors: ClassVar[bool] = False
    """Whether it needs word vectors of the labels (``labels.vectors``)."""
    takes_new_labels: ClassVar[bool] = False
    """Whether `with_labels` can add labels without any training (zero-shot)."""
    label_parameters: ClassVar[frozenset[str]] = frozenset()
    """Names of the parameters and buffers with one row per label."""
    staged: ClassVar[bool] = False
    """Whether some parameters get no gradient in some part of the training."""
    remembers: ClassVar[bool] = False
    """Whether it stores the training photos instead of training weights (`RememberingSystem`)."""
    portable: ClassVar[bool] = True
    """Whether it can be exported to ONNX."""
    takes_padding: ClassVar[bool] = True
    """Whether it takes padded photos (``training.resize = "fit"``)."""
    passes: ClassVar[int] = 1
    """How often `forward` runs the backbone."""

    def __init__(self, config: SystemConfig, labels: LabelSpace) -> None:
        super().__init__()
        self.config = config
        self.one_of = labels.one_of
        self.backbone = build_backbone(config.backbone)
        self.register_buffer("label_weights", None, persistent=False)
        if config.label_weights == "vac":
            self.label_weights = vac_label_weights(labels.frequency)

    @property
    def probabilities(self) -> bool:
        """Whether the sigmoid of a logit estimates a probability (`SystemConfig.probabilities`)."""
        return self.config.probabilities

    @property
    def maps_add_up(self) -> bool:
        """Whether the mean of a label's map is exactly its logit."""
        return False

    @property
    def equivariant(self) -> bool:
        """Whether maps and logits commute with flips and quarter turns if the features do."""
        return True

    @property
    def views(self) -> Sequence[View]:
        """The views of an image that `losses` may use."""
        return [ORIGINAL]

    def make_view(self, images: Tensor, view: View) -> Tensor:
        """Transform images into a view: ``(B, C, H, W) -> (B, C, H', W')``."""
        return make_view(images, view, multiple=self.backbone.stride)

    def with_labels(self, labels: LabelSpace) -> Self:
        """Return a copy with the same weights for other labels, including untrained ones.

        Logits and maps of the present labels do not change if their counts and vectors do not.

        Args:
            labels: The labels to recognise; an untrained one has no training photos.

        Raises:
            DataError: If the system has weights of its own for each label (`takes_new_labels`).
        """
        self.check_takes_new_labels()
        reference = next(self.parameters())
        # Initial weights are overwritten; drawing them must not change the caller's random state.
        with skip_initial_weights(), torch.random.fork_rng(devices=[]):
            system = type(self)(self.config, labels)
        system.to(reference.device, reference.dtype)
        system.load_state_dict(self.state_dict())
        return system.train(self.training)

    def check_takes_new_labels(self) -> None:
        """Check that `with_labels` is supported.

        Raises:
            DataError: If the system has weights of its own for each label (`takes_new_labels`).
        """
        if not self.takes_new_labels:
            msg = (
                f"expected a system that takes labels it was not trained on, got "
                f"{type(self).__name__}, which learns each label from photos"
            )
            raise DataError(msg)

    @abstractmethod
    def forward(self, images: Images) -> Recognition:
        """Recognise images: ``(B, 3, H, W)`` float in [0, 1], or their frozen features.

        A fourth channel is the opacity, 0 on padding (`tagsight.nn.padding`).
        """

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        """Compute the weighted terms of the training objective, whose sum is minimised.

        Args:
            images: As for `forward`; frozen features are those of all `views`. If the settings take
                them (`SystemConfig.takes_unjudged`), more than ``B``: of the last ones no label is
                known, and they contribute to no term over labels.
            targets: ``(B, L)`` int in {1, 0, -1}; unknown targets (-1) contribute to no term.
            progress: Fraction of training that is done, in [0, 1], for scheduled terms.

        Returns:
            Scalar tensors by the name of the term.
        """
        del progress
        return {"labels": self.label_loss(self(images).logits, targets)}

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the label loss that the settings choose (G-CAM Eq. 9), a scalar.

        Labels that exclude each other (`LabelSpace.one_of`) share a softmax.
        """
        config = self.config
        return label_loss(
            logits,
            targets,
            reduction=config.label_reduction,
            weights=self.label_weights,
            smoothing=config.label_smoothing,
            asymmetric=config.asymmetric if config.loss == "asymmetric" else None,
            one_of=self.one_of,
        )

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        """Group the trainable parameters by learning rate, for a torch optimiser.

        Args:
            lr: Learning rate of the parameters outside the backbone.
            backbone_factor: Learning rate of the backbone relative to ``lr``.
        """
        backbone = {id(parameter) for parameter in self.backbone.parameters()}
        trainable = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trainable if id(p) not in backbone], "lr": lr},
            {"params": [p for p in trainable if id(p) in backbone], "lr": lr * backbone_factor},
        ]


def with_graph_rate(
    groups: list[ParameterGroup], network: nn.Module, graph: GraphConfig, lr: float
) -> list[ParameterGroup]:
    """Give the network over a label graph the learning rate that its settings ask for.

    Classifiers without a graph (``variant="none"``) share the rate of the rest.

    Args:
        groups: All trained parameters.
        network: The network over the graph.
        graph: Its settings.
        lr: Learning rate of the run.

    Example:
        >>> from tagsight.nn.config import GraphConfig
        >>> network, other = nn.Linear(2, 2), nn.Linear(2, 1)
        >>> groups = [ParameterGroup(params=[*network.parameters(), *other.parameters()], lr=0.1)]
        >>> faster = with_graph_rate(groups, network, GraphConfig(lr_factor=10), 0.1)
        >>> [(group["lr"], len(group["params"])) for group in faster]
        [(1.0, 2), (0.1, 2)]
    """
    if graph.variant == "none":
        return groups
    return with_own_rate(groups, network.parameters(), lr * graph.lr_factor)


def with_layer_decay(
    groups: Sequence[ParameterGroup], backbone: Backbone, decay: float
) -> list[ParameterGroup]:
    """Divide groups by layer of the backbone: the rate of each is that of the next times a factor.

    Introduced for vision transformers by BEiT (Bao et al., ICLR 2022), after ELECTRA and XLNet.

    Args:
        groups: All trained parameters.
        backbone: Knows the order of its layers.
        decay: The factor, in (0, 1].

    Raises:
        DataError: If the order of the encoder's stages is not known.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone
        >>> small = BackboneConfig(name="test_resnet", weights="none", frozen_stages=0)
        >>> backbone = build_backbone(small)
        >>> groups = [ParameterGroup(params=list(backbone.parameters()), lr=1.0)]
        >>> sorted(group["lr"] for group in with_layer_decay(groups, backbone, 0.5))
        [0.0625, 0.125, 0.25, 0.5, 1.0]
    """
    if decay == 1:
        return list(groups)
    layers = backbone.layers()
    factors = {
        id(parameter): decay ** (len(layers) - 1 - place)
        for place, layer in enumerate(layers)
        for parameter in layer
    }
    divided: list[ParameterGroup] = []
    for group in groups:
        by_factor: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_factor.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
        divided += [
            {**group, "params": parameters, "lr": group["lr"] * factor}
            for factor, parameters in by_factor.items()
        ]
    return divided


def with_own_rate(
    groups: Sequence[ParameterGroup], parameters: Iterable[nn.Parameter], lr: float
) -> list[ParameterGroup]:
    """Move parameters into a group of their own, placed first.

    Args:
        groups: All trained parameters.
        parameters: The parameters to move; those that are in no group are ignored.
        lr: Learning rate of the new group.

    Example:
        >>> first, second = nn.Linear(2, 2), nn.Linear(2, 1)
        >>> groups = [ParameterGroup(params=[*first.parameters(), *second.parameters()], lr=0.1)]
        >>> [group["lr"] for group in with_own_rate(groups, second.parameters(), 0.5)]
        [0.5, 0.1]
    """
    own = list(parameters)
    known = set(map(id, own))
    others: list[ParameterGroup] = [
        {**group, "params": [p for p in group["params"] if id(p) not in known]} for group in groups
    ]
    trained = {id(p) for group in groups for p in group["params"]}
    return [{"params": [p for p in own if id(p) in trained], "lr": lr}, *others]
