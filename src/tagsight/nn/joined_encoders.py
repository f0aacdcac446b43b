"""Several encoders that see the same photo, as one: the features of a cell stand side by side.

Encoders that were pretrained apart err apart, so a linear classifier over the features of two is
better than over those of either, and the mean of what their own classifiers say is surer than one
of them. A classifier per label is linear over such a cell as over any other: maps, class scores and
frozen features need nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tagsight.errors import DataError
from tagsight.nn.class_scores import take_classifier
from tagsight.nn.encoder_base import stage_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROBE_CELLS = 2
"""Cells across the image that tells how many channels each stage has."""


class SideBySide(nn.Module):
    """Applies a part of each encoder to its own channels, and concatenates what they give.

    Args:
        parts: One of each encoder: ``(B, C_i, h, w) -> (B, C'_i, h', w')``.
        channels: ``C_i`` of each; None if each takes all of the input, as the first parts do.

    Example:
        >>> both = SideBySide([nn.Identity(), nn.MaxPool2d(1)], channels=[1, 2])
        >>> both(torch.rand(1, 3, 4, 4)).shape
        torch.Size([1, 3, 4, 4])
    """

    def __init__(self, parts: Sequence[nn.Module], channels: Sequence[int] | None = None) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.channels = None if channels is None else list(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Apply the parts: ``(B, C, h, w) -> (B, C', h', w')``."""
        count = len(self.parts)
        own = [features] * count if self.channels is None else features.split(self.channels, 1)
        return torch.cat([part(one) for part, one in zip(self.parts, own, strict=True)], 1)


class JoinedNetwork(nn.Module):
    """Several convolutional encoders of timm with the same strides, as one of them.

    It has what `GridEncoder` asks of a model of timm: a stem, stages in order of which the first
    can be frozen, and ``forward_features``. Its classifier is the mean of theirs, if all have one
    over the mean of the grid and for as many classes.

    Args:
        networks: Models of timm by their names; their stages are moved out of them.
        own_normalization: Whether each sees images as its pretraining did, although they are
            normalised for the first.

    Raises:
        DataError: If they are not such encoders.

    Example:
        >>> import timm
        >>> names = ("test_resnet", "test_nfnet")
        >>> joined = JoinedNetwork({name: timm.create_model(name) for name in names})
        >>> joined.forward_features(torch.rand(1, 3, 64, 64)).shape, joined.num_features
        (torch.Size([1, 288, 2, 2]), 288)
        >>> joined.get_classifier()
        Linear(in_features=288, out_features=1000, bias=True)
    """

    @torch.no_grad()
    def __init__(self, networks: Mapping[str, Any], *, own_normalization: bool = True) -> None:
        super().__init__()
        members = list(networks.values())
        training = members[0].training
        self.num_features: int = sum(member.num_features for member in members)
        self.feature_info = [dict(members[0].feature_info[-1])]
        self.pretrained_cfg = members[0].pretrained_cfg
        side = PROBE_CELLS * self.feature_info[-1]["reduction"]
        image = torch.linspace(-2, 2, 3 * side * side).sin().view(1, 3, side, side)
        other = self.pretrained_cfg if own_normalization else None
        firsts = [_first_layers(member, other) for member in members]
        images = [nn.Sequential(*layers)(image) for layers in firsts]
        grids = [_grid(one.eval(), seen) for one, seen in zip(members, images, strict=True)]
        _check("last grids of one size", [one.shape[2:] for one in grids], networks)
        classifier = _joined_classifier(members, images, grids)
        self.classifier = nn.Identity() if classifier is None else classifier

        paths = [stage_paths(member) for member in members]
        _check("the same number of stages", [len(stages) for _, stages in paths], networks)
        moved = [
            (_moved_out(member, before), _moved_out(member, stages))
            for member, (before, stages) in zip(members, paths, strict=True)
        ]
        stems = [nn.Sequential(*a, *b) for a, (b, _) in zip(firsts, moved, strict=True)]
        self.stem, self.stages = SideBySide(stems), nn.Sequential()
        found = [stem(image) for stem in stems]
        for stage in zip(*(stages for _, stages in moved), strict=True):
            self.stages.append(SideBySide(stage, _channels(found, networks)))
            found = [part(one) for part, one in zip(stage, found, strict=True)]
        rest = [Features(member) for member in members]
        self.rest = SideBySide(rest, _channels(found, networks))
        if not torch.allclose(self.forward_features(image), torch.cat(grids, 1), atol=1e-4):
            raise _unlike("stages that follow one another", networks)
        self.train(training)

    def forward_features(self, images: Tensor) -> Tensor:
        """Encode normalised images: ``(B, 3, H, W) -> (B, D, h, w)``."""
        return self.rest(self.stages(self.stem(images)))

    def forward(self, images: Tensor) -> Tensor:
        """Score the classes of the pretraining: ``(B, 3, H, W) -> (B, K)``."""
        return self.classifier(self.forward_features(images).mean((-2, -1)))

    def get_classifier(self) -> nn.Module:
        """Return the classifier over the mean of the grid; an identity if there is none."""
        return self.classifier

    def reset_classifier(self, classes: int) -> None:
        """Remove the classifier.

        Args:
            classes: 0; a new classifier belongs to a system.
        """
        assert classes == 0
        self.classifier = nn.Identity()


class Features(nn.Module):
    """The layers of a network up to its features.

    Args:
        network: A model of timm.

    Example:
        >>> import timm
        >>> Features(timm.create_model("test_resnet"))(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 96, 2, 2])
    """

    def __init__(self, network: Any) -> None:  # noqa: ANN401 (timm is untyped)
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        """Compute the last grid: ``(B, C, h', w') -> (B, D, h, w)``."""
        return self.network.forward_features(features)


class Renormalised(nn.Module):
    """Normalises images for one encoder that were normalised for another.

    Args:
        own: Configuration of the pretraining: ``mean`` and ``std`` of each channel.
        other: That by which the images were normalised.

    Example:
        >>> half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        >>> whole = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
        >>> Renormalised(whole, half)(torch.zeros(1, 3, 1, 1)).flatten().tolist()
        [0.5, 0.5, 0.5]
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, own: Mapping[str, Any], other: Mapping[str, Any]) -> None:
        super().__init__()
        mean, std, from_mean, from_std = (
            torch.tensor(config[key], dtype=torch.float).view(1, 3, 1, 1)
            for config in (own, other)
            for key in ("mean", "std")
        )
        self.register_buffer("factor", from_std / std, persistent=False)
        self.register_buffer("shift", (from_mean - mean) / std, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Change the normalisation: ``(B, 3, H, W)`` float, both."""
        return images * self.factor + self.shift


def _first_layers(network: Any, other: Mapping[str, Any] | None) -> list[nn.Module]:  # noqa: ANN401 (timm is untyped)
    """Give what undoes the normalisation for another network, if there is any to undo."""
    own = network.pretrained_cfg
    if other is None or all(tuple(own[key]) == tuple(other[key]) for key in ("mean", "std")):
        return []
    return [Renormalised(own, other)]


def _grid(network: Any, image: Tensor) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """Encode an image: ``(1, D, h, w)``; without cells if that is not what the network gives."""
    try:
        grid = network.forward_features(image)
    except (AssertionError, RuntimeError):  # it sees images of one size
        grid = image
    channels = network.num_features
    return grid if grid.shape[1:2] == (channels,) and grid.ndim == 4 else image[:, :0, :0, :0]


def _moved_out(network: nn.Module, paths: Iterable[str]) -> list[nn.Module]:
    """Remove layers from a network, which passes its input on in their place."""
    found = []
    for path in paths:
        parent, _, name = path.rpartition(".")
        found.append(network.get_submodule(path))
        setattr(network.get_submodule(parent), name, nn.Sequential())
    return found


def _channels(found: Sequence[Tensor], names: Iterable[str]) -> list[int]:
    """List the channels of what each encoder has computed so far."""
    _check("grids of one size after each stage", [one.shape[2:] for one in found], names)
    return [one.shape[1] for one in found]


def _check(what: str, found: Sequence[Sequence[int] | int], names: Iterable[str]) -> None:
    """Refuse encoders that differ in something, or have none of it."""
    if len(set(found)) > 1 or found[0] in (0, (0, 0)):
        raise _unlike(what, names)


def _unlike(what: str, names: Iterable[str]) -> DataError:
    return DataError(
        f"expected `system.backbone.name` to join convolutional encoders with {what}, got "
        f"{' and '.join(names)}; join encoders of one family, or take one of them"
    )


def _joined_classifier(
    members: Sequence[Any], images: Sequence[Tensor], grids: Sequence[Tensor]
) -> nn.Linear | None:
    """Join the classifiers of all encoders to one whose logits are the mean of theirs."""
    found = [
        take_classifier(member, (image, grid))
        for member, image, grid in zip(members, images, grids, strict=True)
    ]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or len({one.out_features for one in known}) > 1:
        return None
    joined = nn.Linear(sum(one.in_features for one in known), known[0].out_features)
    joined.weight.copy_(torch.cat([one.weight / len(known) for one in known], 1))
    joined.bias.zero_()
    for one in known:
        if one.bias is not None:
            joined.bias.add_(one.bias / len(known))
    return joined
