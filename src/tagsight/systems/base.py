"""What every system is: photos in, a `Recognition` out, and named losses to train by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self, TypedDict

import torch
from torch import Tensor, nn

from tagsight.config import SystemConfig
from tagsight.errors import DataError
from tagsight.nn.backbones import build_backbone, skip_initial_weights
from tagsight.nn.losses import label_loss, vac_label_weights
from tagsight.nn.views import ORIGINAL, make_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images, View


class ParameterGroup(TypedDict):
    """Parameters with their own learning rate, as a torch optimiser takes them."""

    params: list[nn.Parameter]
    lr: float


class Recognition(NamedTuple):
    """What a system says about ``B`` images; never None, never normalised.

    Attributes:
        logits: ``(B, L)`` float; the sigmoid of a logit is the label's score.
        maps: ``(B, L, h, w)`` float, evidence in the unit of the logits.
        embedding: ``(B, D)`` float, pooled descriptor of the whole image.
    """

    logits: Tensor
    maps: Tensor
    embedding: Tensor


class Published(NamedTuple):
    """A number in a paper, with what is needed to read it.

    Attributes:
        data: Data set.
        score: mAP, in percent.
        setting: Resolution in pixels, backbone, and how AP was computed where it is known.
        source: Where it stands.
    """

    data: str
    score: float
    setting: str
    source: str


class System(nn.Module, ABC):
    """A whole method: backbone, classifiers, losses.

    Args:
        config: The settings, an instance of the class's own ``Config``.
        labels: The labels to recognise and what is known about them.
    """

    Config: ClassVar[type[SystemConfig]] = SystemConfig
    """Its settings."""
    name: ClassVar[str] = ""
    """Key in `SYSTEMS` once registered; empty for the class's name with hyphens."""
    paper: ClassVar[str] = ""
    """DOI or arXiv URL; empty for what is not published."""
    published: ClassVar[tuple[Published, ...]] = ()
    """What the authors, and those who compared with them, report."""
    needs_vectors: ClassVar[bool] = False
    """Whether the system reads ``labels.vectors``."""
    takes_new_labels: ClassVar[bool] = False
    """Whether `with_labels` gives a system for labels that were never trained."""
    label_parameters: ClassVar[frozenset[str]] = frozenset()
    """Names of the parameters that have a row for each label."""
    staged: ClassVar[bool] = False
    """Whether some parameters have no gradient at some time of the training."""
    remembers: ClassVar[bool] = False
    """Whether it learns by remembering the training photos (`RememberingSystem`): no gradients."""
    portable: ClassVar[bool] = True
    """Whether it can be written as one graph of ONNX (`tagsight.inference.exporting`)."""
    passes: ClassVar[int] = 1
    """How often recognising runs the backbone."""

    def __init__(self, config: SystemConfig, labels: LabelSpace) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config.backbone)
        self.register_buffer("label_weights", None, persistent=False)
        if config.label_weights == "vac":
            self.label_weights = vac_label_weights(labels.frequency)

    @property
    def probabilities(self) -> bool:
        """Whether the sigmoid of a logit is meant as a probability, as its settings say."""
        return self.config.probabilities

    @property
    def maps_add_up(self) -> bool:
        """Whether a label's map averages to its logit: an exact account of the score."""
        return False

    @property
    def equivariant(self) -> bool:
        """Whether maps and logits follow a flip or a turn if the backbone's features do."""
        return True

    @property
    def views(self) -> Sequence[View]:
        """The views of a photo that `losses` may look at."""
        return [ORIGINAL]

    def make_view(self, images: Tensor, view: View) -> Tensor:
        """Make a view of images: ``(B, 3, H, W) -> (B, 3, H', W')``."""
        return make_view(images, view, multiple=self.backbone.stride)

    def with_labels(self, labels: LabelSpace) -> Self:
        """The same trained network for other labels, also for some that it was not trained on.

        Labels of before, if they come with the same counts and vectors, are answered as before.

        Args:
            labels: What to recognise; without photos where a label was not trained.

        Raises:
            DataError: If the system has weights of its own for each label (`takes_new_labels`).
        """
        self.check_takes_new_labels()
        reference = next(self.parameters())
        # Its first weights are overwritten: nobody's random numbers are used up.
        with skip_initial_weights(), torch.random.fork_rng(devices=[]):
            system = type(self)(self.config, labels)
        system.to(reference.device, reference.dtype)
        system.load_state_dict(self.state_dict())
        return system.train(self.training)

    def check_takes_new_labels(self) -> None:
        """Refuse what `with_labels` refuses.

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
        """Recognise images: ``(B, 3, H, W)`` float in [0, 1], or their frozen features."""

    def losses(self, images: Images, targets: Tensor, progress: float = 1.0) -> dict[str, Tensor]:
        """Terms of the objective, by name, already weighted; their sum is minimised.

        Args:
            images: ``(B, 3, H, W)`` float in [0, 1], or the frozen features of their `views`.
            targets: ``(B, L)`` int in {1, 0, -1}; unknown (-1) has no part in any term.
            progress: Fraction of the training that is done, in [0, 1], for terms that change.
        """
        del progress
        return {"labels": self.label_loss(self(images).logits, targets)}

    def label_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of the labels as this system's settings choose, weight and reduce it (Eq. 9)."""
        config = self.config
        return label_loss(
            logits,
            targets,
            reduction=config.label_reduction,
            weights=self.label_weights,
            smoothing=config.label_smoothing,
            asymmetric=config.asymmetric if config.loss == "asymmetric" else None,
        )

    def parameter_groups(self, lr: float, backbone_factor: float) -> list[ParameterGroup]:
        """Trainable parameters with their learning rates, as a torch optimiser takes them."""
        backbone = {id(parameter) for parameter in self.backbone.parameters()}
        trainable = [p for p in self.parameters() if p.requires_grad]
        return [
            {"params": [p for p in trainable if id(p) not in backbone], "lr": lr},
            {"params": [p for p in trainable if id(p) in backbone], "lr": lr * backbone_factor},
        ]


def with_own_rate(
    groups: Sequence[ParameterGroup], parameters: Iterable[nn.Parameter], lr: float
) -> list[ParameterGroup]:
    """Give some parameters a learning rate of their own: a group before the others.

    Args:
        groups: All parameters that are trained.
        parameters: Those with their own rate; the ones among them that are in no group stay out.
        lr: The rate.
    """
    own = list(parameters)
    known = set(map(id, own))
    others: list[ParameterGroup] = [
        {**group, "params": [p for p in group["params"] if id(p) not in known]} for group in groups
    ]
    trained = {id(p) for group in groups for p in group["params"]}
    return [{"params": [p for p in own if id(p) in trained], "lr": lr}, *others]
