"""Views of a photo under flip, scale and quarter turn, as pixels or as frozen features.

A view is named by its set of transforms; the empty set is the photo itself. Views are computed from
a batch of pixels (`make_view`), or looked up if the frozen stages encoded them before training
(`FrozenFeatures`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeAlias, cast

import torch
from torch import Tensor

from tagsight.nn.equivariance import transform_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tagsight.nn.config import Transform

View: TypeAlias = "frozenset[Transform]"
ORIGINAL: View = frozenset()
FLIP: View = frozenset({"flip"})

ORDER: tuple[Transform, ...] = ("scale", "flip", "quarter_turn")
"""Order in which a view's transforms are applied; on maps they are undone in reverse."""


def make_view(images: Tensor, view: View, *, scale: float = 6 / 7, multiple: int = 1) -> Tensor:
    """Apply the transforms of a view to images: ``(B, C, H, W) -> (B, C, H', W')``.

    Args:
        images: ``(B, C, H, W)`` float.
        view: Its transforms.
        scale: Side of the small view as a fraction of the large one, in (0, 1).
        multiple: Divisor of the sides of the small view, as in `transform_images`.

    Example:
        >>> images = torch.rand(2, 3, 32, 48)
        >>> make_view(images, frozenset({"scale", "quarter_turn"}), scale=0.5).shape
        torch.Size([2, 3, 24, 16])
    """
    for transform in ORDER:
        if transform in view:
            images = transform_images(images, transform, scale=scale, multiple=multiple)
    return images


def with_mirrored(views: Iterable[View]) -> tuple[View, ...]:
    """Add the mirrored counterpart of each view; the result is sorted, without repetition.

    Args:
        views: The views.

    Example:
        >>> [sorted(view) for view in with_mirrored([ORIGINAL])]
        [[], ['flip']]
    """
    wanted = {moved for view in views for moved in (view, view ^ FLIP)}
    return tuple(sorted(wanted, key=sorted))


@dataclass(frozen=True)
class FrozenFeatures:
    """The outputs of a backbone's frozen stages for photos, by view.

    Args:
        views: ``(B, C, h', w')`` float by view; ``C`` is the width of the last frozen stage. Of a
            single photo ``(h', w', C)``.
        on_photo: ``(B, 1, h, w)`` bool by view, the cells of the backbone's grid that are not
            padding; of a single photo ``(h, w, 1)``. Empty if photos have no padding.

    Example:
        >>> features = FrozenFeatures({ORIGINAL: torch.rand(2, 112, 7, 7)})
        >>> features.to(torch.device("cpu")).views[ORIGINAL].shape
        torch.Size([2, 112, 7, 7])
    """

    views: Mapping[View, Tensor]
    on_photo: Mapping[View, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> Self:
        """Move all views to a device."""
        pinned = device.type == "cuda"

        def moved(tensor: Tensor) -> Tensor:
            return (tensor.pin_memory() if pinned else tensor).to(device, non_blocking=True)

        return self.each(lambda tensors: {view: moved(one) for view, one in tensors.items()})

    def each(self, change: Callable[[Mapping[View, Tensor]], dict[View, Tensor]]) -> Self:
        """Change features and cells in the same way."""
        return type(self)(change(self.views), change(self.on_photo))


Images: TypeAlias = Tensor | FrozenFeatures
"""A training batch: pixels ``(B, 3, H, W)`` float in [0, 1], or their frozen features. A fourth
channel is the opacity, 0 on padding (`tagsight.nn.padding`)."""

Photo: TypeAlias = Tensor | FrozenFeatures
"""One photo of a batch: pixels ``(3, H, W)`` or ``(4, H, W)`` uint8, or its features by view."""


def mirrored(photo: Photo) -> Photo:
    """Mirror a photo; of features, keep the views whose mirrored counterpart is known.

    Args:
        photo: Pixels, or features by view.

    Example:
        >>> mirrored(torch.tensor([[[1, 2]]])).tolist()
        [[[2, 1]]]
    """
    if isinstance(photo, Tensor):
        return photo.flip(-1)
    return photo.each(
        lambda tensors: {view: tensors[view ^ FLIP] for view in tensors if view ^ FLIP in tensors}
    )


def stacked_pixels(photos: Sequence[Tensor]) -> Tensor:
    """Stack pixels, channels last: ``B`` times ``(C, H, W)`` -> ``(B, C, H, W)``.

    Example:
        >>> stacked_pixels([torch.zeros(3, 4, 6), torch.ones(3, 4, 6)]).shape
        torch.Size([2, 3, 4, 6])
    """
    return torch.stack([photo.movedim(0, -1) for photo in photos]).movedim(-1, 1)


def stacked(photos: list[Photo]) -> Images:
    """Stack photos, channels last: ``(B, C, H, W)`` uint8, or ``(B, C, h, w)`` by view.

    Example:
        >>> photo = FrozenFeatures({ORIGINAL: torch.rand(7, 7, 16)})
        >>> stacked([photo, photo]).views[ORIGINAL].shape
        torch.Size([2, 16, 7, 7])
    """
    if isinstance(photos[0], Tensor):
        return stacked_pixels(cast("list[Tensor]", photos))
    frozen = cast("list[FrozenFeatures]", photos)

    def joined(parts: list[Mapping[View, Tensor]]) -> dict[View, Tensor]:
        return {
            view: torch.stack([part[view] for part in parts]).movedim(-1, 1) for view in parts[0]
        }

    return FrozenFeatures(joined([p.views for p in frozen]), joined([p.on_photo for p in frozen]))
