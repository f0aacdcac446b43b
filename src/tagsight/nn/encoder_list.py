"""The encoders that can be used, with what decides between them: ``tagsight.encoders()``."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, cast, overload

from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT = 40
"""Encoders that are built for a list; each takes up to a second or two."""

MEASURED = 8
"""Encoders of a list whose speed is measured."""

BATCH, SECONDS = 8, 2.0
"""Photos per forward pass, and the time after which a measurement ends."""


class Encoder(NamedTuple):
    """One encoder.

    Attributes:
        name: Value of ``system.backbone.name``.
        stride: Side of a grid cell, in pixels.
        channels: ``D`` of its feature grid.
        parameters: Number of weights.
        pixels: Side of the photos that its weights were trained with, in pixels.
        any_size: Whether it encodes photos of any multiple of its stride, or of that side only.
        weights: Source of its pretrained weights: ``embedded``, tags of the hub, or ``none``.
        speed: Photos per second that it encodes on this machine at that size; None if not measured.
    """

    name: str
    stride: int
    channels: int
    parameters: int
    pixels: int
    any_size: bool
    weights: str
    speed: float | None = None


class Encoders(Sequence[Encoder]):
    """A list of encoders that is printed as a table.

    Args:
        rows: The encoders.
        refused: Names that match the pattern and cannot be used.
        left_out: Number of further names that match the pattern.

    Example:
        >>> found = Encoders(FAMILIES)
        >>> found[0].name, found[0].channels, found[1:3][0].stride
        ('efficientnet_lite0', 1280, 32)
    """

    def __init__(
        self, rows: Iterable[Encoder], refused: Sequence[str] = (), left_out: int = 0
    ) -> None:
        self.rows = tuple(rows)
        self.refused = tuple(refused)
        self.left_out = left_out

    @overload
    def __getitem__(self, place: int) -> Encoder: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Encoder, ...]: ...
    def __getitem__(self, place: int | slice) -> Encoder | tuple[Encoder, ...]:
        return self.rows[place]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [HEAD, *map(cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = (
            "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return "\n".join([*table, *self.notes()])

    def notes(self) -> list[str]:
        """Describe which names that match the pattern are not listed."""
        notes = []
        if self.refused:
            notes.append(f"without a grid: {', '.join(self.refused)}")
        if self.left_out:
            notes.append(f"{self.left_out} more match; give a narrower pattern to see them")
        return notes


_FAMILIES = """\
efficientnet_lite0 32 1280 3371008 224 any embedded
efficientnet_lite1 32 1280 4135680 240 any embedded (extra encoders)
efficientnet_lite2 32 1280 4811072 260 any embedded
resnet50 32 2048 23508032 224 any hub: a1_in1k and 18 more
resnet101 32 2048 42500160 224 any hub: a1h_in1k and 6 more
convnext_tiny 32 768 27820128 224 any hub: in12k_ft_in1k and 8 more
convnextv2_nano 32 640 14982800 224 any hub: fcmae_ft_in22k_in1k and 3 more
mobilenetv4_conv_small 32 960 2493024 224 any hub: e2400_r224_in1k and 2 more
regnety_016 32 888 10313430 224 any hub: tv2_in1k and 1 more
repvit_m1_1 32 512 7774864 224 any hub: dist_300e_in1k and 1 more
caformer_s18 32 512 23237936 224 any hub: sail_in1k and 4 more
mambaout_tiny 32 576 24240096 224 any hub: in1k
swin_tiny_patch4_window7_224 32 768 27519354 224 any hub: ms_in1k and 2 more
swinv2_tiny_window8_256 32 768 27578154 256 any hub: ms_in1k
davit_tiny 32 768 27591168 224 any hub: msft_in1k
vit_small_patch16_224 16 384 21665664 224 any hub: augreg_in21k_ft_in1k and 3 more
vit_small_patch14_dinov2 14 384 22056192 518 any hub: lvd142m
vit_small_patch14_reg4_dinov2 14 384 22057344 518 any hub: lvd142m
vit_small_patch16_dinov3 16 384 21586944 256 any hub: lvd1689m
vit_base_patch16_clip_224 16 768 85799424 224 any hub: laion2b_ft_in12k_in1k and 12 more
vit_base_patch16_siglip_224 16 768 92884224 224 any hub: v2_webli and 1 more
eva02_small_patch14_336 14 384 21744000 336 any hub: mim_in22k_ft_in1k
deit3_small_patch16_224 16 384 21674496 224 any hub: fb_in1k and 1 more
vit_pe_core_small_patch16_384 16 384 23586048 384 any hub: fb
vit_tiny_r_s16_p8_224 32 192 6144704 224 any hub: augreg_in21k_ft_in1k and 1 more
maxvit_tiny_tf_384 32 512 30464008 384 only hub: in1k
"""

HEAD = ("encoder", "stride", "channels", "parameters", "pixels", "weights", "photos/s")


def cells(encoder: Encoder) -> tuple[str, ...]:
    """Format an encoder as a row of a table.

    Example:
        >>> cells(FAMILIES[0])
        ('efficientnet_lite0', '32', '1280', '3.4 M', '224', 'embedded', '-')
    """
    return (
        encoder.name,
        str(encoder.stride),
        str(encoder.channels),
        f"{encoder.parameters / 1e6:.1f} M",
        f"{encoder.pixels}" if encoder.any_size else f"{encoder.pixels} only",
        encoder.weights,
        "-" if encoder.speed is None else f"{encoder.speed:.1f}",
    )


FAMILIES = tuple(
    Encoder(
        name,
        int(stride),
        int(channels),
        int(parameters),
        int(pixels),
        any_size=size == "any",
        weights=weights,
    )
    for name, stride, channels, parameters, pixels, size, weights in (
        line.split(maxsplit=6) for line in _FAMILIES.splitlines()
    )
)
"""One encoder of each family that we test."""


def encoders(pattern: str = "", *, measure: bool = False) -> Encoders:
    """List encoders: one of each family, or all whose names match a pattern.

    They are built without memory for their weights, at most 40 of them.

    Args:
        pattern: Part of a name, or a name with ``*`` and ``?`` as wildcards.
        measure: Whether to measure how many photos per second they encode here, at most 8 of them.

    Raises:
        DataError: If no name matches.

    Example:
        >>> encoders("test_vit3")
        encoder    stride  channels  parameters  pixels  weights         photos/s
        test_vit3  16      96        0.8 M       160     hub: r160_in1k  -
    """
    if not pattern:
        found, names = Encoders(FAMILIES), []
    else:
        names = _matching(pattern)
        rows = [(name, _encoder(name)) for name in names[:LIMIT]]
        found = Encoders(
            [row for _, row in rows if row is not None],
            [name for name, row in rows if row is None],
            max(0, len(names) - LIMIT),
        )
    if not measure:
        return found
    measured = [_measured(row) for row in found[:MEASURED]]
    return Encoders([*measured, *found[MEASURED:]], found.refused, found.left_out)


def _matching(pattern: str) -> list[str]:
    import timm

    from tagsight.nn.encoder_weights import INSTALLED

    wanted = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    names = [name for name in INSTALLED if fnmatch(name, wanted)]
    names += [name for name in timm.list_models(wanted) if name not in INSTALLED]
    if not names:
        msg = f"expected part of the name of an encoder, got {pattern!r}, which no name contains"
        raise DataError(msg)
    return names


def _encoder(name: str) -> Encoder | None:
    """Describe an encoder; None if it has no grid."""
    import torch

    from tagsight.nn.backbones import try_encoder

    try:
        with torch.device("meta"):
            network, tried = try_encoder(name)
    except DataError:
        return None
    own = cast("tuple[int, int, int]", network.pretrained_cfg["input_size"])
    return Encoder(
        name,
        network.feature_info[-1]["reduction"],
        tried.grid.shape[1],
        sum(parameter.numel() for parameter in network.parameters()),
        own[-1],
        any_size=tried.only_side is None,
        weights=_source(name),
    )


def _source(name: str) -> str:
    import timm

    from tagsight.nn.encoder_weights import INSTALLED

    if name in INSTALLED:
        extra = INSTALLED[name].extra
        return f"embedded (extra {extra})" if extra else "embedded"
    others = len(timm.list_pretrained(f"{name}.*")) - 1
    if others < 0:
        return "none"
    known = timm.models.get_pretrained_cfg(name)  # what the name means without a tag
    return f"hub: {known.tag if known else name}" + (f" and {others} more" if others else "")


def _measured(encoder: Encoder) -> Encoder:
    """Measure how many photos per second are encoded, with random weights."""
    import torch

    from tagsight.config import BackboneConfig
    from tagsight.nn.backbones import build_backbone, skip_initial_weights
    from tagsight.runtime.device import Runtime

    device = Runtime.choose(precision="float32").device
    with skip_initial_weights():
        backbone = build_backbone(BackboneConfig(name=encoder.name, frozen_stages=0))
    backbone = backbone.to(device).eval()
    images = torch.rand(BATCH, 3, encoder.pixels, encoder.pixels, device=device)
    done, began = -1, monotonic()
    with torch.no_grad():
        while done < 1 or monotonic() - began < SECONDS:
            backbone(images)[0, 0, 0, 0].item()  # which waits for the device
            done += 1
            if done == 0:  # the first pass allocates memory
                began = monotonic()
    return encoder._replace(speed=done * BATCH / (monotonic() - began))
