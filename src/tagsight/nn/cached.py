"""What a system knows of its labels before it sees a photo, computed once instead of every time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn

from tagsight.runtime.precision import full_precision

Made = TypeVar("Made", bound=Tensor | tuple[Tensor, ...])


class _Kept(NamedTuple):
    state: tuple[object, ...]
    # Holding what the tensors were made of keeps its memory from being given to other weights, so
    # that an equal address means the same tensor.
    sources: tuple[Tensor, ...]
    made: object


class LabelConstants(nn.Module, ABC, Generic[Made]):
    """Tensors that depend on no photo, made of a module's own weights and buffers.

    Outside training, where no gradient is asked for, they are computed once and kept until a weight
    changes. (Torch cannot see writes through ``weight.data``; after those, call ``eval()`` again.)
    They have the weights' precision also under autocast.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: _Kept | None = None

    @abstractmethod
    def make(self) -> Made:
        """Compute the tensors."""

    def forward(self) -> Made:
        """Make or recall the tensors."""
        sources = (*self.buffers(), *self.parameters())
        if not self._can_keep(sources):
            return self._made()
        state = tuple((s._version, s.data_ptr(), s.dtype, s.device) for s in sources)
        kept = self._kept
        if kept is None or kept.state != state:
            # Not inference tensors: Grad-CAM may take gradients of features through them later.
            with torch.inference_mode(mode=False), torch.no_grad():
                kept = _Kept(state, tuple(s.detach() for s in sources), self._made())
            self._kept = kept
        return kept.made  # type: ignore[return-value] # a NamedTuple cannot be generic here

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Switch between training and evaluation, and forget what is kept."""
        self._kept = None
        return super().train(mode)

    def _can_keep(self, sources: tuple[Tensor, ...]) -> bool:
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        # Tensors made in inference mode do not count their changes.
        return not any(s.is_inference() for s in sources)

    def _made(self) -> Made:
        with full_precision(next(self.parameters()).device):
            return self.make()
