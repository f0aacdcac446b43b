"""Systems that store the training photos instead of training weights.

A run computes the features of every training photo once, stores them, and lets the system choose
its open settings on the validation photos.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch

from tagsight.errors import DataError
from tagsight.nn.class_activation import pooled
from tagsight.systems.base import System

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from tagsight.config import SystemConfig
    from tagsight.labels.space import LabelSpace
    from tagsight.nn.views import Images


class RememberingSystem(System):
    """A system without trained parameters, whose state is the features of the training photos.

    A new one stores no photos (``N = 0``) and can be used all the same. Loading a state may change
    the number of photos.

    Args:
        config: The settings.
        labels: The labels to recognise.
        added: Numbers stored per photo besides its ``D`` features.

    Attributes:
        remembered: ``(N, E)`` float, the stored vector of each photo; ``E`` is ``D + added``.
        targets: ``(L, N)`` int8 in {1, 0, -1}.
    """

    remembers: ClassVar[bool] = True
    photo_dimensions: ClassVar[Mapping[str, int]] = {"remembered": 0, "targets": 1}
    """Dimension of each buffer that indexes the stored photos."""
    label_parameters: ClassVar[frozenset[str]] = frozenset({"targets"})
    remembered: Tensor
    targets: Tensor

    def __init__(self, config: SystemConfig, labels: LabelSpace, *, added: int = 0) -> None:
        super().__init__(config, labels)
        self.backbone.requires_grad_(requires_grad=False).eval()
        self.register_buffer("remembered", torch.empty(0, self.backbone.channels + added))
        self.register_buffer("targets", torch.empty(len(labels), 0, dtype=torch.int8))

    def describe(self, images: Images) -> Tensor:
        """Compute the embeddings that `remember`, `choose` and `recall` take: ``(B, D)`` float."""
        return pooled(self.backbone(images), self.config.pooling)

    @abstractmethod
    def remember(self, embeddings: Tensor, targets: Tensor) -> None:
        """Store the training photos, replacing earlier ones.

        Args:
            embeddings: ``(N, D)`` float, as `describe` gives them.
            targets: ``(N, L)`` int in {1, 0, -1}.
        """

    @abstractmethod
    def choose(
        self, embeddings: Tensor, targets: Tensor, progress: Callable[[int], None] | None = None
    ) -> str:
        """Choose open settings on the validation photos and store them in `config`.

        Args:
            embeddings: ``(V, D)`` float, as `describe` gives them.
            targets: ``(V, L)`` int in {1, 0, -1}.
            progress: Called with the number of stored photos compared so far.

        Returns:
            A sentence on what was chosen and why.
        """

    @abstractmethod
    def recall(self, embeddings: Tensor) -> Tensor:
        """Compute the logits that `forward` would: ``(V, D)`` -> ``(V, L)`` float on the CPU."""

    def check(self) -> None:
        """Check the values of a loaded state.

        Raises:
            DataError: If they cannot be those of stored photos.
        """
        if not bool(((self.targets >= -1) & (self.targets <= 1)).all()):
            msg = "expected stored targets in {1, 0, -1}, got others; train the model again"
            raise DataError(msg)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Switch the mode of all but the backbone, which always stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401 (nn.Module's signature)
        for name, dimension in self.photo_dimensions.items():
            held, found = getattr(self, name), state_dict.get(prefix + name)
            if found is not None and found.ndim == held.ndim:
                shape = list(held.shape)
                shape[dimension] = found.shape[dimension]
                setattr(self, name, held.new_empty(shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
