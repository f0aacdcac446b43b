"""Settings that determine the result of a training.

Everything that comparable runs must agree on is a field of one of these types, with a default and a
description. Whatever depends on the machine (device, workers, output folder) is an argument of
functions and commands instead. This module does not import torch, so that usage errors are fast.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

Pooling = Literal["average", "max"]
FeatureGrid = Literal["last", "middle", "fused"]
Resize = Literal["warp", "fit", "crop"]
Crop = Annotated[float, Field(gt=0, le=1)] | Literal["multi_scale"]


class Settings(BaseModel):
    """Base of all settings: immutable, with defaults, and without unknown names.

    Example:
        >>> TrainConfig(epochs=3).model_copy(update={"lr": 0.01}).epochs
        3
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class LowRankConfig(Settings):
    """Low-rank updates (LoRA) of the attention of an encoder, instead of training all of it."""

    rank: int = Field(0, ge=0, le=256)
    """Rank of the update of each weight; 0 trains the weights themselves."""

    alpha: float = Field(16.0, gt=0)
    """Strength of the updates, which are scaled by ``alpha / rank``."""


class BackboneConfig(Settings):
    """The image encoder, and the part of it that is trained."""

    name: str = "efficientnet_lite0"
    """``efficientnet_lite0``, whose weights come with the package, or any model of timm that has a
    feature grid or a token for each patch; ``tagsight encoders`` lists them. Convolutional ones can
    be joined by ``+``: each cell has the features of all, and the mean of their class scores."""

    weights: str = "imagenet"
    """Initial weights: ``imagenet`` are the installed ones if there are any, and else those of the
    hub, whatever they were trained on; ``embedded`` and ``hub`` insist on one of the two. The path
    of a ``.safetensors``, ``.pth``, ``.pt`` or ``.bin`` file reads that file. ``none`` is random
    initialisation, for tests and ablations."""

    normalization: Literal["pretrained", "imagenet", "none"] = "pretrained"
    """``pretrained`` normalises each channel by the mean and standard deviation that the weights
    were trained with (mostly those of ImageNet); ``imagenet`` by those of ImageNet in any case;
    ``none`` keeps values in [0, 1], as CSRA does, and as the weights of ASL and TResNet require."""

    output_stride: Literal[32, 16, 8] = 32
    """Pixels per cell of a convolutional encoder's last grid: 16 and 8 replace the strides of its
    last stages by dilation, at more computation, with the same weights. 32 changes no encoder."""

    grid: FeatureGrid = "last"
    """Feature grid: the ``last`` one; the ``middle`` one, of half its stride, without the stages
    after it; or both ``fused``, the last one enlarged and concatenated with the middle one."""

    class_scores: bool = False
    """Whether each cell's features are followed by the scores that the pretrained classifier gives
    the cell for its own classes, such as ImageNet's 1,000; from few photos they tell small objects.
    For encoders with a linear classifier over the mean of the last grid, as EfficientNet, ResNet
    and Swin have it; others do without, and say so."""

    frozen_stages: int = Field(4, ge=0)
    """Number of first stages that keep their weights; the stem is frozen with the first."""

    freeze_depthwise: bool = True
    """Whether depthwise convolutions keep their weights; CPUs are slow at their gradient."""

    freeze_batch_norm: bool = True
    """Whether batch norm keeps its pretrained statistics and weights."""

    lora: LowRankConfig = LowRankConfig()
    """Low-rank updates of a transformer's attention, in the blocks that are not frozen; all other
    weights of the encoder keep their values."""

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders that are joined; most often of one.

        Example:
            >>> BackboneConfig(name="efficientnet_lite0+efficientnet_lite2").encoders
            ['efficientnet_lite0', 'efficientnet_lite2']
        """
        return self.name.split("+")


class AsymmetricConfig(Settings):
    """The asymmetric loss, which weights easy labels less, and absent less than present ones."""

    gamma_positive: float = Field(0.0, ge=0)
    """Exponent that reduces the weight of present labels with high scores."""

    gamma_negative: float = Field(4.0, ge=0)
    """Exponent that reduces the weight of absent labels with low scores."""

    margin: float = Field(0.05, ge=0, lt=1)
    """Score up to which absent labels have no loss."""

    detach_weight: bool = True
    """Whether no gradient flows through these weights, as in the released training script."""


class SystemConfig(Settings):
    """Settings that every system has.

    Example:
        >>> SystemConfig(loss="asymmetric").pooling
        'average'
    """

    backbone: BackboneConfig = BackboneConfig()
    """The image encoder."""

    pooling: Pooling = "average"
    """Pooling of the feature grid. With ``average`` the mean of a map is exactly its logit."""

    loss: Literal["binary", "asymmetric"] = "binary"
    """Label loss: binary cross-entropy (Eq. 9), or the asymmetric loss, for many absent labels."""

    asymmetric: AsymmetricConfig = AsymmetricConfig()
    """The asymmetric loss, if ``loss`` selects it."""

    label_reduction: Literal["sum", "mean"] = "sum"
    """Whether the label loss of a photo is a sum over labels (Eq. 9) or their mean."""

    label_weights: Literal["none", "vac"] = "none"
    """``vac`` weights present labels by ``exp(1 - r)``, absent ones by ``exp(r)``, where ``r`` is
    the share of photos with the label."""

    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Target score of absent labels; that of present labels is 1 minus it."""

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the loss takes targets between 0 and 1, as mixed photos have."""
        return True

    @property
    def takes_unjudged(self) -> bool:
        """Whether ``losses`` takes more images than targets: no label of the last ones is known."""
        return False

    @property
    def probabilities(self) -> bool:
        """Whether the sigmoid of a logit estimates a probability.

        Otherwise logits only rank photos, and a score of 0.5 has no meaning.
        """
        return True

    @model_validator(mode="after")
    def _smooths_what_can_be_smoothed(self) -> Self:
        # Absent labels with low scores have almost no weight, so that the small presence which
        # smoothing gives them would dominate: their scores would be trained towards about 0.4.
        if self.loss == "asymmetric" and self.label_smoothing:
            msg = (
                "label_smoothing: expected 0 with the asymmetric loss, which ignores labels with "
                f"confident scores, got {self.label_smoothing}"
            )
            raise ValueError(msg)
        return self


class RandAugmentConfig(Settings):
    """RandAugment (Cubuk et al., 2020): random augmentation of training photos.

    The operations are torchvision's: shears, translations, rotation, brightness, colour, contrast,
    sharpness, posterise, solarise, autocontrast, equalise and identity. The defaults, with two
    operations, are those of the package used by ASL, ML-Decoder and Query2Label, which has
    inversion and a small cutout instead of identity.
    """

    operations: int = Field(0, ge=0, le=16)
    """Number of operations per photo, applied in sequence; 0 disables augmentation."""

    probability: float = Field(0.5, gt=0, le=1)
    """Probability of each operation."""

    magnitude: int | None = Field(None, ge=1, le=9)
    """Strength of the operations; at 9 shears are by 0.3, translations by 0.45 of the side,
    rotations by 30 degrees. None draws the strength of each operation."""


class TrainConfig(Settings):
    """Settings of training, the same for all systems.

    Example:
        >>> TrainConfig(epochs=3, batch_size=32).steps(64)
        6
    """

    image_size: int = Field(224, ge=32, le=2048)
    """Side of the square photos are resized to, in pixels, a multiple of the encoder's stride."""

    resize: Resize = "warp"
    """How a photo is made a square, always: ``warp`` changes its aspect ratio, as the literature;
    ``fit`` keeps the whole photo and its aspect ratio, and leaves the padding out of pooling,
    attention and maps; ``crop`` resizes the shorter side and sees the middle only."""

    epochs: int = Field(10, ge=1)
    """Passes over the training photos."""

    least_steps: int = Field(0, ge=0)
    """Steps that ``tagsight train`` takes at least: few photos get more epochs, unless epochs are
    chosen by hand. Comparisons train for the epochs of the recipe."""

    batch_size: int = Field(32, ge=1)
    """Photos per step over all processes; the views of a photo count once."""

    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """``sgd`` has a momentum of 0.9. ``sgd`` and ``adam`` add the weight decay to the gradient, as
    an L2 penalty; ``adamw`` subtracts it from the weights."""

    lr: float = Field(1e-3, gt=0)
    """Maximum learning rate, that of the new layers."""

    backbone_lr_factor: float = Field(1.0, ge=0)
    """Learning rate of the backbone relative to ``lr``."""

    layer_decay: float = Field(1.0, gt=0, le=1)
    """Learning rate of each stage of the backbone, or block of a transformer, relative to that of
    the next one. What follows the last block has the rate of the backbone."""

    weight_decay: float = Field(0.01, ge=0)
    """Weight decay, per step and unit of learning rate."""

    decayed_parameters: Literal["all", "weights"] = "weights"
    """Parameters that decay: ``all``, or only ``weights`` of two or more dimensions, without biases
    and norms."""

    schedule: Literal["constant", "step", "one_cycle"] = "one_cycle"
    """``step`` decays every ``decay_every`` epochs; ``one_cycle`` rises, then falls to 0."""

    decay_every: int = Field(30, ge=1)
    """Epochs between two decays of ``step``."""

    decay_factor: float = Field(0.5, gt=0, le=1)
    """Factor of each decay of ``step``."""

    warmup: float = Field(0.2, ge=0, lt=1)
    """Fraction of the training over which ``one_cycle`` rises."""

    warmup_epochs: float = Field(0.0, ge=0)
    """Epochs over which ``constant`` and ``step`` rise linearly to ``lr``, from ``lr / n`` at the
    first of ``n`` steps. Decays are counted from the start of training."""

    cycle_momentum: bool = False
    """Whether ``one_cycle`` moves the momentum (Adam's beta 1) from 0.95 to 0.85 and back, against
    the learning rate; otherwise it is 0.9."""

    clip_norm: float | None = Field(None, gt=0)
    """Maximum norm of the gradient; None does not clip."""

    crop: Crop = 1.0
    """Random crop of a photo, resized to the square. A number is the minimum share of the area, at
    an aspect ratio of 3:4 to 4:3 (``RandomResizedCrop``); 1 uses the whole photo. ``multi_scale``
    crops 0.5 to 1 of the shorter side at one of 13 places, as ML-GCN."""

    cutout: float = Field(0.0, ge=0, le=1)
    """Side of a square that is erased from a photo, as a fraction of the photo's side."""

    rand_augment: RandAugmentConfig = RandAugmentConfig()
    """Random changes of colour and geometry."""

    colour: float = Field(0.0, ge=0, le=1)
    """Strength of a random change of colours: the largest relative change of brightness, contrast
    and saturation, and four times that of the hue."""

    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup: photos of a step are blended in pairs, as are their targets, the share of the
    first drawn from ``Beta(alpha, alpha)``; 0 disables it."""

    cutmix: float = Field(0.0, ge=0)
    """Alpha of CutMix: a rectangle of a photo is replaced by that of another, targets by area;
    0 disables it. If mixup is enabled as well, each step has one of the two at random."""

    random_flip: bool = False
    """Whether half of the photos are mirrored, before views are made."""

    selection: Literal["best", "last"] = "best"
    """The epoch that is kept: the ``best`` on the validation photos, which is the last that no
    earlier one exceeds by more than the standard error of their difference; or the ``last``. With
    ``last`` no photos are held out of ``train``; without other validation photos, thresholds are
    0.5."""

    least_validation: int = Field(0, ge=0)
    """Fewest validation photos by which ``best`` chooses an epoch; by fewer, chance would choose,
    and the last epoch is kept."""

    unjudged: Literal["ignore", "consistency"] = "ignore"
    """Photos of ``train`` of which no label is known: ``ignore`` leaves them out; ``consistency``
    adds as many of them to a step as it has others, for the consistency loss only."""

    average: float = Field(0.0, ge=0, lt=1)
    """Decay per step of an exponential moving average of the weights; 0 disables it."""

    seed: int = Field(0, ge=0)
    """Seed of initial weights, order of photos, crops and views."""

    @model_validator(mode="after")
    def _has_one_rise(self) -> Self:
        if self.schedule == "one_cycle" and self.warmup_epochs:
            msg = (
                "training.warmup_epochs: expected 0 with schedule 'one_cycle', which rises over "
                f"training.warmup, a fraction of the training, got {self.warmup_epochs:g}"
            )
            raise ValueError(msg)
        if self.warmup_epochs > self.epochs:
            msg = (
                f"training.warmup_epochs: expected at most training.epochs = {self.epochs}, "
                f"got {self.warmup_epochs:g}"
            )
            raise ValueError(msg)
        if self.cycle_momentum and self.schedule != "one_cycle":
            msg = (
                "training.cycle_momentum: expected false without schedule 'one_cycle', "
                f"got it with {self.schedule!r}"
            )
            raise ValueError(msg)
        return self

    def steps_per_epoch(self, photos: int) -> int:
        """Count the batches of an epoch; incomplete batches are dropped, except an only one.

        Example:
            >>> TrainConfig(batch_size=32).steps_per_epoch(100)
            3
        """
        return max(1, photos // self.batch_size)

    def steps(self, photos: int) -> int:
        """Count the steps of a run over this number of training photos."""
        return self.epochs * self.steps_per_epoch(photos)

    def long_enough(self, photos: int) -> Self:
        """Return settings with the epochs that ``least_steps`` take over this number of photos.

        Example:
            >>> TrainConfig(epochs=8, batch_size=32, least_steps=300).long_enough(110).epochs
            100
        """
        needed = -(-self.least_steps // self.steps_per_epoch(photos))
        return self.model_copy(update={"epochs": max(self.epochs, needed)})


class Recipe(Settings):
    """A system with all its settings and their source.

    Example:
        >>> import tagsight as ts
        >>> recipe = ts.recipes()["gcam-paper"]
        >>> recipe.system, recipe.settings.graph.epsilon, recipe.training.image_size
        ('gcam', 0.4, 224)
    """

    name: str
    """Name of the recipe."""

    system: str
    """Name of the system, a key of ``SYSTEMS``."""

    settings: SerializeAsAny[SystemConfig]
    """The system's own settings."""

    training: TrainConfig
    """Settings of training."""

    source: str
    """Source of the settings: a paper and section, released code, or our own trials."""

    expectation: str
    """Expected score, with data, resolution and source."""

    use: str = ""
    """When to choose it, in a few words."""

    minutes: float | None = None
    """Minutes of training on 2,000 photos with two CPU cores (fastest recorded run)."""
