"""Encoders that compute tokens: vision transformers, and mixers of patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from tagsight.errors import DataError
from tagsight.nn.encoder_base import Backbone, too_many_stages

if TYPE_CHECKING:
    from tagsight.config import BackboneConfig


class TokenEncoder(Backbone):
    """An encoder with one token for each patch, and possibly a class token and registers.

    **Class token.** A cell is the patch's token plus the class token, if the encoder has one. The
    sum is the same in every cell, so with average pooling a label's map still averages to its
    logit. A concatenation would have the same property, but a label could then put all its weight
    on the half that is constant over the cells, and its map would be flat. In a sum, the weights
    that read the class token are those that read the patches. Registers belong to no patch and are
    left out.

    **Norm.** Every token is normalised by the encoder's last norm: some encoders apply theirs after
    pooling, where it would keep a map from averaging to its logit.

    **Frozen stages** are blocks, together with the embedding of patches. Their features have the
    grid's shape, with the class token and the registers in additional rows above it.

    Args:
        network: A timm model with ``forward_intermediates``; it is pruned.
        config: Frozen blocks, frozen layers and normalisation of the input.

    Example:
        >>> from tagsight.config import BackboneConfig
        >>> from tagsight.nn.backbones import build_backbone, skip_initial_weights
        >>> with skip_initial_weights():
        ...     backbone = build_backbone(BackboneConfig(name="test_vit")).eval()
        >>> backbone(torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 64, 4, 6])
    """

    def __init__(self, network: Any, config: BackboneConfig) -> None:  # noqa: ANN401 (timm is untyped)
        cells = Cells(network)  # before its norm is pruned
        frozen, trained = _split(network, config)
        super().__init__(network, frozen, trained, config)
        self.cells = cells
        self._first = config.frozen_stages

    def from_frozen(self, features: Tensor) -> Tensor:
        """Apply the trained blocks: ``(B, C, r + h, w)`` -> ``(B, D, h, w)``."""
        if not len(self.frozen):
            return self._described(self.cells(_tokens(self.network, features, 1, norm=True)))
        prefix, grid = without_rows(features, self.cells.prefix)
        size = grid.shape[-2:]
        tokens = self._through_blocks(torch.cat((prefix, grid.flatten(2).mT), dim=1), size)
        prefix, patches = tokens.tensor_split([self.cells.prefix], dim=1)
        return self._described(self.cells(Tokens(patches.mT.unflatten(2, size), prefix)))

    def _frozen_features(self, images: Tensor) -> Tensor:
        if not len(self.frozen):
            return images
        tokens = _tokens(self.frozen[0], images, [self._first - 1], norm=False)
        return tokens.grid if tokens.prefix is None else with_rows(tokens.prefix, tokens.grid)

    def _through_blocks(self, tokens: Tensor, size: torch.Size) -> Tensor:
        """Apply the trained blocks and the norm: ``(B, P + N, D) -> (B, P + N, D)``."""
        stem: Any = self.frozen[0]
        rope = getattr(stem, "rope", None)
        positions = None if rope is None else rope.get_embed(shape=tuple(size))
        for place, block in enumerate(self.network.blocks, self._first):
            options = {}
            if positions is not None:
                options["rope"] = positions[place] if stem.rope_mixed else positions
            if self.network.checkpoints:
                tokens = checkpoint(block, tokens, use_reentrant=False, **options)
            else:
                tokens = block(tokens, **options)
        return self.network.norm(tokens)


class Tokens(NamedTuple):
    """The tokens of ``B`` images after a block.

    Attributes:
        grid: ``(B, D, h, w)``, those of the patches.
        prefix: ``(B, P, D)``, class token and registers; None if there are none.
    """

    grid: Tensor
    prefix: Tensor | None


class Cells(nn.Module):
    """Make a feature grid of tokens (`TokenEncoder` explains how).

    Args:
        network: The timm model, before it is pruned.

    Attributes:
        prefix: Number of tokens before those of the patches.

    Example:
        >>> import timm
        >>> cells = Cells(timm.create_model("test_vit", num_classes=0))
        >>> cells(Tokens(torch.ones(1, 64, 2, 3), torch.ones(1, cells.prefix, 64))).shape
        torch.Size([1, 64, 2, 3])
    """

    def __init__(self, network: Any) -> None:  # noqa: ANN401 (timm is untyped)
        super().__init__()
        self.norm = getattr(network, "fc_norm", nn.Identity())
        self.prefix: int = network.num_prefix_tokens if _returns_prefix(network) else 0
        self._has_class = self.prefix > 0 and network.cls_token is not None

    def forward(self, tokens: Tokens) -> Tensor:
        """Compute the grid: ``(B, D, h, w)``."""
        cells = self.norm(tokens.grid.movedim(1, -1))
        if tokens.prefix is not None and self._has_class:
            cells = cells + self.norm(tokens.prefix[:, None, :1])
        return cells.movedim(-1, 1)


class Blocks(nn.Module):
    """The trained end of a vision transformer.

    Args:
        blocks: The last blocks.
        norm: The norm after them.

    Attributes:
        checkpoints: Whether features within a block are recomputed in the backward pass.

    Example:
        >>> blocks = Blocks(nn.Sequential(nn.Linear(8, 8)), nn.LayerNorm(8))
        >>> blocks.set_grad_checkpointing()
        >>> blocks.checkpoints
        True
    """

    def __init__(self, blocks: nn.ModuleList | nn.Sequential, norm: nn.Module) -> None:
        super().__init__()
        self.blocks = blocks
        self.norm = norm
        self.checkpoints = False

    def set_grad_checkpointing(self) -> None:
        """Recompute features within a block in the backward pass, as timm's models can."""
        self.checkpoints = True


def encode_whole(network: Any, images: Tensor) -> Tensor:  # noqa: ANN401 (timm is untyped)
    """Encode normalised images by a network that is not split: ``(B, D, h, w)``.

    Args:
        network: A timm model with ``forward_intermediates``.
        images: ``(B, 3, H, W)`` float, normalised.

    Example:
        >>> import timm
        >>> network = timm.create_model("test_vit", num_classes=0, dynamic_img_size=True).eval()
        >>> encode_whole(network, torch.rand(1, 3, 64, 96)).shape
        torch.Size([1, 64, 4, 6])
    """
    return Cells(network)(_tokens(network, images, 1, norm=True))


def with_rows(prefix: Tensor, grid: Tensor) -> Tensor:
    """Place tokens in rows above a grid: ``(B, P, C), (B, C, h, w) -> (B, C, r + h, w)``.

    The rows are filled up with zeros. So features keep the shape of their grid, on which the
    resampling of positions depends, in one tensor.

    Example:
        >>> with_rows(torch.ones(1, 3, 1), torch.full((1, 1, 1, 2), 5.0))
        tensor([[[[1., 1.],
                  [1., 0.],
                  [5., 5.]]]])
    """
    width = grid.shape[-1]
    rows = _rows(prefix.shape[1], width)
    above = pad(prefix.mT, (0, rows * width - prefix.shape[1])).unflatten(2, (rows, width))
    return torch.cat((above, grid), dim=2)


def without_rows(features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Undo `with_rows` for so many tokens: returns ``(B, P, C), (B, C, h, w)``.

    Example:
        >>> features = with_rows(torch.ones(1, 3, 1), torch.full((1, 1, 1, 2), 5.0))
        >>> prefix, grid = without_rows(features, 3)
        >>> prefix.flatten().tolist(), grid.flatten().tolist()
        ([1.0, 1.0, 1.0], [5.0, 5.0])
    """
    rows = _rows(count, features.shape[-1])
    above, grid = features[:, :, :rows], features[:, :, rows:]
    return above.flatten(2).mT[:, :count], grid


def _rows(count: int, width: int) -> int:
    return -(-count // width)


def _split(network: Any, config: BackboneConfig) -> tuple[list[nn.Module], nn.Module]:  # noqa: ANN401 (timm is untyped)
    """Split a network into its first blocks and the rest, without its head."""
    count = config.frozen_stages
    if count == 0:
        if hasattr(network, "prune_intermediate_layers"):
            network.prune_intermediate_layers(1, prune_norm=False, prune_head=True)
        return [], network
    if not isinstance(network, VisionTransformer | Eva):
        msg = (
            f"expected `system.backbone.frozen_stages=0` for {config.name!r}, which cannot be "
            f"split into frozen and trained blocks, got {count}"
        )
        raise DataError(msg)
    if count > len(network.blocks):
        raise too_many_stages(config, len(network.blocks))
    trained = Blocks(network.blocks[count:], network.norm)
    network.prune_intermediate_layers([count - 1], prune_norm=True, prune_head=True)
    return [network], trained


def _tokens(
    network: Any,  # noqa: ANN401 (timm is untyped)
    images: Tensor,
    indices: int | list[int],
    *,
    norm: bool,
) -> Tokens:
    """Compute the tokens after one block: the last, or the one with a given index."""
    (found,) = network.forward_intermediates(
        images,
        indices=indices,
        norm=norm,
        stop_early=True,
        output_fmt="NCHW",
        intermediates_only=True,
        **({"return_prefix_tokens": True} if _returns_prefix(network) else {}),
    )
    return Tokens(*found) if isinstance(found, tuple) else Tokens(found, None)


def _returns_prefix(network: Any) -> bool:  # noqa: ANN401 (timm is untyped)
    if not getattr(network, "num_prefix_tokens", 0):
        return False
    code = network.forward_intermediates.__code__
    return "return_prefix_tokens" in code.co_varnames[: code.co_argcount]
