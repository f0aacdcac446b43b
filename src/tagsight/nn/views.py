"""Views of a photo: what flip, scale and quarter turn make of it, as pixels or as features.

A view is the set of transforms that made it; the empty set is the photo itself. Views are made from
a batch of photos (`see`), or looked up where frozen stages have been through them before training
(`FrozenFeatures`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias, cast

import torch
from torch import Tensor

from tagsight.nn.equivariance import transform_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tagsight.config import Transform

View: TypeAlias = "frozenset[Transform]"
ORIGINAL: View = frozenset()
FLIP: View = frozenset({"flip"})

ORDER: tuple[Transform, ...] = ("scale", "flip", "quarter_turn")
"""In which a view's transforms are made; on the maps they are undone backwards."""


def see(images: Tensor, view: View, *, scale: float = 6 / 7, multiple: int = 1) -> Tensor:
    """Make a view of images: ``(B, 3, H, W) -> (B, 3, H', W')``.

    Args:
        images: ``(B, 3, H, W)`` float.
        view: Its transforms.
        scale: Side of the small view relative to the large one, in (0, 1).
        multiple: What the sides of the small view are a multiple of, as for `transform_images`.
    """
    for transform in ORDER:
        if transform in view:
            images = transform_images(images, transform, scale=scale, multiple=multiple)
    return images


def with_mirrored(views: Iterable[View]) -> tuple[View, ...]:
    """Add to each view the one that a mirrored photo has in its place; sorted, each once."""
    wanted = {moved for view in views for moved in (view, view ^ FLIP)}
    return tuple(sorted(wanted, key=sorted))


@dataclass(frozen=True)
class FrozenFeatures:
    """A batch of photos as the frozen stages of a backbone leave them, each of its views.

    Args:
        views: ``(B, C, h, w)`` float by view; ``C`` is the width of the last frozen stage.
    """

    views: Mapping[View, Tensor]

    def to(self, device: torch.device) -> Self:
        """Bring all views to a device."""
        pinned = device.type == "cuda"
        return type(self)(
            {
                view: (features.pin_memory() if pinned else features).to(device, non_blocking=True)
                for view, features in self.views.items()
            }
        )


Images: TypeAlias = Tensor | FrozenFeatures
"""What a system is trained on: pixels ``(B, 3, H, W)`` float in [0, 1], or features of them."""

Photo: TypeAlias = Tensor | Mapping[View, Tensor]
"""One of a batch: pixels ``(3, H, W)`` uint8, or features ``(h, w, C)`` by view."""


def mirrored(photo: Photo) -> Photo:
    """Mirror a photo; of features those views are left that are known of the mirrored photo."""
    if isinstance(photo, Tensor):
        return photo.flip(-1)
    return {view: photo[view ^ FLIP] for view in photo if view ^ FLIP in photo}


def stacked_pixels(photos: Sequence[Tensor]) -> Tensor:
    """Make a batch, channels last: ``B`` times ``(3, H, W)`` -> ``(B, 3, H, W)``."""
    return torch.stack([photo.movedim(0, -1) for photo in photos]).movedim(-1, 1)


def stacked(photos: list[Photo]) -> Images:
    """Make a batch, channels last: ``(B, 3, H, W)`` uint8, or ``(B, C, h, w)`` by view."""
    if isinstance(photos[0], Tensor):
        return stacked_pixels(cast("list[Tensor]", photos))
    features = cast("list[Mapping[View, Tensor]]", photos)
    return FrozenFeatures(
        {view: torch.stack([one[view] for one in features]).movedim(-1, 1) for view in photos[0]}
    )
