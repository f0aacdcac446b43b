"""Boxes of the objects in photos, for measuring evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from tagsight.data.formats.coco_instances import read_instances
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

MOST_PIXELS = 10**9
"""Bound of every coordinate; it also refuses NaN."""


class PhotoBoxes(NamedTuple):
    """Boxes of one photo.

    Attributes:
        size: ``(width, height)`` of the photo that the boxes refer to, in pixels.
        boxes: For each label with objects, ``(n, 4)`` float, left, top, right, bottom in pixels.
    """

    size: tuple[int, int]
    boxes: dict[str, Tensor]


@dataclass(frozen=True)
class Boxes:
    """Boxes of a collection.

    Attributes:
        names: Labels with boxes; a photo without a box of one of them does not show it.
        photos: The boxes of each photo, by its path below the folder of the photos.

    Example:
        >>> from pathlib import Path
        >>> dog = PhotoBoxes((640, 480), {"dog": torch.tensor([[0.0, 0.0, 64.0, 48.0]])})
        >>> boxes = Boxes(("dog",), {"2026/a.jpg": dog})
        >>> boxes.of(Path("/pictures/2026/a.jpg")) is dog, boxes.of(Path("/pictures/a.jpg"))
        (True, None)
    """

    names: tuple[str, ...]
    photos: Mapping[str, PhotoBoxes]

    def of(self, path: Path) -> PhotoBoxes | None:
        """Return the boxes of a photo, found by the longest known suffix of its path."""
        parts = path.parts
        ends = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((self.photos[end] for end in ends if end in self.photos), None)


def read_boxes(file: Path) -> Boxes:
    """Read the boxes of a COCO file; boxes without area are skipped.

    Raises:
        DataError: If the file cannot be understood; the message names the key.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> photo = {"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}
        >>> label = {"id": 5, "name": "cat"}
        >>> box = {"image_id": 1, "category_id": 5, "bbox": [10, 20, 30, 5]}
        >>> rows = {"images": [photo], "categories": [label], "annotations": [box]}
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "boxes.json")
        ...     _ = file.write_text(json.dumps(rows))
        ...     read_boxes(file).of(Path("photos/a.jpg")).boxes["cat"].tolist()
        [[10.0, 20.0, 40.0, 25.0]]
    """
    photos, names, objects = read_instances(file)
    corners: dict[tuple[int | str, str], list[list[float]]] = {}
    for position, entry in enumerate(objects):
        if entry["category_id"] is None:
            continue
        left, top, width, height = _box(entry.get("bbox"), f"{file}: annotations[{position}].bbox")
        if width and height:
            key = entry["image_id"], names[entry["category_id"]]
            corners.setdefault(key, []).append([left, top, left + width, top + height])
    by_photo: dict[int | str, dict[str, Tensor]] = {key: {} for key in photos}
    for (photo, name), boxes in corners.items():
        by_photo[photo][name] = torch.tensor(boxes, dtype=torch.float32)
    found = {
        entry["file_name"]: PhotoBoxes(_size(entry, f"{file}: images[{position}]"), by_photo[key])
        for position, (key, entry) in enumerate(photos.items())
    }
    return Boxes(tuple(sorted(set(names.values()))), found)


def _box(value: object, where: str) -> list[float]:
    is_box = isinstance(value, list) and len(value) == 4 and all(map(_is_length, value))
    if isinstance(value, list) and is_box and min(value[2:]) >= 0:
        return value
    msg = f"{where}: expected [left, top, width, height] in pixels, got {str(value)[:80]}"
    raise DataError(msg)


def _size(entry: dict[str, object], where: str) -> tuple[int, int]:
    width, height = entry.get("width"), entry.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    msg = f"{where}: expected 'width' and 'height' in pixels, got {width!r} and {height!r}"
    raise DataError(msg)


def _is_length(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -MOST_PIXELS < value < MOST_PIXELS
