"""MegaDetector's results: a JSON file of what a detector, perhaps a classifier, says of photos."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.data.tables.names import is_photo
from tagsight.errors import DataError
from tagsight.runtime.amounts import amount

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions

logger = logging.getLogger(__name__)

WHAT = "'images' with 'file' and 'detections', and 'detection_categories'"
ENTRY = {"file": '"', "detections": "["}
"""Keys of a photo, with how their values begin."""

DETECTION_FROM, CLASSIFICATION_FROM = 0.2, 0.5
"""Confidences from which on a label counts, if the file does not say which are typical."""


class _Model(NamedTuple):
    """The model of a file: names by the keys of categories, and confidences to count."""

    categories: Mapping[str, Any] | None = None
    classes: Mapping[str, Any] = {}
    detection_from: float = DETECTION_FROM
    classification_from: float = CLASSIFICATION_FROM


def recognises(source: Path) -> bool:
    """Return whether a file begins as results of MegaDetector, or of a program that writes such.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("md.json").write_text('{"images": [{"file": "a.jpg", "detections": []}]}')
        >>> recognises(Path("md.json"))
        True
    """
    top, keys, lines = outline(source)
    if top == "{" and not lines:
        if keys.get("detection_categories") == "{":
            return True
        keys = outline(source, "images").keys
    return all(keys.get(key) == mark for key, mark in ENTRY.items())


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the categories of detections, and the first class of each, as labels.

    They count from the confidence on that the file calls typical, else 0.2 for a detection and 0.5
    for a class. If no class of a detection reaches it, all that are listed are unknown. A label
    without a detection is absent. Photos that the model could not open, and videos, are left out.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or the usual ones in it.

    Raises:
        DataError: If the file cannot be understood.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> found = {"category": "1", "conf": 0.9, "classifications": [["7", 0.8], ["8", 0.1]]}
        >>> content = {
        ...     "images": [{"file": "a.jpg", "detections": [found]}],
        ...     "detection_categories": {"1": "animal"},
        ...     "classification_categories": {"7": "fox", "8": "wolf"},
        ... }
        >>> _ = Path("md.json").write_text(json.dumps(content))
        >>> (table,) = read(Path("md.json"), DEFAULTS)
        >>> table.names, table.targets.tolist()
        (('animal', 'fox'), [[1, 1]])
    """
    entries, model = _content(source)
    photos = [
        _photo(entry, model, f"{source}: images[{number}]")
        for number, entry in enumerate(entries)
        if not (isinstance(entry, dict) and _is_left_out(entry))
    ]
    if not photos:
        msg = f"{source}: expected photos with 'detections', got {amount(len(entries), 'file')}"
        raise DataError(f"{msg} that the model could not open, or that are videos")
    if left := len(entries) - len(photos):
        files = amount(left, "file")
        logger.info("%s: %s left out that the model could not open, or videos", source, files)
    logger.warning(
        "%s: its labels are what a model says, which nobody has confirmed: detections from a "
        "confidence of %g on, classes from %g",
        source,
        model.detection_from,
        model.classification_from,
    )
    return [tabulate(source, photos, folders=options.folders_around(source.parent))]


def _content(source: Path) -> tuple[list[Any], _Model]:
    """Return the photos of a file; in a list of them, categories are names."""
    if outline(source).top == "[":
        return read_json(source, list, WHAT), _Model()
    content = read_json(source, dict, WHAT)
    for key, kind in (("images", list), ("detection_categories", dict)):
        if not isinstance(content.get(key), kind):
            msg = f"{source}: expected {WHAT}, got {shortened(content.get(key))} under {key!r}"
            raise DataError(msg)
    return content["images"], _model(content)


def _model(content: Mapping[str, Any]) -> _Model:
    info = _object(content, "info")
    return _Model(
        _object(content, "detection_categories"),
        _object(content, "classification_categories"),
        _typical(_object(info, "detector_metadata"), "detection", DETECTION_FROM),
        _typical(_object(info, "classifier_metadata"), "classification", CLASSIFICATION_FROM),
    )


def _object(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def _typical(metadata: Mapping[str, Any], kind: str, otherwise: float) -> float:
    value = _confidence(metadata.get(f"typical_{kind}_threshold"))
    return otherwise if value is None else value


def _confidence(value: object) -> float | None:
    """Return a confidence in [0, 1], or None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return None


def _is_left_out(entry: Mapping[str, Any]) -> bool:
    file = entry.get("file")
    is_video = isinstance(file, str) and ("frame_rate" in entry or not is_photo(file))
    return bool(entry.get("failure")) or is_video


def _photo(entry: Any, model: _Model, where: str) -> PhotoLabels:  # noqa: ANN401 - plain-data border
    given = entry if isinstance(entry, dict) else {}
    file, detections = given.get("file"), given.get("detections")
    if not isinstance(file, str) or not isinstance(detections, list):
        msg = f"{where}: expected an object with 'file' and 'detections', got {shortened(entry)}"
        raise DataError(msg)
    present, unsure = set[str](), set[str]()
    for number, detection in enumerate(detections):
        place = f"{where}.detections[{number}]"
        name = _category(detection, model, place)
        if name is None:
            continue
        present.add(name)
        classes = _classes(detection, model, place)
        sure = [one for one, score in classes[:1] if score >= model.classification_from]
        (present if sure else unsure).update(sure or [one for one, _ in classes])
    return PhotoLabels(photo_path(file, where), present - {""}, unsure - present - {""})


def _category(detection: Any, model: _Model, where: str) -> str | None:  # noqa: ANN401 - plain-data border
    """Return the category of a detection, or None if it does not count or is not listed."""
    given = detection if isinstance(detection, dict) else {}
    category = given.get("category")
    confidence = _confidence(given.get("conf", given.get("confidence")))
    if not isinstance(category, str) or confidence is None:
        msg = f"{where}: expected a 'category' and a 'conf' in [0, 1], got {shortened(detection)}"
        raise DataError(msg)
    name = category if model.categories is None else model.categories.get(category)
    counts = confidence >= model.detection_from and isinstance(name, str)
    return clean_name(str(name), where) if counts else None


def _classes(detection: Mapping[str, Any], model: _Model, where: str) -> list[tuple[str, float]]:
    """Return the classes of a detection with their confidences, the highest first."""
    found = []
    for pair in detection.get("classifications") or []:
        key, score = pair if isinstance(pair, list) and len(pair) == 2 else (None, None)
        name = model.classes.get(key) if isinstance(key, str) else None
        confidence = _confidence(score)
        if not isinstance(name, str) or confidence is None:
            msg = f"{where}: expected a class and its confidence in [0, 1], got {shortened(pair)}"
            raise DataError(msg)
        found.append((clean_name(name, where), confidence))
    return sorted(found, key=lambda one: -one[1])


FORMAT = Format(
    "megadetector",
    "results of MegaDetector, of boxes and perhaps classes, which are only read if it is chosen",
    '{"images": [{"file": "a.jpg",\n'
    '             "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0.1, 0.2, 0.3]}]}],\n'
    ' "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"}}',
    recognises,
    read,
    certain=True,
    is_of_model=True,
)
