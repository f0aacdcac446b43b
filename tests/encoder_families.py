"""Small members of many families of encoders, with random weights."""

import timm
from timm.models import model_entrypoint, register_model

VIT = {"embed_dim": 48, "depth": 3, "num_heads": 3}
STAGES = {"depths": (1, 1, 1, 1), "embed_dim": 24, "num_heads": (1, 2, 4, 8)}

SHRUNK: dict[str, dict[str, object]] = {
    "vit_small_patch14_dinov2": VIT,
    "vit_small_patch14_reg4_dinov2": VIT,
    "vit_small_patch16_dinov3": VIT,
    "eva02_tiny_patch14_224": VIT,
    "vit_small_patch16_rope_mixed_224": VIT,
    "vit_pe_core_tiny_patch16_384": VIT,
    "vit_base_patch16_clip_224": VIT,
    "vit_base_patch16_siglip_224": VIT,
    "vit_medium_patch16_reg4_gap_256": VIT,
    "deit_tiny_distilled_patch16_224": VIT,
    "deit3_small_patch16_224": VIT,
    "flexivit_small": VIT,
    "vit_tiny_r_s16_p8_224": VIT,
    "beit_base_patch16_224": VIT,
    "cait_xxs24_224": {**VIT, "depth": 2},
    "xcit_nano_12_p16_224": {**VIT, "depth": 2},
    "swin_tiny_patch4_window7_224": STAGES,
    "swinv2_tiny_window8_256": STAGES,
}
"""Architectures of timm, and what makes them small."""


def _registered(name: str, changes: dict[str, object]) -> str:
    def create(**options: object) -> object:
        return model_entrypoint(name)(**changes, **options)

    create.__name__ = f"small_{name}"
    if not timm.is_model(create.__name__):
        register_model(create)
    return create.__name__


SMALL = {name: _registered(name, changes) for name, changes in SHRUNK.items()}
"""Names under which the settings know the small ones."""

FAMILIES = (
    *SMALL.values(),
    "test_vit",
    "test_vit2",
    "test_vit3",
    "test_vit4",
    "test_vit_relpos",
    "gmixer_12_224",
    "test_resnet",
    "test_convnext",
    "test_convnext2",
    "test_efficientnet",
    "test_efficientnet_gn",
    "test_byobnet",
    "test_mambaout",
    "test_nfnet",
    "test_coatnet",
    "test_maxvit",
    "mobilenetv4_conv_small_050",
    "pvt_v2_b0",
)

SPLIT = {
    "small_beit_base_patch16_224": 0,
    "small_cait_xxs24_224": 0,
    "small_xcit_nano_12_p16_224": 0,
    "gmixer_12_224": 0,
    "test_vit_relpos": 0,
}
"""Families whose blocks cannot be frozen; the others are split after one."""
