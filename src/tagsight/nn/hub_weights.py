"""ImageNet weights from the hub: whether they can be had here, found out once and quietly."""

from __future__ import annotations

from functools import cache

EMBEDDED = "efficientnet_lite0"
"""The backbone whose weights are installed with the package."""

ADVICE = (
    f"use backbone.name = {EMBEDDED!r}, whose weights are installed, or a machine that reaches the "
    "hub once and keeps its cache"
)

SECONDS = 10.0
"""How long the hub may take to answer."""


@cache
def missing_weights(name: str) -> str | None:
    """Say why the ImageNet weights of a timm model cannot be had here; None if they can.

    The hub's own client would try six times for each file, and say so each time.

    Args:
        name: A backbone.
    """
    if name == EMBEDDED:
        return None

    import timm
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    known = timm.models.get_pretrained_cfg(name)
    if known is None or known.hf_hub_id is None:
        return None  # its weights are not on the hub: timm says what it needs
    file = known.hf_hub_filename or "model.safetensors"
    if isinstance(try_to_load_from_cache(known.hf_hub_id, file), str):
        return None
    try:
        get_hf_file_metadata(hf_hub_url(known.hf_hub_id, file), timeout=SECONDS)
    except HfHubHTTPError:
        return None  # it answers; timm tries the other names that the file may have
    except Exception as error:  # whatever stands between us and the hub, the way out is the same
        return (
            f"the ImageNet weights of {name!r} are not on this machine, and the hub cannot be "
            f"reached ({error}); {ADVICE}"
        )
    return None
