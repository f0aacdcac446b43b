"""The labels of a task: names, word vectors and co-occurrence counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch

from tagsight.labels.cooccurrence import (
    cooccurrence_of,
    empty_counts,
    known_photos,
    own_counts,
    placed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tagsight.labels.one_of import OneOf


@dataclass(frozen=True, eq=False)
class LabelSpace:
    """The prior knowledge of a system about its ``L`` labels.

    Args:
        names: The labels, in the order of every ``(B, L)`` tensor.
        vectors: ``(L, E)`` float, word vectors, or None if no system needs them.
        cooccurrence: ``(L, L)`` int, number of training photos with both labels; the diagonal holds
            each label's own count. It is sparse if there are many labels (`cooccurrence_of`).
        photos: ``(L,)`` int, number of training photos in which each label is known.
        one_of: Groups of labels that exclude each other.

    Raises:
        ValueError: If names repeat or shapes differ.

    Example:
        >>> targets = torch.tensor([[1, 1], [1, 0], [1, -1]])
        >>> labels = LabelSpace.from_targets(["cat", "dog"], targets)
        >>> labels.cooccurrence.tolist(), labels.frequency.tolist()
        ([[3, 1], [1, 1]], [1.0, 0.5])
    """

    names: tuple[str, ...]
    vectors: Tensor | None
    cooccurrence: Tensor
    photos: Tensor
    one_of: tuple[OneOf, ...] = ()

    def __post_init__(self) -> None:
        size = len(self.names)
        if not size:
            msg = "expected at least one label, got none"
            raise ValueError(msg)
        if repeated := sorted(name for name, count in Counter(self.names).items() if count > 1):
            msg = f"expected each label once, got {repeated!r} more than once"
            raise ValueError(msg)
        if self.cooccurrence.shape != (size, size):
            msg = (
                f"expected co-occurrence counts of the labels, shape ({size}, {size}), "
                f"got shape {tuple(self.cooccurrence.shape)}"
            )
            raise ValueError(msg)
        if self.photos.shape != (size,):
            msg = (
                "expected the number of photos in which each label is known, "
                f"shape ({size},), got shape {tuple(self.photos.shape)}"
            )
            raise ValueError(msg)
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != size):
            msg = (
                f"expected one word vector for each label, shape ({size}, E), "
                f"got shape {tuple(self.vectors.shape)}"
            )
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_targets(
        cls, names: Sequence[str], targets: Tensor, vectors: Tensor | None = None
    ) -> Self:
        """Count labels and pairs of labels in the training rows.

        Args:
            names: The ``L`` labels.
            targets: ``(N, L)`` int in {1, 0, -1}, dense or sparse; unknown ones (-1) are ignored.
            vectors: ``(L, E)`` float, word vectors.
        """
        return cls(
            names=tuple(names),
            vectors=vectors,
            cooccurrence=cooccurrence_of(targets),
            photos=known_photos(targets),
        )

    @property
    def counts(self) -> Tensor:
        """``(L,)`` int, number of training photos with each label."""
        return own_counts(self.cooccurrence)

    @property
    def frequency(self) -> Tensor:
        """``(L,)`` float, fraction of the photos where a label is known in which it is present."""
        return self.counts / self.photos.clamp(min=1)

    @property
    def taught(self) -> Tensor:
        """``(L,)`` bool, labels that are known in some photo; all labels if there are none."""
        known = self.photos > 0
        return known if bool(known.any()) else torch.ones_like(known)

    @property
    def trained(self) -> Tensor:
        """``(L,)`` bool, labels with a positive training photo; all labels if there are none."""
        found = self.counts > 0
        return found if bool(found.any()) else torch.ones_like(found)

    def extended(self, names: Sequence[str], vectors: Tensor | None) -> LabelSpace:
        """Append labels without training data.

        Args:
            names: The ``K`` new labels.
            vectors: ``(K, E)`` float, their word vectors; None if the existing labels have none.

        Raises:
            ValueError: If a name exists already or shapes differ.
        """
        size = len(self) + len(names)
        both = [tensor for tensor in (self.vectors, vectors) if tensor is not None]
        return LabelSpace(
            names=(*self.names, *names),
            vectors=torch.cat(both) if both else None,
            cooccurrence=placed(self.cooccurrence, torch.arange(len(self)), size),
            photos=torch.cat([self.photos, self.photos.new_zeros(len(names))]),
            one_of=self.one_of,
        )


def empty_label_space(names: Sequence[str], vector_length: int = 0) -> LabelSpace:
    """Create labels with zero counts and zero word vectors.

    Args:
        names: The labels.
        vector_length: Length ``E`` of a word vector; 0 for none.

    Example:
        >>> empty_label_space(["cat", "dog"], vector_length=300).vectors.shape
        torch.Size([2, 300])
    """
    size = len(names)
    return LabelSpace(
        names=tuple(names),
        vectors=torch.zeros(size, vector_length) if vector_length else None,
        cooccurrence=empty_counts(size),
        photos=torch.zeros(size, dtype=torch.long),
    )
