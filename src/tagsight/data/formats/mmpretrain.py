"""MMPretrain's annotation file for several labels: ``metainfo`` and ``data_list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tagsight.data.format import Format
from tagsight.data.json_files import outline, read_json, shortened
from tagsight.data.photo_labels import PhotoLabels, tabulate
from tagsight.data.source import clean_name, photo_path
from tagsight.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tagsight.data.format import Labelled, ReadOptions


def recognises(source: Path) -> bool:
    """Return whether a file begins as one of MMPretrain.

    Example:
        >>> from pathlib import Path
        >>> file = Path("train.json")
        >>> _ = file.write_text('{"metainfo": {"classes": ["dog"]}, "data_list": []}')
        >>> recognises(file)
        True
    """
    top, keys, _ = outline(source)
    return top == "{" and (keys.get("metainfo") == "{" or keys.get("data_list") == "[")


def read(source: Path, options: ReadOptions) -> list[Labelled]:
    """Read the classes whose numbers a photo lists; a class that is not listed is absent.

    Args:
        source: The file.
        options: Folder of the photos; by default that of the file, or one for the file's split.

    Raises:
        DataError: If the file cannot be understood, or does not name the classes.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from tagsight.data.format import DEFAULTS
        >>> rows = [{"img_path": "a.jpg", "gt_label": [1]}, {"img_path": "b.jpg", "gt_label": []}]
        >>> content = {"metainfo": {"classes": ["dog", "sky"]}, "data_list": rows}
        >>> file = Path("train.json")
        >>> _ = file.write_text(json.dumps(content))
        >>> (found,) = read(file, DEFAULTS)
        >>> found.names, found.targets.tolist()
        (('dog', 'sky'), [[0, 1], [0, 0]])
    """
    content = read_json(source, dict, "an object with 'metainfo' and 'data_list'")
    meta, entries = content.get("metainfo"), content.get("data_list")
    classes = meta.get("classes") if isinstance(meta, dict) else None
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        msg = f"{source}: expected 'metainfo.classes', a list of names, got {shortened(meta)}"
        raise DataError(msg)
    if not isinstance(entries, list):
        msg = f"{source}: expected 'data_list', a list of photos, got {shortened(entries)}"
        raise DataError(msg)
    names = [clean_name(name, str(source)) for name in classes]
    photos = [
        _photo(entry, names, f"{source}: data_list[{number}]")
        for number, entry in enumerate(entries)
    ]
    base = source.parent
    folders = options.folders_around(base, base / source.stem)
    return [tabulate(source, photos, names=names, folders=folders)]


def _photo(entry: Any, names: Sequence[str], where: str) -> PhotoLabels:  # noqa: ANN401 - plain-data border
    path = entry.get("img_path") if isinstance(entry, dict) else None
    if not isinstance(path, str):
        msg = f"{where}: expected an object with 'img_path', got {shortened(entry)}"
        raise DataError(msg)
    given = entry.get("gt_label")
    numbers = given if isinstance(given, list) else [given]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(names):
            msg = f"{where}.gt_label: expected numbers of classes, got {shortened(given)}"
            raise DataError(msg)
    return PhotoLabels(photo_path(path, where), {names[number] for number in numbers})


FORMAT = Format(
    "mmpretrain",
    "MMPretrain's JSON for several labels, with metainfo and data_list",
    '{"metainfo": {"classes": ["cat", "dog"]},\n'
    ' "data_list": [{"img_path": "a.jpg", "gt_label": [0, 1]}]}',
    recognises,
    read,
)
