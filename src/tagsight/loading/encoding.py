"""Features of frozen stages, computed once before training instead of once per epoch.

This is possible if training only flips and scales photos: these are few views, and each is cached.
Training then sees the features it would have computed itself, up to the rounding of a flip.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import PIL
import timm
import torch
import torchvision

from tagsight.data.photos.reading import MARGIN
from tagsight.errors import user_message
from tagsight.loading.feature_cache import SUFFIX, FeatureCache, make_room
from tagsight.loading.preprocessing import read_square
from tagsight.loading.transforms import on_device
from tagsight.nn.views import FrozenFeatures, stacked_pixels, with_mirrored
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from tagsight.config import Resize
    from tagsight.loading.augmentation import Augmentation
    from tagsight.nn.encoder_base import Backbone
    from tagsight.nn.views import View
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog
    from tagsight.systems.base import System

BATCH = 16
"""Photos per forward pass of the frozen stages. It is constant, and the last batch is padded: the
numbers of a photo may depend on the batch size, but must not depend on where a run was killed."""


class Grid(NamedTuple):
    """The layout of the features of one view of a photo.

    Attributes:
        name: Key in the cache: how photos are made squares, the view's size in pixels and its
            transforms.
        shape: ``(h', w', C)``.
        dtype: Data type of the features.
        cells: ``(h, w, 1)`` of the cells on the photo; None if photos have no padding.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    cells: tuple[int, ...] | None = None

    @property
    def size(self) -> int:
        """Size in bytes: the features, then a byte for each cell."""
        return prod(self.shape) * self.dtype.itemsize + prod(self.cells or (0,))

    def features(self, content: bytes) -> Tensor:
        """Extract the features from the bytes of a photo: ``(h', w', C)``.

        Example:
            >>> grid = Grid("224", (1, 1, 2), torch.float32)
            >>> grid.size, grid.features(torch.tensor([0.5, 2.0]).numpy().tobytes())
            (8, tensor([[[0.5000, 2.0000]]]))
        """
        taken = torch.frombuffer(bytearray(content), dtype=self.dtype, count=prod(self.shape))
        return taken.view(self.shape)

    def on_photo(self, content: bytes) -> Tensor:
        """Extract the cells on the photo from the bytes of a photo: ``(h, w, 1)`` bool."""
        start = prod(self.shape) * self.dtype.itemsize
        cells = torch.frombuffer(bytearray(content[start:]), dtype=torch.bool)
        return cells.view(self.cells or (0,))


class FeatureStore:
    """Cached features by row, read from the disk.

    Args:
        cache: Has the features of all rows.
        photos: Content hash of each row's photo.
        grids: Layout of the features, by view.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> grid = Grid("224", (7, 7, 16), torch.float32)
        >>> with TemporaryDirectory() as folder:
        ...     with FeatureCache(Path(folder) / f"a{SUFFIX}") as cache:
        ...         cache.write([(b"photo", grid.name, bytes(grid.size))])
        ...         store = FeatureStore(cache, [b"photo"], {frozenset(): grid})
        ...         store[0].views[frozenset()].shape
        torch.Size([7, 7, 16])
    """

    def __init__(
        self, cache: FeatureCache, photos: Sequence[bytes], grids: Mapping[View, Grid]
    ) -> None:
        self._cache = cache
        self._photos = photos
        self._grids = grids
        self._names = [grid.name for grid in grids.values()]

    def __len__(self) -> int:
        return len(self._photos)

    def __getitem__(self, row: int) -> FrozenFeatures:
        """Return one photo's features."""
        kept = self._cache.read(self._photos[row], self._names)
        contents = dict(zip(self._grids, kept, strict=True))
        grids = self._grids.items()
        return FrozenFeatures(
            {view: grid.features(contents[view]) for view, grid in grids},
            {view: grid.on_photo(contents[view]) for view, grid in grids if grid.cells},
        )


@dataclass(frozen=True)
class Encoder:
    """The frozen stages of a system, at the resolution it is trained for.

    Args:
        system: On the runtime's device, in any mode.
        side: Side of the photos, in pixels.
        runtime: Device, precision, threads.
        resize: How photos are made squares.
    """

    system: System
    side: int
    runtime: Runtime
    resize: Resize = "warp"

    def grids(self, views: Sequence[View]) -> dict[View, Grid]:
        """Determine the layout of the features of each view, by a forward pass of a black photo.

        Example:
            >>> from tagsight.labels.space import empty_label_space
            >>> from tagsight.runtime.device import Runtime
            >>> from tagsight.systems.catalogue import RECIPES, build_system
            >>> system = build_system(RECIPES["resnet-quick"], empty_label_space(["dog", "sky"]))
            >>> runtime = Runtime.choose("cpu", "float32")
            >>> [grid.shape for grid in Encoder(system, 64, runtime).grids([frozenset()]).values()]
            [(2, 2, 320)]
        """
        channels = 4 if self.resize == "fit" else 3
        empty = torch.zeros(1, channels, self.side, self.side, dtype=torch.uint8)
        found = self._features(empty, views)
        return {
            view: Grid(
                self._name(view),
                tuple(features.shape[1:]),
                features.dtype,
                tuple(found.on_photo[view].shape[1:]) if found.on_photo else None,
            )
            for view, features in found.views.items()
        }

    def file(self, folder: Path) -> Path:
        """Name the cache's file after all that the features depend on, except the photo.

        Args:
            folder: Folder of the cache.
        """
        versions = (
            torch.__version__,
            timm.__version__,
            PIL.__version__,
            torchvision.__version__,
            f"decoded to {MARGIN} sides in sRGB, resized across and then down",
            str(self.runtime),
        )
        digest = blake2b("|".join(versions).encode(), digest_size=16)
        digest.update(_fingerprint(self.system.backbone))
        return folder / f"{digest.hexdigest()}{SUFFIX}"

    def encode(
        self,
        paths: Mapping[bytes, Path],
        grids: Mapping[View, Grid],
        cache: FeatureCache,
    ) -> Iterator[int]:
        """Compute the features of photos and write them to the cache.

        Args:
            paths: Photos by their content hash.
            grids: Layout of the features, by view to compute.
            cache: The cache.

        Yields:
            The number of photos done.
        """
        hashes = list(paths)
        batches = [hashes[first : first + BATCH] for first in range(0, len(hashes), BATCH)]

        def prepare(batch: Sequence[bytes]) -> Tensor:
            most = self.runtime.max_photo_memory
            images = [
                read_square(paths[photo], self.side, self.resize, max_memory=most)
                for photo in batch
            ]
            return stacked_pixels([*images, *images[:1] * (BATCH - len(batch))])

        def forward(images: Tensor) -> FrozenFeatures:
            return self._features(images, list(grids))

        done = 0
        encoded = self.runtime.pipeline(prepare, forward, batches)
        for batch, features in zip(batches, encoded, strict=True):
            cache.write(
                (photo, grids[view].name, _content(features, view, place))
                for place, photo in enumerate(batch)
                for view in grids
            )
            done += len(batch)
            yield done

    @torch.no_grad()
    def _features(self, photos: Tensor, views: Sequence[View]) -> FrozenFeatures:
        """Compute features, channels last: ``(B, C, S, S)`` uint8 -> ``(B, h, w, C)`` by view."""
        images, backbone = on_device(photos, self.runtime), self.system.backbone
        seen = {view: self.system.make_view(images, view) for view in views}
        cells = {view: backbone.on_photo(image) for view, image in seen.items()}
        with self.runtime.autocast():
            return FrozenFeatures(
                {view: backbone.to_frozen(image).movedim(1, -1) for view, image in seen.items()},
                {view: found.movedim(1, -1) for view, found in cells.items() if found is not None},
            )

    def _name(self, view: View) -> str:
        squares = [] if self.resize == "warp" else [self.resize]
        return " ".join([str(self.side), *squares, *sorted(view), *self._scaled_side(view)])

    def _scaled_side(self, view: View) -> list[str]:
        empty = torch.empty(1, 3, self.side, self.side)
        return [str(self.system.make_view(empty, view).shape[-1])] if "scale" in view else []


class Rows(NamedTuple):
    """The photos of a split, and the views to cache of each.

    Attributes:
        paths: ``N`` photos.
        views: Views that training or validation may need.
    """

    paths: Sequence[Path]
    views: Sequence[View]


@contextmanager
def kept_features(
    encoder: Encoder, splits: Sequence[Rows], hashes: Mapping[Path, bytes], log: WorkLog
) -> Iterator[list[FeatureStore] | None]:
    """Compute the missing features of splits, and open those in the runtime's cache.

    Args:
        encoder: The frozen stages.
        splits: The photos and views.
        hashes: Content hash of every photo.
        log: Receives the progress, or the reason why nothing is cached.

    Yields:
        A store for each split, or None if they do not fit into the cache.

    Example:
        >>> from tagsight.labels.space import empty_label_space
        >>> from tagsight.runtime.device import Runtime
        >>> from tagsight.runtime.progress import SILENT
        >>> from tagsight.systems.resnet import ResNet, ResNetConfig
        >>> backbone = {"name": "test_resnet", "weights": "none", "frozen_stages": 1}
        >>> system = ResNet(ResNetConfig(backbone=backbone), empty_label_space(["cat"]))
        >>> encoder = Encoder(system, 64, Runtime(torch.device("cpu"), "float32", cache=None))
        >>> with kept_features(encoder, [], {}, SILENT) as stores:
        ...     stores is None
        True
    """
    with ExitStack() as opened:
        try:
            with encoder.runtime.processes.one_at_a_time():
                stores = _stores(encoder, splits, hashes, log, opened)
        except (OSError, sqlite3.Error) as error:
            reason = user_message(error) or error
            log.note(f"features cannot be cached in {encoder.runtime.cache}: {reason}")
            stores = None
        yield stores


def _stores(
    encoder: Encoder,
    splits: Sequence[Rows],
    hashes: Mapping[Path, bytes],
    log: WorkLog,
    opened: ExitStack,
) -> list[FeatureStore] | None:
    folder, space = encoder.runtime.cache, encoder.runtime.cache_space
    if folder is None:
        return None
    cache = opened.enter_context(FeatureCache(encoder.file(folder)))
    stores, missing = [], []
    for paths, views in splits:
        grids = encoder.grids(views)
        photos = {hashes[path]: path for path in paths}
        for photo in cache.complete({grid.name: grid.size for grid in grids.values()}):
            photos.pop(photo, None)
        missing.append((photos, grids))
        stores.append(FeatureStore(cache, [hashes[path] for path in paths], grids))
    needed = sum(len(photos) * sum(g.size for g in grids.values()) for photos, grids in missing)
    if not make_room(folder, needed, space, keep=cache.file):
        log.note(
            "frozen stages are computed in every epoch: their features take "
            f"{needed / 2**30:.1f} GiB, more than `cache_space` allows beside those in use, "
            f"{space / 2**30:.3g} GiB in all"
        )
        return None
    total = sum(len(photos) for photos, _ in missing)
    with log.work("frozen stages", total) as advance:
        done = 0
        for photos, grids in missing:
            for done_here in encoder.encode(photos, grids, cache):
                advance(done + done_here)
            done += len(photos)
    log.note(f"frozen stages: {amount(total, 'photo')} computed, the rest read from {cache.file}")
    return stores


def can_be_kept(backbone: Backbone, augmentation: Augmentation) -> bool:
    """Return whether the frozen stages compute the same features in every epoch, up to flips.

    Args:
        backbone: Its frozen stages, if any.
        augmentation: Random changes of the photos.

    Example:
        >>> from types import SimpleNamespace
        >>> from tagsight.loading.augmentation import Augmentation
        >>> flips = Augmentation(224, 1.0, flip=True, seed=0)
        >>> can_be_kept(SimpleNamespace(frozen=[]), flips)
        False
    """
    return len(backbone.frozen) > 0 and augmentation.only_flips


def wanted_views(system: System, augmentation: Augmentation) -> Sequence[View]:
    """List the views that training may need, including those of mirrored photos.

    Args:
        system: Defines the views of a photo.
        augmentation: Random changes of the photos.

    Example:
        >>> from types import SimpleNamespace
        >>> from tagsight.loading.augmentation import Augmentation
        >>> system = SimpleNamespace(views=(frozenset(),))
        >>> [sorted(v) for v in wanted_views(system, Augmentation(224, 1.0, flip=True, seed=0))]
        [[], ['flip']]
    """
    return with_mirrored(system.views) if augmentation.flip else system.views


def _fingerprint(backbone: Backbone) -> bytes:
    digest = blake2b(repr(backbone.frozen).encode(), digest_size=16)
    held = {**backbone.frozen.state_dict(), "mean": backbone.mean, "std": backbone.std}
    for name, tensor in held.items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(_bytes(tensor))
    return digest.digest()


def _content(features: FrozenFeatures, view: View, place: int) -> bytes:
    cells = features.on_photo.get(view)
    rest = b"" if cells is None else _bytes(cells[place])
    return _bytes(features.views[view][place]) + rest


def _bytes(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes()
