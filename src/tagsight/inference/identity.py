"""Whether two recognizers would say the same of every photo."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from tagsight.runtime.packages import installed_version
from tagsight.runtime.version import __version__

if TYPE_CHECKING:
    from tagsight.checkpoint.decision import Decision
    from tagsight.inference.networks.base import Network

DECODERS = ("pillow", "pillow-heif", "rawpy")
"""Packages that decide which photos can be read, and what their pixels are."""


def identity_of(network: Network, decision: Decision, *limits: int) -> str:
    """Digest all that decides the results of a photo, as a hexadecimal number.

    Args:
        network: The model, and what runs it.
        decision: Thresholds and temperature.
        limits: Limits of decoding.

    Example:
        >>> import tagsight as ts
        >>> model = ts.load("runs/first/model")
        >>> model.identity == ts.load("runs/first/model").identity, len(model.identity)
        (True, 64)
        >>> model.identity == model.at("sure").identity
        False
    """
    parts = [
        network.info.model_dump_json(),
        network.runs_on,
        repr(decision.as_dict(network.info.labels)),
        repr(limits),
        *(f"{name} {installed_version(name)}" for name in DECODERS),
        __version__,
    ]
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
