"""Tensors that depend on the labels alone, computed once and cached outside training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn

from tagsight.runtime.precision import full_precision

if TYPE_CHECKING:
    from collections.abc import Iterator

Value = TypeVar("Value", bound=Tensor | tuple[Tensor, ...])


class _Cache(NamedTuple):
    state: tuple[object, ...]
    # A reference to the sources keeps the allocator from reusing their memory for other weights, so
    # that an equal address means the same tensor.
    sources: tuple[Tensor, ...]
    value: object


class LabelConstants(nn.Module, ABC, Generic[Value]):
    """Computes tensors from its weights and buffers alone, and caches them outside training.

    The cache is used in evaluation mode when no gradient is required, and is renewed once a weight
    or buffer changes. (Torch does not track writes through ``weight.data``; call ``eval()`` after
    those.) The tensors have the precision of the weights, also under autocast.

    Example:
        >>> class Doubled(LabelConstants[Tensor]):
        ...     def __init__(self) -> None:
        ...         super().__init__()
        ...         self.weight = nn.Parameter(torch.ones(2))
        ...
        ...     def make(self) -> Tensor:
        ...         return 2 * self.weight
        >>> doubled = Doubled().eval()
        >>> with torch.no_grad():
        ...     doubled() is doubled()
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self._cache: _Cache | None = None
        self._fixed: Value | None = None

    @abstractmethod
    def make(self) -> Value:
        """Compute the tensors."""

    def forward(self) -> Value:
        """Compute the tensors, or return the cached ones."""
        if self._fixed is not None:
            return self._fixed
        sources = (*self.buffers(), *self.parameters())
        if not self._may_cache(sources):
            return self._computed()
        state = tuple((s._version, s.data_ptr(), s.dtype, s.device) for s in sources)
        cache = self._cache
        if cache is None or cache.state != state:
            # Inference tensors would forbid Grad-CAM to take gradients of features later.
            with torch.inference_mode(mode=False), torch.no_grad():
                cache = _Cache(state, tuple(s.detach() for s in sources), self._computed())
            self._cache = cache
        return cache.value  # type: ignore[return-value] # a NamedTuple cannot be generic here

    @contextmanager
    def fixed(self) -> Iterator[None]:
        """Return the present tensors throughout the block, also while torch traces the network.

        They become constants of the traced graph, which need not express how they were computed.
        """
        with torch.inference_mode(mode=False), torch.no_grad():
            self._fixed = self._computed()
        try:
            yield
        finally:
            self._fixed = None

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Set the training mode and clear the cache."""
        self._cache = None
        return super().train(mode)

    def _may_cache(self, sources: tuple[Tensor, ...]) -> bool:
        if self.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        # Tensors created in inference mode have no version counter.
        return not any(s.is_inference() for s in sources)

    def _computed(self) -> Value:
        with full_precision(next(self.parameters()).device):
            return self.make()
