"""The settings that decide a result.

Everything that two comparable runs must agree on is a field of one of these types, with its default
and a sentence on what it does. What only describes the machine (device, workers, output folder) is
an argument of the command instead. This module imports no torch: a usage error answers at once.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

Transform = Literal["flip", "scale", "quarter_turn"]
Pooling = Literal["average", "max"]
Similarity = Literal["dot", "cosine", "softmax"]
Crop = Annotated[float, Field(gt=0, le=1)] | Literal["multi_scale"]


class Settings(BaseModel):
    """Settings are values: frozen, complete, and strict about names they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BackboneConfig(Settings):
    """The image encoder, and how much of it is trained."""

    name: str = "efficientnet_lite0"
    """``efficientnet_lite0``, whose weights come with the package, or any name of timm's."""

    weights: Literal["imagenet", "none"] = "imagenet"
    """``none`` starts from random numbers: only for tests and for proving that it is a bad idea."""

    normalization: Literal["pretrained", "none"] = "pretrained"
    """``pretrained`` subtracts the mean and divides by the standard deviation of each channel that
    the encoder's weights were trained with (of ImageNet, mostly); ``none`` takes values in [0, 1]
    as they are, as CSRA does, and ASL and TResNet, whose weights in timm ask for nothing else."""

    frozen_stages: int = Field(4, ge=0)
    """How many stages, from the photo on, keep their weights; the stem freezes with the first."""

    freeze_depthwise: bool = True
    """Whether depthwise convolutions keep their weights; a CPU is slow at their gradient."""

    freeze_batch_norm: bool = True
    """Whether batch norm keeps the running statistics and weights it came with."""


class GraphLayersConfig(Settings):
    """The network over a label graph (G-CAM Eq. 7), wherever its edges come from."""

    hidden: int = Field(1024, gt=0, le=8192)
    """Width of the layer between word vectors and classifiers."""

    activation: Literal["leaky_relu", "relu"] = "leaky_relu"
    """What stands between the two layers; nothing stands after the second."""

    vectors: Literal["raw", "unit", "centred"] = "centred"
    """Word vectors as they are, at length 1, or without what all of the labels' share."""

    bias: bool = False
    """Whether a label has a bias too, at first the log-odds of its frequency; papers have none."""

    lr_factor: float = Field(1.0, gt=0)
    """Learning rate of the graph network relative to the run's."""


class GraphConfig(GraphLayersConfig):
    """The correlation matrix of labels (G-CAM Eqs. 3-6) and the network over it (Eq. 7)."""

    epsilon: float = Field(0.4, ge=0, le=1)
    """Conditional probability below which an edge is noise (Eq. 5)."""

    delta: float = Field(0.2, ge=0, le=1)
    """Share of a label's new state that comes from its neighbours (Eq. 6); 1 leaves it nothing."""

    direction: Literal["given_source", "given_target"] = "given_source"
    """What makes an edge from ``j`` to ``i``: ``P(i given j)`` as released, or ``P(j given i)``."""

    variant: Literal["paper", "released", "identity", "none"] = "paper"
    """``released`` is as ML-GCN's code; ablations: ``identity`` has no edges, ``none`` no graph."""

    second_self_loop: bool = False
    """Whether to add Eq. 2's identity to the ``1 - delta`` that is there already."""


class LearnedGraphConfig(GraphLayersConfig):
    """A label graph that is learned with all else, and the network over it (A-GCN)."""

    similarity: Similarity = "softmax"
    """How two projected word vectors make an edge; ``dot``, the published one, grows with width."""

    width: int = Field(1024, gt=0, le=8192)
    """Length of the projections. With ``dot``, edges start near ``width / (4 L)``."""

    sparsity: float = Field(0.01, ge=0)
    """Weight of ``||A - I||_1``: a sum over ``L^2`` entries, at first about ``2 (L - 1)``."""

    similarity_lr_factor: float = Field(4.0, gt=0)
    """Learning rate of the projections relative to the run's."""


class ConsistencyConfig(Settings):
    """How the maps of a photo's views are held together (G-CAM Eqs. 11-13)."""

    weight: float = Field(0.4, ge=0, le=1)
    """Lambda of Eq. 13: the share of the consistency loss; the label loss has the rest."""

    ramp: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which lambda grows from 0 to ``weight``."""

    transforms: tuple[Transform, ...] = ("flip", "scale")
    """What makes the views."""

    views: Literal["all", "each", "one"] = "all"
    """``all`` combinations (the paper: four), one for ``each`` transform, or ``one`` at random."""

    scale: float = Field(192 / 224, gt=0, lt=1)
    """Side of the small view relative to the large one."""

    scale_weight: float = Field(1.0, ge=0)
    """What the distance between two sizes counts, beside 1 for a view and its flip or turn."""

    error: Literal["squared", "norm", "relative"] = "squared"
    """``squared`` as released, the ``norm`` of Eq. 12, or ``relative`` to the maps' variance."""

    alignment: Literal["bilinear", "nearest"] = "bilinear"
    """How maps of two sizes meet; ``nearest``, as released, never lets them agree."""

    detach_classifiers: bool = True
    """Whether the consistency loss leaves the classifiers alone; shrinking them is a way out."""

    @model_validator(mode="after")
    def _has_transforms(self) -> Self:
        if len(set(self.transforms)) < len(self.transforms):
            msg = f"consistency.transforms: expected each transform once, got {self.transforms}"
            raise ValueError(msg)
        if self.weight > 0 and not self.transforms:
            msg = (
                "consistency.transforms: expected at least one of 'flip', 'scale', "
                "'quarter_turn' while consistency.weight > 0, got none"
            )
            raise ValueError(msg)
        return self


class AsymmetricConfig(Settings):
    """The asymmetric loss: easy labels count less, and absent ones less than present ones."""

    gamma_positive: float = Field(0.0, ge=0)
    """Power by which a present label counts less the higher its score."""

    gamma_negative: float = Field(4.0, ge=0)
    """Power by which an absent label counts less the lower its score."""

    margin: float = Field(0.05, ge=0, lt=1)
    """Score up to which an absent label counts nothing."""

    detach_weight: bool = True
    """Whether these weights have no gradient of their own, as in the released training script."""


class DecoderConfig(Settings):
    """The size of layers in which labels look at the cells of a feature grid."""

    width: int = Field(768, gt=0, le=8192, multiple_of=4)
    """Length of the vectors of labels and cells."""

    heads: int = Field(8, gt=0)
    """Into how many parts attention cuts them; a divisor of ``width``."""

    hidden: int = Field(2048, gt=0, le=32768)
    """Units between the two linear layers that follow attention."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            msg = (
                f"decoder.heads: expected a divisor of decoder.width = {self.width}, "
                f"got {self.heads}"
            )
            raise ValueError(msg)
        return self


class SystemConfig(Settings):
    """What every system has."""

    backbone: BackboneConfig = BackboneConfig()
    """The image encoder."""

    pooling: Pooling = "average"
    """From feature grid to embedding. With ``average`` a map averages exactly to its logit."""

    loss: Literal["binary", "asymmetric"] = "binary"
    """Label loss: binary cross-entropy (Eq. 9), or the asymmetric loss, for many absent labels."""

    asymmetric: AsymmetricConfig = AsymmetricConfig()
    """The asymmetric loss, where ``loss`` chooses it."""

    label_reduction: Literal["sum", "mean"] = "sum"
    """Whether the label loss of a photo is the sum over labels (Eq. 9) or their mean."""

    label_weights: Literal["none", "vac"] = "none"
    """``vac``: present counts ``exp(1 - r)``, absent ``exp(r)``; ``r`` is the share of photos."""

    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Score that an absent label is trained towards, and one minus that of a present label."""

    @property
    def probabilities(self) -> bool:
        """Whether the sigmoid of a logit is meant as a probability.

        Otherwise logits only rank photos, and nothing is decided at 0.5.
        """
        return True

    @model_validator(mode="after")
    def _smooths_what_can_be_smoothed(self) -> Self:
        # Absent labels of low scores count next to nothing, so that the little presence which
        # smoothing gives them would win: they would be trained towards scores of about 0.4.
        if self.loss == "asymmetric" and self.label_smoothing:
            msg = (
                "label_smoothing: expected 0 with the asymmetric loss, which lets go of labels "
                f"that are certain enough, got {self.label_smoothing}"
            )
            raise ValueError(msg)
        return self


class RandAugmentConfig(Settings):
    """RandAugment (Cubuk et al., 2020): random changes of a training photo.

    An operation is one of shears, shifts, a turn, brightness, colour, contrast, sharpness,
    posterising, solarising, stretching and equalising of the levels, or nothing. The defaults are
    those of the package that ASL, ML-Decoder and Query2Label train with, two operations; it has
    inverting and a small cutout where torchvision, which makes them here, has nothing.
    """

    operations: int = Field(0, ge=0, le=16)
    """How many operations are drawn for a photo, one after another; 0 changes nothing."""

    probability: float = Field(0.5, gt=0, le=1)
    """With which each of them is done."""

    magnitude: int | None = Field(None, ge=1, le=9)
    """How strong they are; at 9 shears are by 0.3, shifts by 0.45 of the side, turns by 30 degrees.
    Without a number each operation has a random one."""


class TrainConfig(Settings):
    """How a system is trained, whichever it is."""

    image_size: int = Field(224, ge=32, le=2048, multiple_of=32)
    """Side of the square that every photo is resized to, in pixels: whole cells of the grid."""

    epochs: int = Field(10, ge=1)
    """Passes over the training photos."""

    batch_size: int = Field(32, ge=1)
    """Photos per step, over all processes; a photo counts once however many views it has."""

    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """``sgd`` has momentum 0.9. ``sgd`` and ``adam`` add the weight decay to the gradient, as an L2
    penalty, which ``adam`` then rescales with it; ``adamw`` takes it from the weights instead."""

    lr: float = Field(1e-3, gt=0)
    """Highest learning rate, of the new layers."""

    backbone_lr_factor: float = Field(1.0, ge=0)
    """Learning rate of the backbone relative to ``lr``."""

    weight_decay: float = Field(0.01, ge=0)
    """Share of a parameter that decays, per step and unit of learning rate."""

    decayed_parameters: Literal["all", "weights"] = "weights"
    """What ``weight_decay`` is for: ``all`` parameters, or ``weights`` alone, those of two or more
    dimensions, so that biases and the factors of norms do not decay."""

    schedule: Literal["constant", "step", "one_cycle"] = "one_cycle"
    """``step`` decays every ``decay_every`` epochs; ``one_cycle`` rises, then falls to 0."""

    decay_every: int = Field(30, ge=1)
    """Epochs between two decays of ``step``."""

    decay_factor: float = Field(0.5, gt=0, le=1)
    """Factor of each decay of ``step``."""

    warmup: float = Field(0.2, ge=0, lt=1)
    """Fraction of the training over which ``one_cycle`` rises."""

    warmup_epochs: float = Field(0.0, ge=0)
    """Epochs over which ``constant`` and ``step`` rise linearly to ``lr``; of ``n`` steps the first
    is taken at ``lr / n``. Decays are counted from the beginning, not from the end of the rise."""

    cycle_momentum: bool = False
    """Whether ``one_cycle`` lowers the momentum (of Adam: beta 1) from 0.95 to 0.85 while the rate
    rises, and raises it again; otherwise it is 0.9."""

    clip_norm: float | None = Field(None, gt=0)
    """Largest length of the gradient, if any."""

    crop: Crop = 1.0
    """Random rectangle of a photo that is resized to the square. A number is the least share of the
    photo's area that it has, at an aspect of 3:4 to 4:3 (``RandomResizedCrop``); 1 shows the whole
    photo. ``multi_scale``: 0.5 to 1 of the shorter side at one of 13 places, as ML-GCN."""

    cutout: float = Field(0.0, ge=0, le=1)
    """Side of a square of one colour that covers part of a photo, relative to the photo's side."""

    rand_augment: RandAugmentConfig = RandAugmentConfig()
    """Random changes of colours and geometry."""

    random_flip: bool = False
    """Whether half of the photos are mirrored before the views are made."""

    selection: Literal["best", "last"] = "best"
    """Which epoch is kept: the ``best`` on the validation photos, or the ``last`` without any
    selection. With ``last`` no photos are taken out of ``train`` for validation; if there are none
    otherwise, thresholds are 0.5."""

    average: float = Field(0.0, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights; 0 keeps none."""

    seed: int = Field(0, ge=0)
    """Decides the first weights, the order of the photos, the crops and the views."""

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
        """Count the batches of an epoch; photos that fill none wait, unless there are no others."""
        return max(1, photos // self.batch_size)

    def steps(self, photos: int) -> int:
        """Count the steps of a run over so many training photos."""
        return self.epochs * self.steps_per_epoch(photos)


class Recipe(Settings):
    """A system with all its settings, and where they come from."""

    name: str
    """What ``--recipe`` calls it."""

    system: str
    """A key of ``tagsight.systems.SYSTEMS``."""

    settings: SerializeAsAny[SystemConfig]
    """The system's own settings."""

    training: TrainConfig
    """How it is trained."""

    source: str
    """Where the settings come from: a paper and its section, released code, or our own trials."""

    expectation: str
    """What to expect of it: score, data, resolution and time, with their origin."""

    use: str = ""
    """When to choose it, in a few words."""

    minutes: float | None = None
    """Minutes of training on 2,000 photos with two CPU cores, where it was measured: the faster of
    the runs in ``docs/results/voc-animals``."""
