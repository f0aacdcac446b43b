"""Systems that learn by remembering the training photos instead of by gradients.

A run describes every training photo once and hands them over, lets the system choose its settings
on the validation photos, and is done.
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
    """A system without trained parameters, whose weights are the photos that it has seen.

    A new one remembers none, ``N = 0``, and can recognise all the same. A state of another number
    of photos can be loaded.

    Args:
        config: The settings.
        labels: The labels to recognise.
        added: How many numbers are remembered of a photo besides its ``D`` features.

    Attributes:
        remembered: ``(N, E)`` float, what is remembered of each photo; ``E`` is ``D + added``.
        targets: ``(L, N)`` int8 in {1, 0, -1}.
    """

    remembers: ClassVar[bool] = True
    photo_dimensions: ClassVar[Mapping[str, int]] = {"remembered": 0, "targets": 1}
    """In which dimension a buffer has a place for each remembered photo."""
    label_parameters: ClassVar[frozenset[str]] = frozenset({"targets"})
    remembered: Tensor
    targets: Tensor

    def __init__(self, config: SystemConfig, labels: LabelSpace, *, added: int = 0) -> None:
        super().__init__(config, labels)
        self.backbone.requires_grad_(requires_grad=False).eval()
        self.register_buffer("remembered", torch.empty(0, self.backbone.channels + added))
        self.register_buffer("targets", torch.empty(len(labels), 0, dtype=torch.int8))

    def describe(self, images: Images) -> Tensor:
        """Give what `remember`, `choose` and `recall` take of each photo: ``(B, D)`` float."""
        return pooled(self.backbone(images), self.config.pooling)

    @abstractmethod
    def remember(self, embeddings: Tensor, targets: Tensor) -> None:
        """Take the training photos in, in the place of those before.

        Args:
            embeddings: ``(N, D)`` float, as `describe` gives them.
            targets: ``(N, L)`` int in {1, 0, -1}.
        """

    @abstractmethod
    def choose(
        self, embeddings: Tensor, targets: Tensor, progress: Callable[[int], None] | None = None
    ) -> str:
        """Choose the settings that are open on the validation photos; `config` has them then.

        Args:
            embeddings: ``(V, D)`` float, as `describe` gives them.
            targets: ``(V, L)`` int in {1, 0, -1}.
            progress: May be called with how many of the remembered photos are compared so far.

        Returns:
            What was chosen and why, in words.
        """

    @abstractmethod
    def recall(self, embeddings: Tensor) -> Tensor:
        """Give the logits that `forward` would: ``(V, D)`` float -> ``(V, L)`` float on the CPU."""

    def check(self) -> None:
        """See that what was loaded can have been remembered.

        Raises:
            DataError: If it cannot.
        """
        if not bool(((self.targets >= -1) & (self.targets <= 1)).all()):
            msg = "expected remembered targets in {1, 0, -1}, got others: the model is of no use"
            raise DataError(msg)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 (nn.Module's signature)
        """Switch between training and evaluation, but for the backbone, which is never trained."""
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
