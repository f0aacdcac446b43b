"""A collection examined for wrong labels: heads on frozen features, each photo held out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from tagsight.data.photos.resizing import Frame, frame_of
from tagsight.data.splits.near_twins import near_twins, twins_by_embedding, united
from tagsight.errors import DataError
from tagsight.evaluation.label_errors import LabelError, find_label_errors
from tagsight.evaluation.predictions import forward_photos
from tagsight.labels.space import empty_label_space
from tagsight.loading.batches import evaluation_photos
from tagsight.loading.encoding import Encoder, Rows, kept_features
from tagsight.loading.preprocessing import read_square
from tagsight.loading.transforms import on_device
from tagsight.nn.class_activation import pooled
from tagsight.nn.views import ORIGINAL, stacked_pixels
from tagsight.systems.catalogue import build_system
from tagsight.training.heads import Heads, fit_heads
from tagsight.training.label_prior import LabelPrior

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tagsight.config import Recipe
    from tagsight.data.annotations import Annotations
    from tagsight.data.photos.check import Check
    from tagsight.runtime.device import Runtime
    from tagsight.runtime.progress import WorkLog
    from tagsight.systems.base import System

_VECTOR_LENGTH = 300


@dataclass(frozen=True, eq=False)
class Examiner:
    """An encoder whose features heads are fitted to.

    Args:
        system: Its backbone is used, and nothing else.
        recipe: How photos are made squares.
        runtime: Device, precision and caches.
    """

    system: System
    recipe: Recipe
    runtime: Runtime

    @classmethod
    def of(cls, recipe: Recipe, runtime: Runtime) -> Self:
        """Take the encoder that a recipe begins with.

        Raises:
            DataError: If its weights are not there.
        """
        labels = empty_label_space(["any"], vector_length=_VECTOR_LENGTH)
        without_names = recipe.settings.model_copy(update={"class_names": False})
        nameless = recipe.model_copy(update={"settings": without_names})
        return cls(build_system(nameless, labels).to(runtime.device).eval(), recipe, runtime)

    def label_errors(
        self, annotations: Annotations, check: Check, log: WorkLog
    ) -> tuple[list[LabelError], Heads]:
        """List targets that are probably wrong, and the heads of all photos.

        Each photo is scored by heads that were fitted without it and without its near twins.

        Args:
            annotations: Rows whose photos can be decoded.
            check: Content and look of the photos.
            log: Receives progress.

        Raises:
            DataError: If there are no two groups of photos with known labels.
        """
        place = {path: row for row, path in enumerate(annotations.paths)}
        first = {path: group[0] for group in near_twins(check) for path in group}
        twins = np.array([place[first.get(path, path)] for path in annotations.paths])
        targets = annotations.targets.numpy()
        fitted = fit_heads(
            self.embeddings(annotations.paths, check, log),
            targets,
            prior=LabelPrior.of_names(annotations.names, self.system.backbone),
            groups=twins,
        )
        if np.isnan(fitted.held_out).all():
            msg = "expected photos with known labels to compare, got fewer than two"
            raise DataError(msg)
        scores = fitted.calibrated(fitted.held_out)
        return find_label_errors(scores, targets, twins=twins), fitted.heads

    def twins(
        self, paths: Sequence[Path], check: Check, log: WorkLog
    ) -> tuple[tuple[Path, ...], ...]:
        """Group the photos that look alike, by fingerprint or to the encoder.

        Args:
            paths: Photos that can be decoded.
            check: Content and look of the photos.
            log: Receives progress.
        """
        by_encoder = twins_by_embedding(check, paths, self.embeddings(paths, check, log))
        return united(near_twins(check), by_encoder)

    @torch.inference_mode()
    def evidence(self, path: Path, heads: Heads) -> NDArray[np.float32]:
        """Compute the maps of a photo (`Heads.evidence`): ``(L, h, w)`` float32, in logits.

        Args:
            path: The photo.
            heads: Those of `label_errors`.
        """
        training = self.recipe.training
        most = self.runtime.max_photo_memory
        square = read_square(path, training.image_size, training.resize, max_memory=most)
        images = on_device(stacked_pixels([square]), self.runtime)
        grid = self.system.backbone(images).float().cpu()[0].movedim(0, -1)
        return heads.evidence(grid.numpy())

    def frame(self, size: tuple[int, int]) -> Frame:
        """Compute where the maps lie on a photo.

        Args:
            size: Width and height of the photo in pixels.
        """
        training = self.recipe.training
        return frame_of(size, training.image_size, training.resize)

    def embeddings(self, paths: Sequence[Path], check: Check, log: WorkLog) -> NDArray[np.float32]:
        """Encode photos: ``(N, D)`` float32, the mean of each photo's features.

        Args:
            paths: The ``N`` photos, all of which can be decoded.
            check: Content of the photos.
            log: Receives progress.
        """
        training = self.recipe.training
        encoder = Encoder(self.system, training.image_size, self.runtime, training.resize)
        rows = Rows(paths, [ORIGINAL])
        with kept_features(encoder, [rows], check.hashes, log) as kept:
            photos = kept[0] if kept else evaluation_photos(paths, training, self.runtime)
            with log.work("encoding", len(paths)) as advance:
                return forward_photos(
                    lambda images: pooled(self.system.backbone(images), "average"),
                    self.system,
                    photos,
                    self.runtime,
                    progress=advance,
                ).numpy()
